package kubernetes

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Warning is a warning header of the API server.
type Warning struct {
	// URN of the resource about which the server was asked, empty for a
	// request that belongs to none.
	URN resource.URN
	// Text of the warning, without values of secrets.
	Text string
}

// podSecurityWarning starts the warning for a workload whose pods would be
// refused (k8s.io/pod-security-admission, admission.go).
const podSecurityWarning = "would violate PodSecurity"

type warningsKey struct{}

// warnings are those of the requests made with one context.
type warnings struct {
	urn     resource.URN
	secrets redactor

	mu    sync.Mutex
	texts []string
}

// collectWarnings makes the warnings of requests with the returned context
// arrive in the returned collection.
func collectWarnings(ctx context.Context, urn resource.URN, secrets redactor) (context.Context, *warnings) {
	w := &warnings{urn: urn, secrets: secrets}
	return context.WithValue(ctx, warningsKey{}, w), w
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (p *Provider) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	// 299 is the code of a persistent miscellaneous warning, the only one
	// which the API server sends.
	if code != 299 || text == "" {
		return
	}
	warning := Warning{Text: text}
	if w, ok := ctx.Value(warningsKey{}).(*warnings); ok {
		warning = Warning{URN: w.urn, Text: w.secrets.clean(text)}
		w.mu.Lock()
		w.texts = append(w.texts, warning.Text)
		w.mu.Unlock()
	}
	if p.opts.OnWarning != nil {
		p.opts.OnWarning(warning)
	}
}

// podSecurity takes the violations of Pod Security out of the warnings.
func (w *warnings) podSecurity() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var violations []string
	w.texts = slices.DeleteFunc(w.texts, func(text string) bool {
		violates := strings.HasPrefix(text, podSecurityWarning)
		if violates {
			violations = append(violations, text)
		}
		return violates
	})
	return violations
}

// report shows the warnings once for each resource and run.
func (p *Provider) report(ctx context.Context, w *warnings) {
	w.mu.Lock()
	texts := w.texts
	w.texts = nil
	w.mu.Unlock()
	for _, text := range texts {
		p.once(ctx, diag.Warning, w.urn, text)
	}
}

// once logs a message which was not logged for this resource before.
func (p *Provider) once(ctx context.Context, severity diag.Severity, urn resource.URN, message string) {
	if p.run.first(string(urn) + "\x00" + message) {
		p.Log(ctx, severity, urn, message)
	}
}
