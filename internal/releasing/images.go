package releasing

import (
	"strings"

	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// reference is the parts of an image reference with a digest.
type reference struct{ repository, tag, digest string }

// split takes a reference such as registry/path/name:tag@sha256:<hex> apart; tag and
// digest may be missing.
func split(image string) reference {
	var r reference
	r.repository, r.digest, _ = strings.Cut(image, "@")
	if i := strings.LastIndex(r.repository, ":"); i > strings.LastIndex(r.repository, "/") {
		r.repository, r.tag = r.repository[:i], r.repository[i+1:]
	}
	return r
}

// Settings are what makes a stack file mean images, by the short names of services:
// nothing for a service that has its image already. What a setting would not change
// is left out.
func Settings(c *stack.Stack, images map[string]string) []stackfile.Setting {
	var settings []stackfile.Setting
	for _, s := range c.Services {
		image, given := images[s.Name]
		if !given || image == s.Image {
			continue
		}
		is, shall := split(s.Image), split(image)
		for _, part := range []struct{ key, is, shall string }{
			{"repository", is.repository, shall.repository},
			{"tag", is.tag, shall.tag},
			{"digest", is.digest, shall.digest},
		} {
			if part.is != part.shall {
				settings = append(settings, stackfile.Setting{Path: []string{"nova:services", s.Name, "image", part.key}, Value: part.shall})
			}
		}
	}
	return settings
}
