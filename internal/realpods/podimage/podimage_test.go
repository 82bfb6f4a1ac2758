package podimage

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/internal/workload"
)

// committed are the stacks of the repository.
func committed(t *testing.T) []*stack.Stack {
	t.Helper()
	var all []*stack.Stack
	for _, name := range stacktest.Names {
		s, err := stacktest.Load(name, "../../../Pulumi."+name+".yaml")
		require.NoError(t, err)
		all = append(all, s)
	}
	return all
}

func TestImages_cover_every_workload_of_every_stack(t *testing.T) {
	for _, s := range committed(t) {
		workloads := workload.All(s)
		images, err := Of(workloads)
		require.NoError(t, err, s.Stack)
		services := 0
		for _, w := range workloads {
			if w.Image == "" {
				continue
			}
			i := slices.IndexFunc(images, func(image Image) bool { return image.Reference == w.Image })
			require.GreaterOrEqual(t, i, 0, "%s: %s has no image", s.Stack, w.Name)
			if w.Kind == workload.Service {
				services++
				assert.Equal(t, w.Service, images[i].Service)
			}
		}
		assert.Equal(t, 11, services)
	}
}

func TestImages_that_only_listen_say_so(t *testing.T) {
	images, err := Of(workload.All(committed(t)[0]))
	require.NoError(t, err)
	var standIns []string
	for _, image := range images {
		if image.StandIn {
			reference, err := name.ParseReference(image.Reference)
			require.NoError(t, err)
			standIns = append(standIns, filepath.Base(reference.Context().RepositoryStr()))
		}
	}
	slices.Sort(standIns)
	assert.Equal(t, []string{"clickhouse-server", "elasticsearch", "elasticsearch-exporter", "kafka", "kafka-exporter"}, standIns)
}

func TestImages_of_an_unknown_workload_are_refused(t *testing.T) {
	_, err := Of([]workload.Workload{{Name: "x", Kind: workload.Store, Store: catalog.StoreKind("other"), Image: "x:1"}})
	assert.ErrorContains(t, err, "no image can be made for x")
}

func TestImages_of_dev(t *testing.T) {
	images, err := Of(workload.All(committed(t)[0]))
	require.NoError(t, err)
	pinned := "docker.io/library/postgres@sha256:" + strings.Repeat("ab", 32)
	for i := range images { // By digest, as a stack may pin them.
		if images[i].role == postgres {
			images[i].Reference = pinned
		}
	}
	archive, made := build(t, images)

	t.Run("have the names of the manifests", func(t *testing.T) {
		for _, image := range images {
			archived, wanted, err := archivedName(image.Reference)
			require.NoError(t, err)
			assert.Equal(t, wanted, archive.Names[archived])
			assert.Contains(t, made, archived)
		}
		assert.Len(t, made, len(images)+1)
		assert.Contains(t, made, Toolbox)
	})
	t.Run("keep the contract of the official ones", func(t *testing.T) {
		for _, image := range images {
			archived, _, _ := archivedName(image.Reference)
			config, err := made[archived].ConfigFile()
			require.NoError(t, err)
			c := config.Config
			switch image.role {
			case postgres:
				assert.Equal(t, []string{"docker-entrypoint.sh"}, c.Entrypoint)
				assert.Equal(t, []string{"postgres"}, c.Cmd)
				assert.Equal(t, "SIGINT", c.StopSignal)
				assert.Contains(t, c.Env, "PGDATA=/var/lib/postgresql/data")
			case service:
				assert.Equal(t, "1000:1000", c.User)
				assert.Contains(t, c.Env, "CONTRACT_SERVICE="+image.Service)
			case standIn:
				assert.Equal(t, "--", c.Entrypoint[len(c.Entrypoint)-1], "the arguments of the real program are ignored")
			}
		}
	})
	t.Run("share their layers", func(t *testing.T) {
		layers := map[v1.Hash]bool{}
		for _, image := range made {
			all, err := image.Layers()
			require.NoError(t, err)
			for _, layer := range all {
				digest, err := layer.Digest()
				require.NoError(t, err)
				layers[digest] = true
			}
		}
		assert.Less(t, len(layers), len(made))
	})
	t.Run("are not made twice", func(t *testing.T) {
		content, err := os.ReadFile(archive.Path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(archive.Path, content[:1], 0o644))
		again, err := builderOf(t, filepath.Dir(archive.Path)).workloads(filepath.Join(filepath.Dir(archive.Path), "debian.tar"), images)
		require.NoError(t, err)
		assert.Equal(t, archive, again)
		about, err := os.Stat(archive.Path)
		require.NoError(t, err)
		assert.EqualValues(t, 1, about.Size())
	})
	t.Run("are made again when a program has changed", func(t *testing.T) {
		dir := filepath.Dir(archive.Path)
		b := builderOf(t, dir)
		require.NoError(t, os.WriteFile(b.Programs["weed"], []byte("another"), 0o755))
		other, err := b.workloads(filepath.Join(dir, "debian.tar"), images)
		require.NoError(t, err)
		assert.NotEqual(t, archive.Path, other.Path)
	})
}

