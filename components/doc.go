// Package components has the Pulumi components of a stack. InfraStack is the
// parent of what its services share: the namespace, secrets, stores, object
// storage and the network. Each NovaService is one microservice, MonitoringStack
// watches them, and ImageBuild builds their images.
//
// Arguments are the inputs of a component: workloads, names and numbers, and
// outputs of other components. None takes the configuration of a stack. Each
// component needs explicit providers among its options; children take those of
// their parent.
package components
