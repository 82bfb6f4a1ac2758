// Package config reads the configuration of a stack: everything that differs
// between dev, staging and prod, as typed and documented fields under the
// "nova:" namespace of Pulumi.<stack>.yaml.
//
// Parse fills in the defaults, joins the result with the catalogue and checks
// it. All mistakes of a file are reported together, each with its key, its
// value and what is allowed. The package does not use Pulumi.
package config
