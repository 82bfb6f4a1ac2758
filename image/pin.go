package image

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"nova.dev/infra/config"
)

// Pin gives every image that a stack builds by itself the tag of its sources,
// so that all that is said of the stack afterwards names the same image. root is
// the folder of the project. The error is a *config.Error.
func Pin(c *config.Config, root string) error {
	for i, s := range c.Services {
		if !s.Built {
			continue
		}
		inputs, err := RecipeOf(c, s).Digest(filepath.Join(root, filepath.FromSlash(c.Images.Build.Context)))
		if err != nil {
			// The other services would say the same.
			return &config.Error{Stack: c.Stack, Mistakes: []config.Mistake{{
				Key: "nova:images.build.context", Value: strconv.Quote(c.Images.Build.Context), Problem: err.Error(),
			}}}
		}
		c.Services[i].Inputs = inputs
		c.Services[i].Image = s.Repository() + ":" + Tag(inputs)
	}
	return nil
}

// RecipeOf is the recipe of a service as a stack runs it, with the base images
// that the Dockerfile pins.
func RecipeOf(c *config.Config, s config.Service) Recipe {
	recipe := newRecipe(s.Service)
	recipe.Platform = c.Images.Build.Platform
	return recipe
}

// BuildFile is where WriteBuildFiles puts the Dockerfile of a service, relative
// to the folder of the project.
func BuildFile(s config.Service) string {
	return path.Join(config.LocalDir, "build", s.KubernetesName(), dockerfileName)
}

// WriteBuildFiles writes the Dockerfile of each image that a stack builds by
// itself, and beside it the service's own ignore file, under the project's
// folder root. They are the same for previews and updates.
func WriteBuildFiles(c *config.Config, root string) error {
	for _, s := range c.Services {
		if !s.Built {
			continue
		}
		file := filepath.Join(root, filepath.FromSlash(BuildFile(s)))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("build files of %s: %w", s.KubernetesName(), err)
		}
		if err := writeBuildFiles(filepath.Dir(file), Ignore(s.Service)); err != nil {
			return fmt.Errorf("build files of %s: %w", s.KubernetesName(), err)
		}
	}
	return nil
}
