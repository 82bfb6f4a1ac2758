package workload

import (
	"slices"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// Kind is what a workload is for.
type Kind string

// The kinds of workloads.
const (
	// Service is one of Nova's services.
	Service Kind = "service"
	// Store is a stateful system that the stack runs.
	Store Kind = "store"
	// Setup is a Job that prepares a store for the services. It may run any
	// number of times.
	Setup Kind = "setup"
	// Exporter translates the state of a store for Prometheus.
	Exporter Kind = "exporter"
	// Migration is the Job that migrates the database. It has no image where no Job
	// of the stack does; what it may reach and take is settled all the same.
	Migration Kind = "migration"
	// Solver is a pod of cert-manager that answers for the API's host while a
	// certificate is issued. cert-manager makes it, in the stack's namespace.
	Solver Kind = "solver"
	// Backup carries backups of a store, on a schedule or when somebody asks.
	Backup Kind = "backup"
)

// Workload is one kind of pod of a stack. Of each pod there is one container, and
// those that run before it.
type Workload struct {
	// Name is the label app.kubernetes.io/name of its pods, the name of its
	// Kubernetes objects, and its host name under Compose.
	Name string
	// Object is the name of its Kubernetes object where that is another one, which
	// changes with what it runs; empty means its name.
	Object string
	Kind   Kind
	// Selector are labels of its pods where somebody else makes them; empty means
	// the label of its name.
	Selector map[string]string
	// Service is the short name of a service.
	Service string
	// Store is what a store, its set-up or its exporter belongs to.
	Store catalog.StoreKind

	// Image is the reference of the image.
	Image string
	// PullPolicy is the pull policy of the image.
	PullPolicy string
	// User is the uid and gid that it runs as.
	User int
	// Command replaces the image's entry point; empty keeps it.
	Command []string
	// Args are the arguments of the entry point.
	Args []string
	// Env are the environment variables, by name.
	Env map[string]Value
	// Files are the read-only files by absolute path, with their text.
	Files map[string]string
	// Scratch are the folders it may write to beside its data, since the root
	// file system is read-only.
	Scratch []string
	// Memory are such folders that must not reach a disk.
	Memory []string
	// Volume holds the data of each member of a store.
	Volume Volume
	// Work is a folder with a size of its own that lasts as long as the pod.
	Work Volume
	// Ports are what it listens on; the first is where clients connect.
	Ports []Port
	// Checks are its health checks; nil without any.
	Checks *Checks
	// PreStopSeconds pass between the removal of a pod from its endpoints and
	// its signal to stop; GraceSeconds, which include them, until it is killed.
	// 0 is the default of where it runs.
	PreStopSeconds, GraceSeconds int
	// MinReadySeconds is how long a member of a store must be ready before the
	// next one is replaced.
	MinReadySeconds int

	// Resources has no empty field.
	Resources config.Resources
	// Sidecar are the resources of the sidecar of a mesh; nil without one.
	Sidecar *config.Resources
	// PodLabels and PodAnnotations are those that a mesh reads.
	PodLabels, PodAnnotations map[string]string
	// Replicas is how many pods it has.
	Replicas int
	// PeakPods is the maximum number of pods, with those of an update.
	PeakPods int
	// FindEachOther is set when members must resolve each other before any of
	// them is ready.
	FindEachOther bool

	// Autoscaling, Rollout, Disruption and Spread are those of a service; an
	// exporter has RevisionHistory.
	Autoscaling config.Autoscaling
	Rollout     config.Rollout
	Disruption  config.Disruption
	Spread      config.Spread

	// Before are containers that run to their end, in this order, before its
	// own. Of each the image, command and environment count; files, folders and
	// resources are those of the workload.
	Before []Workload
	// Schedule is when a backup runs, in cron and UTC; empty means when somebody
	// asks. DeadlineSeconds bounds a run.
	Schedule        string
	DeadlineSeconds int
	// Account is the name of its ServiceAccount where that is shared; empty means
	// one of its own.
	Account string

	// Dependencies are what it connects to, Clients who connects to it from
	// outside of the stack's workloads.
	Dependencies, Clients []Connection
}

// Value is the value of an environment variable: a text, or a reference to a key
// of the stack's variables or secrets, or of a Secret of somebody else's.
type Value struct {
	Text string
	// Config is a key of the catalogue's variables.
	Config string
	// Secret is a key of the catalogue's secrets. A variable whose secret has no
	// value in the stack is left out.
	Secret string
	// Existing is a key of a Secret that is not the stack's.
	Existing config.SecretKey
	// Previous asks for the secret's value before the last rotation, or for the
	// current one where there was none.
	Previous bool
	// NoRestart is set when a new value need not restart the process: it reads
	// the variable only when it creates its data, or its set-up changes what is
	// made of it in the running process.
	NoRestart bool
	// Optional is set when the process runs without it: a secret that may be
	// absent, or under Compose a variable that is empty until .env sets it.
	Optional bool
}

func texts(values map[string]string) map[string]Value {
	env := make(map[string]Value, len(values))
	for name, text := range values {
		env[name] = Value{Text: text}
	}
	return env
}

// Volume is the volume of a member of a store.
type Volume struct {
	// Path is the folder of the data in the container.
	Path string
	// Size is a Kubernetes quantity; Class may be empty, for the default of the
	// cluster.
	Size, Class string
}

// Port is a TCP port.
type Port struct {
	Name   string
	Number int
	// Protocol is the application protocol that a Service announces; empty
	// announces none.
	Protocol string
	// Internal ports are for members and set-up, not for clients.
	Internal bool
}

// Names of ports.
const (
	HTTPPort    = "http"
	GRPCPort    = "grpc"
	MetricsPort = "metrics"
)

// Port is the number of the port of a name, or 0.
func (w Workload) Port(name string) int {
	for _, port := range w.Ports {
		if port.Name == name {
			return port.Number
		}
	}
	return 0
}

// HeadlessName is the name that resolves to every pod of a workload.
func (w Workload) HeadlessName() string { return headlessName(w.Name) }

func headlessName(name string) string { return name + "-headless" }

// Checks are the health checks of a container.
type Checks struct{ Startup, Ready, Live Probe }

// Probe is a check and its timing.
type Probe struct {
	Check
	Timing config.Probe
}

// Check is a health check. Command works inside of the container; Path and Port
// say how to ask from outside, where that is enough.
type Check struct {
	Command []string
	// Path is an HTTP path that answers 200; empty with a Port means that an
	// open connection is the answer.
	Path string
	Port int
	// PortName is the name of the port where the container names it.
	PortName string
}

// All returns the workloads of a stack: its services in the order of the
// catalogue, the migration Job, cert-manager's solver, and in the order of start each store that the
// stack runs with its set-up, and each exporter.
func All(s *stack.Stack) []Workload {
	var all []Workload
	for _, each := range s.Services {
		all = append(all, service(s, each))
	}
	if slices.ContainsFunc(s.Services, func(each stack.Service) bool { return slices.Contains(each.Needs, catalog.Postgres) }) {
		all = append(all, migration(s))
	}
	if s.IssuedCertificates() > 0 && !s.Compose {
		all = append(all, solver(s))
	}
	for _, each := range s.Stores {
		if each.InCluster {
			all = append(all, store(s, each)...)
		}
		if each.Kind == catalog.Postgres && s.PreparesPostgres() {
			all = append(all, preparation(s))
		}
		if each.Exporter != nil && each.Spec.Exporter {
			all = append(all, exporter(s, each))
		}
	}
	return all
}

// Of returns the workloads of the given kinds, in their order.
func Of(all []Workload, kinds ...Kind) []Workload {
	return slices.DeleteFunc(slices.Clone(all), func(w Workload) bool { return !slices.Contains(kinds, w.Kind) })
}

// Find returns the workload of a name.
func Find(all []Workload, name string) (Workload, bool) {
	i := slices.IndexFunc(all, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return Workload{}, false
	}
	return all[i], true
}
