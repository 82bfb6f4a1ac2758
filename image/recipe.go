package image

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nova.dev/infra/catalog"
)

// DefaultPlatform is the platform of the clusters' nodes. It never follows the
// machine that builds.
const DefaultPlatform = "linux/amd64"

// Recipe is everything but the sources that decides what is in one service's
// image.
type Recipe struct {
	Service catalog.Service
	// Platform is the platform that the image runs on, such as linux/amd64.
	Platform string
	// BuilderImage and RuntimeImage are the base images.
	BuilderImage, RuntimeImage string
}

// NewRecipe is the recipe of a service of the catalogue, with the base images
// that the Dockerfile pins.
func NewRecipe(service string) (Recipe, error) {
	services := catalog.Services()
	at := slices.IndexFunc(services, func(s catalog.Service) bool { return s.Name == service })
	if at < 0 {
		return Recipe{}, fmt.Errorf("%q is not a service; services are %s", service, strings.Join(catalog.Names(), ", "))
	}
	return Recipe{
		Service:      services[at],
		Platform:     DefaultPlatform,
		BuilderImage: strings.ReplaceAll(argument("BUILDER_IMAGE"), "${RUST_VERSION}", argument("RUST_VERSION")),
		RuntimeImage: argument("RUNTIME_IMAGE"),
	}, nil
}

// arguments are the build arguments that decide what is in the image.
func (r Recipe) arguments() map[string]string {
	return map[string]string{
		"SERVICE_NAME":  r.Service.KubernetesName(),
		"SERVICES_DIR":  servicesDir,
		"BUILDER_IMAGE": r.BuilderImage,
		"RUNTIME_IMAGE": r.RuntimeImage,
		"HEALTH_PATH":   r.Service.Health.Startup,
		"HTTP_PORT":     strconv.Itoa(r.Service.HTTPPort),
		"GRPC_PORT":     strconv.Itoa(r.Service.GRPCPort()),
	}
}
