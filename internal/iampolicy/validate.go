package iampolicy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Validate reports everything that makes a document unusable or too generous:
// an allowed action with a wildcard, an allowed resource with a wildcard other
// than the objects of a bucket, an allowed principal that is everybody, a trusted
// identity provider without conditions, and a service of AWS that may act for
// whomever it likes.
func (d Document) Validate() error {
	var errs []error
	if d.Version != languageVersion {
		errs = append(errs, fmt.Errorf("policy document: version %q is not %s", d.Version, languageVersion))
	}
	if len(d.Statements) == 0 {
		errs = append(errs, errors.New("policy document: it has no statement"))
	}
	for i, s := range d.Statements {
		for _, problem := range s.problems() {
			errs = append(errs, fmt.Errorf("policy document: statement %d %s: %s", i, s.ID, problem))
		}
	}
	return errors.Join(errs...)
}

func (s Statement) problems() []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if s.Effect != Allow && s.Effect != Deny {
		add("effect %q is neither %s nor %s", s.Effect, Allow, Deny)
	}
	if len(s.Actions) == 0 {
		add("it has no action")
	}
	if s.Principal == nil && len(s.Resources) == 0 {
		add("it has neither a principal nor a resource")
	}
	for _, resource := range s.Resources {
		if !strings.HasPrefix(resource, "arn:aws:") {
			add("resource %q is not an ARN", resource)
		}
	}
	if s.Effect == Allow {
		found = append(found, s.excesses()...)
	}
	return found
}

// excesses are the faults of a statement that allows too much.
func (s Statement) excesses() []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, action := range s.Actions {
		if service, name, ok := strings.Cut(action, ":"); !ok || service == "" || name == "" || hasWildcard(action) {
			add("action %q is not a single action; expected a form such as s3:PutObject", action)
		}
	}
	for _, resource := range s.Resources {
		bucket, isObjects := strings.CutSuffix(resource, "/*")
		if hasWildcard(bucket) || isObjects && !strings.HasPrefix(bucket, bucketPrefix) {
			add("resource %q has a wildcard; only the objects of a bucket may", resource)
		}
	}
	if s.Principal == nil {
		return found
	}
	if slices.Contains(slices.Concat(s.Principal.AWS, s.Principal.Federated, s.Principal.Service), everybody) {
		add("it allows everybody")
	}
	if len(s.Principal.Service) > 0 {
		sources := s.Conditions["StringEquals"][sourceARN]
		if len(sources) == 0 {
			add("it trusts every account's %s; it must name the resources with %s", strings.Join(s.Principal.Service, ", "), sourceARN)
		}
		for _, source := range sources {
			if !strings.HasPrefix(source, "arn:aws:") || hasWildcard(source) {
				add("source %q is not the ARN of one resource", source)
			}
		}
	}
	if len(s.Principal.Federated) > 0 && len(s.Conditions) == 0 {
		add("it trusts every identity of %s", strings.Join(s.Principal.Federated, ", "))
	}
	return found
}

func hasWildcard(text string) bool { return strings.ContainsAny(text, "*?") }
