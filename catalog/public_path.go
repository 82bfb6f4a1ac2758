package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// Limit is what a request may take of whatever publishes the API.
type Limit struct {
	// BodyMebibytes is the largest body.
	BodyMebibytes int
	// TimeoutSeconds is the longest time from a request to its whole answer; 0
	// means that connections stay open, such as those of WebSockets.
	TimeoutSeconds int
}

// PathLimit is a limit of the requests below a path.
type PathLimit struct {
	// Path is a public path of the service, or one below.
	Path string
	Limit
}

// DefaultLimit is the limit of paths that say nothing else: JSON, and the time
// that Nova's own ingress gave every request.
func DefaultLimit() Limit { return Limit{BodyMebibytes: 1, TimeoutSeconds: 60} }

// Limits of single paths. 100 MiB is what Nova's own ingress allowed for uploads;
// at 2 Mbit/s they take 7 minutes.
var (
	uploads = Limit{BodyMebibytes: 100, TimeoutSeconds: 600}
	streams = Limit{BodyMebibytes: 1, TimeoutSeconds: 0}
)

func limited(limit Limit, paths ...string) []PathLimit {
	limits := make([]PathLimit, len(paths))
	for i, path := range paths {
		limits[i] = PathLimit{path, limit}
	}
	return limits
}

// PublicRoutes returns the public paths of a service with their limits, and the
// paths below them that have limits of their own; the longest first, so that they
// match in whatever goes by order.
func (s Service) PublicRoutes() []PathLimit {
	limits := map[string]Limit{}
	for _, path := range s.PublicPaths {
		limits[path] = DefaultLimit()
	}
	for _, own := range s.Limits {
		limits[own.Path] = own.Limit
	}
	var routes []PathLimit
	for path, limit := range limits {
		routes = append(routes, PathLimit{path, limit})
	}
	slices.SortFunc(routes, func(a, b PathLimit) int {
		return cmp.Or(cmp.Compare(len(b.Path), len(a.Path)), cmp.Compare(a.Path, b.Path))
	})
	return routes
}

// Publishes reports whether a path is public: one of the service's, or one below.
func (s Service) Publishes(path string) bool {
	return slices.ContainsFunc(s.PublicPaths, func(public string) bool {
		return path == public || strings.HasPrefix(path, public+"/")
	})
}
