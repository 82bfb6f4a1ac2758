// Package image says how the container images of the services are made: one
// Dockerfile for all of them, which files of Nova's workspace each service's
// image depends on, a digest over exactly these, and building and publishing
// with a Docker engine. It knows no Pulumi.
package image
