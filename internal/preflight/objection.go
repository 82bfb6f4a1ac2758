package preflight

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"nova.dev/infra/internal/redact"
)

// verdict is what the answer to a dry run means; without text, nothing.
type verdict struct {
	severity Severity
	topic    topic
	text     string
}

// circumstance matches what admission has against an object because of the
// namespace it is tried in: quotas, limits, and what pods need beside them.
var circumstance = regexp.MustCompile(`exceeded quota|failed quota|(minimum|maximum) \S+ usage per |limit to request ratio per |` +
	`error looking up service account|no PriorityClass with name|RuntimeClass|violates PodSecurity|because it is being terminated`)

// policyDenial matches the refusals of admission policies and webhooks.
var policyDenial = regexp.MustCompile(`admission webhook "[^"]*" denied|ValidatingAdmissionPolicy '[^']*' .*denied`)

// missingRight matches the refusals of RBAC.
var missingRight = regexp.MustCompile(`(cannot|can't) \S+ resource "`)

// judge tells apart what the API server has against an object from what it has
// against the circumstances of the dry run.
func (c *check) judge(t *trial) verdict {
	if t.err == nil {
		return verdict{}
	}
	text := t.shown(c.secrets, t.reason())
	switch forbidden := apierrors.IsForbidden(t.err); {
	case apierrors.IsNotFound(t.err), apierrors.IsAlreadyExists(t.err):
		// Something that it needs, such as the role of a binding, is to come, or
		// something has come in the meantime.
		return verdict{}
	case forbidden && missingRight.MatchString(text):
		return verdict{Warning, notJudged, c.missingRight(t, text)}
	case strings.Contains(text, "does not support dry run"):
		return verdict{Warning, notJudged, "a webhook that would see it takes no dry runs: " + text}
	case strings.Contains(text, "failed calling webhook"):
		return verdict{Warning, notJudged, "a webhook that has to see it does not answer: " + text}
	case forbidden && circumstance.MatchString(text) && t.elsewhere:
		return verdict{}
	case t.excused(text):
		return verdict{}
	case policyDenial.MatchString(text) && t.elsewhere:
		return verdict{Warning, apiServer, fmt.Sprintf("a policy of the cluster refuses it in namespace %s, where it was tried: %s", defaultNamespace, text)}
	case forbidden && strings.Contains(text, "exceeded quota"):
		return verdict{Warning, apiServer, "it would exceed a quota as it is now: " + text}
	case apierrors.IsTooManyRequests(t.err), apierrors.IsServiceUnavailable(t.err), apierrors.IsServerTimeout(t.err), apierrors.IsTimeout(t.err),
		apierrors.IsInternalError(t.err) && !typedPatch.MatchString(t.err.Error()):
		return verdict{Warning, notJudged, "the API server fails: " + text}
	}
	return verdict{Refused, apiServer, "the API server refuses it: " + text}
}

func (c *check) missingRight(t *trial, text string) string {
	if at := strings.Index(text, `User "`); at >= 0 {
		text = text[at:] // What comes before names one of several objects.
	}
	message := fmt.Sprintf("the credentials of %s may not try it: %s", c.cluster.kubeconfig, text)
	if !t.elsewhere {
		message += "; an update needs the same right"
	}
	return message
}

// typedPatch is how the API server starts what it has against the fields of an
// object that is applied.
var typedPatch = regexp.MustCompile(`failed to create typed patch object \([^)]*\): `)

// reason is what the API server has against the object, field by field if it
// says so.
func (t *trial) reason() string {
	show := withoutDump
	if isSecret(t.Object.Object) {
		show = withoutValue
	}
	causes := causesOf(t.err)
	if !apierrors.IsInvalid(t.err) || len(causes) == 0 {
		return show(typedPatch.ReplaceAllString(t.err.Error(), ""))
	}
	lines := make([]string, 0, len(causes))
	for _, cause := range causes {
		lines = append(lines, strings.TrimPrefix(cause.Field+": "+show(cause.Message), ": "))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "; ")
}

// shown is a text of the API server without values of secrets, in which the
// object has its own name and namespace.
func (t *trial) shown(secrets redact.Redactor, text string) string {
	text = secrets.Clean(text)
	if made := t.request.GetName(); made != t.name && t.name != "" {
		text = strings.ReplaceAll(text, made, t.name)
	}
	return text
}

// longestValue is the length in bytes to which a message repeats a value.
const longestValue = 160

var dump = regexp.MustCompile(`(?s)(Invalid value: |Unsupported value: |Duplicate value: |Required value: )(.*)(: [^:]*)$`)

// withoutDump shortens the value in a validation message.
func withoutDump(message string) string { return shorten(message, longestValue) }

// withoutValue takes the value out of a validation message.
func withoutValue(message string) string { return shorten(message, 0) }

func shorten(message string, longest int) string {
	parts := dump.FindStringSubmatchIndex(message)
	if parts == nil || parts[5]-parts[4] <= longest {
		return message
	}
	return message[:parts[4]] + "…" + message[parts[6]:]
}

func causesOf(err error) []metav1.StatusCause {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

// excused tells whether the objection is due to the placeholder of a value that
// is not known yet: it names the field, or it may be about the type or the
// value of the placeholder.
func (t *trial) excused(text string) bool {
	if len(t.Unknown) == 0 {
		return false
	}
	switch causes := causesOf(t.err); {
	case apierrors.IsInvalid(t.err) && len(causes) > 0 && !policyDenial.MatchString(text):
		return !slices.ContainsFunc(causes, func(cause metav1.StatusCause) bool { return !t.mentionsUnknown(cause.Field) })
	case strings.Contains(text, "unknown field"), strings.Contains(text, "field not declared in schema"), strings.Contains(text, "duplicate"),
		strings.Contains(text, "PodSecurity"):
		return false
	case apierrors.IsForbidden(t.err), policyDenial.MatchString(text):
		return slices.ContainsFunc(placeholders(t.item), func(value string) bool { return strings.Contains(text, value) })
	}
	return apierrors.IsBadRequest(t.err) || apierrors.IsInvalid(t.err) || apierrors.IsInternalError(t.err)
}

func (t *trial) mentionsUnknown(field string) bool {
	return slices.ContainsFunc(t.Unknown, func(unknown string) bool {
		return covers(plain(unknown), plain(field)) || covers(plain(field), plain(unknown))
	})
}

// placeholders are the texts that stand for unknown values.
func placeholders(i *item) []string {
	var values []string
	for _, unknown := range i.Unknown {
		if value, ok := at(i.Object.Object, strings.Split(plain(unknown), ".")).(string); ok && value != "" {
			values = append(values, value)
		}
	}
	return values
}

// at is the value at a path of keys and indices, nil if there is none. Keys
// with dots are not found.
func at(o *unstructured.Unstructured, path []string) any {
	var node any = o.Object
	for _, step := range path {
		switch parent := node.(type) {
		case map[string]any:
			node = parent[step]
		case []any:
			index := -1
			if _, err := fmt.Sscan(step, &index); err != nil || index < 0 || index >= len(parent) {
				return nil
			}
			node = parent[index]
		default:
			return nil
		}
	}
	return node
}

// plain writes a path in the way in which the API server names fields, without
// brackets and quotes, so that the two can be compared.
func plain(field string) string {
	return strings.Trim(strings.NewReplacer("[", ".", "]", "", `"`, "").Replace(field), ".")
}

// covers tells whether one plain path is the other or a parent of it.
func covers(parent, path string) bool {
	return path == parent || strings.HasPrefix(path, parent+".")
}
