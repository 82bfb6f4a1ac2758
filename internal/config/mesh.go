package config

// The service meshes.
const (
	MeshNone    = "none"
	MeshIstio   = "istio"
	MeshLinkerd = "linkerd"
)

// resolveMesh fills in the namespace and labels of the mesh's control plane.
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
