package render

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/compose"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/yamltext"
)

// manifestFolder holds the manifests; kubectl applies them in the order of
// their names.
const manifestFolder = "kubernetes"

// manifests renders every Kubernetes object of the stack, by path.
func manifests(c *stack.Stack) (map[string][]byte, error) {
	objects, err := objectsOf(c)
	if err != nil {
		return nil, err
	}
	place, err := newPlacement(c)
	if err != nil {
		return nil, err
	}
	grouped := map[string][]object{}
	for _, o := range objects {
		name, err := place.file(o)
		if err != nil {
			return nil, err
		}
		grouped[name] = append(grouped[name], o)
	}
	files := map[string][]byte{}
	for name, members := range grouped {
		slices.SortFunc(members, func(a, b object) int {
			return cmp.Or(cmp.Compare(kindOrder(a.kind), kindOrder(b.kind)), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.namespace, b.namespace))
		})
		text, err := manifest(c, members)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[path.Join(manifestFolder, name)] = text
	}
	return files, nil
}

// objectsOf evaluates the program and returns the Kubernetes objects.
func objectsOf(c *stack.Stack) ([]object, error) {
	hidden, err := evaluate.Blind(c, mark)
	if err != nil {
		return nil, err
	}
	resources, err := evaluate.Stack(hidden, evaluate.Options{Made: markers(c)})
	if err != nil {
		return nil, err
	}
	byURN := make(map[string]evaluate.Resource, len(resources))
	for _, r := range resources {
		byURN[r.URN] = r
	}
	var objects []object
	for _, r := range resources {
		if !strings.HasPrefix(r.Type, "kubernetes:") {
			continue
		}
		if strings.HasPrefix(r.Type, "kubernetes:helm.sh/") {
			return nil, fmt.Errorf("%s is a Helm release, which no manifest can hold: install the chart with helm and set nova:monitoring.mode to %s", r.Name, config.MonitoringExisting)
		}
		owner := byURN[r.Parent]
		o, err := newObject(r, component{owner.Type, owner.Name})
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// manifest writes the objects of one file.
func manifest(c *stack.Stack, objects []object) ([]byte, error) {
	var documents bytes.Buffer
	for _, o := range objects {
		document, err := yamltext.Marshal(o.fields)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", o.kind, o.name, err)
		}
		documents.WriteString("---\n")
		documents.Write(document)
	}
	head := compose.Notice(c)
	if placeholder.Match(documents.Bytes()) {
		head += "# Fill in every <NAME> before you apply this file.\n"
	}
	return append([]byte(head), documents.Bytes()...), nil
}

// kindOrder is the order of objects within a file: those that others need come
// first.
func kindOrder(kind string) int {
	order := []string{
		"Namespace", "PriorityClass", "ResourceQuota", "LimitRange", "ServiceAccount", "Role", "RoleBinding",
		"ConfigMap", "Secret", "ExternalSecret", "NetworkPolicy", "Service", "StatefulSet", "Deployment", "Job", "CronJob", "AnalysisTemplate", "PodTemplate", "Rollout",
	}
	if i := slices.Index(order, kind); i >= 0 {
		return i
	}
	return len(order)
}

// firstWave numbers the files of services that call no other; a catalogue of 11
// services has at most 11 waves.
const firstWave = 30

// placement assigns objects to files. The numbers are the order of creation:
// namespace, policies, configuration, stores, services along their calls, the
// ingress, monitoring.
type placement struct {
	// wave is the wave of each service along the call graph.
	wave map[string]int
}

func newPlacement(c *stack.Stack) (placement, error) {
	waves, err := catalog.Waves(c.CatalogServices())
	p := placement{wave: map[string]int{}}
	for n, wave := range waves {
		for _, s := range wave {
			p.wave[s.Name] = n
		}
	}
	return p, err
}

// file is the name of the file of an object, by the component that it belongs
// to.
func (p placement) file(o object) (string, error) {
	switch owner := o.owner; strings.TrimPrefix(owner.typ, "nova:platform:") {
	case "Namespace", "Priorities", "Quota":
		return "00-namespace.yaml", nil
	case "Network":
		return "05-network-policies.yaml", nil
	case "Configuration":
		return "10-configuration.yaml", nil
	case "Secrets":
		return "11-secrets.yaml", nil
	case "Store", "ExternalStore", "Exporter", "Backups", "Migrations":
		return "20-" + owner.name + ".yaml", nil
	case "NovaService":
		return fmt.Sprintf("%d-%s-service.yaml", firstWave+p.wave[owner.name], owner.name), nil
	case "PublicAPI":
		return "50-ingress.yaml", nil
	case "MonitoringStack":
		return "60-monitoring.yaml", nil
	default:
		return "", fmt.Errorf("%s %s belongs to the component %s %s, whose objects have no file", o.kind, o.name, owner.typ, owner.name)
	}
}
