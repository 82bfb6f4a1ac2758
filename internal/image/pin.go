package image

import (
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/internal/config"
)

// Pin gives every image that a stack builds by itself the tag of its sources,
// so that all that is said of the stack afterwards names the same image. root is
// the folder of the project. The error is a *config.Error.
func Pin(c *config.Config, root string) error {
	for i, s := range c.Services {
		if !s.Built {
			continue
		}
		recipe, err := RecipeOf(c, s)
		if err != nil {
			return err
		}
		inputs, err := recipe.Digest(workspaceOf(c, root))
		if err != nil {
			// The other services would say the same.
			return &config.Error{Stack: c.Stack, Mistakes: field.ErrorList{
				field.Invalid(field.NewPath("nova:images.build.context"), c.Images.Build.Context, err.Error()),
			}}
		}
		c.Services[i].Inputs = inputs
		c.Services[i].Image = s.Repository() + ":" + Tag(inputs)
	}
	return nil
}

// RecipeOf is the recipe of a service's image where a stack builds it by itself.
// It is that of `nova images build`, for the stack's platform: what a stack
// overrides is told to the container, so that one image serves every stack.
func RecipeOf(c *config.Config, s config.Service) (Recipe, error) {
	recipe, err := NewRecipe(s.Name)
	recipe.Platform = c.Images.Build.Platform
	return recipe, err
}

// workspaceOf is the root of Nova's Cargo workspace that a stack builds from.
func workspaceOf(c *config.Config, root string) string {
	return filepath.Join(root, filepath.FromSlash(c.Images.Build.Context))
}
