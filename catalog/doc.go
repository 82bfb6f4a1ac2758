// Package catalog holds every fact about Nova once: the 11 services, what each
// of them uses, and every environment variable of the system.
//
// It is plain data with validation. It depends neither on Pulumi nor on
// Kubernetes nor on a particular stack: a stack may override any field of a
// record through its configuration (package config), and every resource,
// rendered file, alert and dashboard is derived from the result.
package catalog
