package stack

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// SidecarResources are those of a mesh's sidecar, asked of its injector by
// annotations of the pod, so that the quota knows them. Local disk cannot be
// asked for everywhere: there the LimitRange gives the default of services.
var SidecarResources = config.Resources{Requests: config.Quantities{CPU: "100m", Memory: "128Mi"}, Limits: config.Quantities{CPU: "1", Memory: "256Mi"}}

// MeshPorts are the TCP ports of a mesh's control plane that a sidecar reaches:
// configuration and certificates of istiod; identity, destination and policy of
// Linkerd, after its chart.
func (s *Stack) MeshPorts() []int {
	switch s.Mesh {
	case config.MeshIstio:
		return []int{15012}
	case config.MeshLinkerd:
		return []int{8080, 8086, 8090}
	}
	return nil
}

// MeshInbound is the port on which sidecars reach each other in place of the
// port that the client asked for; 0 where the port stays.
func (s *Stack) MeshInbound() int {
	if s.Mesh == config.MeshLinkerd {
		return 4143
	}
	return 0
}

// Containers that are not configured one by one.
var (
	// ExporterResources are those of an exporter.
	ExporterResources = config.Resources{Requests: config.Quantities{"10m", "32Mi", "16Mi"}, Limits: config.Quantities{"100m", "128Mi", "128Mi"}}
	// SetupResources are those of a Job that sets a stateful system up. Kafka's
	// tools are Java programs and need the memory.
	SetupResources = config.Resources{Requests: config.Quantities{"50m", "128Mi", "16Mi"}, Limits: config.Quantities{"500m", "512Mi", "256Mi"}}
)

// setupJobs is how many set-up Jobs run at once at most: one for each system
// that has one, with its successor.
const setupJobs = 8

// QuotaLimits are the hard limits of the namespace: the plan at its peak, plus
// the headroom.
func (s *Stack) QuotaLimits() corev1.ResourceList {
	plan := corev1.ResourceList{}
	for _, each := range s.Services {
		addPods(plan, each.Resources, each.PeakPods)
		if s.Mesh != config.MeshNone {
			addContainers(plan, over(SidecarResources, s.Resources.Default), each.PeakPods)
		}
	}
	claims, storage := 0, resource.Quantity{}
	for _, system := range catalog.Dependencies() {
		d := s.Dependency(system)
		if d.Mode == config.InCluster {
			replicas := s.StoreReplicas(system)
			addPods(plan, d.Resources, replicas)
			claims += replicas
			for range replicas {
				storage.Add(resource.MustParse(d.Storage))
			}
		}
		if d.Exporter {
			// An update puts a second one beside the first.
			addPods(plan, ExporterResources, 2)
		}
	}
	addPods(plan, SetupResources, setupJobs)
	for name, quantity := range plan {
		quantity = withHeadroom(quantity, s.Quota.HeadroomPercent)
		if name == corev1.ResourcePods {
			quantity = *resource.NewQuantity(quantity.Value(), resource.DecimalSI)
		}
		plan[name] = quantity
	}
	// Claims that stay behind when a system is taken out count, too.
	plan[corev1.ResourcePersistentVolumeClaims] = *resource.NewQuantity(int64(2*claims), resource.DecimalSI)
	storage.Mul(2)
	plan[corev1.ResourceRequestsStorage] = storage
	return plan
}

// addPods adds pods of one container.
func addPods(plan corev1.ResourceList, r config.Resources, pods int) {
	total := plan[corev1.ResourcePods]
	total.Add(*resource.NewQuantity(int64(pods), resource.DecimalSI))
	plan[corev1.ResourcePods] = total
	addContainers(plan, r, pods)
}

func addContainers(plan corev1.ResourceList, r config.Resources, containers int) {
	add := func(name corev1.ResourceName, each string) {
		total := plan[name]
		quantity := resource.MustParse(each)
		quantity.Mul(int64(containers))
		total.Add(quantity)
		plan[name] = total
	}
	add(corev1.ResourceRequestsCPU, r.Requests.CPU)
	add(corev1.ResourceRequestsMemory, r.Requests.Memory)
	add(corev1.ResourceRequestsEphemeralStorage, r.Requests.EphemeralStorage)
	add(corev1.ResourceLimitsCPU, r.Limits.CPU)
	add(corev1.ResourceLimitsMemory, r.Limits.Memory)
	add(corev1.ResourceLimitsEphemeralStorage, r.Limits.EphemeralStorage)
}

// withHeadroom rounds up, to a whole mebibyte where the quantity is one of
// bytes.
func withHeadroom(q resource.Quantity, percent int) resource.Quantity {
	milli := (q.MilliValue()*int64(100+percent) + 99) / 100
	const mebibyte = 1 << 20
	if q.Format == resource.BinarySI {
		bytes := (milli + 999) / 1000
		return *resource.NewQuantity((bytes+mebibyte-1)/mebibyte*mebibyte, resource.BinarySI)
	}
	return *resource.NewMilliQuantity(milli, resource.DecimalSI)
}
