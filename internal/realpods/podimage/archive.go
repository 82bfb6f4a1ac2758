package podimage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Names of the images that a cluster needs itself. They belong to no registry,
// so that nothing is ever pulled in their place.
const (
	Pause   = "localhost/nova/pause:1"
	CoreDNS = "localhost/nova/coredns:1"
	// Toolbox has the contract service, a shell and the programs of Debian's
	// packages: it is what tests run as a pod of their own.
	Toolbox = "localhost/nova/toolbox:1"
)

// Builder makes images.
type Builder struct {
	// Cache is the folder for what is made once and used again.
	Cache string
	// Dir is the folder for archives.
	Dir string
	// Programs are the paths of weed, coredns, postgres_exporter and
	// contract-service, by name.
	Programs map[string]string
	// Progress is where it is told what is made.
	Progress io.Writer
}

// Archive is a file with images as `docker save` writes them, which `ctr images
// import`, `kind load image-archive` and `k3d image import` read.
type Archive struct {
	Path string
	// Names maps each image's name in the archive to the name that it must get:
	// an archive cannot name an image by digest.
	Names map[string]string
}

// Node makes the archive with the images that every node needs before its first
// pod.
func (b Builder) Node() (Archive, error) {
	inputs := b.inputs(nil)
	if archive, found := b.find("node", inputs, Pause, CoreDNS); found {
		return archive, nil
	}
	pause, err := image(config(v1.Config{Entrypoint: []string{"/contract-service", "pause"}, User: "65535:65535"}), program("contract-service", b.Programs["contract-service"]))
	if err != nil {
		return Archive{}, err
	}
	dns, err := image(config(v1.Config{Entrypoint: []string{"/coredns"}}), program("coredns", b.Programs["coredns"]))
	if err != nil {
		return Archive{}, err
	}
	return b.write("node", inputs, map[string]v1.Image{Pause: pause, CoreDNS: dns})
}

// Workloads makes the archive with the images of workloads and the toolbox.
func (b Builder) Workloads(ctx context.Context, images []Image) (Archive, error) {
	root, err := debianRoot(ctx, b.Cache, b.Progress)
	if err != nil {
		return Archive{}, err
	}
	return b.workloads(root, images)
}

func (b Builder) workloads(root string, images []Image) (Archive, error) {
	inputs := b.inputs(images) + root
	references := []string{Toolbox}
	for _, image := range images {
		references = append(references, image.Reference)
	}
	if archive, found := b.find("workloads", inputs, references...); found {
		return archive, nil
	}
	fmt.Fprintf(b.Progress, "making %d images\n", len(images)+1)
	debian, err := layerFromArchive(root)
	if err != nil {
		return Archive{}, fmt.Errorf("podimage: %w", err)
	}
	m := maker{debian: debian, programs: b.Programs}
	made := map[string]v1.Image{}
	for _, image := range images {
		if made[image.Reference], err = m.make(image); err != nil {
			return Archive{}, fmt.Errorf("podimage: %s: %w", image.Reference, err)
		}
	}
	if made[Toolbox], err = m.toolbox(); err != nil {
		return Archive{}, fmt.Errorf("podimage: %s: %w", Toolbox, err)
	}
	return b.write("workloads", inputs, made)
}

// inputs identify what archives are made from.
func (b Builder) inputs(images []Image) string {
	var s strings.Builder
	for _, program := range []string{"weed", "coredns", "postgres_exporter", "contract-service"} {
		hash := sha256.New()
		if file, err := os.Open(b.Programs[program]); err == nil {
			_, err = io.Copy(hash, file)
			_ = file.Close()
			if err != nil {
				continue
			}
		}
		fmt.Fprintf(&s, "%s %x\n", program, hash.Sum(nil))
	}
	for _, image := range images {
		fmt.Fprintln(&s, image)
	}
	fmt.Fprintln(&s, recipes)
	return s.String()
}

func (b Builder) path(kind, inputs string) string {
	return filepath.Join(b.Dir, fmt.Sprintf("%s-%.6x.tar", kind, sha256.Sum256([]byte(inputs))))
}

func (b Builder) find(kind, inputs string, images ...string) (Archive, bool) {
	archive := Archive{Path: b.path(kind, inputs), Names: map[string]string{}}
	now := time.Now()
	if err := os.Chtimes(archive.Path, now, now); err != nil {
		return Archive{}, false
	}
	for _, image := range images {
		archived, wanted, err := archivedName(image)
		if err != nil {
			return Archive{}, false
		}
		archive.Names[archived] = wanted
	}
	return archive, true
}

// unusedTime is how long an archive is kept that nobody asks for. Another
// process may be loading it.
const unusedTime = time.Hour

// write writes an archive and removes those of its kind that are not used any
// more.
func (b Builder) write(kind, inputs string, images map[string]v1.Image) (Archive, error) {
	archive := Archive{Path: b.path(kind, inputs), Names: map[string]string{}}
	references := map[name.Reference]v1.Image{}
	for reference, image := range images {
		archived, wanted, err := archivedName(reference)
		if err != nil {
			return Archive{}, fmt.Errorf("podimage: %w", err)
		}
		tag, err := name.NewTag(archived)
		if err != nil {
			return Archive{}, fmt.Errorf("podimage: %w", err)
		}
		archive.Names[archived] = wanted
		references[tag] = image
	}
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return Archive{}, fmt.Errorf("podimage: %w", err)
	}
	older, err := filepath.Glob(filepath.Join(b.Dir, kind+"-*.tar"))
	if err != nil {
		return Archive{}, fmt.Errorf("podimage: %w", err)
	}
	for _, name := range older {
		if info, err := os.Stat(name); err != nil || time.Since(info.ModTime()) < unusedTime {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Archive{}, fmt.Errorf("podimage: %w", err)
		}
	}
	unfinished := archive.Path + ".unfinished"
	if err := tarball.MultiRefWriteToFile(unfinished, references); err != nil {
		return Archive{}, fmt.Errorf("podimage: write %s: %w", archive.Path, err)
	}
	if err := os.Rename(unfinished, archive.Path); err != nil {
		return Archive{}, fmt.Errorf("podimage: %w", err)
	}
	return archive, nil
}

// archivedName is the name of an image in an archive, where there are tags only,
// and the name by which a container runtime looks for the image of a reference.
func archivedName(image string) (archived, wanted string, err error) {
	parsed, err := reference.ParseDockerRef(image)
	if err != nil {
		return "", "", fmt.Errorf("image %q: %w", image, err)
	}
	digested, ok := parsed.(reference.Digested)
	if !ok {
		return image, image, nil
	}
	tagged, _, _ := strings.Cut(image, "@")
	if named, err := reference.ParseNormalizedNamed(tagged); err == nil && reference.IsNameOnly(named) {
		tagged += ":digest-" + digested.Digest().Encoded()[:12]
	}
	return tagged, parsed.String(), nil
}

// created is the creation time of every image, so that the same content is the
// same image.
var created = v1.Time{Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}

func config(c v1.Config) v1.ConfigFile {
	c.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, c.Env...)
	return v1.ConfigFile{Architecture: runtime.GOARCH, OS: "linux", Created: created, Config: c}
}

func image(c v1.ConfigFile, files ...file) (v1.Image, error) {
	top, err := layerOf(files...)
	if err != nil {
		return nil, fmt.Errorf("podimage: %w", err)
	}
	return assemble(c, top)
}

func assemble(c v1.ConfigFile, layers ...v1.Layer) (v1.Image, error) {
	image, err := mutate.ConfigFile(empty.Image, &c)
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(image, layers...)
}
