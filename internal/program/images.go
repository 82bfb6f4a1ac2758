package program

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/stack"
)

// declareImages declares the images that the stack builds by itself, by service.
func declareImages(ctx *pulumi.Context, c *stack.Stack, opts ...pulumi.ResourceOption) (map[string]*docker.Image, error) {
	if !c.BuildsImages() {
		return nil, nil
	}
	build, err := components.NewImageBuild(ctx, "nova", &components.ImageBuildArgs{Config: c}, opts...)
	if err != nil {
		return nil, err
	}
	return build.Images, nil
}
