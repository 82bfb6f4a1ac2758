package components_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/components"
)

func TestImageBuild(t *testing.T) {
	images := []components.ImageArgs{}
	for _, name := range []string{"auth", "user", "feed"} {
		images = append(images, components.ImageArgs{
			Service: name, Resource: name + "-service", Reference: name + ":src-1", Platform: "linux/amd64",
			Context: pulumi.String("build/" + name), Dockerfile: pulumi.String("build/" + name + "/Dockerfile"),
			Arguments: map[string]string{"SERVICE_NAME": name},
		})
	}
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		build, err := components.NewImageBuild(ctx, "nova", &components.ImageBuildArgs{Images: images, Concurrency: 2, Push: true}, opts...)
		if err == nil {
			assert.Len(t, build.Images, 3)
		}
		return err
	}, func(t *testing.T, all registrations) {
		all.component(t, "ImageBuild", "nova", "", "Image", "Image", "Image")
		auth := all.one(t, "Image", "auth-service")
		assert.Equal(t, "auth:src-1", auth.at("imageName"))
		assert.Equal(t, "build/auth", auth.at("build.context"))
		assert.Equal(t, false, auth.at("skipPush"))
		assert.Equal(t, false, auth.at("buildOnPreview"))
		assert.Empty(t, auth.dependsOn)
		assert.Empty(t, all.one(t, "Image", "user-service").dependsOn)
		assert.Len(t, all.one(t, "Image", "feed-service").dependsOn, 1, "two are built at once")
	})
}
