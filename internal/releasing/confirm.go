package releasing

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/release"
)

// confirm checks the new version from outside: the health of every service of the
// stack, its smoke checks, and alerts.
func (t *Tasks) confirm(ctx context.Context, plan release.Plan) ([]release.Finding, error) {
	findings, err := t.health(ctx, plan.Namespace, false)
	if err != nil {
		return nil, err
	}
	return append(append(findings, t.smoke(ctx, plan.Namespace)...), t.alerts(ctx, plan.Namespace)), nil
}

// smoke makes the smoke checks of every service.
func (t *Tasks) smoke(ctx context.Context, namespace string) []release.Finding {
	const what = "smoke checks"
	total := 0
	for _, s := range t.Stack.Services {
		total += len(s.SmokeChecks())
	}
	if t.Simulated {
		return []release.Finding{fine("", what, fmt.Sprintf("%d were not made: pods of this cluster are simulated and answer nothing", total))}
	}
	var findings []release.Finding
	passed := 0
	for _, s := range t.Stack.Services {
		for _, check := range s.SmokeChecks() {
			status, err := t.ask(ctx, namespace, s, check.Path)
			switch status {
			case check.Status:
				passed++
			case 0:
				findings = append(findings, wrong(s.Name, what, fmt.Sprintf("GET %s is not answered: %v", check.Path, err)))
			default:
				findings = append(findings, wrong(s.Name, what, fmt.Sprintf("GET %s is answered with %d; expected %d", check.Path, status, check.Status)))
			}
		}
	}
	if passed == total {
		findings = append(findings, fine("", what, fmt.Sprintf("%d of %d requests are answered as they should be", passed, total)))
	}
	return findings
}

// ask sends a request to a service through the API server, and returns the status of
// the answer.
func (t *Tasks) ask(ctx context.Context, namespace string, s stack.Service, path string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	target, err := url.Parse(path)
	if err != nil {
		return 0, err
	}
	request := t.Cluster.Kubernetes.CoreV1().RESTClient().Get().Namespace(namespace).Resource("services").
		Name(utilnet.JoinSchemeNamePort("http", s.KubernetesName(), fmt.Sprint(s.HTTPPort))).SubResource("proxy").
		Suffix(strings.TrimPrefix(target.Path, "/"))
	for key, values := range target.Query() {
		for _, value := range values {
			request = request.Param(key, value)
		}
	}
	result := request.Do(ctx)
	result.StatusCode(&status)
	return status, result.Error()
}
