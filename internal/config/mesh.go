package config

// The service meshes.
const (
	MeshNone    = "none"
	MeshIstio   = "istio"
	MeshLinkerd = "linkerd"
)

// resolveMesh fills in where the mesh's control plane is, unless the stack says
// it.
func (c *Config) resolveMesh() {
	where := map[string]Peer{
		MeshIstio:   {Namespace: "istio-system", Labels: map[string]string{"app": "istiod"}},
		MeshLinkerd: {Namespace: "linkerd", Labels: map[string]string{"linkerd.io/control-plane-ns": "linkerd"}},
	}[c.Mesh]
	peer := &c.Network.Mesh
	if !peer.Selects() && len(peer.CIDRs) == 0 {
		peer.Namespace = where.Namespace
	}
	if peer.Labels == nil && peer.Selects() {
		peer.Labels = where.Labels
	}
}
