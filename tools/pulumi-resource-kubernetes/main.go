// Command pulumi-resource-kubernetes is Pulumi's provider for Kubernetes. The
// two files that it embeds are those of the provider's module; the build adds
// them as an overlay.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"slices"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

func main() {
	if slices.Contains(os.Args[1:], "--version") {
		fmt.Println(version.Version)
		return
	}
	provider.Serve("kubernetes", version.Version, schema, mapping)
}
