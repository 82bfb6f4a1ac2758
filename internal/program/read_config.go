package program

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
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

// readKubeconfig reads the stack's kubeconfig file.
func readKubeconfig(root string, c *stack.Stack) (string, error) {
	text, err := os.ReadFile(c.KubeconfigPath(root))
	if err == nil {
		return string(text), nil
	}
	if c.TargetsEmbedded() {
		return "", fmt.Errorf("nova:cluster.kubeconfig: %q: the embedded control plane is not running; start it with `nova local up`, or set the kubeconfig of your cluster", c.Cluster.Kubeconfig)
	}
	return "", fmt.Errorf("nova:cluster.kubeconfig: %q: cannot read it: %w", c.Cluster.Kubeconfig, err)
}
