package render

import (
	"fmt"
	"maps"

	"nova.dev/infra/config"
	"nova.dev/infra/image"
)

// Tree returns all deployment files of a stack by their path below the output
// folder, with slashes. stacks are those whose differences the comments of
// .env.example tell, in the order in which they are told. Nothing but the
// arguments is read.
func Tree(c *config.Config, stacks ...*config.Config) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, text := range image.Files() {
		files[name] = []byte(text)
	}
	for what, render := range map[string]func(*config.Config) (map[string][]byte, error){
		"manifests":    manifests,
		"compose file": compose,
		"environment":  func(c *config.Config) (map[string][]byte, error) { return example(c, stacks) },
	} {
		part, err := render(c)
		if err != nil {
			return nil, fmt.Errorf("%s of stack %s: %w", what, c.Stack, err)
		}
		maps.Copy(files, part)
	}
	return files, nil
}
