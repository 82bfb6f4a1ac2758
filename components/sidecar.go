package components

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// sidecarAnnotations tell the injector of a mesh what the sidecar may take. A
// request without its limit would lose the limit in Istio, so all are set.
func sidecarAnnotations(mesh string) pulumi.StringMap {
	requests, limits := stack.SidecarResources.Requests, stack.SidecarResources.Limits
	switch mesh {
	case config.MeshIstio:
		return pulumi.StringMap{
			"sidecar.istio.io/proxyCPU":         pulumi.String(requests.CPU),
			"sidecar.istio.io/proxyMemory":      pulumi.String(requests.Memory),
			"sidecar.istio.io/proxyCPULimit":    pulumi.String(limits.CPU),
			"sidecar.istio.io/proxyMemoryLimit": pulumi.String(limits.Memory),
		}
	case config.MeshLinkerd:
		return pulumi.StringMap{
			"linkerd.io/inject":                      pulumi.String("enabled"),
			"config.linkerd.io/proxy-cpu-request":    pulumi.String(requests.CPU),
			"config.linkerd.io/proxy-memory-request": pulumi.String(requests.Memory),
			"config.linkerd.io/proxy-cpu-limit":      pulumi.String(limits.CPU),
			"config.linkerd.io/proxy-memory-limit":   pulumi.String(limits.Memory),
		}
	}
	return nil
}
