package migrations

import (
	"fmt"

	"golang.org/x/mod/semver"
)

// Refusal is a migration that may not be applied yet.
type Refusal struct {
	Migration Migration
	Reason    string
}

func (r Refusal) Error() string { return r.Migration.File + ": " + r.Reason }

// Gate says which of the migrations may not be applied while the given releases serve:
// the ones that run now and the one that a rollback returns to. A migration that
// expands the schema always may. One that contracts it may once every serving release
// is at least the one of its marker; where the serving releases are not known it may
// not. An empty database has no serving release, so nothing is to be asked.
func Gate(pending []Migration, serving []string) []Refusal {
	var refused []Refusal
	for _, m := range pending {
		since := m.ContractSince()
		if since == "" || !m.Forward() {
			continue
		}
		if len(serving) == 0 {
			refused = append(refused, Refusal{m, fmt.Sprintf("it takes away what releases before %s use, and which releases serve is not known; name them with --serving", since)})
		}
		for _, release := range serving {
			if semver.Compare(release, since) < 0 {
				refused = append(refused, Refusal{m, fmt.Sprintf("it takes away what %s uses, which serves or is what a rollback returns to; apply it once both are at least %s", release, since)})
				break
			}
		}
	}
	return refused
}

// CheckReleases returns an error that names the first release that is not a version
// such as v1.4.0.
func CheckReleases(releases []string) error {
	for _, r := range releases {
		if !semver.IsValid(r) {
			return fmt.Errorf("%q is not a release; write it as v1.4.0", r)
		}
	}
	return nil
}
