package render

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
	"nova.dev/infra/monitoring"
	"nova.dev/infra/monitoring/scrape"
)

// plainMonitoringFolder holds the files of a Prometheus and an Alertmanager
// that run on the stack's cluster without an operator.
const plainMonitoringFolder = "without-operator/"

// plainMonitoring returns the files of that folder: the configuration of both,
// the rules, and the RBAC objects that Prometheus needs. Dashboards are in the
// manifests: Grafana's sidecar needs no operator. There are none in monitoring
// mode none.
func plainMonitoring(c *stack.Stack) (map[string][]byte, error) {
	if c.Monitoring.Mode == config.MonitoringNone {
		return nil, nil
	}
	all, err := monitoring.ServerFiles(workload.Monitoring(c, workload.All(c)))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, text := range all {
		files[plainMonitoringFolder+name] = text
	}
	var rights []object
	for _, each := range scrape.RBAC(metav1.ObjectMeta{Name: "prometheus", Namespace: c.Network.Prometheus.Namespace}) {
		o, err := objectOf(each)
		if err != nil {
			return nil, err
		}
		rights = append(rights, o)
	}
	files[plainMonitoringFolder+"prometheus/rbac.yaml"], err = manifest(c, rights)
	return files, err
}

// objectOf is an object of the upstream types.
func objectOf(from runtime.Object) (object, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(from)
	if err != nil {
		return object{}, err
	}
	o := unstructured.Unstructured{Object: fields}
	return object{kind: o.GetKind(), namespace: o.GetNamespace(), name: o.GetName(), fields: fields}, nil
}