func TestImages_get_the_names_that_a_container_runtime_looks_for(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789ab", 5) + "0123"
	for image, want := range map[string][2]string{
		"nova-auth-service:dev":             {"nova-auth-service:dev", "nova-auth-service:dev"},
		"docker.io/library/redis:7":         {"docker.io/library/redis:7", "docker.io/library/redis:7"},
		"docker.io/library/redis@" + digest: {"docker.io/library/redis:digest-0123456789ab", "docker.io/library/redis@" + digest},
		"redis:7@" + digest:                 {"redis:7", "docker.io/library/redis@" + digest},
		"quay.io/a/b:1@" + digest:           {"quay.io/a/b:1", "quay.io/a/b@" + digest},
	} {
		archived, wanted, err := archivedName(image)
		require.NoError(t, err)
		assert.Equal(t, want, [2]string{archived, wanted}, image)
	}
	_, _, err := archivedName("Not A Name")
	assert.ErrorContains(t, err, "Not A Name")
}

func TestLayer_has_the_folders_of_its_files(t *testing.T) {
	layer, err := layerOf(script("a/b/run.sh", "#!/bin/sh\n"), file{path: "a/link", link: "b/run.sh"}, file{path: "tmp", dir: true, mode: 0o1777})
	require.NoError(t, err)
	content, err := layer.Uncompressed()
	require.NoError(t, err)
	defer content.Close()
	var entries []string
	r := tar.NewReader(content)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		entries = append(entries, header.FileInfo().Mode().String()+" "+header.Name)
	}
	assert.Equal(t, []string{"drwxr-xr-x a/", "drwxr-xr-x a/b/", "-rwxr-xr-x a/b/run.sh", "L--------- a/link", "dtrwxrwxrwx tmp/"}, entries)
}

func builderOf(t *testing.T, dir string) Builder {
	t.Helper()
	programs := map[string]string{}
	for _, name := range []string{"weed", "coredns", "postgres_exporter", "contract-service"} {
		programs[name] = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(programs[name], []byte(name), 0o755))
	}
	return Builder{Cache: dir, Dir: dir, Programs: programs, Progress: io.Discard}
}

// build makes images over an empty root file system.
func build(t *testing.T, images []Image) (Archive, map[string]v1.Image) {
	t.Helper()
	dir := t.TempDir()
	b := builderOf(t, dir)
	var root bytes.Buffer
	require.NoError(t, tar.NewWriter(&root).Close())
	debian := filepath.Join(dir, "debian.tar")
	require.NoError(t, os.WriteFile(debian, root.Bytes(), 0o644))
	archive, err := b.workloads(debian, images)
	require.NoError(t, err)
	made := map[string]v1.Image{}
	for archived := range archive.Names {
		tag, err := name.NewTag(archived)
		require.NoError(t, err)
		made[archived], err = tarball.ImageFromPath(archive.Path, &tag)
		require.NoError(t, err, archived)
	}
	return archive, made
}
