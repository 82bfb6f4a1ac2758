package image

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nova.dev/infra/catalog"
)

// Recipe is every input of one service's image except the sources.
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
	return newRecipe(services[at]), nil
}

func newRecipe(s catalog.Service) Recipe {
	return Recipe{
		Service:      s,
		Platform:     catalog.NodePlatform,
		BuilderImage: strings.ReplaceAll(argument("BUILDER_IMAGE"), "${RUST_VERSION}", argument("RUST_VERSION")),
		RuntimeImage: argument("RUNTIME_IMAGE"),
	}
}

// BuildArguments are all build arguments of a build: those that decide what is
// in the image, and its labels.
func (r Recipe) BuildArguments(l Labels) map[string]string {
	arguments := r.arguments()
	maps.Copy(arguments, map[string]string{
		"VERSION": l.Version, "REVISION": l.Revision, "SOURCE": l.Source, "CREATED": l.Created, "INPUTS": l.Inputs,
	})
	return arguments
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
