package workload

import (
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// Solvers is the name of what cert-manager's solvers may do.
const Solvers = "acme-http01-solver"

// Facts of cert-manager: the label and the port of the pod that answers an
// HTTP-01 challenge, and the defaults of its flags
// --acme-http01-solver-resource-*.
const (
	solverLabel = "acme.cert-manager.io/http01-solver"
	solverPort  = 8089
)

var solverResources = config.Resources{
	Requests: config.Quantities{CPU: "10m", Memory: "64Mi"},
	Limits:   config.Quantities{CPU: "100m", Memory: "64Mi"},
}

// solver is the pod of cert-manager that proves to the issuer, over HTTP, that
// the API's host is ours. Its local disk is that of the LimitRange. An issuer
// that proves it by DNS makes none.
func solver(s *stack.Stack) Workload {
	w := Workload{
		Name: Solvers, Kind: Solver, Selector: map[string]string{solverLabel: "true"},
		Ports: []Port{{Name: HTTPPort, Number: solverPort}}, Resources: solverResources, Replicas: 1, PeakPods: s.IssuedCertificates(),
	}
	disk := s.Resources.Default
	w.Resources.Requests.EphemeralStorage, w.Resources.Limits.EphemeralStorage = disk.Requests.EphemeralStorage, disk.Limits.EphemeralStorage
	w.published(s, solverPort)
	return w
}
