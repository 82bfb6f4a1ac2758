// Package program is the Pulumi program: from a stack it declares the providers,
// the InfraStack, every NovaService and the MonitoringStack, and where the stack
// builds its images by itself the ImageBuild.
package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/components"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
)

// Program declares the stack that ctx belongs to. Relative paths in the
// configuration are relative to the Pulumi project.
func Program(ctx *pulumi.Context) error {
	return At(ctx.RootDirectory())(ctx)
}

// At is Program for a project whose files lie under root. An update writes the
// build contexts of images below it; a preview writes nothing.
func At(root string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		s, err := readConfig(ctx)
		if err != nil {
			return err
		}
		kubeconfig, err := readKubeconfig(root, s)
		if err != nil {
			return err
		}
		pins, err := image.Pin(&s.Config, root)
		if err != nil {
			return err
		}
		if s, err = s.Pinned(pins); err != nil {
			return err
		}
		if !ctx.DryRun() {
			if err := image.Stage(s, root); err != nil {
				return err
			}
		}
		return declare(ctx, s, kubeconfig, root)
	}
}

// Declare declares a stack without reading the files of its project. kubeconfig
// is the text of the kubeconfig file; the Kubernetes provider gets it as a
// secret.
func Declare(ctx *pulumi.Context, s *stack.Stack, kubeconfig string) error {
	return declare(ctx, s, kubeconfig, "")
}

func declare(ctx *pulumi.Context, s *stack.Stack, kubeconfig, root string) error {
	workloads := workload.All(s)
	providers, err := newProviders(ctx, s, kubeconfig)
	if err != nil {
		return err
	}
	images, err := newImages(ctx, s, root, providers)
	if err != nil {
		return err
	}
	args := infraArgs(s, workloads)
	infra, err := components.NewInfraStack(ctx, "nova", &args, providers)
	if err != nil {
		return err
	}
	if err := tellWithoutMigrations(ctx, s, workloads); err != nil {
		return err
	}
	// Its objects are made while the stores start.
	if err := newMonitoring(ctx, s, workloads, infra, providers); err != nil {
		return err
	}
	services, err := newServices(ctx, s, workloads, infra, images, providers)
	if err != nil {
		return err
	}
	export(ctx, s, infra, services)
	return nil
}
