package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"nova.dev/infra/catalog"
)

// Published is an image in a registry.
type Published struct {
	// Digest is the digest to run, sha256:<hex>.
	Digest string
	// Inputs is the digest of the inputs it was made from; empty where it was
	// not made by this program.
	Inputs string
}

// Find reads a tag from its registry, with the credentials of the Docker
// configuration. Nil means that there is no such tag.
func Find(ctx context.Context, reference, platform string) (*Published, error) {
	tag, err := name.ParseReference(reference)
	if err != nil {
		return nil, err
	}
	wanted, err := v1.ParsePlatform(platform)
	if err != nil {
		return nil, fmt.Errorf("%q is not a platform such as %s", platform, catalog.NodePlatform)
	}
	found, err := remote.Get(tag, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithPlatform(*wanted))
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", reference, err)
	}
	img, err := found.Image()
	if err != nil {
		return nil, fmt.Errorf("read %s for %s: %w", reference, platform, err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", reference, err)
	}
	return &Published{Digest: found.Digest.String(), Inputs: file.Config.Labels[inputsLabel]}, nil
}

// Exists reports whether a registry has an image, with the credentials of the Docker
// configuration. An error means that it could not be asked.
func Exists(ctx context.Context, reference string) (bool, error) {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return false, err
	}
	_, err = remote.Head(parsed, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read %s: %w", reference, err)
	}
	return true, nil
}

// ExistsError refuses to overwrite tags that hold images of other inputs.
type ExistsError struct{ References []string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("refused: %s exists already and was made from other sources; a tag is never overwritten: choose another version",
		strings.Join(e.References, ", "))
}
