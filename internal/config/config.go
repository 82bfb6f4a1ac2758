package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nova.dev/infra/catalog"
)

// Config is the configuration of one stack: the values of Pulumi.<stack>.yaml
// under "nova:", over the defaults. The tags are the keys; the doc tags are the
// documentation of each field. What follows from it and the catalogue is in
// package stack.
type Config struct {
	// Stack is the name of the stack.
	Stack string `config:"-"`

	Environment string `config:"environment" doc:"Kind of environment and value of APP_ENV: development, staging or production. Staging and production refuse an image without a version and the tag latest."`
	Namespace   string `config:"namespace" doc:"Kubernetes namespace of everything in the stack. Another name is another namespace: refused where nova:deletionProtection is set."`

	Profile string `config:"profile" doc:"Version of the services' code: contract, which does what is documented, or commit-94b91e29 with the probes, metrics and variables that the code of that commit has. nova:services overrides parts of it."`

	DeletionProtection bool `config:"deletionProtection" doc:"Refuse to delete or replace what holds data (namespace, generated passwords and keys, buckets, image repositories), and retain it when its resource is removed from the program."`

	Cluster      Cluster           `config:"cluster" doc:"Cluster of the stack."`
	Images       Images            `config:"images" doc:"Container images."`
	Replicas     int               `config:"replicas" doc:"Replicas of each service; 1 to 100."`
	Resources    ClassResources    `config:"resources" doc:"Resource requests and limits, by class of service."`
	Rollout      Rollout           `config:"rollout" doc:"Updates of services."`
	Shutdown     Shutdown          `config:"shutdown" doc:"Timing of the termination of pods."`
	Probes       Probes            `config:"probes" doc:"Periods, timeouts and thresholds of the kubelet's probes."`
	Disruption   Disruption        `config:"disruption" doc:"PodDisruptionBudget of each service."`
	Spread       Spread            `config:"spread" doc:"Topology spread of the pods of each service."`
	Autoscaling  Autoscaling       `config:"autoscaling" doc:"Horizontal autoscaling. Where it is enabled, the autoscaler sets the replica count."`
	Mesh         string            `config:"mesh" doc:"Service mesh whose sidecar is injected: none, istio or linkerd. Its network plugin must run in the cluster: Pod Security refuses its privileged init container."`
	GRPC         GRPC              `config:"grpc" doc:"Discovery of gRPC servers."`
	Dependencies Dependencies      `config:"dependencies" doc:"The stores: which the stack runs itself, and where the others answer."`
	Migrations   Migrations        `config:"migrations" doc:"Who brings the schema of PostgreSQL to the state that the services expect. Their pods never do."`
	Monitoring   Monitoring        `config:"monitoring" doc:"What watches the stack, and who receives its alerts."`
	Storage      Storage           `config:"storage" doc:"Object storage."`
	AWS          AWS               `config:"aws" doc:"The account of a stack whose storage is aws."`
	Network      Network           `config:"network" doc:"Network policies and the peers outside the namespace."`
	Ingress      Ingress           `config:"ingress" doc:"Publication of the API."`
	Quota        Quota             `config:"quota" doc:"Quota of the namespace."`
	Priority     Priority          `config:"priority" doc:"Priorities of pods when nodes lack resources."`
	Variables    map[string]string `config:"variables" doc:"Values of ConfigMap nova-backend-config that differ from the catalogue's defaults, by key."`
	Secrets      map[string]Secret `config:"secrets" doc:"Secret values that are supplied rather than generated, by key; always encrypted."`

	SecretSources SecretSources `config:"secretSources" doc:"Sources of the values of secrets."`

	Overrides map[string]Override `config:"services" doc:"Differences of single services from the catalogue and from the stack, by service name."`
}

// Cluster is the cluster of a stack. Nothing is read from the environment.
type Cluster struct {
	Kubeconfig string `config:"kubeconfig" doc:"Path of the kubeconfig file, relative to the project; the default is that of the embedded control plane."`
	Context    string `config:"context" doc:"Context within the kubeconfig; empty means its current one."`
	Identifier string `config:"identifier" doc:"Name that stays the same as long as the cluster does. Changing it means another cluster: every Kubernetes resource is replaced, which is refused where nova:deletionProtection is set."`
}

