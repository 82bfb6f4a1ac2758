package components

import (
	"maps"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// env is the environment of the container, sorted by name. Plain values of the
// service's own come first in precedence, then references to the keys that its
// record lists; a secret key that the stack does not hold is left out.
func (d *declaration) env() corev1.EnvVarArray {
	vars := map[string]*corev1.EnvVarArgs{}
	for _, key := range d.s.Secrets {
		if selector := d.args.Infra.SecretKey(key); selector != nil {
			vars[key] = &corev1.EnvVarArgs{ValueFrom: &corev1.EnvVarSourceArgs{SecretKeyRef: selector}}
		}
	}
	for _, key := range d.s.Variables {
		vars[key] = &corev1.EnvVarArgs{ValueFrom: &corev1.EnvVarSourceArgs{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelectorArgs{Name: d.args.Infra.ConfigMap, Key: pulumi.String(key)},
		}}
	}
	for key, value := range d.plain() {
		vars[key] = &corev1.EnvVarArgs{Value: pulumi.String(value)}
	}
	return sortedEnv(vars)
}

// sortedEnv orders variables by name and names them.
func sortedEnv(vars map[string]*corev1.EnvVarArgs) corev1.EnvVarArray {
	array := make(corev1.EnvVarArray, 0, len(vars))
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		vars[key].Name = pulumi.String(key)
		array = append(array, vars[key])
	}
	return array
}

// plain are the variables whose values stand in the pod template itself.
func (d *declaration) plain() map[string]string {
	values := d.s.PortVariables()
	buckets := d.c.CatalogEnvironment().Buckets
	for _, use := range d.s.Buckets {
		values[use.Variable] = buckets[use.Bucket]
	}
	maps.Copy(values, d.s.Env)
	return values
}

// received are the referenced values, which the template does not show: a
// change of one of them, and of no other, has to roll the pods.
func (d *declaration) received() pulumi.StringMap {
	values := pulumi.StringMap{}
	for _, key := range d.s.Variables {
		values[key] = d.args.Infra.Variables[key]
	}
	for _, key := range d.s.Secrets {
		if d.args.Infra.SecretKey(key) != nil {
			values[key] = d.args.Infra.secretHashInput(key)
		}
	}
	return values
}
