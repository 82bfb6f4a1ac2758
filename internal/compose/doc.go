// Package compose renders a stack for one machine: a Docker Compose file of its
// workloads with the files that they mount, and env files.
package compose
