package catalog

import (
	"maps"
	"slices"
)

// GRPCPortOffset is the difference between a service's gRPC port and its HTTP
// port. The rule is locked: the Rust code computes it, so there is no field to
// set a gRPC port.
const GRPCPortOffset = 1000

// Service is everything that is known about one microservice.
type Service struct {
	// Name is the short name, such as "auth". Kubernetes objects are called
	// "<name>-service".
	Name string
	// HTTPPort is the port of REST, health and metrics; 1 to 64535, so that
	// the gRPC port fits.
	HTTPPort int
	// Health holds the paths of the kubelet's probes.
	Health Health
	// MetricsPath is where Prometheus scrapes on the HTTP port. Empty means
	// that the service exports no metrics.
	MetricsPath string
	// Smoke lists the checks of a new version beside those of its health and
	// metrics; see SmokeChecks.
	Smoke []Check
	// Unmeasured means that its metrics are not those of its HTTP requests, so
	// that nothing can be said about its errors and latency.
	Unmeasured bool
	// Needs lists the stores that the service uses.
	Needs []StoreKind
	// Calls lists the services it calls over gRPC, by Name.
	Calls []string
	// PoolVariables lists the variables that bound the PostgreSQL pool of one
	// replica; the largest counts.
	PoolVariables []string
	// RedisScripting lists the commands of Redis with which it runs Lua scripts.
	// A stack without such a service allows none of them.
	RedisScripting []string
	// Variables lists the keys of ConfigMap nova-backend-config that its
	// container receives.
	Variables []string
	// Secrets lists the keys of Secret nova-backend-secrets that its
	// container receives, and no others.
	Secrets []string
	// Required lists the variables without which its process exits at boot, or
	// starts on a built-in value that is public; RequiredInProduction those of
	// which that is true where APP_ENV is production. Each is among Variables,
	// Secrets, Env, the ports or the buckets of its record in the catalogue.
	Required, RequiredInProduction []string
	// Aliases holds variables that have the value of another one: the key of the
	// catalogue's variable, by name in the container.
	Aliases map[string]string
	// Env holds plain variables with a value of this service's own.
	Env map[string]string
	// Buckets lists the buckets it writes to.
	Buckets []BucketUse
	// PublicPaths lists the URL path prefixes that the ingress lets through to
	// it; all others, such as /metrics, are not published.
	PublicPaths []string
	// Limits lists what requests below public paths may take, where it is not
	// DefaultLimit.
	Limits []PathLimit
	// InternetPorts lists the TCP ports on which it connects to providers on the
	// internet, such as mail and push services.
	InternetPorts []int
	// Class selects its resource requests and limits.
	Class Class
}

// OpenPort is in place of the path of a health check where an open HTTP port is
// the answer.
const OpenPort = "tcp"

// Health is the set of HTTP paths of a service's health checks; each may be
// OpenPort instead.
type Health struct {
	// Startup answers 200 once the process has booted.
	Startup string
	// Live answers 200 while the process should not be restarted. It must not
	// check a store or another service.
	Live string
	// Ready answers 200 while the process can take traffic.
	Ready string
}

// DocumentedHealth is the health contract of all services.
func DocumentedHealth() Health {
	return Health{
		Startup: "/api/v1/health",
		Live:    "/api/v1/health/live",
		Ready:   "/api/v1/health/ready",
	}
}

// ProbePaths are the paths that the kubelet and Prometheus ask, sorted. They are no
// requests of anybody: each pod gets the same number of them, whatever its users do.
func (s Service) ProbePaths() []string {
	paths := []string{s.MetricsPath, s.Health.Startup, s.Health.Live, s.Health.Ready}
	slices.Sort(paths)
	return slices.DeleteFunc(slices.Compact(paths), func(path string) bool { return path == "" })
}

// DocumentedMetricsPath is the metrics contract of all services.
const DocumentedMetricsPath = "/metrics"

// StoreKind identifies a store that services use.
type StoreKind string

// The stores of Nova.
const (
	Postgres      StoreKind = "postgres"
	Redis         StoreKind = "redis"
	Kafka         StoreKind = "kafka"
	ClickHouse    StoreKind = "clickhouse"
	Elasticsearch StoreKind = "elasticsearch"
	ObjectStorage StoreKind = "s3"
)

// StoreKinds returns the stores in their order of start.
func StoreKinds() []StoreKind {
	return []StoreKind{Postgres, Redis, ClickHouse, Kafka, Elasticsearch, ObjectStorage}
}

// Bucket is a kind of object storage. Its name in a stack comes from
// configuration.
type Bucket string

// The buckets of Nova, after the defaults in the code of their writers.
const (
	BucketMedia   Bucket = "media"
	BucketUploads Bucket = "uploads"
	BucketAudio   Bucket = "audio"
	BucketCDN     Bucket = "cdn"
)

