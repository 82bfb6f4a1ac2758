package components

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ImageBuildArgs are the inputs of an ImageBuild.
type ImageBuildArgs struct {
	// Images are the images in the order in which they are begun.
	Images []ImageArgs
	// Concurrency is how many are built at once.
	Concurrency int
	// Push sends them to the registries that their references name.
	Push bool
}

// ImageArgs is one image.
type ImageArgs struct {
	// Service is the short name of its service, Resource the name of its
	// resource.
	Service, Resource string
	// Reference is its reference, whose tag follows from the sources.
	Reference string
	// Context is the folder of the build, relative to the project, so that the
	// state names no folder of a machine; Dockerfile is a path in the same way.
	Context, Dockerfile pulumi.StringInput
	// Platform is that of the cluster's nodes.
	Platform string
	// Arguments are the build arguments.
	Arguments map[string]string
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
	all := &ImageBuild{Images: map[string]*docker.Image{}}
	if err := ctx.RegisterComponentResource("nova:platform:ImageBuild", name, all, opts...); err != nil {
		return nil, err
	}
	var built []pulumi.Resource
	for _, image := range args.Images {
		// Each waits for the one before it in its lane, so that no more than the
		// wanted number run at once.
		var before []pulumi.Resource
		if lane := len(built) - args.Concurrency; lane >= 0 {
			before = append(before, built[lane])
		}
		made, err := newImage(ctx, image, args.Push, pulumi.Parent(all), pulumi.DependsOn(before))
		if err != nil {
			return nil, err
		}
		built = append(built, made)
		all.Images[image.Service] = made
	}
	return all, ctx.RegisterResourceOutputs(all, pulumi.Map{})
}

func newImage(ctx *pulumi.Context, args ImageArgs, push bool, opts ...pulumi.ResourceOption) (*docker.Image, error) {
	return docker.NewImage(ctx, args.Resource, &docker.ImageArgs{
		ImageName: pulumi.String(args.Reference),
		Build: &docker.DockerBuildArgs{
			Context:        args.Context.ToStringOutput(),
			Dockerfile:     args.Dockerfile.ToStringOutput(),
			Platform:       pulumi.String(args.Platform),
			BuilderVersion: docker.BuilderVersionBuilderBuildKit,
			Args:           pulumi.ToStringMap(args.Arguments),
		},
		BuildOnPreview: pulumi.Bool(false),
		// Without a registry the cluster's nodes are those of the engine.
		SkipPush: pulumi.Bool(!push),
	}, opts...)
}
