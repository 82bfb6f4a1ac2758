// Package redact replaces the values of secrets in texts that other programs
// wrote, such as errors of an API server and logs.
package redact

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mark is what stands in place of a value.
const mark = "[secret]"

// shortest is the length in bytes from which a value is looked for; shorter ones
// would make every text unreadable.
const shortest = 4

// Redactor replaces a set of values.
type Redactor struct{ replacer *strings.Replacer }

// New returns a redactor of values: whole and by line, as they are, in base64,
// quoted as in JSON and escaped as in URLs.
func New(values []string) Redactor {
	var forms []string
	for _, value := range values {
		for _, form := range append(strings.Split(value, "\n"), value, base64.StdEncoding.EncodeToString([]byte(value))) {
			if len(form) < shortest {
				continue
			}
			quoted := strconv.Quote(form)
			forms = append(forms, form, quoted[1:len(quoted)-1], url.QueryEscape(form), url.PathEscape(form))
		}
	}
	// The replacer takes the first of several that match at a place.
	slices.SortFunc(forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	forms = slices.Compact(forms)
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, mark)
	}
	return Redactor{strings.NewReplacer(pairs...)}
}

// Clean returns a text without the values.
func (r Redactor) Clean(text string) string {
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}
