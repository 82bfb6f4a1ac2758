package components

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// keepsData are the options of a resource whose loss loses data: where the
// stack asks for protection, its deletion is refused, and it stays in the
// cluster should it disappear from the program.
func keepsData(protect bool) []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.Protect(protect), pulumi.RetainOnDelete(protect)}
}
