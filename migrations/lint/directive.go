package lint

import (
	"regexp"
	"strings"

	"nova.dev/infra/migrations"
)

// suppression is one rule of one comment.
type suppression struct {
	rule string
	line int
	// statement is the one that it is about; nil stands for the whole file.
	statement *statement
	used      bool
}

// directives reads the comments that are meant for the linter.
func (c *checker) directives() {
	for _, comment := range c.script.comments {
		if comment.block {
			continue
		}
		d, ours, err := migrations.ParseDirective(comment.text)
		switch {
		case !ours:
		case err != nil:
			c.add(nil, comment.line, "directive", "%v", err)
		case d.Verb == migrations.Contract:
			c.mark(comment, d.Since)
		default:
			c.suppress(comment, d)
		}
	}
}

func (c *checker) mark(at comment, since string) {
	switch {
	case c.m.Kind == migrations.Down:
		c.add(nil, at.line, "contract-marker", "a down file is never applied by a release, so it takes no marker")
	case c.marker != "":
		c.add(nil, at.line, "contract-marker", "the file is marked already, in line %d", c.markerLine)
	case c.m.ContractSince() == "":
		c.add(nil, at.line, "contract-marker", "the marker stands below the first statement, where it is not read")
	default:
		c.marker, c.markerLine = since, at.line
	}
}

func (c *checker) suppress(at comment, d migrations.Directive) {
	var about *statement
	if d.Verb == migrations.Allow {
		if about = c.about(at); about == nil && len(c.script.statements) > 0 {
			c.add(nil, at.line, "directive", "no statement follows")
			return
		}
	}
	for _, id := range d.Rules {
		rule, known := ruleOf(id)
		switch {
		case !known:
			c.add(nil, at.line, "directive", "there is no rule %q", id)
		case rule.Always:
			c.add(nil, at.line, "directive", "%s cannot be suppressed", id)
		default:
			c.suppressions = append(c.suppressions, suppression{rule: id, line: at.line, statement: about})
		}
	}
}

// about is the statement that a comment is about: the one around it, the one that ends
// on its line, or the next.
func (c *checker) about(at comment) *statement {
	for _, st := range c.script.statements {
		if at.offset < st.start || at.offset < st.end || c.script.line(st.end) == at.line {
			return st
		}
	}
	return nil
}

func (c *checker) suppressed(f found) bool {
	suppressed := false
	for i := range c.suppressions {
		s := &c.suppressions[i]
		if s.rule == f.Rule && (s.statement == nil || s.statement == f.statement) {
			s.used, suppressed = true, true
		}
	}
	return suppressed
}

// meantAsNoTransaction is a comment that somebody wrote for sqlx's directive.
var meantAsNoTransaction = regexp.MustCompile(`(?i)^(--|/\*)[ \t]*no[-_ ]?transactions?\b`)

// noTransaction finds directives that sqlx does not see.
func (c *checker) noTransaction() {
	if c.m.NoTransaction {
		return
	}
	for _, comment := range c.script.comments {
		if meantAsNoTransaction.MatchString(comment.text) {
			c.add(nil, comment.line, "no-transaction-position", "sqlx does not see this directive and runs the file in a transaction")
		}
	}
}

// encoding finds bytes that make checksums or the server differ.
func (c *checker) encoding() {
	if strings.HasPrefix(c.m.SQL, byteOrderMark) {
		c.add(nil, 1, "encoding", "the file begins with a byte order mark")
	}
	if before, _, found := strings.Cut(c.m.SQL, "\r"); found {
		c.add(nil, strings.Count(before, "\n")+1, "encoding", "the file has carriage returns")
	}
}
