package compose

import (
	"cmp"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

// The contract of the services' images.
const (
	// probeCommand requests HEALTH_PATH at HTTP_PORT of its own container, or
	// only connects where that is "tcp".
	probeCommand = "/usr/local/bin/healthprobe"
	// probeSeconds is its timeout, after which it reports the reason.
	probeSeconds = 3
	healthPath   = "HEALTH_PATH"
)

// addService adds a microservice.
func (b *builder) addService(w workload.Workload) {
	service := b.container(w)
	service.PullPolicy = pullPolicy(w)
	service.Environment[healthPath] = text(literal(cmp.Or(w.Checks.Ready.Path, catalog.OpenPort)))
	service.HealthCheck = check([]string{probeCommand}, w.Checks.Ready.Timing, b.startupTime())
	service.HealthCheck.Interval = seconds(w.Checks.Live.Timing.PeriodSeconds)
	service.HealthCheck.Timeout = seconds(probeSeconds + 2)
	service.DependsOn = b.dependencies(w)
	service.Networks = networks(networkBackend, networkEdge)
	service.Ports = []types.ServicePortConfig{publish(w.Port(workload.HTTPPort), "")}
	service.Expose = types.StringOrNumberList{itoa(w.Port(workload.GRPCPort))}
	service.Profiles = b.profilesOf(w.Name)
	service.StopGracePeriod = seconds(w.GraceSeconds)
	service.Tmpfs = nil
	for _, folder := range w.Scratch {
		service.Tmpfs = append(service.Tmpfs, folder+":mode=1777,size=256m")
	}
	b.project.Services[w.Name] = service
}

// pullPolicy is that of an image of the stack's own: one without a registry is
// local, and none of the same name is pulled.
func pullPolicy(w workload.Workload) string {
	if strings.Contains(w.Image, "/") {
		return ""
	}
	return types.PullPolicyNever
}

// value is the value of an environment variable; nil passes it on as .env has
// it, and not at all where .env does not have it. There are no rotations here, so
// a secret's previous value is the current one.
func (b *builder) value(from workload.Value) *string {
	switch {
	case from.Optional:
		return nil
	case from.Secret != "":
		return text(fromEnv(from.Secret))
	case from.Config == config.PublicKeyVariable:
		return text(fromEnv(from.Config))
	case from.Config != "":
		return text(fromEnvOr(from.Config, b.variables[from.Config]))
	}
	return text(literal(from.Text))
}

// dependencies are the conditions for the start of a workload: its stores are
// healthy and set up, the database of a service is migrated, and the services that
// it calls are healthy.
func (b *builder) dependencies(w workload.Workload) types.DependsOnConfig {
	waits := types.DependsOnConfig{}
	for _, to := range w.Dependencies {
		target, runs := workload.Find(b.workloads, to.Peer.Workload)
		if !runs || target.Name == w.Name {
			continue
		}
		waits[target.Name] = after(types.ServiceConditionHealthy)
		if target.Kind != workload.Store || w.Kind == workload.Setup {
			continue
		}
		for _, job := range workload.Of(b.workloads, workload.Setup, workload.Migration) {
			// A migrator waits for the set-up, and only services wait for the migrator.
			if job.Store == target.Store && job.Image != "" && (job.Kind == workload.Setup || w.Kind == workload.Service) {
				waits[job.Name] = after(types.ServiceConditionCompletedSuccessfully)
			}
		}
	}
	return waits
}
