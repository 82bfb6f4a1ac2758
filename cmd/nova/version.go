package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

// libraries are the modules whose versions say how nova works, by what people
// call them. The provider for Kubernetes has the version of its SDK.
var libraries = []struct{ module, name string }{
	{"github.com/pulumi/pulumi/sdk/v3", "pulumi sdk"},
	{"github.com/pulumi/pulumi-kubernetes/sdk/v4", "kubernetes provider"},
}

func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of nova, of the Pulumi SDK and of the Kubernetes provider",
		Example: "  nova version",
		Args:    cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			fmt.Fprintf(g.out, "nova %s\n%s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return
			}
			for _, library := range libraries {
				for _, module := range info.Deps {
					if module.Path == library.module {
						fmt.Fprintf(g.out, "%s %s\n", library.name, module.Version)
					}
				}
			}
		},
	}
}
