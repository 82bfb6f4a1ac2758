package tests

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// longestChain is how many resources that the provider waits for follow one
// another at most.
const longestChain = 4

// TestAwait holds what `up` waits for: pods, and nothing whose answer the program
// does not use.
func TestAwait(t *testing.T) {
	for _, name := range []string{"dev", "staging", "prod"} {
		all := declare(t, load(t, name), false)
		t.Run("no address is awaited/"+name, func(t *testing.T) {
			for _, kind := range []string{"Service", "Ingress"} {
				for _, r := range ofKind(all, kind) {
					assert.False(t, awaited(r), "%s %s", kind, r.name)
				}
			}
		})
		t.Run("chains of awaited resources are short/"+name, func(t *testing.T) { shortChains(t, all) })
	}
}

// shortChains asserts that no more resources than allowed are waited for one after
// another, and that what needs no pods waits for none.
func shortChains(t *testing.T, all []recorded) {
	t.Helper()
	byURN := map[string]recorded{}
	for _, r := range all {
		byURN[r.urn] = r
	}
	known := map[string][]string{}
	var chain func(urn string) []string
	chain = func(urn string) []string {
		if found, ok := known[urn]; ok {
			return found
		}
		var longest []string
		// A resource also waits for what its component waits for.
		for _, before := range append(slices.Clone(byURN[urn].dependsOn), byURN[byURN[urn].parent].dependsOn...) {
			if c := chain(before); len(c) > len(longest) {
				longest = c
			}
		}
		if awaited(byURN[urn]) {
			longest = append(slices.Clone(longest), byURN[urn].name)
		}
		known[urn] = longest
		return longest
	}
	for _, r := range all {
		before := chain(r.urn)
		assert.LessOrEqual(t, len(before), longestChain, "%s", strings.Join(before, " -> "))
		switch r.typ[strings.LastIndex(r.typ, ":")+1:] {
		case "Service", "ServiceAccount", "PodDisruptionBudget", "ConfigMap", "PrometheusRule", "PodMonitor", "ServiceMonitor":
			assert.Empty(t, before, "%s waits for pods that it does not need", r.urn)
		}
	}
}

// awaited reports whether the Kubernetes provider waits for more than that the
// API server takes the object.
func awaited(r recorded) bool {
	kind := r.typ[strings.LastIndex(r.typ, ":")+1:]
	if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "Job", "Service", "Ingress", "PersistentVolumeClaim", "Pod"}, kind) {
		return false
	}
	metadata, _ := unwrap(r.inputs)["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	return annotations["pulumi.com/skipAwait"] != "true"
}
