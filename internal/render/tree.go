package render

import (
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"nova.dev/infra/internal/compose"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

// Tree returns all deployment files of a stack by their path below the output
// folder, with slashes. stacks are those whose differences are listed in the
// comments of .env.example, in their order. Only the arguments are read.
func Tree(c *stack.Stack, stacks ...*stack.Stack) (map[string][]byte, error) {
	parts := []struct {
		what   string
		render func() (map[string][]byte, error)
	}{
		{"manifests", func() (map[string][]byte, error) { return manifests(c) }},
		{"monitoring without an operator", func() (map[string][]byte, error) { return plainMonitoring(c) }},
		{"files for external stores", func() (map[string][]byte, error) { return externalStores(c), nil }},
		{"compose file", func() (map[string][]byte, error) { return compose.Files(c) }},
		{"example of the environment", func() (map[string][]byte, error) { return compose.Example(c, stacks) }},
	}
	rendered := make([]map[string][]byte, len(parts))
	var group errgroup.Group
	for i, part := range parts {
		group.Go(func() error {
			files, err := part.render()
			if err != nil {
				return fmt.Errorf("%s of stack %s: %w", part.what, c.Stack, err)
			}
			rendered[i] = files
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, text := range image.Files() {
		files[name] = []byte(text)
	}
	for _, part := range rendered {
		maps.Copy(files, part)
	}
	return files, nil
}

// externalFolder holds what prepares the stores outside of the cluster.
const externalFolder = "external/"

func externalStores(c *stack.Stack) map[string][]byte {
	files := map[string][]byte{}
	for name, text := range workload.External(c) {
		files[externalFolder+name] = []byte(text)
	}
	return files
}