// Images are the container images of the services, and the digests of the others.
type Images struct {
	Registry    string   `config:"registry" doc:"Registry and path before \"/<name>-service\". Empty means the repositories of nova:aws.repositories where the stack declares them, otherwise local images called nova-<name>-service."`
	Version     string   `config:"version" doc:"Tag of every image that has none of its own."`
	PullPolicy  string   `config:"pullPolicy" doc:"Pull policy: IfNotPresent, Always or Never."`
	PullSecrets []string `config:"pullSecrets" doc:"Names of existing Secrets with registry credentials."`

	Pins map[string]string `config:"pins" doc:"Digests of the images of stores, exporters and monitoring, by their names in the catalogue, each as tag@sha256:digest. The tag must be the catalogue's. nova images pin writes them."`

	Build ImageBuild `config:"build" doc:"Building the images along with the stack; in development only."`
}

// ImageBuild configures a stack that builds its images by itself.
type ImageBuild struct {
	Context     string `config:"context" doc:"Root of Nova's Cargo workspace, relative to the project, such as ../nova. Each service without an image.tag or image.digest of its own then runs an image that a Docker engine builds from there, tagged by its sources, and pushed where nova:images.registry is set. Empty builds nothing."`
	Platform    string `config:"platform" doc:"Platform of the cluster's nodes; independent of the machine that builds."`
	Concurrency int    `config:"concurrency" doc:"Images that are built at once; 1 to 11."`
	Host        string `config:"host" doc:"Address of the Docker engine."`
}

// ClassResources holds the resources of all services and of single classes.
type ClassResources struct {
	Default Resources `config:"default" doc:"All services."`
	API     Resources `config:"api" doc:"Services that answer requests, where they differ."`
	Media   Resources `config:"media" doc:"Services that transfer media, where they differ."`
	Worker  Resources `config:"worker" doc:"Services that consume events, where they differ."`
}

// Resources are the requests and limits of a container.
type Resources struct {
	Requests Quantities `config:"requests" doc:"Resource requests."`
	Limits   Quantities `config:"limits" doc:"Resource limits."`
}

// Quantities are Kubernetes quantities; empty inherits.
type Quantities struct {
	CPU              string `config:"cpu" doc:"CPU, such as 100m or 2."`
	Memory           string `config:"memory" doc:"Memory, such as 256Mi."`
	EphemeralStorage string `config:"ephemeralStorage" doc:"Local disk for logs and /tmp, such as 1Gi."`
}

// Rollout is the update of services. No pod is removed before its replacement is
// ready: maxUnavailable is always 0.
type Rollout struct {
	Strategy  string `config:"strategy" doc:"rolling: a Deployment replaces pod by pod. canary: a Rollout of Argo Rollouts, whose controller must run in the cluster, passes stages of 5, 50 and 100 %; needs nova:monitoring."`
	Promotion string `config:"promotion" doc:"Of canaries. unit: each stage waits until it is promoted, so that services are released together. automatic: each service goes on by itself after 15, 30 and 15 minutes if its analysis passes."`
	Tolerance int    `config:"tolerance" doc:"Of canaries: percentage points by which the share of a stage may differ from its weight before previews say so; 0 to 100. Without routing a stage moves whole pods."`

	MaxSurge                string `config:"maxSurge" doc:"Pods above the replica count during an update: a number or a percentage above 0."`
	MinReadySeconds         int    `config:"minReadySeconds" doc:"Seconds that a pod must be ready before it counts; 0 to 600."`
	ProgressDeadlineSeconds int    `config:"progressDeadlineSeconds" doc:"Seconds without progress after which an update counts as failed; more than minReadySeconds, at most 3600."`
	RevisionHistory         int    `config:"revisionHistory" doc:"Old ReplicaSets kept for a rollback; 1 to 20."`
}

