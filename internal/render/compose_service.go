package render

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// The contract of the services' images.
const (
	imageUser = 1000
	// probeCommand asks at HTTP_PORT and HEALTH_PATH of its own container.
	probeCommand = "/usr/local/bin/healthprobe"
	// probePatience is how long it waits, in seconds, before it says why.
	probePatience = 3
	healthPath    = "HEALTH_PATH"
	// scratchMount is the only path that a service may write to.
	scratchMount = "/tmp:mode=1777,size=256m"
)

// addService adds a microservice. Its containers get the variables and secrets
// that its record lists and no others.
func (d *composition) addService(s stack.Service) {
	service := confined(sameUserAndGroup(imageUser), s.Resources.Limits)
	service.Image = s.Image
	if !strings.Contains(s.Image, "/") {
		// A local image: a registry's image of the same name is not ours.
		service.PullPolicy = types.PullPolicyNever
	}
	for _, key := range s.Variables {
		service.Environment[key] = text(d.variable(key))
	}
	for _, key := range s.Secrets {
		service.Environment[key] = secretFromEnv(key)
	}
	for key, value := range own(s, d.environment) {
		service.Environment[key] = text(literal(value))
	}
	service.Environment[healthPath] = text(literal(s.Health.Ready))
	service.HealthCheck = check([]string{probeCommand}, d.c.Probes.Readiness, d.patience())
	service.HealthCheck.Interval = seconds(d.c.Probes.Liveness.PeriodSeconds)
	service.HealthCheck.Timeout = seconds(probePatience + 2)
	service.DependsOn = d.dependencies(s)
	service.Networks = networks(networkBackend, networkEdge)
	service.Ports = []types.ServicePortConfig{publish(s.HTTPPort, "")}
	service.Expose = types.StringOrNumberList{itoa(s.GRPCPort())}
	service.Profiles = d.profilesOf(func(other stack.Service) bool { return other.Name == s.Name })
	service.StopGracePeriod = seconds(d.c.Shutdown.GracePeriodSeconds())
	service.Tmpfs = types.StringList{scratchMount}
	d.project.Services[s.KubernetesName()] = service
}

func (d *composition) variable(key string) string {
	if key == config.PublicKeyVariable {
		return fromEnv(key)
	}
	return fromEnvOr(key, d.variables[key])
}

// secretFromEnv is nil, which passes the variable on as .env has it, for secrets
// that may be absent.
func secretFromEnv(key string) *string {
	if secret, _ := catalog.FindSecret(key); secret.Optional {
		return nil
	}
	return text(fromEnv(key))
}

// dependencies are what a service waits for: systems that serve and are set up,
// and services that it calls.
func (d *composition) dependencies(s stack.Service) types.DependsOnConfig {
	waits := types.DependsOnConfig{}
	for _, need := range s.Needs {
		name := catalog.FindStore(need).Name
		waits[name] = after(types.ServiceConditionHealthy)
		if _, exists := d.project.Services[setupName(name)]; exists {
			waits[setupName(name)] = after(types.ServiceConditionCompletedSuccessfully)
		}
	}
	for _, callee := range s.Calls {
		if other, enabled := d.environment.Service(callee); enabled {
			waits[other.KubernetesName()] = after(types.ServiceConditionHealthy)
		}
	}
	return waits
}
