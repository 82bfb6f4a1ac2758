package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of nova and of the Pulumi SDK in it",
		Example: "  nova version",
		Args:    cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			fmt.Fprintf(g.out, "nova %s\n%s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return
			}
			for _, module := range info.Deps {
				if module.Path == "github.com/pulumi/pulumi/sdk/v3" {
					fmt.Fprintf(g.out, "pulumi sdk %s\n", module.Version)
				}
			}
		},
	}
}
