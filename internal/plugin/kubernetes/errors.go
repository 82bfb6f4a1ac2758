package kubernetes

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/plugin/standin"
)

// refusal says in Pulumi's terms why the API server did not take an object.
// Values of secrets are taken out, and so are the dumps of whole structures
// with which the server explains some of its errors.
func (o object) refusal(err error) error {
	return standin.Failed("%s", o.secrets.clean(o.title()+": "+explain(o, err)))
}

func explain(o object, err error) string {
	switch {
	case meta.IsNoMatchError(err):
		gvk := o.GroupVersionKind()
		return fmt.Sprintf("the cluster knows no kind %s in version %s: install its CRD first, "+
			"and let this resource depend on it if it is part of the program", gvk.Kind, gvk.GroupVersion())
	case len(conflictsOf(err)) > 0:
		return explainConflicts(conflictsOf(err))
	case isStatus(err):
		return "the API server refuses it: " + reason(err)
	}
	return err.Error()
}

func isStatus(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// reason is what the API server has against an object, field by field if it
// says so.
func reason(err error) string {
	if !apierrors.IsInvalid(err) || len(causesOf(err)) == 0 {
		return withoutDump(err.Error())
	}
	lines := make([]string, 0, len(causesOf(err)))
	for _, cause := range causesOf(err) {
		lines = append(lines, cause.Field+": "+withoutDump(cause.Message))
	}
	return strings.Join(lines, "; ")
}

// longestValue is the length in bytes to which a message repeats a value.
const longestValue = 160

var dump = regexp.MustCompile(`(?s)(Invalid value: |Unsupported value: |Required value: )(.*)(: [^:]*)$`)

// withoutDump shortens the value in a validation message.
func withoutDump(message string) string {
	parts := dump.FindStringSubmatchIndex(message)
	if parts == nil || parts[5]-parts[4] <= longestValue {
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

// conflict is a set of fields which another manager owns.
type conflict struct {
	manager string
	fields  []string
}

var conflictManager = regexp.MustCompile(`^conflict with "([^"]*)"`)

func conflictsOf(err error) []conflict {
	var conflicts []conflict
	for _, cause := range causesOf(err) {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := cause.Message
		if parts := conflictManager.FindStringSubmatch(cause.Message); parts != nil {
			manager = parts[1]
		}
		i := slices.IndexFunc(conflicts, func(c conflict) bool { return c.manager == manager })
		if i < 0 {
			conflicts = append(conflicts, conflict{manager: manager})
			i = len(conflicts) - 1
		}
		conflicts[i].fields = append(conflicts[i].fields, strings.TrimPrefix(cause.Field, "."))
	}
	return conflicts
}

func explainConflicts(conflicts []conflict) string {
	owners := make([]string, len(conflicts))
	for i, c := range conflicts {
		owners[i] = fmt.Sprintf("%q owns %s", c.manager, strings.Join(c.fields, ", "))
	}
	return "conflict with another field manager: " + strings.Join(owners, "; ") +
		". Leave these fields out of the program, or take them over with the annotation " +
		annotationPatchForce + `: "true"`
}

// byHand tells whether all conflicting fields were last set by a person with
// kubectl. Like the plugin, the stand-in takes these back; what a controller
// or another tool owns it does not touch.
func byHand(conflicts []conflict) bool {
	return len(conflicts) > 0 && !slices.ContainsFunc(conflicts, func(c conflict) bool {
		return !strings.HasPrefix(c.manager, "kubectl")
	})
}

// immutable matches the ways in which validation says that a field cannot be
// changed any more (k8s.io/kubernetes/pkg/apis/*/validation and CEL rules).
var immutable = regexp.MustCompile(`(?i)immutable|may not change|may not be changed|cannot change|` +
	`can not be changed|updates? to .* (is|are) forbidden|is forbidden for update`)

// immutableFields are the fields which make an update impossible, or none if
// the server has other objections as well.
func immutableFields(err error) []string {
	if !apierrors.IsInvalid(err) {
		return nil
	}
	var fields []string
	for _, cause := range causesOf(err) {
		if !immutable.MatchString(cause.Message) {
			return nil
		}
		fields = append(fields, cause.Field)
	}
	return fields
}

// missingNamespace tells whether the namespace of an object does not exist.
func missingNamespace(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) &&
		status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}
