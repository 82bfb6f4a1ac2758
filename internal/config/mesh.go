package config

// The service meshes.
const (
	MeshNone    = "none"
	MeshIstio   = "istio"
	MeshLinkerd = "linkerd"
)

// SidecarResources are those of a mesh's sidecar, asked of its injector by
// annotations of the pod, so that the quota knows them. Local disk cannot be
// asked for everywhere: there the LimitRange gives the default of services.
var SidecarResources = Resources{Requests: Quantities{CPU: "100m", Memory: "128Mi"}, Limits: Quantities{CPU: "1", Memory: "256Mi"}}

// sidecar are the resources of a sidecar, complete.
func (c *Config) sidecar() Resources { return SidecarResources.over(c.Resources.Default) }

// MeshPorts are the TCP ports of a mesh's control plane that a sidecar reaches:
// configuration and certificates of istiod; identity, destination and policy of
// Linkerd, after its chart.
func (c *Config) MeshPorts() []int {
	switch c.Mesh {
	case MeshIstio:
		return []int{15012}
	case MeshLinkerd:
		return []int{8080, 8086, 8090}
	}
	return nil
}

// MeshInbound is the port on which sidecars reach each other in place of the
// port that the client asked for; 0 where the port stays.
func (c *Config) MeshInbound() int {
	if c.Mesh == MeshLinkerd {
		return 4143
	}
	return 0
}

// resolveMesh fills in where the control plane of the mesh runs.
func (c *Config) resolveMesh() {
	where := map[string]Peer{
		MeshIstio:   {Namespace: "istio-system", Labels: map[string]string{"app": "istiod"}},
		MeshLinkerd: {Namespace: "linkerd", Labels: map[string]string{"linkerd.io/control-plane-ns": "linkerd"}},
	}[c.Mesh]
	peer := &c.Network.Mesh
	if peer.Namespace == "" {
		peer.Namespace = where.Namespace
	}
	if peer.Labels == nil {
		peer.Labels = where.Labels
	}
}