// BucketBackups holds backups of stores. No service uses it; a stack that makes
// no backups has none.
const BucketBackups Bucket = "backups"

// Buckets returns the buckets of services in a fixed order.
func Buckets() []Bucket {
	return []Bucket{BucketMedia, BucketUploads, BucketAudio, BucketCDN}
}

// BucketUse is the use of a bucket by a service that writes to it.
type BucketUse struct {
	Bucket Bucket
	// Variable is the environment variable in which the service's code
	// expects the bucket's name.
	Variable string
	// Actions lists what its code does there, as IAM actions on the bucket's
	// objects.
	Actions []string
}

// PutObjects are the actions of a service that writes objects, or signs URLs
// with which browsers do. At commit 94b91e29 no service needs more.
func PutObjects() []string { return []string{"s3:PutObject"} }

// Class groups services with a similar load, so that a stack sizes them
// together. All classes have the same documented default.
type Class string

const (
	// ClassAPI answers requests from PostgreSQL and Redis.
	ClassAPI Class = "api"
	// ClassMedia transfers uploads, streams and files.
	ClassMedia Class = "media"
	// ClassWorker mostly consumes or relays events.
	ClassWorker Class = "worker"
)

// Classes returns all resource classes in a fixed order.
func Classes() []Class { return []Class{ClassAPI, ClassMedia, ClassWorker} }

// GRPCPort is HTTPPort + GRPCPortOffset.
func (s Service) GRPCPort() int { return s.HTTPPort + GRPCPortOffset }

// KubernetesName is the name of the service's Deployment, Service and
// ServiceAccount.
func (s Service) KubernetesName() string { return s.Name + "-service" }

// ImageName is the name of its image in a registry of its own project.
func (s Service) ImageName() string { return s.KubernetesName() }

// LocalImageName is the name of its image where no registry is configured.
func (s Service) LocalImageName() string { return "nova-" + s.KubernetesName() }

// Host is its cluster-internal DNS name in a namespace.
func (s Service) Host(namespace string) string {
	return s.KubernetesName() + "." + namespace + ".svc.cluster.local"
}

// HeadlessName is the name of the headless Service, which resolves to the
// addresses of all ready pods.
func (s Service) HeadlessName() string { return s.KubernetesName() + "-headless" }

// HeadlessHost is the DNS name of the headless Service in a namespace.
func (s Service) HeadlessHost(namespace string) string {
	return s.HeadlessName() + "." + namespace + ".svc.cluster.local"
}

// Clone returns a copy that shares no memory with s, so that a stack's
// overrides never reach the catalogue.
func (s Service) Clone() Service {
	s.Smoke = append([]Check(nil), s.Smoke...)
	s.Needs = append([]StoreKind(nil), s.Needs...)
	s.Calls = append([]string(nil), s.Calls...)
	s.PoolVariables = append([]string(nil), s.PoolVariables...)
	s.RedisScripting = append([]string(nil), s.RedisScripting...)
	s.Variables = append([]string(nil), s.Variables...)
	s.Secrets = append([]string(nil), s.Secrets...)
	s.Required = append([]string(nil), s.Required...)
	s.RequiredInProduction = append([]string(nil), s.RequiredInProduction...)
	s.Buckets = append([]BucketUse(nil), s.Buckets...)
	s.PublicPaths = append([]string(nil), s.PublicPaths...)
	s.Limits = append([]PathLimit(nil), s.Limits...)
	s.InternetPorts = append([]int(nil), s.InternetPorts...)
	s.Env = maps.Clone(s.Env)
	s.Aliases = maps.Clone(s.Aliases)
	return s
}

// Receives returns the names of all variables that the container of the service
// gets, sorted.
func (s Service) Receives() []string {
	names := join(s.Variables, s.Secrets)
	for name := range s.Env {
		names = append(names, name)
	}
	for name := range s.Aliases {
		names = append(names, name)
	}
	for name := range s.PortVariables() {
		names = append(names, name)
	}
	for _, use := range s.Buckets {
		names = append(names, use.Variable)
	}
	return sorted(names)
}

// PortVariables returns the variables from which the code of some service reads
// the address to listen on. HTTP_PORT and GRPC_PORT are the documented names;
// the others are those that the code reads.
func (s Service) PortVariables() map[string]string {
	http := itoa(s.HTTPPort)
	return map[string]string{
		"HTTP_PORT":   http,
		"GRPC_PORT":   itoa(s.GRPCPort()),
		"SERVER_HOST": anyAddress,
		"SERVER_PORT": http,
		"APP_HOST":    anyAddress,
		"APP_PORT":    http,
		"PORT":        http,
	}
}
