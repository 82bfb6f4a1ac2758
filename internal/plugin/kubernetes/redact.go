package kubernetes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// redactor replaces the values of secrets in a text. The API server repeats
// values in its errors.
type redactor struct{ replacer *strings.Replacer }

// shortestSecret is the length from which a value is looked for in messages;
// shorter ones would make every message unreadable and are no secret.
const shortestSecret = 4

func newRedactor(values []string) redactor {
	var forms []string
	for _, value := range values {
		lines := strings.Split(value, "\n")
		for _, form := range append(lines, value) {
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

func (r redactor) clean(text string) string {
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}