// Shutdown is the timing of a pod's termination. The grace period is the sum of
// its fields.
type Shutdown struct {
	PreStopSeconds int `config:"preStopSeconds" doc:"Seconds between the removal from endpoints and SIGTERM; 1 to 120."`
	DrainSeconds   int `config:"drainSeconds" doc:"Seconds that a server takes to finish its requests; 1 to 600. The servers drain for 30 s."`
	MarginSeconds  int `config:"marginSeconds" doc:"Seconds of margin before SIGKILL; 1 to 120."`
}

// GracePeriodSeconds is terminationGracePeriodSeconds; the kubelet counts the
// preStop hook in.
func (s Shutdown) GracePeriodSeconds() int {
	return s.PreStopSeconds + s.DrainSeconds + s.MarginSeconds
}

// Probes are the timing of the kubelet's probes.
type Probes struct {
	Startup   Probe `config:"startup" doc:"Until it succeeds, the other probes do not run."`
	Readiness Probe `config:"readiness" doc:"A failure removes the pod from the endpoints."`
	Liveness  Probe `config:"liveness" doc:"A failure restarts the container."`
}

// Probe is one probe's timing.
type Probe struct {
	PeriodSeconds    int `config:"periodSeconds" doc:"Probe period in seconds; 1 to 300."`
	TimeoutSeconds   int `config:"timeoutSeconds" doc:"Seconds after which a probe counts as failed; 1 to periodSeconds."`
	FailureThreshold int `config:"failureThreshold" doc:"Consecutive failures after which the probe has failed; 1 to 100."`
}

// Disruption bounds voluntary disruptions. At most one of the fields is set.
type Disruption struct {
	MinAvailable   *int `config:"minAvailable" doc:"Pods that must stay available; below the replica count, or no node could be drained."`
	MaxUnavailable *int `config:"maxUnavailable" doc:"Pods that may be unavailable; at least 1. The default is 1."`
}

// Spread is the topology spread of the pods of a service.
type Spread struct {
	Zones string `config:"zones" doc:"Over availability zones: required, preferred or off."`
	Hosts string `config:"hosts" doc:"Over nodes: required, preferred or off."`

	MinZones int `config:"minZones" doc:"Zones that must have nodes for the pods; where fewer have, a zone takes one pod of a revision and the others wait. For zones required only; 0 means any number, so that a zone that fails holds no update up."`
}

// Autoscaling is a HorizontalPodAutoscaler.
type Autoscaling struct {
	Enabled       bool `config:"enabled" doc:"Create an autoscaler."`
	MinReplicas   int  `config:"minReplicas" doc:"Lower bound; 0 means the replica count of the service."`
	MaxReplicas   int  `config:"maxReplicas" doc:"Upper bound; at least the lower bound, at most 100."`
	CPUPercent    int  `config:"cpuPercent" doc:"Target of the average CPU use, in percent of the request; 1 to 100."`
	MemoryPercent int  `config:"memoryPercent" doc:"Target of the average memory use, in percent of the request; 1 to 100."`
}

// GRPC is the discovery of gRPC servers.
type GRPC struct {
	Discovery string `config:"discovery" doc:"clusterIP: one address, balanced per connection. headless: all pod addresses, for clients that balance per request."`
}

