package config

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/catalog"
)

// Quota bounds what the namespace may take.
type Quota struct {
	Enabled         bool `config:"enabled" doc:"Declare a ResourceQuota, computed from what the stack declares, and a LimitRange."`
	HeadroomPercent int  `config:"headroomPercent" doc:"Room above the plan, in percent; 0 to 200. The plan counts every service at its peak, with the pods of an update."`
}

// Priority orders what the scheduler evicts first when nodes are short.
type Priority struct {
	Services int `config:"services" doc:"Value of the PriorityClass of services; 0 to 1000000."`
	Stores   int `config:"stores" doc:"Value of the PriorityClass of stateful systems, above that of services; up to 1000000."`
}

// Containers that are not configured one by one.
var (
	// ExporterResources are those of an exporter.
	ExporterResources = Resources{Requests: Quantities{"10m", "32Mi", "16Mi"}, Limits: Quantities{"100m", "128Mi", "128Mi"}}
	// SetupResources are those of a Job that sets a stateful system up. Kafka's
	// tools are Java programs and need the memory.
	SetupResources = Resources{Requests: Quantities{"50m", "128Mi", "16Mi"}, Limits: Quantities{"500m", "512Mi", "256Mi"}}
)

// setupJobs is how many set-up Jobs run at once at most: one for each system
// that has one, with its successor.
const setupJobs = 8

// QuotaLimits are the hard limits of the namespace: the plan at its peak, plus
// the headroom.
func (c *Config) QuotaLimits() corev1.ResourceList {
	plan := corev1.ResourceList{}
	for _, s := range c.Services {
		addPods(plan, s.Resources, c.PeakPods(s))
		if c.Mesh != MeshNone {
			addContainers(plan, c.sidecar(), c.PeakPods(s))
		}
	}
	claims, storage := 0, resource.Quantity{}
	for _, system := range catalog.Dependencies() {
		d := c.Dependency(system)
		if d.Mode == InCluster {
			replicas := c.StoreReplicas(system)
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
		quantity = withHeadroom(quantity, c.Quota.HeadroomPercent)
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
func addPods(plan corev1.ResourceList, r Resources, pods int) {
	total := plan[corev1.ResourcePods]
	total.Add(*resource.NewQuantity(int64(pods), resource.DecimalSI))
	plan[corev1.ResourcePods] = total
	addContainers(plan, r, pods)
}

func addContainers(plan corev1.ResourceList, r Resources, containers int) {
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

func (c *Config) checkQuota(found *mistakes) {
	between(found, at("nova:quota.headroomPercent"), c.Quota.HeadroomPercent, 0, 200)
	between(found, at("nova:priority.services"), c.Priority.Services, 0, 1000000)
	between(found, at("nova:priority.stores"), c.Priority.Stores, max(c.Priority.Services, 0), 1000000)
}
