package workload

import (
	_ "embed" // What set-ups have in common is a shell script.

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// scratch is where every process may leave temporary files.
const scratch = "/tmp"

// settingsPath is where settings and scripts lie in a container.
const settingsPath = "/etc/nova"

// The timing of probes of stores and exporters. A store that recovers may take
// ten minutes to start; one that is only slow is not restarted for two.
var (
	startupTiming   = config.Probe{PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 120}
	readinessTiming = config.Probe{PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 3}
	livenessTiming  = config.Probe{PeriodSeconds: 20, TimeoutSeconds: 10, FailureThreshold: 6}
)

// store is a store that the stack runs itself, and its set-up where it has one.
func store(s *stack.Stack, from stack.Store) []Workload {
	w := &Workload{
		Name: from.Name, Kind: Store, Store: from.Kind,
		Image: from.Spec.Image, PullPolicy: pullOnce, User: from.User,
		Scratch:   []string{scratch},
		Volume:    Volume{Path: from.DataPath, Size: from.Spec.Storage, Class: from.Spec.StorageClass},
		Resources: from.Spec.Resources, Replicas: from.Replicas, PeakPods: from.Replicas,
	}
	setup := map[catalog.StoreKind]func(*stack.Stack, *Workload) *Workload{
		catalog.Postgres:      postgres,
		catalog.Redis:         redis,
		catalog.ClickHouse:    clickHouse,
		catalog.Kafka:         kafka,
		catalog.Elasticsearch: elasticsearch,
		catalog.ObjectStorage: objectStore,
	}[from.Kind](s, w)
	w.connectStore(s)
	if setup == nil {
		return []Workload{*w}
	}
	setup.connect(w.Name, w.inside()...)
	all := []Workload{*w, *setup}
	if from.Kind == catalog.Postgres && s.BacksUpPostgres() {
		all = append(all, postgresBackups(s, w, setup)...)
	}
	return all
}

// pullOnce is the pull policy of images with an exact version.
const pullOnce = "IfNotPresent"

// checks are the health checks of a store: ready succeeds when it serves
// requests, live when it need not be restarted, also while it recovers.
func (w *Workload) checks(ready, live Check) {
	w.Checks = &Checks{Startup: Probe{live, startupTiming}, Ready: Probe{ready, readinessTiming}, Live: Probe{live, livenessTiming}}
}

// waitFor is a function of every set-up.
//
//go:embed scripts/wait.sh
var waitFor string

// setupName is the name of the Job that sets a store up.
func setupName(store string) string { return store + "-setup" }

// setup is a one-shot process on the store's image that runs a script. A change
// puts a second one beside the first.
func (w *Workload) setup(script string) *Workload {
	return &Workload{
		Name: setupName(w.Name), Kind: Setup, Store: w.Store,
		Image: w.Image, PullPolicy: pullOnce, User: w.User,
		Command:   []string{"/bin/sh", settingsPath + "/setup.sh"},
		Files:     map[string]string{settingsPath + "/setup.sh": waitFor + script},
		Scratch:   []string{scratch},
		Resources: setupResources, Replicas: 1, PeakPods: 2,
	}
}

// start makes a script the store's process.
func (w *Workload) start(script string) {
	w.Command = []string{"/bin/sh", settingsPath + "/start.sh"}
	w.Files = map[string]string{settingsPath + "/start.sh": script}
}

func shell(line string) []string { return []string{"/bin/sh", "-c", line} }
