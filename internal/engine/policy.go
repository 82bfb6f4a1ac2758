package engine

import (
	"fmt"
	"strings"

	"nova.dev/infra/internal/evaluate"
	"nova.dev/infra/internal/policy"
)

// judge applies the rules that every object must satisfy to what the program
// declares. What a rule refuses is a *RefusedError; a warning is one line for
// each rule.
func (s *Stack) judge(declared []evaluate.Resource) error {
	o := s.options
	subject, err := evaluate.Policy(o.Config, declared)
	if err != nil {
		return err
	}
	violations := policy.Judge(o.Config.Stack, subject)
	warned := map[string]int{}
	warnings := policy.Open(violations, policy.Warning)
	for _, v := range warnings {
		warned[v.Rule]++
	}
	for _, v := range warnings {
		if n := warned[v.Rule]; n > 0 {
			more := ""
			if n > 1 {
				more = fmt.Sprintf(" and %d more", n-1)
			}
			fmt.Fprintf(o.Progress, "  warning: policy %s: %s%s: %s\n", v.Rule, v.Object, more, v.Message)
			warned[v.Rule] = 0
		}
	}
	refused := policy.Open(violations, policy.Refused)
	if len(refused) == 0 {
		return nil
	}
	var texts []string
	for _, v := range refused {
		texts = append(texts, v.String())
	}
	return &RefusedError{fmt.Sprintf("stack %s breaks the rules that `nova policy` explains:\n  - %s", o.Config.Stack, strings.Join(texts, "\n  - "))}
}
