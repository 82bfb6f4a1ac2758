package image

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"nova.dev/infra/catalog"
)

// Upstream is what a registry has of an image of the catalogue.
type Upstream struct {
	Name string `json:"name"`
	// Reference is the catalogue's.
	Reference string `json:"reference"`
	// Digest is that of the catalogue's tag, for all platforms together.
	Digest string `json:"digest"`
	// Newest is the newest tag of the same line of releases, and NewestDigest
	// its digest; both are empty where the catalogue has it.
	Newest       string `json:"newest,omitempty"`
	NewestDigest string `json:"newestDigest,omitempty"`
}

// askTime is how long a registry gets to answer for one image; the tags of some
// come in hundreds of pages.
const askTime = time.Minute

// askAtOnce is how many images are asked for at once: public registries refuse
// clients that ask for much.
const askAtOnce = 4

// Upstreams asks registries for images, with the credentials of the Docker
// configuration. mirror is asked in place of every image's own registry; empty
// means none. The error joins those of all images that could not be read, and
// the others are returned.
func Upstreams(ctx context.Context, images []catalog.Image, mirror string, newest bool) ([]Upstream, error) {
	found, errs := make([]Upstream, len(images)), make([]error, len(images))
	var group errgroup.Group
	group.SetLimit(askAtOnce)
	for i, wanted := range images {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, askTime)
			defer cancel()
			found[i], errs[i] = upstream(ctx, wanted, mirror, newest)
			return nil
		})
	}
	_ = group.Wait()
	found = slices.DeleteFunc(found, func(u Upstream) bool { return u.Digest == "" })
	return found, errors.Join(errs...)
}

func upstream(ctx context.Context, wanted catalog.Image, mirror string, newest bool) (Upstream, error) {
	repository, err := name.NewRepository(mirrored(wanted.Repository, mirror))
	if err != nil {
		return Upstream{}, err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	digest := func(tag string) (string, error) {
		descriptor, err := remote.Head(repository.Tag(tag), options...)
		if err != nil {
			return "", fmt.Errorf("%s: read %s:%s: %w", wanted.Name, repository, tag, err)
		}
		return descriptor.Digest.String(), nil
	}
	u := Upstream{Name: wanted.Name, Reference: wanted.Reference()}
	if u.Digest, err = digest(wanted.Tag); err != nil || !newest {
		return u, err
	}
	tags, err := remote.List(repository, options...)
	if err != nil {
		return Upstream{}, fmt.Errorf("%s: list the tags of %s: %w", wanted.Name, repository, err)
	}
	if u.Newest = newestTag(wanted, tags); u.Newest == "" {
		return u, nil
	}
	if u.NewestDigest, err = digest(u.Newest); err != nil {
		return Upstream{}, err
	}
	return u, nil
}

// mirrored is a repository in a mirror.
func mirrored(repository, mirror string) string {
	if mirror == "" {
		return repository
	}
	_, path, _ := strings.Cut(repository, "/")
	return strings.TrimSuffix(mirror, "/") + "/" + path
}

// versioned splits a tag such as v15.18-bookworm into what precedes its numbers,
// its numbers, and what follows them.
var versioned = regexp.MustCompile(`^([a-z]*)(\d+(?:\.\d+)*)(-[a-z0-9.]+)?$`)

type version struct {
	prefix, suffix string
	numbers        []int
}

func parseTag(tag string) (version, bool) {
	parts := versioned.FindStringSubmatch(tag)
	if parts == nil {
		return version{}, false
	}
	v := version{prefix: parts[1], suffix: parts[3]}
	for _, text := range strings.Split(parts[2], ".") {
		number, err := strconv.Atoi(text)
		if err != nil {
			return version{}, false
		}
		v.numbers = append(v.numbers, number)
	}
	return v, true
}

// newestTag is the highest tag above an image's own: of the same line, of the
// same form and for the same base, so that 15.19-bookworm follows 15.18-bookworm
// and neither 16.1-bookworm, 15-bookworm nor 15.19-alpine does.
func newestTag(wanted catalog.Image, tags []string) string {
	own, ok := parseTag(wanted.Tag)
	if !ok {
		return ""
	}
	newest, best := "", own
	for _, tag := range tags {
		v, ok := parseTag(tag)
		if !ok || v.prefix != own.prefix || v.suffix != own.suffix || len(v.numbers) != len(own.numbers) ||
			!slices.Equal(v.numbers[:wanted.Line], own.numbers[:wanted.Line]) {
			continue
		}
		if slices.Compare(v.numbers, best.numbers) > 0 {
			newest, best = tag, v
		}
	}
	return newest
}
