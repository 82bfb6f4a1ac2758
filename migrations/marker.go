package migrations

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// directive is a comment that is meant for this package: "-- nova: VERB ARGUMENTS".
var directive = regexp.MustCompile(`^--[ \t]*nova:[ \t]*(.*?)[ \t\r]*$`)

// nearDirective is a comment that somebody might take for one.
var nearDirective = regexp.MustCompile(`(?i)^--[ \t]*nova[ \t]*:`)

// Directive is a comment that says something about a migration.
type Directive struct {
	Verb Verb
	// Since is the release of a contract marker: the first that does not use what the
	// migration takes away.
	Since string
	// Rules are the rules of a suppression, and Reason is why it is right.
	Rules  []string
	Reason string
}

// Verb tells directives apart.
type Verb string

// The verbs.
const (
	// Contract marks a file that takes something away from the schema.
	Contract Verb = "contract"
	// Allow suppresses rules for one statement.
	Allow Verb = "allow"
	// AllowFile suppresses rules for a file.
	AllowFile Verb = "allow-file"
)

// ParseDirective reads one line comment, from its dashes to the end of the line. It
// reports false for a comment that is none of ours.
func ParseDirective(comment string) (Directive, bool, error) {
	match := directive.FindStringSubmatch(comment)
	if match == nil {
		if nearDirective.MatchString(comment) {
			return Directive{}, true, errors.New(`write "-- nova: " in lower case and without a space before the colon`)
		}
		return Directive{}, false, nil
	}
	verb, arguments, _ := strings.Cut(match[1], " ")
	arguments = strings.TrimSpace(arguments)
	switch Verb(verb) {
	case Contract:
		since, found := strings.CutPrefix(arguments, "since=")
		if !found || !semver.IsValid(since) {
			return Directive{}, true, fmt.Errorf(`%q is not a contract marker; write "-- nova: contract since=v1.4.0" with the first release that does not use what is taken away`, match[1])
		}
		return Directive{Verb: Contract, Since: since}, true, nil
	case Allow, AllowFile:
		names, reason, _ := strings.Cut(arguments, ":")
		d := Directive{Verb: Verb(verb), Reason: strings.TrimSpace(reason)}
		for name := range strings.SplitSeq(names, ",") {
			if name = strings.TrimSpace(name); name != "" {
				d.Rules = append(d.Rules, name)
			}
		}
		switch {
		case len(d.Rules) == 0:
			return Directive{}, true, fmt.Errorf(`%q names no rule; write "-- nova: %s RULE: reason"`, match[1], verb)
		case d.Reason == "":
			return Directive{}, true, fmt.Errorf(`the suppression of %s has no reason; write "-- nova: %s %s: why this is safe here"`, strings.Join(d.Rules, ", "), verb, strings.Join(d.Rules, ", "))
		}
		return d, true, nil
	}
	return Directive{}, true, fmt.Errorf("%q is not known; allowed: %s, %s, %s", verb, Contract, Allow, AllowFile)
}

// ContractSince is the release of the contract marker in a migration's header, the
// comments before its first statement, or "" for a migration that only expands.
func (m Migration) ContractSince() string {
	for line := range strings.Lines(m.SQL) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--") {
			return ""
		}
		if d, ours, err := ParseDirective(line); ours && err == nil && d.Verb == Contract {
			return d.Since
		}
	}
	return ""
}
