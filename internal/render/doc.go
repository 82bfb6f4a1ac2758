// Package render writes the deployment files of a stack: Kubernetes manifests,
// a Docker Compose file with what it mounts, an example of its environment, the
// files of Prometheus, Alertmanager and Grafana, and the Dockerfile. They
// depend on the catalogue and the stack's configuration only, and are the same
// to the byte every time.
//
// Values of secrets are never written: their placeholder is the name of the
// secret in angle brackets, such as <POSTGRES_PASSWORD>.
package render
