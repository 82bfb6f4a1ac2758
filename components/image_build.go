package components

import (
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stack"
)

// ImageBuildArgs are the inputs of an ImageBuild.
type ImageBuildArgs struct {
	// Config is the configuration of the stack, with pinned images.
	Config *stack.Stack
}

// ImageBuild is the images that a stack builds by itself, with the Docker engine
// of whoever runs the program.
type ImageBuild struct {
	pulumi.ResourceState

	// Images are the built images by service.
	Images map[string]*docker.Image
}

// NewImageBuild declares an ImageBuild. It needs a provider for docker among its
// options. Nothing is built in a preview, and since every tag follows from the
// sources, a preview says the same as the update.
func NewImageBuild(ctx *pulumi.Context, name string, args *ImageBuildArgs, opts ...pulumi.ResourceOption) (*ImageBuild, error) {
	c := args.Config
	all := &ImageBuild{Images: map[string]*docker.Image{}}
	if err := ctx.RegisterComponentResource("nova:platform:ImageBuild", name, all, opts...); err != nil {
		return nil, err
	}
	var built []pulumi.Resource
	for _, s := range c.Services {
		if !s.Built {
			continue
		}
		if s.Inputs == "" {
			return nil, fmt.Errorf("image of %s: its sources were not read by image.Pin", s.KubernetesName())
		}
		// Each waits for the one before it in its lane, so that no more than the
		// wanted number run at once.
		var before []pulumi.Resource
		if lane := len(built) - c.Images.Build.Concurrency; lane >= 0 {
			before = append(before, built[lane])
		}
		made, err := newImage(ctx, c, s, pulumi.Parent(all), pulumi.DependsOn(before))
		if err != nil {
			return nil, err
		}
		built = append(built, made)
		all.Images[s.Name] = made
	}
	return all, ctx.RegisterResourceOutputs(all, pulumi.Map{})
}

// newImage declares one image. Paths are relative to the project, so that the
// state names no folder of a machine.
func newImage(ctx *pulumi.Context, c *stack.Stack, s stack.Service, opts ...pulumi.ResourceOption) (*docker.Image, error) {
	recipe, err := image.RecipeOf(&c.Config, s.Name)
	if err != nil {
		return nil, err
	}
	arguments := recipe.BuildArguments(image.Labels{Version: image.Tag(s.Inputs), Inputs: s.Inputs})
	return docker.NewImage(ctx, s.KubernetesName(), &docker.ImageArgs{
		ImageName: pulumi.String(s.Image),
		Build: &docker.DockerBuildArgs{
			Context:        pulumi.String(image.ContextDir(s)),
			Dockerfile:     pulumi.String(image.ContextDockerfile(s)),
			Platform:       pulumi.String(recipe.Platform),
			BuilderVersion: docker.BuilderVersionBuilderBuildKit,
			Args:           pulumi.ToStringMap(arguments),
		},
		BuildOnPreview: pulumi.Bool(false),
		// Without a registry the cluster's nodes are those of the engine.
		SkipPush: pulumi.Bool(c.Registry() == ""),
	}, opts...)
}
