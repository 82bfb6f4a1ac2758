package preflight_test

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fields is a tree in the form that JSON is read into.
type fields = map[string]any

func newObject(apiVersion, kind, namespace, name string, rest fields) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: fields{"apiVersion": apiVersion, "kind": kind}}
	for key, value := range rest {
		o.Object[key] = value
	}
	o.SetName(name)
	if namespace != "" {
		o.SetNamespace(namespace)
	}
	return o
}

func newNamespace(name string, labels map[string]string) *unstructured.Unstructured {
	o := newObject("v1", "Namespace", "", name, nil)
	o.SetLabels(labels)
	return o
}

func newConfigMap(namespace, name string) *unstructured.Unstructured {
	return newObject("v1", "ConfigMap", namespace, name, fields{"data": fields{"a": "1"}})
}

// enforce are the labels of a namespace that only admits restricted pods.
var enforce = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}

// restricted is the template of a pod that the strictest level admits.
func restricted(app string) fields {
	return fields{
		"metadata": fields{"labels": fields{"app": app}},
		"spec": fields{
			"securityContext": fields{"runAsNonRoot": true, "seccompProfile": fields{"type": "RuntimeDefault"}},
			"containers": []any{fields{
				"name": "app", "image": "registry.example/app:1",
				"securityContext": fields{"allowPrivilegeEscalation": false, "capabilities": fields{"drop": []any{"ALL"}}},
			}},
		},
	}
}

// rooted is the template of a pod that only the two lower levels admit.
func rooted(app string) fields {
	template := restricted(app)
	delete(template["spec"].(fields), "securityContext")
	return template
}

// workload is an object of a kind that makes pods from a template.
func workload(apiVersion, kind, namespace, name string, template fields) *unstructured.Unstructured {
	spec := fields{"template": template}
	switch kind {
	case "Job":
		template["spec"].(fields)["restartPolicy"] = "Never"
	case "CronJob":
		template["spec"].(fields)["restartPolicy"] = "Never"
		spec = fields{"schedule": "@daily", "jobTemplate": fields{"spec": spec}}
	default:
		spec["selector"] = fields{"matchLabels": fields{"app": name}}
	}
	if kind == "StatefulSet" {
		spec["serviceName"] = name
	}
	return newObject(apiVersion, kind, namespace, name, fields{"spec": spec})
}

func newDeployment(namespace, name string) *unstructured.Unstructured {
	return workload("apps/v1", "Deployment", namespace, name, restricted(name))
}

// container is the first container of a workload with a plain template.
func container(o *unstructured.Unstructured) fields {
	template := o.Object["spec"].(fields)["template"].(fields)
	return template["spec"].(fields)["containers"].([]any)[0].(fields)
}

func newPriorityClass(name string) *unstructured.Unstructured {
	return newObject("scheduling.k8s.io/v1", "PriorityClass", "", name, fields{"value": int64(1000)})
}

// definition is a CRD of a kind in one version with a size of at most 9.
func definition(group, kind, plural, version string) *unstructured.Unstructured {
	spec := fields{"type": "object", "properties": fields{"size": fields{"type": "integer", "maximum": int64(9)}}, "x-kubernetes-preserve-unknown-fields": true}
	return newObject("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", plural+"."+group, fields{"spec": fields{
		"group": group, "scope": "Namespaced",
		"names": fields{"plural": plural, "singular": plural[:len(plural)-1], "kind": kind, "listKind": kind + "List"},
		"versions": []any{fields{"name": version, "served": true, "storage": true, "schema": fields{
			"openAPIV3Schema": fields{"type": "object", "properties": fields{"spec": spec}},
		}}},
	}})
}
