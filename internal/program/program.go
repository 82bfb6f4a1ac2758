// Package platform is the program: from the configuration of a stack and the
// catalogue it declares the providers, the InfraStack, every NovaService and the
// MonitoringStack, and where it says so the images that they run.
package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stack"
)

// Program declares the stack that ctx belongs to. Relative paths in the
// configuration are relative to the Pulumi project.
func Program(ctx *pulumi.Context) error {
	return At(ctx.RootDirectory())(ctx)
}

// At is Program for a project whose files lie under root.
func At(root string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		c, err := readConfig(ctx)
		if err != nil {
			return err
		}
		kubeconfig, err := readKubeconfig(root, c)
		if err != nil {
			return err
		}
		pins, err := image.Pin(&c.Config, root)
		if err != nil {
			return err
		}
		if c, err = c.Pinned(pins); err != nil {
			return err
		}
		if !ctx.DryRun() {
			if err := image.Stage(c, root); err != nil {
				return err
			}
		}
		return Declare(ctx, c, kubeconfig)
	}
}

// Declare declares a stack from its configuration. kubeconfig is the text of
// the kubeconfig file; it is handed to the Kubernetes provider as a secret.
func Declare(ctx *pulumi.Context, c *stack.Stack, kubeconfig string) error {
	providers, err := newProviders(ctx, c, kubeconfig)
	if err != nil {
		return err
	}
	images, err := declareImages(ctx, c, providers)
	if err != nil {
		return err
	}
	infra, err := components.NewInfraStack(ctx, "nova", &components.InfraStackArgs{Config: c}, providers)
	if err != nil {
		return err
	}
	services, err := declareServices(ctx, c, infra, images, providers)
	if err != nil {
		return err
	}
	export(ctx, c, infra, services)
	return declareMonitoring(ctx, c, infra, providers)
}
