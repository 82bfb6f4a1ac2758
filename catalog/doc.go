// Package catalog is the one place where a fact about Nova is written: the 11
// services, what each of them needs, and every environment variable of the
// system.
//
// It is plain data with validation. It knows nothing of Pulumi, Kubernetes or
// of a particular stack: a stack may override any field of a record through
// its configuration (package config), and every resource, rendered file,
// alert and dashboard is derived from the result.
package catalog
