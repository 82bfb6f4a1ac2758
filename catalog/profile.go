package catalog

import "strings"

// Profile is the name of a version of the services' code.
type Profile string

const (
	// Contract is code that fulfils the documented contract.
	Contract Profile = "contract"
	// Commit94b91e29 is the code of the documented commit.
	Commit94b91e29 Profile = "commit-94b91e29"
)

// Profiles returns all profiles, the default first.
func Profiles() []Profile { return []Profile{Contract, Commit94b91e29} }

// ServicesOf returns the records of the services under a profile: those of
// Services, and what the code of the profile does otherwise. An unknown profile
// is the contract. The result is a fresh copy.
func ServicesOf(profile Profile) []Service {
	services := Services()
	if profile == Commit94b91e29 {
		for i := range services {
			deviate94b91e29(&services[i])
		}
	}
	return services
}

// deviate94b91e29 makes of a record of the contract that of commit 94b91e29.
//
// Its ports need no deviation: every name under which the code reads its port is
// set. What no setting can mend: streaming connects to Kafka at localhost:9092
// only; feed, media and notification answer no gRPC health checks; no service
// exports gRPC metrics.
func deviate94b91e29(s *Service) {
	switch s.Name {
	case "auth":
		s.Health = Health{Startup: "/health", Live: "/health", Ready: "/readiness"}
	case "events":
		s.Health = Health{Startup: "/health", Live: "/health", Ready: "/ready"}
	case "feed", "messaging", "search", "streaming", "notification", "cdn":
		// One path, which checks nothing.
		s.Health = Health{Startup: "/health", Live: "/health", Ready: "/health"}
	case "user":
		// The paths exist, but each request counts towards a limit of 100 in 15
		// minutes from one address, over all replicas: the probes of one pod spend
		// it in 6 minutes, and then it is restarted for 429. A scrape every 10
		// seconds of two pods spends it, too.
		s.Health = Health{Startup: OpenPort, Live: OpenPort, Ready: OpenPort}
		s.MetricsPath = ""
	case "content":
		// Its readiness fails while ClickHouse does, as the contract allows.
		s.Unmeasured = true
	}
	switch s.Name {
	case "search", "cdn", "events":
		// Requests of /metrics are answered with 404.
		s.MetricsPath = ""
	case "messaging":
		// At boot its pool connects to all services, itself and one that does not
		// exist among them, and exits where one does not answer. It calls auth
		// alone, so that every address may be that of auth.
		s.Aliases = map[string]string{"GRPC_VIDEO_SERVICE_URL": grpcAuth}
		for _, name := range Names() {
			if key := "GRPC_" + strings.ToUpper(name) + "_SERVICE_URL"; key != grpcAuth {
				s.Aliases[key] = grpcAuth
			}
		}
	}
}

const grpcAuth = "GRPC_AUTH_SERVICE_URL"
