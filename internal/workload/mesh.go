package workload

import (
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// sidecarResources are those of a mesh's sidecar, asked of its injector by
// annotations of the pod, so that the quota includes them. Local disk cannot be
// asked for everywhere: there the LimitRange gives the default of services.
var sidecarResources = config.Resources{
	Requests: config.Quantities{CPU: "100m", Memory: "128Mi"},
	Limits:   config.Quantities{CPU: "1", Memory: "256Mi"},
}

// join makes a workload part of the stack's mesh. A request without its limit
// would lose the limit in Istio, so all are set.
func (w *Workload) join(s *stack.Stack) {
	requests, limits := sidecarResources.Requests, sidecarResources.Limits
	switch s.Mesh {
	case config.MeshIstio:
		w.PodLabels = map[string]string{"sidecar.istio.io/inject": "true"}
		w.PodAnnotations = map[string]string{
			"sidecar.istio.io/proxyCPU":         requests.CPU,
			"sidecar.istio.io/proxyMemory":      requests.Memory,
			"sidecar.istio.io/proxyCPULimit":    limits.CPU,
			"sidecar.istio.io/proxyMemoryLimit": limits.Memory,
		}
	case config.MeshLinkerd:
		w.PodAnnotations = map[string]string{
			"linkerd.io/inject":                      "enabled",
			"config.linkerd.io/proxy-cpu-request":    requests.CPU,
			"config.linkerd.io/proxy-memory-request": requests.Memory,
			"config.linkerd.io/proxy-cpu-limit":      limits.CPU,
			"config.linkerd.io/proxy-memory-limit":   limits.Memory,
		}
	default:
		return
	}
	sidecar, disk := sidecarResources, s.Resources.Default
	sidecar.Requests.EphemeralStorage, sidecar.Limits.EphemeralStorage = disk.Requests.EphemeralStorage, disk.Limits.EphemeralStorage
	w.Sidecar = &sidecar
}

// meshPorts are the TCP ports of a mesh's control plane that a sidecar reaches:
// configuration and certificates of istiod; identity, destination and policy of
// Linkerd, after its chart.
func meshPorts(mesh string) []int {
	switch mesh {
	case config.MeshIstio:
		return []int{15012}
	case config.MeshLinkerd:
		return []int{8080, 8086, 8090}
	}
	return nil
}

// linkerdInbound is the port on which sidecars of Linkerd reach each other in
// place of the port that the client asked for.
const linkerdInbound = 4143

// meshed are the ports on which a service takes a connection to one of its own:
// in some meshes the client's sidecar comes to that of the server instead.
func meshed(mesh string, port int) []int {
	if mesh == config.MeshLinkerd {
		return []int{port, linkerdInbound}
	}
	return []int{port}
}
