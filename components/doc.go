// Package components declares the resources of a Nova stack as Pulumi
// components: InfraStack holds what all services share, NovaService is one
// service, MonitoringStack watches them.
//
// A component takes inputs in its Args and gives outputs in its fields. All of
// its resources are its children and use the providers that the caller passed
// to it; none falls back to a default provider.
package components
