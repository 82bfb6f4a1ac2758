package preflight

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// need is an object without which admission refuses a pod.
type need struct {
	kind            schema.GroupVersionKind
	namespace, name string
}

// findNeeds finds pods that name a PriorityClass or a ServiceAccount that
// neither the cluster nor the stack has.
func (c *check) findNeeds(ctx context.Context) error {
	if c.InstallsCharts {
		return nil
	}
	needed := map[need][]*item{}
	for _, i := range slices.Concat(c.known, c.unknown) {
		pod := podOf(i)
		if pod == nil {
			continue
		}
		for _, n := range []need{
			{schema.GroupVersionKind{Group: "scheduling.k8s.io", Version: "v1", Kind: "PriorityClass"}, "", pod.Spec.PriorityClassName},
			{schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}, i.namespace, pod.Spec.ServiceAccountName},
		} {
			if n.name != "" && n.name != "default" && !c.declares(n) && !slices.Contains(placeholders(i), n.name) {
				needed[n] = append(needed[n], i)
			}
		}
	}
	for n, by := range needed {
		live, err := c.cluster.get(ctx, c.cluster.kinds[n.kind], n.namespace, n.name)
		switch {
		case fatal(err):
			return c.cluster.failed(ctx, err)
		case live != nil, err != nil: // What may not be read may exist.
			continue
		}
		for _, i := range by {
			c.find(Refused, podNeeds, i.reference(), fmt.Sprintf("%s: its pods would be refused, because %s %s exists neither in the cluster nor in the stack",
				i.reference(), n.kind.Kind, n.name))
		}
	}
	return nil
}

func (c *check) declares(n need) bool {
	return slices.ContainsFunc(c.known, func(i *item) bool {
		return i.kind.gvk.GroupKind() == n.kind.GroupKind() && i.namespace == n.namespace && i.name == n.name
	})
}
