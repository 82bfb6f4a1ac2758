// Package rehearsal rehearses releases of a stack: on an embedded control plane of its
// own, with the real controller of Argo Rollouts, a real Prometheus and the engine, all
// of which end with it. Pods are simulated and run no containers; what they answer and
// how fast is the model of package traffic, whose counters Prometheus scrapes as those
// of the pods that really exist. The release is moved by the machine of package release
// through the edge of package releasing, with time compressed.
//
// Nothing of the user's is touched: neither a cluster nor a state that the stack file
// names, nor the stack file.
package rehearsal
