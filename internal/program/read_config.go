package program

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/kubeconfig"
	"nova.dev/infra/internal/stack"
)

// readConfig reads the stack's configuration from the engine. The SDK cannot
// list the keys that are set, so those in the environment of a program that the
// engine started are added to the known ones: an unknown key is a mistake.
func readConfig(ctx *pulumi.Context) (*stack.Stack, error) {
	values := map[string]string{}
	if text := os.Getenv(pulumi.EnvConfig); text != "" {
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			return nil, fmt.Errorf("%s: %w", pulumi.EnvConfig, err)
		}
	}
	for _, name := range config.Keys() {
		key := config.Project + ":" + name
		if value, ok := ctx.GetConfig(key); ok {
			values[key] = value
		}
	}
	return stack.Parse(ctx.Stack(), config.FromStrings(values, ctx.IsConfigSecret))
}

// readKubeconfig returns the context that the stack uses out of its kubeconfig
// file, as kubectl reads it: relative paths in it are relative to the file, and
// the contents of the files that it names are in the result.
func readKubeconfig(root string, c *stack.Stack) (string, error) {
	path := c.KubeconfigPath(root)
	text, err := kubeconfig.Read(path, c.Cluster.Context)
	if err != nil {
		return "", c.KubeconfigError(err)
	}
	return text, nil
}
