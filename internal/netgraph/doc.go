// Package netgraph says who may talk to whom: from the call graph, the needs and
// the neighbours of a stack it makes the network policies of its namespace. What
// is no edge of that graph is denied.
//
// The kubelet's probes come from the node; network plugins let a node reach its
// own pods, so no policy names it.
package netgraph
