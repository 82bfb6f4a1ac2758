// Package releasing is the edge of package release: it observes and moves the
// services of a stack in Kubernetes, applies images through the engine, asks
// Prometheus, keeps records in the cluster, and does the checks of the phases.
package releasing
