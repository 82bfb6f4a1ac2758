package config

// The service meshes.
const (
	MeshNone    = "none"
	MeshIstio   = "istio"
	MeshLinkerd = "linkerd"
)

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
