// Package redact replaces the values of secrets in texts that other programs
// wrote, such as errors of an API server and logs.
package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
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

// shortestWithin is the length in bytes from which a value is looked for inside
// of longer texts in base64.
const shortestWithin = 8

// Redactor replaces a set of values.
type Redactor struct{ replacer *strings.Replacer }

// New returns a redactor of values: whole and by line, as they are, in base64,
// also as a part of what is encoded, quoted as in Go and JSON and escaped as in
// URLs.
func New(values []string) Redactor {
	var forms []string
	for _, value := range values {
		for _, form := range slices.Concat(strings.Split(value, "\n"), []string{value, base64.StdEncoding.EncodeToString([]byte(value))}, within(value)) {
			if len(form) < shortest {
				continue
			}
			quoted := strconv.Quote(form)
			forms = append(forms, form, quoted[1:len(quoted)-1], inJSON(form), url.QueryEscape(form), url.PathEscape(form))
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

// within are the characters that a value becomes inside of a longer text in
// base64, for each of the places modulo 3 at which it may start; those that its
// neighbours have a part in are left out.
func within(value string) []string {
	if len(value) < shortestWithin {
		return nil
	}
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := encoding.EncodeToString(append(make([]byte, shift), value...))
			from := (shift*8 + 5) / 6
			to := (shift + len(value)) * 8 / 6
			forms = append(forms, text[from:to])
		}
	}
	return forms
}

// inJSON is a text between the quotes of a JSON string.
func inJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return text // Strings have a JSON form in any case.
	}
	return string(quoted[1 : len(quoted)-1])
}

// Clean returns a text without the values.
func (r Redactor) Clean(text string) string {
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}
