package podimage

import (
	"fmt"
	"slices"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/workload"
)

// role is what is in an image.
type role string

const (
	postgres         role = "postgres"
	redis            role = "redis"
	seaweedfs        role = "seaweedfs"
	kafka            role = "kafka"
	clickhouse       role = "clickhouse"
	elasticsearch    role = "elasticsearch"
	postgresExporter role = "postgres-exporter"
	redisExporter    role = "redis-exporter"
	service          role = "service"
	curl             role = "curl"     // With a shell, for scripts that carry backups.
	standIn          role = "stand-in" // It listens on the ports of its workload.
)

// Image is an image that a workload names.
type Image struct {
	// Reference is the name, as the manifests have it.
	Reference string
	// Service is the short name of the service that the image is; empty for
	// others.
	Service string
	// StandIn is set for an image that only listens where the real one does.
	StandIn bool

	role  role
	ports []int
}

// Of returns the images of a stack's workloads, each once and in the order of
// their names. A workload without an image yet is left out, and so is the image of
// migrations: it holds files that are the user's.
func Of(workloads []workload.Workload) ([]Image, error) {
	var images []Image
	for _, w := range workloads {
		if w.Image == "" || w.Kind == workload.Migration || slices.ContainsFunc(images, func(i Image) bool { return i.Reference == w.Image }) {
			continue
		}
		image, err := of(w)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	slices.SortFunc(images, func(a, b Image) int { return strings.Compare(a.Reference, b.Reference) })
	return images, nil
}

func of(w workload.Workload) (Image, error) {
	image := Image{Reference: w.Image}
	for _, port := range w.Ports {
		image.ports = append(image.ports, port.Number)
	}
	switch w.Kind {
	case workload.Service:
		image.role, image.Service = service, w.Service
	case workload.Store, workload.Setup:
		image.role = map[catalog.StoreKind]role{
			catalog.Postgres: postgres, catalog.Redis: redis, catalog.ObjectStorage: seaweedfs,
			catalog.Kafka: kafka, catalog.ClickHouse: clickhouse, catalog.Elasticsearch: elasticsearch,
		}[w.Store]
	case workload.Backup:
		image.role = curl
	case workload.Exporter:
		image.role = map[catalog.StoreKind]role{catalog.Postgres: postgresExporter, catalog.Redis: redisExporter}[w.Store]
		if image.role == "" {
			image.role = standIn
		}
	}
	if image.role == "" {
		return Image{}, fmt.Errorf("podimage: no image can be made for %s (kind %s, store %s, image %s)", w.Name, w.Kind, w.Store, w.Image)
	}
	image.StandIn = slices.Contains([]role{kafka, clickhouse, elasticsearch, standIn}, image.role)
	return image, nil
}
