// Command infra is Nova's infrastructure as a Pulumi program, for the pulumi
// command. The nova command runs the same program through the Automation API.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/program"
)

func main() {
	pulumi.Run(program.Program)
}