// Override is how one service differs from the catalogue and from the stack.
// Unset fields are inherited; a list replaces the catalogue's list.
type Override struct {
	Enabled     *bool             `config:"enabled" doc:"false removes the service from the stack."`
	Replicas    *int              `config:"replicas" doc:"Replicas; 1 to 100."`
	HTTPPort    *int              `config:"httpPort" doc:"HTTP port; the gRPC port is always 1000 higher."`
	Image       ImageOverride     `config:"image" doc:"Its image."`
	Health      HealthOverride    `config:"health" doc:"Paths of its probes."`
	MetricsPath *string           `config:"metricsPath" doc:"Path of its metrics; empty means that it has none."`
	Unmeasured  *bool             `config:"unmeasured" doc:"Its metrics are not those of its HTTP requests: nothing watches its errors and latency."`
	Needs       []string          `config:"needs" doc:"Stores that it uses: postgres, redis, kafka, clickhouse, elasticsearch, s3."`
	Calls       []string          `config:"calls" doc:"Services it calls."`
	Variables   []string          `config:"variables" doc:"Keys of nova-backend-config that it receives."`
	Secrets     []string          `config:"secrets" doc:"Keys of nova-backend-secrets that it receives."`
	Aliases     map[string]string `config:"aliases" doc:"Variables of its own with the value of a key of nova-backend-config, added to the catalogue's."`
	Env         map[string]string `config:"env" doc:"Plain variables of its own, added to the catalogue's."`
	Buckets     []BucketUse       `config:"buckets" doc:"Buckets it writes to."`
	PublicPaths []string          `config:"publicPaths" doc:"Path prefixes that the ingress lets through to it; an empty list publishes nothing."`
	Limits      []PathLimit       `config:"limits" doc:"What requests below public paths may take; the list replaces the catalogue's. Paths without an entry have 1 MiB and 60 s."`
	Internet    []int             `config:"internetPorts" doc:"TCP ports on which it may reach the internet; an empty list means none."`
	Class       string            `config:"class" doc:"Resource class: api, media or worker."`
	Resources   Resources         `config:"resources" doc:"Its requests and limits, where they differ."`
	Disruption  Disruption        `config:"disruption" doc:"Its disruption budget."`
	Rollout     RolloutOverride   `config:"rollout" doc:"Its update."`
	Autoscaling *Autoscaling      `config:"autoscaling" doc:"Its autoscaler, in place of the stack's."`
}

// RolloutOverride is a service's own update.
type RolloutOverride struct {
	Strategy string `config:"strategy" doc:"rolling or canary."`
}

// ImageOverride is a service's own image.
type ImageOverride struct {
	Repository string `config:"repository" doc:"Registry, path and name without a tag."`
	Tag        string `config:"tag" doc:"Tag."`
	Digest     string `config:"digest" doc:"Digest, sha256: and 64 hexadecimal digits; takes precedence over the tag, which is kept in the reference."`
}

// HealthOverride is a service's own probe paths.
type HealthOverride struct {
	Startup string `config:"startup" doc:"Path of the startup probe, or tcp where an open port is the answer."`
	Live    string `config:"live" doc:"Path of the liveness probe, or tcp."`
	Ready   string `config:"ready" doc:"Path of the readiness probe, or tcp."`
}

// PathLimit is what requests below a public path may take of whatever publishes
// the API.
type PathLimit struct {
	Path           string `config:"path" doc:"One of publicPaths, or a path below one."`
	BodyMebibytes  int    `config:"bodyMebibytes" doc:"Largest body of a request in MiB; 1 to 10240."`
	TimeoutSeconds int    `config:"timeoutSeconds" doc:"Longest time from a request to its whole answer in seconds, up to 3600; 0 means that connections stay open, such as those of WebSockets."`
}

// BucketUse is the use of a bucket by a service that writes to it.
type BucketUse struct {
	Bucket   string   `config:"bucket" doc:"media, uploads, audio or cdn."`
	Variable string   `config:"variable" doc:"Environment variable that carries the bucket's name."`
	Actions  []string `config:"actions" doc:"IAM actions on its objects; the default is s3:PutObject."`
}

// The environments.
const (
	Development = "development"
	Staging     = "staging"
	Production  = "production"
)

// The strategies of updates.
const (
	StrategyRolling = "rolling"
	StrategyCanary  = "canary"
)

// Who moves canaries from stage to stage.
const (
	PromotionUnit      = "unit"
	PromotionAutomatic = "automatic"
)

// LocalDir is the folder of a project that holds everything that is local to a
// checkout and never committed.
const LocalDir = ".nova"

// EmbeddedKubeconfig is the kubeconfig of the embedded control plane, relative
// to the project.
const EmbeddedKubeconfig = LocalDir + "/kubeconfig"

// embeddedIdentifier identifies the embedded control plane.
const embeddedIdentifier = "embedded"

