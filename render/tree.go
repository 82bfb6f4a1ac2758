package render

import (
	"fmt"
	"maps"

	"nova.dev/infra/config"
	"nova.dev/infra/image"
)

// Tree returns all deployment files of a stack by their path below the output
// folder, with slashes. It reads nothing but its argument.
func Tree(c *config.Config) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, text := range image.Files() {
		files[name] = []byte(text)
	}
	for what, render := range map[string]func(*config.Config) (map[string][]byte, error){
		"manifests": manifests,
	} {
		part, err := render(c)
		if err != nil {
			return nil, fmt.Errorf("%s of stack %s: %w", what, c.Stack, err)
		}
		maps.Copy(files, part)
	}
	return files, nil
}
