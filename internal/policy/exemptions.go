package policy

import "time"

// exemptions are what a stack's objects may break for some time, by stack. A
// change of this list is reviewed like any other.
var exemptions = map[string][]Exemption{}

// Exemptions are those of a stack.
func Exemptions(stack string) []Exemption { return exemptions[stack] }

// Judge is Check with the exemptions of a stack, today.
func Judge(name string, s Stack) []Violation { return Check(s, Exemptions(name), time.Now()) }

// Open are the violations of a severity that no exemption covers.
func Open(all []Violation, severity Severity) []Violation {
	var open []Violation
	for _, v := range all {
		if v.Severity == severity && v.Exempted == "" {
			open = append(open, v)
		}
	}
	return open
}
