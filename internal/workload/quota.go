package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// Quota are the hard limits of the namespace: all workloads at their peak, plus
// the headroom of the stack.
func Quota(s *stack.Stack, all []Workload) corev1.ResourceList {
	plan := corev1.ResourceList{}
	claims, storage := 0, resource.Quantity{}
	for _, w := range all {
		addPods(plan, w.PeakPods)
		addContainers(plan, w.Resources, w.PeakPods)
		if w.Sidecar != nil {
			addContainers(plan, *w.Sidecar, w.PeakPods)
		}
		if w.Volume.Size != "" {
			claims += w.Replicas
			for range w.Replicas {
				storage.Add(resource.MustParse(w.Volume.Size))
			}
		}
	}
	for name, quantity := range plan {
		quantity = withHeadroom(quantity, s.Quota.HeadroomPercent)
		if name == corev1.ResourcePods {
			quantity = *resource.NewQuantity(quantity.Value(), resource.DecimalSI)
		}
		plan[name] = quantity
	}
	// Claims that are kept when a store is removed count, too.
	plan[corev1.ResourcePersistentVolumeClaims] = *resource.NewQuantity(int64(2*claims), resource.DecimalSI)
	storage.Mul(2)
	plan[corev1.ResourceRequestsStorage] = storage
	return plan
}

func addPods(plan corev1.ResourceList, pods int) {
	total := plan[corev1.ResourcePods]
	total.Add(*resource.NewQuantity(int64(pods), resource.DecimalSI))
	plan[corev1.ResourcePods] = total
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
