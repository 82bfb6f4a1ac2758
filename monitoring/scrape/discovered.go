package scrape

import (
	"github.com/prometheus/prometheus/util/strutil"

	"nova.dev/infra/internal/yamltext"
)

// Discovered renders prometheus.yml for a Prometheus outside of a cluster, which
// cannot ask the Kubernetes API and reaches no pod by itself. Files say which pods
// there are, as Target; a proxy at an HTTP URL reaches them. The pods of services get
// the labels that they get from Kubernetes; nothing else is scraped.
func (targets Targets) Discovered(server Server, files []string, proxy string) ([]byte, error) {
	f := targets.file(server)
	pods := targets.pods()
	pods.Kubernetes, pods.Files, pods.ProxyURL = nil, []fileConfig{{files}}, proxy
	f.ScrapeConfigs = append(f.ScrapeConfigs, pods)
	return yamltext.Marshal(f)
}

// Target is a container port of a pod as the discovery of Kubernetes describes it, for
// a file of Discovered, which is a list of them in JSON.
type Target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// TargetOf is the target of one container port, host and port, of a pod with labels.
func TargetOf(namespace, pod, phase, port, address string, labels map[string]string) Target {
	t := Target{Targets: []string{address}, Labels: map[string]string{
		podNamespace: namespace, podObject: pod, podPhase: phase, podPort: port,
	}}
	for name, value := range labels {
		t.Labels[podLabel+strutil.SanitizeLabelName(name)] = value
	}
	return t
}
