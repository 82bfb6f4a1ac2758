// Package render writes the deployment files of a stack, which people used to
// keep by hand: Kubernetes manifests, a Docker Compose file with what it
// mounts, an example of its environment, the files of Prometheus, Alertmanager
// and Grafana, and the Dockerfile. They follow from the catalogue and the
// stack's configuration alone, byte for byte the same every time.
//
// Values of secrets never appear: in their place stands the name of the secret
// in angle brackets, such as <POSTGRES_PASSWORD>.
package render
