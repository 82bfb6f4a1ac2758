// Package stack joins a stack's configuration with the catalogue. The result is
// all that is known of a stack before anything runs: its services with images,
// replicas and resources, its stores with their addresses and logins, names of
// buckets, values of variables and sources of secrets.
package stack
