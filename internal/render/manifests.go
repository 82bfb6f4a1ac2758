package render

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v2" // What sigs.k8s.io/yaml writes with, without its way over JSON.

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/stack"
)

// manifestFolder holds the manifests; kubectl applies them in the order of
// their names.
const manifestFolder = "kubernetes"

// manifests renders every Kubernetes object of the stack, by path.
func manifests(c *stack.Stack) (map[string][]byte, error) {
	objects, err := declared(c)
	if err != nil {
		return nil, err
	}
	place, err := newPlacement(c)
	if err != nil {
		return nil, err
	}
	grouped := map[string][]object{}
	for _, o := range objects {
		name := place.file(o)
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

// declared evaluates the program and returns the Kubernetes objects.
func declared(c *stack.Stack) ([]object, error) {
	hidden, err := withoutSecrets(c)
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
		var owners []component
		for parent, ok := byURN[r.Parent]; ok; parent, ok = byURN[parent.Parent] {
			owners = append(owners, component{parent.Type, parent.Name})
		}
		o, err := newObject(r, owners)
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
		document, err := yaml.Marshal(o.fields)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", o.kind, o.name, err)
		}
		documents.WriteString("---\n")
		documents.Write(document)
	}
	head := notice(c)
	if placeholder.Match(documents.Bytes()) {
		head += "# Fill in every <NAME> before you apply this file.\n"
	}
	return append([]byte(head), documents.Bytes()...), nil
}

// notice heads every file that may carry comments.
func notice(c *stack.Stack) string {
	return fmt.Sprintf("# Written by `nova render --stack %s`; change the configuration and render again.\n", c.Stack)
}

// kindOrder is the order of objects within a file: what others need comes first.
func kindOrder(kind string) int {
	order := []string{
		"Namespace", "PriorityClass", "ResourceQuota", "LimitRange", "ServiceAccount", "Role", "RoleBinding",
		"ConfigMap", "Secret", "ExternalSecret", "NetworkPolicy", "Service", "StatefulSet", "Deployment", "Job",
	}
	if i := slices.Index(order, kind); i >= 0 {
		return i
	}
	return len(order)
}

// placement says in which file an object is written.
type placement struct{ wave map[string]int }

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

// The types of the components that files are named after.
const (
	novaService     = "nova:platform:NovaService"
	infraStack      = "nova:platform:InfraStack"
	monitoringStack = "nova:platform:MonitoringStack"
)

// firstWave numbers the files of services that call no other; a catalogue of 11
// services has at most 11 waves.
const firstWave = 30

// file is the name of an object's file. The numbers are the order of creation:
// namespace, policies, configuration, stateful systems, services along their
// calls, the way in from outside, monitoring.
func (p placement) file(o object) string {
	owner := o.owners[0]
	switch owner.typ {
	case novaService:
		return fmt.Sprintf("%d-%s-service.yaml", firstWave+p.wave[owner.name], owner.name)
	case monitoringStack:
		return "60-monitoring.yaml"
	case infraStack:
		return infrastructureFile(o)
	}
	return "20-" + owner.name + ".yaml"
}

func infrastructureFile(o object) string {
	switch o.kind {
	case "Namespace", "PriorityClass", "ResourceQuota", "LimitRange":
		return "00-namespace.yaml"
	case "NetworkPolicy":
		return "05-network-policies.yaml"
	case "Secret", "ExternalSecret", "PushSecret":
		return "11-secrets.yaml"
	case "Ingress", "HTTPRoute", "GRPCRoute", "Gateway":
		return "50-ingress.yaml"
	}
	if system := systemOf(o.name); system != "" {
		return "20-" + system + ".yaml"
	}
	return "10-configuration.yaml"
}

// systemOf is the stateful system or exporter that an object is named after, as
// "kafka" of kafka-setup.
func systemOf(name string) string {
	best := ""
	for _, store := range catalog.Stores() {
		names := []string{store.Name}
		if store.Exporter != nil {
			names = append(names, store.Exporter.Name)
		}
		for _, candidate := range names {
			if (name == candidate || strings.HasPrefix(name, candidate+"-")) && len(candidate) > len(best) {
				best = candidate
			}
		}
	}
	return best
}
