package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/evaluate"
)

// object is a Kubernetes object that lies in the component of a stack.
func object(kind, namespace, name string, labels resource.PropertyMap) evaluate.Resource {
	return evaluate.Resource{
		URN: "urn:pulumi:stack::nova::nova:platform:InfraStack$kubernetes:v1:" + kind + "::" + name, Type: "kubernetes:v1:" + kind, Custom: true,
		Parent: "urn:pulumi:stack::nova::nova:platform:InfraStack::nova",
		Inputs: resource.PropertyMap{
			"apiVersion": resource.NewStringProperty("v1"), "kind": resource.NewStringProperty(kind),
			"metadata": resource.NewObjectProperty(resource.PropertyMap{
				"name": resource.NewStringProperty(name), "namespace": resource.NewStringProperty(namespace), "labels": resource.NewObjectProperty(labels),
			}),
		},
	}
}

func TestLasting_is_what_the_next_update_would_not_find(t *testing.T) {
	ours := resource.PropertyMap{"app.kubernetes.io/managed-by": resource.NewStringProperty("pulumi")}
	const stack, infra = "urn:pulumi:stack::nova::pulumi:pulumi:Stack::nova-stack", "urn:pulumi:stack::nova::nova:platform:InfraStack::nova"
	password := evaluate.Resource{URN: infra + "-password", Type: "random:index/randomPassword:RandomPassword", Custom: true, Parent: infra}
	deployment := object("Deployment", "own", "auth", ours)
	declared := []evaluate.Resource{
		{URN: stack, Type: "pulumi:pulumi:Stack"},
		{URN: infra, Type: "nova:platform:InfraStack", Parent: stack},
		{URN: "urn:pulumi:stack::nova::nova:platform:NovaService::auth", Type: "nova:platform:NovaService", Parent: stack},
		object("Namespace", "", "own", ours), object("PriorityClass", "", "services", ours),
		object("Role", "elsewhere", "reader", ours), object("ConfigMap", "own", "plain", nil), object("Service", "own", "", ours),
		deployment, password,
	}
	urns, err := lasting(declared)
	require.NoError(t, err)
	var names []string
	for _, each := range urns {
		names = append(names, each[strings.LastIndex(each, ":")+1:])
	}
	slices.Sort(names)
	assert.Equal(t, []string{"", "nova", "nova-password", "nova-stack", "own", "plain", "reader", "services"}, names)

	password.DependsOn = []string{deployment.URN}
	_, err = lasting(append(declared[:len(declared)-1], password))
	assert.ErrorContains(t, err, password.URN+" depends on "+deployment.URN)
}

func TestOfStack_is_the_URN_of_the_engine(t *testing.T) {
	for evaluated, want := range map[string]string{
		"urn:pulumi:stack::nova::pulumi:pulumi:Stack::nova-stack":                   "urn:pulumi:dev::nova::pulumi:pulumi:Stack::nova-dev",
		"urn:pulumi:stack::nova::nova:platform:A$kubernetes:v1:Secret::keys::stack": "urn:pulumi:dev::nova::nova:platform:A$kubernetes:v1:Secret::keys::stack",
	} {
		assert.Equal(t, want, ofStack(evaluated, "dev"))
	}
}
