// Package datastore says how each stateful system of Nova is run: its process,
// settings, checks, set-up and exporter. It is pure data, derived from the
// catalogue and the configuration of a stack; components turns it into
// Kubernetes objects, and a renderer can turn it into Docker Compose.
//
// No value here is secret: a process reads its secrets from environment
// variables, of which only the names are said here.
package datastore
