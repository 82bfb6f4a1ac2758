package releasing

import (
	"context"
	"fmt"
	"strings"

	"nova.dev/infra/internal/image"
	"nova.dev/infra/release"
)

// Presence is whether an image is in its registry.
type Presence bool

// The answers of a registry.
const (
	Present Presence = true
	Absent  Presence = false
)

// Exists asks the registry of an image reference with a digest, with the credentials
// of the Docker configuration. An error means that the registry could not be asked.
func Exists(ctx context.Context, reference string) (Presence, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	r := split(reference)
	found, err := image.Exists(ctx, r.repository+"@"+r.digest)
	return Presence(found), err
}

// images checks that every image can be had, where its registry can be asked from
// here. Where it cannot, the pods of the canary tell, before any request reaches them.
func (t *Tasks) images(ctx context.Context, plan release.Plan) []release.Finding {
	var findings []release.Finding
	there := 0
	for _, s := range plan.Services {
		presence, err := t.Registry(ctx, s.Next)
		switch {
		case err != nil:
			findings = append(findings, fine(s.Name, "image", "its registry could not be asked from here, so that its first pod will tell: "+firstLine(err)))
		case presence == Absent:
			findings = append(findings, wrong(s.Name, "image", s.Next+" is not in its registry"))
		default:
			there++
		}
	}
	if there > 0 {
		findings = append(findings, fine("", "images", fmt.Sprintf("%d of %d are in their registry", there, len(plan.Services))))
	}
	return findings
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
