package catalog

import "net/http"

// Check is a request that a version of a service must answer as expected before it
// counts as released. It changes nothing and needs no login.
type Check struct {
	// Path is asked for with GET, on the HTTP port.
	Path string
	// Status is the status that the answer must have.
	Status int
}

// SmokeChecks are the checks of a service: its health and its metrics, by which it is
// seen afterwards, and those of its record.
func (s Service) SmokeChecks() []Check {
	var checks []Check
	seen := map[string]bool{"": true, OpenPort: true}
	for _, path := range []string{s.Health.Startup, s.Health.Live, s.Health.Ready, s.MetricsPath} {
		if !seen[path] {
			seen[path] = true
			checks = append(checks, Check{path, http.StatusOK})
		}
	}
	return append(checks, s.Smoke...)
}
