package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Waves orders services so that every callee is in an earlier wave than its
// callers: the order of start and of release. Inside a wave the order is that
// of the argument. Calls to services that are not in the argument are ignored.
// It fails on a cycle, naming its members.
func Waves(services []Service) ([][]Service, error) {
	waiting := slices.Clone(services)
	var waves [][]Service
	for len(waiting) > 0 {
		var wave, rest []Service
		for _, s := range waiting {
			if callsAny(s, waiting) {
				rest = append(rest, s)
			} else {
				wave = append(wave, s)
			}
		}
		if len(wave) == 0 {
			names := make([]string, len(rest))
			for i, s := range rest {
				names[i] = s.Name
			}
			return nil, fmt.Errorf("call cycle among %s: no order of release exists", strings.Join(names, ", "))
		}
		waves = append(waves, wave)
		waiting = rest
	}
	return waves, nil
}

func callsAny(s Service, others []Service) bool {
	return slices.ContainsFunc(others, func(other Service) bool {
		return slices.Contains(s.Calls, other.Name)
	})
}
