package program

import (
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stack"
)

// newImages declares the images that the stack builds by itself, by service.
// root is the folder of the project; empty assumes that every context exists.
func newImages(ctx *pulumi.Context, s *stack.Stack, root string, opts ...pulumi.ResourceOption) (map[string]*docker.Image, error) {
	if !s.BuildsImages() {
		return nil, nil
	}
	args := &components.ImageBuildArgs{Concurrency: s.Images.Build.Concurrency, Push: s.Registry() != ""}
	for _, service := range s.Services {
		if !service.Built {
			continue
		}
		if service.Inputs == "" {
			return nil, fmt.Errorf("image of %s: its sources were not read by image.Pin", service.KubernetesName())
		}
		recipe, err := image.RecipeOf(&s.Config, service.Name)
		if err != nil {
			return nil, err
		}
		args.Images = append(args.Images, components.ImageArgs{
			Service: service.Name, Resource: service.KubernetesName(), Reference: service.Image,
			Context:    contextPath(ctx, root, service, image.ContextDir(service)),
			Dockerfile: contextPath(ctx, root, service, image.ContextDockerfile(service)),
			Platform:   recipe.Platform,
			Arguments:  recipe.BuildArguments(image.Labels{Version: image.Tag(service.Inputs), Inputs: service.Inputs}),
		})
	}
	build, err := components.NewImageBuild(ctx, "nova", args, opts...)
	if err != nil {
		return nil, err
	}
	return build.Images, nil
}

// contextPath is a path of a build context. A preview stages none, but a
// provider reads the context of an image also in a preview: one that does not
// exist is unknown.
func contextPath(ctx *pulumi.Context, root string, service stack.Service, path string) pulumi.StringInput {
	if root == "" || !ctx.DryRun() || image.Staged(service, root) {
		return pulumi.String(path)
	}
	return pulumi.UnsafeUnknownOutput(nil).ApplyT(func(any) string { return path }).(pulumi.StringOutput)
}
