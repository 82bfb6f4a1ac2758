package podimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// file is an entry of a layer.
type file struct {
	// path is without a leading slash.
	path string
	// from is the file with its content; otherwise it is text.
	from, text string
	// link is the target of a symbolic link.
	link string
	mode int64
	// dir is set for a folder.
	dir bool
	uid int
}

func program(path, from string) file { return file{path: path, from: from, mode: 0o755} }
func script(path, text string) file  { return file{path: path, text: text, mode: 0o755} }

// layerOf returns a layer with files and the folders that they lie in.
func layerOf(files ...file) (v1.Layer, error) {
	var seen []string
	var all []file
	for _, f := range files {
		for dir := path.Dir(f.path); dir != "."; dir = path.Dir(dir) {
			if !slices.Contains(seen, dir) {
				seen = append(seen, dir)
				all = append(all, file{path: dir, dir: true, mode: 0o755})
			}
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b file) int { return strings.Compare(a.path, b.path) })
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, f := range all {
		if err := f.write(w); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return layer(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
}

func (f file) write(w *tar.Writer) error {
	header := &tar.Header{Name: f.path, Mode: f.mode, Typeflag: tar.TypeReg, Uid: f.uid, Gid: f.uid, Format: tar.FormatPAX}
	switch {
	case f.dir:
		header.Typeflag, header.Name = tar.TypeDir, f.path+"/"
	case f.link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.link
	case f.from != "":
		info, err := os.Stat(f.from)
		if err != nil {
			return err
		}
		header.Size = info.Size()
	default:
		header.Size = int64(len(f.text))
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	if f.from == "" {
		if header.Typeflag != tar.TypeReg {
			return nil
		}
		_, err := io.WriteString(w, f.text)
		return err
	}
	source, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer source.Close()
	_, err = io.Copy(w, source)
	return err
}

// layerFromArchive is a layer of an uncompressed archive.
func layerFromArchive(name string) (v1.Layer, error) {
	return layer(func() (io.ReadCloser, error) { return os.Open(name) })
}

// layer is not compressed: the images never leave the machine.
func layer(open tarball.Opener) (v1.Layer, error) {
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.NoCompression))
}
