package catalog

import "fmt"

// Image is the image of a program that is not part of Nova. This is the only
// list of them: stores, exporters, monitoring under Docker Compose, and the
// bases of the services' own images.
type Image struct {
	// Name is what stacks call it in nova:images.pins.
	Name string
	// Repository is registry, path and name.
	Repository string
	// Tag is an exact version.
	Tag string
	// Line is how many of the tag's leading numbers make the line of releases
	// that a newer tag must belong to: 2 for 7.2.15 means 7.2.
	Line int
	// Base is set for the bases of the services' images, which a build names.
	Base bool
}

// Reference is the repository with the tag.
func (i Image) Reference() string { return i.Repository + ":" + i.Tag }

// Images returns every image, in the order of the documentation. A new tag is
// taken by `nova images outdated` from a registry.
func Images() []Image {
	return []Image{
		{Name: "postgres", Repository: "docker.io/library/postgres", Tag: "15.18-bookworm", Line: 1},
		// The last line of versions under the BSD licence.
		{Name: "redis", Repository: "docker.io/library/redis", Tag: "7.2.15-bookworm", Line: 2},
		{Name: "clickhouse", Repository: "docker.io/clickhouse/clickhouse-server", Tag: "24.8.4.13", Line: 2},
		{Name: "kafka", Repository: "docker.io/apache/kafka", Tag: "3.8.1", Line: 1},
		{Name: "elasticsearch", Repository: "docker.elastic.co/elasticsearch/elasticsearch", Tag: "8.11.4", Line: 1},
		{Name: "seaweedfs", Repository: "docker.io/chrislusf/seaweedfs", Tag: "4.47", Line: 1},

		{Name: "postgres-exporter", Repository: "quay.io/prometheuscommunity/postgres-exporter", Tag: "v0.17.1", Line: 1},
		{Name: "redis-exporter", Repository: "docker.io/oliver006/redis_exporter", Tag: "v1.67.0", Line: 1},
		{Name: "kafka-exporter", Repository: "docker.io/danielqsj/kafka-exporter", Tag: "v1.8.0", Line: 1},
		{Name: "elasticsearch-exporter", Repository: "quay.io/prometheuscommunity/elasticsearch-exporter", Tag: "v1.8.0", Line: 1},

		// It signs requests to S3 by itself, and carries backups.
		{Name: "curl", Repository: "docker.io/curlimages/curl", Tag: "8.12.1", Line: 1},

		{Name: "prometheus", Repository: "docker.io/prom/prometheus", Tag: "v3.5.0", Line: 1},
		{Name: "alertmanager", Repository: "docker.io/prom/alertmanager", Tag: "v0.28.1", Line: 1},
		{Name: "grafana", Repository: "docker.io/grafana/grafana", Tag: "12.0.2", Line: 1},

		{Name: "rust", Repository: "docker.io/library/rust", Tag: "1.88.0-bookworm", Line: 1, Base: true},
		{Name: "debian", Repository: "docker.io/library/debian", Tag: "12.12-slim", Line: 1, Base: true},
	}
}

// FindImage returns the image of a name.
func FindImage(name string) (Image, bool) {
	for _, i := range Images() {
		if i.Name == name {
			return i, true
		}
	}
	return Image{}, false
}

// image is the reference of an image that is in the list.
func image(name string) string {
	found, known := FindImage(name)
	if !known {
		panic(fmt.Sprintf("catalog: there is no image %q", name))
	}
	return found.Reference()
}
