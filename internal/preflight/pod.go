package preflight

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"nova.dev/infra/internal/podtemplate"
)

// findPods finds workloads whose pods Pod Security would refuse. The check is
// that of the admission controller, at the version of the cluster.
func (c *check) findPods(context.Context) error {
	var version *psa.Version
	if c.cluster.version != (psa.Version{}) {
		version = &c.cluster.version
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), version)
	if err != nil {
		return fmt.Errorf("preflight: %w", err)
	}
	for _, i := range slices.Concat(c.known, c.unknown) {
		if pod := podOf(i); pod != nil {
			c.judgePod(evaluator, i, pod)
		}
	}
	return nil
}

func (c *check) judgePod(evaluator policy.Evaluator, i *item, pod *corev1.PodTemplateSpec) {
	levels := c.podSecurityOf(i.namespace)
	objection := func(level psa.LevelVersion) string {
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
		if result.Allowed {
			return ""
		}
		return fmt.Sprintf("level %q (version %s) of namespace %s: %s", level.Level, level.Version, i.namespace, result.ForbiddenDetail())
	}
	if text := objection(levels.Enforce); text != "" {
		c.find(Refused, podSecurity, i.reference(), fmt.Sprintf("%s: its pods would be refused by Pod Security, %s", i.reference(), text))
	} else if text := objection(levels.Warn); text != "" {
		c.find(Warning, podSecurity, i.reference(), fmt.Sprintf("%s: its pods violate what Pod Security warns of, %s", i.reference(), text))
	}
}

// podSecurityOf is the policy of a namespace: by the labels that the stack
// declares, else by those in the cluster, else everything is allowed.
func (c *check) podSecurityOf(name string) psa.Policy {
	n := c.namespace(name)
	var labels map[string]string
	switch {
	case n.declared != nil:
		labels = n.declared.Object.Object.GetLabels()
	case n.live != nil:
		labels = n.live.Labels
	}
	privileged := psa.LevelVersion{Level: psa.LevelPrivileged, Version: psa.LatestVersion()}
	levels, _ := psa.PolicyToEvaluate(labels, psa.Policy{Enforce: privileged, Audit: privileged, Warn: privileged})
	return levels
}

// decidesSecurity matches the paths of the fields that Pod Security reads.
var decidesSecurity = regexp.MustCompile(`(?i)securityContext|host(Network|PID|IPC|Port|Path|Users)|volumes|annotations|\.os\b`)

// podOf is the template of a workload's pods, nil where there is none, and where
// what decides is not known yet.
func podOf(i *item) *corev1.PodTemplateSpec {
	path, ok := podtemplate.Path(i.kind.gvk.GroupKind())
	if !ok {
		return nil
	}
	spec := strings.Join(append(path[:len(path):len(path)], "spec"), ".")
	for _, unknown := range i.Unknown {
		unknown = plain(unknown)
		if covers(unknown, spec) || covers(spec, unknown) && decidesSecurity.MatchString(unknown) {
			return nil
		}
	}
	return podtemplate.Of(i.Object.Object)
}
