// Package image builds the container images of the services: it holds one
// Dockerfile for all of them and the files of Nova's workspace that each image
// depends on, computes a digest over exactly these, and builds and publishes
// with a Docker engine. It does not use Pulumi.
package image
