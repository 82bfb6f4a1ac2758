package components

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/stack"
)

// keepsData are the options of a resource whose loss loses data: where the
// stack asks for protection, its deletion is refused, and it stays in the
// cluster should it disappear from the program.
func keepsData(c *stack.Stack) []pulumi.ResourceOption {
	return []pulumi.ResourceOption{
		pulumi.Protect(c.DeletionProtection),
		pulumi.RetainOnDelete(c.DeletionProtection),
	}
}
