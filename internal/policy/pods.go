package policy

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	podpolicy "k8s.io/pod-security-admission/policy"
)

func podSecurity(s *subject, found func(object, message string)) {
	evaluator, err := podpolicy.NewEvaluator(podpolicy.DefaultChecks(), nil)
	if err != nil {
		found("Pod Security", err.Error())
		return
	}
	restricted := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	for _, p := range s.pods {
		result := podpolicy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &p.ObjectMeta, &p.Spec))
		if !result.Allowed {
			found(reference(p.object), result.ForbiddenDetail())
		}
	}
}

func resources(s *subject, found func(object, message string)) {
	for _, p := range s.pods {
		for _, c := range p.containers() {
			var missing []string
			for _, each := range []struct {
				name string
				list corev1.ResourceList
				of   corev1.ResourceName
			}{
				{"requests.cpu", c.Resources.Requests, corev1.ResourceCPU},
				{"requests.memory", c.Resources.Requests, corev1.ResourceMemory},
				{"limits.memory", c.Resources.Limits, corev1.ResourceMemory},
			} {
				if quantity := each.list[each.of]; quantity.IsZero() {
					missing = append(missing, each.name)
				}
			}
			if len(missing) > 0 {
				found(reference(p.object), fmt.Sprintf("container %s has no %s", c.Name, strings.Join(missing, ", ")))
			}
		}
	}
}

func probes(s *subject, found func(object, message string)) {
	for _, p := range s.pods {
		if !p.lasting() {
			continue
		}
		for _, c := range p.Spec.Containers {
			for name, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
				if probe == nil {
					found(reference(p.object), fmt.Sprintf("container %s has no %s probe", c.Name, name))
				}
			}
		}
	}
}

func imageTags(s *subject, found func(object, message string)) {
	s.images(func(p pod, c corev1.Container) {
		_, digest, byDigest := strings.Cut(c.Image, "@")
		name, _, _ := strings.Cut(c.Image, "@")
		tag := ""
		if at := strings.LastIndex(name, ":"); at > strings.LastIndex(name, "/") {
			tag = name[at+1:]
		}
		switch {
		case tag == "latest":
			found(reference(p.object), fmt.Sprintf("container %s runs %s: the tag latest moves", c.Name, c.Image))
		case tag == "" && (!byDigest || digest == ""):
			found(reference(p.object), fmt.Sprintf("container %s runs %s, which has neither a tag nor a digest", c.Name, c.Image))
		}
	})
}

func imageDigests(s *subject, found func(object, message string)) {
	s.images(func(p pod, c corev1.Container) {
		if !strings.Contains(c.Image, "@sha256:") {
			found(reference(p.object), fmt.Sprintf("container %s runs %s: pin it with `nova images digests` or `nova images pin`", c.Name, c.Image))
		}
	})
}

// images calls judge with every container whose image is known, outside
// development.
func (s *subject) images(judge func(pod, corev1.Container)) {
	if !s.Guarded {
		return
	}
	for _, p := range s.pods {
		for _, c := range p.containers() {
			if s.Unknown == "" || !strings.Contains(c.Image, s.Unknown) {
				judge(p, c)
			}
		}
	}
}
