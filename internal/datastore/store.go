package datastore

import (
	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

// Container is one process and what it finds around it.
type Container struct {
	// Image is the reference of the image.
	Image string
	// User is the uid and gid that it runs as.
	User int
	// Command replaces the image's entry point; empty keeps it.
	Command []string
	// Args are the arguments of the entry point.
	Args []string
	// Env are the plain environment variables.
	Env map[string]string
	// Secrets are the environment variables that hold a secret.
	Secrets []SecretVariable
	// Files are the read-only files by absolute path, with their text.
	Files map[string]string
	// Scratch are the folders it may write to beside its data, since the root
	// file system is read-only.
	Scratch []string
	// Memory are such folders that must not reach a disk.
	Memory []string
}

// SecretVariable is an environment variable that holds a secret.
type SecretVariable struct {
	Variable string
	// Key is that of the catalogue's secret.
	Key string
	// Previous asks for the value before the last rotation, or for the current
	// one where there was none.
	Previous bool
	// Once says that the process reads the variable only when it makes its
	// data, so that a new value need not restart it.
	Once bool
}

// Store is a stateful system as a stack runs it.
type Store struct {
	System catalog.Dependency
	// Name is that of its Service, and its host name under Compose.
	Name string
	Container
	// Replicas is how many members it has.
	Replicas int
	// DataPath is the folder of its data.
	DataPath string
	// Ports are what it listens on; the first is where clients connect.
	Ports []Port
	// Ready tells whether it serves requests, Alive whether it has to be
	// restarted. Alive is also true of one that recovers.
	Ready, Alive Check
	// StopSeconds is how long it may take to stop without losing anything.
	StopSeconds int
	// FindEachOther says that members must resolve each other before any of
	// them is ready.
	FindEachOther bool
	// Setup prepares it for the services, and may run any number of times; nil
	// where there is nothing to do.
	Setup *Container
}

// Port is a TCP port.
type Port struct {
	Name   string
	Number int
	// Internal ports are for members and set-up, not for clients.
	Internal bool
}

// Check is a health check. Command always works inside of the container; Path
// and Port say how to ask from outside, where that is enough.
type Check struct {
	Command []string
	// Path is an HTTP path that answers 200; empty with a Port means that an
	// open connection is the answer.
	Path string
	Port int
}

// MetricsPort is the name of the port that serves /metrics.
const MetricsPort = "metrics"

// scratch is where every process may leave temporary files.
const scratch = "/tmp"

// settingsPath is where settings and scripts lie in a container.
const settingsPath = "/etc/nova"

// New returns a system that the stack runs itself, at a site.
func New(c *stack.Stack, system catalog.Dependency, site Site) Store {
	record, said := catalog.FindStore(system), c.Dependency(system)
	s := Store{
		System:    system,
		Name:      record.Name,
		Container: Container{Image: said.Image, User: record.User, Scratch: []string{scratch}},
		Replicas:  c.StoreReplicas(system),
		DataPath:  record.DataPath,
	}
	switch system {
	case catalog.Postgres:
		s.postgres(c, site)
	case catalog.Redis:
		s.redis(c)
	case catalog.ClickHouse:
		s.clickHouse(c, site)
	case catalog.Kafka:
		s.kafka(c, site)
	case catalog.Elasticsearch:
		s.elasticsearch(c)
	case catalog.ObjectStorage:
		s.objectStore(c, site)
	}
	return s
}

// setup is a one-shot process on the store's image that runs a script.
func (s *Store) setup(script string) *Container {
	return &Container{
		Image:   s.Image,
		User:    s.User,
		Command: []string{"/bin/sh", settingsPath + "/setup.sh"},
		Env:     map[string]string{},
		Files:   map[string]string{settingsPath + "/setup.sh": script},
		Scratch: []string{scratch},
	}
}

// start makes a script the store's process.
func (s *Store) start(script string) {
	s.Command = []string{"/bin/sh", settingsPath + "/start.sh"}
	s.Files = map[string]string{settingsPath + "/start.sh": script}
}

func shell(line string) []string { return []string{"/bin/sh", "-c", line} }
