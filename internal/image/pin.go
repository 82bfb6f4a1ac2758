package image

import (
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// Pin reads the sources of every image that a stack builds by itself and
// returns their digests, by service. root is the folder of the project. The
// error is a *config.Error.
func Pin(c *config.Config, root string) (map[string]stack.Pin, error) {
	pins := map[string]stack.Pin{}
	for _, name := range catalog.Names() {
		if !c.Builds(name) {
			continue
		}
		recipe, err := RecipeOf(c, name)
		if err != nil {
			return nil, err
		}
		inputs, err := recipe.Digest(workspaceOf(c, root))
		if err != nil {
			// The error would be the same for the other services.
			return nil, &config.Error{Stack: c.Stack, Mistakes: field.ErrorList{
				field.Invalid(field.NewPath("nova:images.build.context"), c.Images.Build.Context, err.Error()),
			}}
		}
		pins[name] = stack.Pin{Inputs: inputs, Tag: Tag(inputs)}
	}
	return pins, nil
}

// RecipeOf is the recipe of a service's image where a stack builds it by
// itself. It is that of `nova images build`, for the stack's platform:
// overrides of a stack are passed to the container as variables, so that every
// stack can use the same image.
func RecipeOf(c *config.Config, service string) (Recipe, error) {
	recipe, err := NewRecipe(service)
	recipe.Platform = c.Images.Build.Platform
	return recipe, err
}

// workspaceOf is the root of Nova's Cargo workspace that a stack builds from.
func workspaceOf(c *config.Config, root string) string {
	return filepath.Join(root, filepath.FromSlash(c.Images.Build.Context))
}
