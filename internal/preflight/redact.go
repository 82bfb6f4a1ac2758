package preflight

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// redactor replaces the values of secrets in a text. The API server repeats
// values in its errors.
type redactor struct{ replacer *strings.Replacer }

// shortestSecret is the length in bytes from which a value is looked for in
// messages; shorter ones would make every message unreadable.
const shortestSecret = 4

// secretsOf finds the values of Secrets and those that are said to be secret.
func secretsOf(all []Object) redactor {
	var values []string
	for _, o := range all {
		values = append(values, o.Secrets...)
		if !isSecret(o.Object) {
			continue
		}
		for _, field := range []string{"data", "stringData"} {
			entries, _ := o.Object.Object[field].(map[string]any)
			for _, entry := range entries {
				value := fmt.Sprint(entry)
				values = append(values, value)
				if text, err := base64.StdEncoding.DecodeString(value); err == nil && field == "data" {
					values = append(values, string(text))
				}
			}
		}
	}
	return newRedactor(values)
}

func isSecret(o *unstructured.Unstructured) bool {
	return o.GetKind() == "Secret" && o.GetAPIVersion() == "v1"
}

func newRedactor(values []string) redactor {
	var forms []string
	for _, value := range values {
		for _, form := range append(strings.Split(value, "\n"), value, base64.StdEncoding.EncodeToString([]byte(value))) {
			if len(form) < shortestSecret {
				continue
			}
			quoted := strconv.Quote(form)
			forms = append(forms, form, quoted[1:len(quoted)-1])
		}
	}
	// The replacer takes the first of several that match at a place.
	slices.SortFunc(forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	forms = slices.Compact(forms)
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, "[secret]")
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func (r redactor) clean(text string) string { return r.replacer.Replace(text) }
