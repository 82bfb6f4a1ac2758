package releasing

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/release"
	"nova.dev/infra/release/stage"
)

// verify checks that a release may begin: everything is healthy and as the stack file
// has it, no alert pages, Prometheus answers, and the release changes images only.
func (t *Tasks) verify(ctx context.Context, plan release.Plan) ([]release.Finding, error) {
	findings, err := t.health(ctx, plan.Namespace, true)
	if err != nil {
		return nil, err
	}
	findings = append(findings, t.alerts(ctx, plan.Namespace))
	result, err := t.Preview(ctx, next(plan))
	if err != nil {
		return findings, fmt.Errorf("preview: %w", err)
	}
	return append(findings, onlyImages(result)), nil
}

// health is whether all services of the stack, changed or not, are available. With
// asFile they must run what the stack file says, too.
func (t *Tasks) health(ctx context.Context, namespace string, asFile bool) ([]release.Finding, error) {
	seen, err := t.Cluster.Observe(ctx, Everything(t.Stack, namespace))
	if err != nil {
		return nil, err
	}
	var findings []release.Finding
	available, pods := 0, 0
	for _, s := range t.Stack.Services {
		switch o, found := seen[s.Name]; {
		case !found:
			findings = append(findings, wrong(s.Name, "health", "is not in the cluster; deploy it with `nova up`"))
		case o.Aborted:
			findings = append(findings, wrong(s.Name, "health", "its last update was aborted: "+o.Message))
		case !o.Ready:
			findings = append(findings, wrong(s.Name, "health", o.Message))
		case asFile && o.Stage < len(stage.All()):
			findings = append(findings, wrong(s.Name, "health", "an update of it is not complete; complete it, or take it back with `nova up`"))
		case asFile && o.Image != s.Image:
			findings = append(findings, wrong(s.Name, "image", fmt.Sprintf("runs %s, and the stack file says %s: bring both together with `nova up`", o.Image, s.Image)))
		case len(o.Crashing) > 0:
			findings = append(findings, wrong(s.Name, "health", "pods crash again and again: "+strings.Join(o.Crashing, ", ")))
		default:
			available++
			pods += o.Pods.Canary + o.Pods.Stable
		}
	}
	if available == len(t.Stack.Services) {
		findings = append(findings, fine("", "health", fmt.Sprintf("%d of %d services are available, with %d pods", available, available, pods)))
	}
	return findings, nil
}

// imagePaths are the properties that an image and its tag are in.
var imagePaths = regexp.MustCompile(`^(spec\.)?template\.spec\.containers\[\d+\]\.image$`)

// onlyImages judges a preview of a release: it may change the images of pods, and
// the Jobs that run once for each release.
func onlyImages(result change.Result) release.Finding {
	const what = "preview"
	var others []string
	images := 0
	for _, c := range result.Changes {
		pods := slices.Contains([]string{"kubernetes:apps/v1:Deployment", "kubernetes:core/v1:PodTemplate"}, c.Type)
		switch {
		case c.Type == "kubernetes:batch/v1:Job":
		case pods && c.Op == "update" && !slices.ContainsFunc(c.Properties, func(p string) bool { return !imagePaths.MatchString(p) }):
			images++
		default:
			others = append(others, fmt.Sprintf("%s %s (%s)", c.Op, c.Name, strings.Join(c.Properties, ", ")))
		}
	}
	if len(others) > 0 {
		return wrong("", what, fmt.Sprintf("the release would change more than images, because the stack is not as its stack file has it; bring it there with `nova up`: %s", strings.Join(others, "; ")))
	}
	return fine("", what, fmt.Sprintf("changes the images of %d services and nothing else; %d resources stay", images, result.Unchanged))
}
