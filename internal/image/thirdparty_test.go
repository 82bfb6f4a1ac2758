package image

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

func TestUpstreams(t *testing.T) {
	postgres := catalog.Image{Name: "postgres", Repository: "docker.io/library/postgres", Tag: "15.18-bookworm", Line: 1}
	redis := catalog.Image{Name: "redis", Repository: "docker.io/library/redis", Tag: "7.2.15-bookworm", Line: 2}
	grafana := catalog.Image{Name: "grafana", Repository: "docker.io/grafana/grafana", Tag: "12.0.2", Line: 1}
	host := testRegistry(t)
	push := func(repository string, tags ...string) map[string]string {
		digests := map[string]string{}
		for _, tag := range tags {
			digests[tag] = pushed(t, host+"/"+repository+":"+tag, repository+tag)
		}
		return digests
	}
	ofPostgres := push("library/postgres", "15.9-bookworm", "15.18-bookworm", "15.19-bookworm", "15.20-alpine", "15", "15-bookworm", "16.1-bookworm", "latest")
	ofRedis := push("library/redis", "7.2.15-bookworm", "7.4.1-bookworm", "7.2.9-bookworm")

	t.Run("find the newest tag of the same line and base", func(t *testing.T) {
		found, err := Upstreams(t.Context(), []catalog.Image{postgres, redis}, host, true)
		require.NoError(t, err)
		assert.Equal(t, []Upstream{
			{
				Name: "postgres", Reference: "docker.io/library/postgres:15.18-bookworm", Digest: ofPostgres["15.18-bookworm"],
				Newest: "15.19-bookworm", NewestDigest: ofPostgres["15.19-bookworm"],
			},
			{Name: "redis", Reference: "docker.io/library/redis:7.2.15-bookworm", Digest: ofRedis["7.2.15-bookworm"]},
		}, found)
	})
	t.Run("read digests alone", func(t *testing.T) {
		found, err := Upstreams(t.Context(), []catalog.Image{postgres}, host, false)
		require.NoError(t, err)
		assert.Equal(t, []Upstream{{Name: "postgres", Reference: postgres.Reference(), Digest: ofPostgres["15.18-bookworm"]}}, found)
	})
	t.Run("name every image that the registry lacks and return the others", func(t *testing.T) {
		found, err := Upstreams(t.Context(), []catalog.Image{grafana, redis}, host, false)
		require.ErrorContains(t, err, "grafana: read "+host+"/grafana/grafana:12.0.2")
		require.Len(t, found, 1)
		assert.Equal(t, "redis", found[0].Name)
	})
}

func TestImages_of_the_catalogue_have_tags_that_are_compared(t *testing.T) {
	for _, image := range catalog.Images() {
		own, ok := parseTag(image.Tag)
		require.True(t, ok, image.Reference())
		assert.Less(t, image.Line, len(own.numbers), "%s: a line of one release has no newer one", image.Name)
	}
}

func TestDockerfile_takes_its_bases_from_the_catalogue(t *testing.T) {
	rust, _ := catalog.FindImage("rust")
	debian, _ := catalog.FindImage("debian")
	assert.Equal(t, rust.Tag, argument("RUST_VERSION")+"-bookworm")
	assert.Equal(t, "rust:${RUST_VERSION}-bookworm", argument("BUILDER_IMAGE"))
	assert.Equal(t, "debian:"+debian.Tag, argument("RUNTIME_IMAGE"))
}