// Defaults returns the configuration of a stack that sets nothing: the
// cheapest environment that works.
func Defaults(stack string) *Config {
	one := 1
	return &Config{
		Stack:       stack,
		Environment: Development,
		Namespace:   "nova-backend",
		Profile:     string(catalog.Contract),
		Cluster:     Cluster{Kubeconfig: EmbeddedKubeconfig, Identifier: embeddedIdentifier},
		Images: Images{PullPolicy: "IfNotPresent", Build: ImageBuild{
			Platform: catalog.NodePlatform, Concurrency: 2, Host: "unix:///var/run/docker.sock",
		}},
		Replicas: 1,
		Resources: ClassResources{Default: Resources{
			// Documented defaults; the disk figures are ours: logs go to
			// stdout and /tmp is the only writable path.
			Requests: Quantities{CPU: "100m", Memory: "256Mi", EphemeralStorage: "64Mi"},
			Limits:   Quantities{CPU: "500m", Memory: "512Mi", EphemeralStorage: "1Gi"},
		}},
		Rollout: Rollout{
			Strategy: StrategyRolling, Promotion: PromotionUnit, Tolerance: 5,
			MaxSurge: "25%", MinReadySeconds: 10, ProgressDeadlineSeconds: 600, RevisionHistory: 5,
		},
		Shutdown:    Shutdown{PreStopSeconds: 10, DrainSeconds: 30, MarginSeconds: 10},
		Disruption:  Disruption{MaxUnavailable: &one},
		Spread:      Spread{Zones: "preferred", Hosts: "preferred"},
		Autoscaling: Autoscaling{MaxReplicas: 10, CPUPercent: 70, MemoryPercent: 80},
		Mesh:        MeshNone,
		GRPC:        GRPC{Discovery: "clusterIP"},
		Probes: Probes{
			Startup:   Probe{PeriodSeconds: 5, TimeoutSeconds: 3, FailureThreshold: 30},
			Readiness: Probe{PeriodSeconds: 5, TimeoutSeconds: 3, FailureThreshold: 3},
			Liveness:  Probe{PeriodSeconds: 10, TimeoutSeconds: 3, FailureThreshold: 3},
		},
		Dependencies:  defaultDependencies(),
		Migrations:    defaultMigrations(),
		Storage:       defaultStorage(),
		AWS:           AWS{Repositories: Repositories{Create: true, KeepImages: 100, UntaggedDays: 14}},
		Network:       defaultNetwork(),
		Ingress:       defaultIngress(),
		Quota:         Quota{Enabled: true, HeadroomPercent: 20},
		Priority:      Priority{Services: 1000, Stores: 2000},
		SecretSources: defaultSecretSources(),
		Monitoring:    defaultMonitoring(),
	}
}

// KnownEnvironments lists what "nova:environment" may be.
func KnownEnvironments() []string { return []string{Development, Staging, Production} }

// Guarded reports whether the stack is staging or production.
func (c *Config) Guarded() bool { return c.Environment != Development }

// TargetsEmbedded reports whether the stack runs on the embedded control plane.
func (c *Config) TargetsEmbedded() bool { return c.Cluster.Kubeconfig == EmbeddedKubeconfig }

// KubeconfigError says why the stack's kubeconfig cannot be used, and what to do.
func (c *Config) KubeconfigError(err error) error {
	if c.TargetsEmbedded() && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("nova:cluster.kubeconfig: %q: the embedded control plane is not running; start it with `nova local up`, or set the kubeconfig of your cluster", c.Cluster.Kubeconfig)
	}
	return fmt.Errorf("nova:cluster.kubeconfig: %q: %w", c.Cluster.Kubeconfig, err)
}

// KubeconfigPath is the path of the stack's kubeconfig file in a project whose
// files lie under root.
func (c *Config) KubeconfigPath(root string) string {
	if filepath.IsAbs(c.Cluster.Kubeconfig) {
		return c.Cluster.Kubeconfig
	}
	return filepath.Join(root, c.Cluster.Kubeconfig)
}

// Enabled reports whether a service of the catalogue is part of the stack.
func (c *Config) Enabled(service string) bool {
	enabled := c.Overrides[service].Enabled
	return enabled == nil || *enabled
}
