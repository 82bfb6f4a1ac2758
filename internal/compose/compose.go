package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/workload"
	"nova.dev/infra/internal/yamltext"
)

const (
	fileName = "docker-compose.yml"
	// mountFolder holds what the compose file mounts into containers, by service
	// and path in the container.
	mountFolder = "compose"
	// projectName names containers, volumes and networks on the machine.
	projectName = "nova"
)

// Profiles of the compose file, beside those that are names of services.
const (
	profileAll        = "all"
	profileMonitoring = "monitoring"
)

// The networks. Stores are on the first one only, which has no route out.
const (
	networkBackend = "backend"
	networkEdge    = "edge"
)

// loopback is the address of published ports.
const loopback = "127.0.0.1"

// Files returns docker-compose.yml and the files that it mounts, by path below
// the output folder.
func Files(s *stack.Stack) (map[string][]byte, error) {
	local, err := s.Local()
	if err != nil {
		return nil, err
	}
	b := &builder{
		s: local, workloads: workload.All(local), variables: local.VariableValues(),
		project: types.Project{
			Name: projectName,
			Networks: types.Networks{
				networkBackend: {Driver: "bridge", Internal: true},
				networkEdge:    {Driver: "bridge"},
			},
			Services: types.Services{},
			Volumes:  types.Volumes{},
		},
		files:  map[string][]byte{},
		owners: map[string]string{},
	}
	for _, w := range b.workloads {
		switch w.Kind {
		case workload.Service:
			b.addService(w)
		case workload.Store:
			b.addStore(w)
		case workload.Setup:
			b.addSetup(w)
		case workload.Migration:
			b.addMigration(w)
		case workload.Exporter:
			b.addExporter(w)
		}
	}
	if err := b.addMonitoring(); err != nil {
		return nil, err
	}
	b.addVolumeOwners()

	text, err := b.project.MarshalYAML()
	if err != nil {
		return nil, err
	}
	if text, err = yamltext.Portable(text); err != nil {
		return nil, err
	}
	b.files[fileName] = append([]byte(Notice(s)+usage), text...)
	return b.files, nil
}

// Notice is the first comment of every file of a stack whose format has
// comments.
func Notice(s *stack.Stack) string {
	return fmt.Sprintf("# Written by `nova render --stack %s`; change the configuration and render again.\n", s.Stack)
}

const usage = `#
#   nova env init        # .env beside this file, with new secrets
#   docker compose up -d
#   docker compose up -d --scale auth-service=3
#   docker compose port auth-service 8083    # where it answers on this machine
#
# COMPOSE_PROFILES in .env says what runs: all, or names of services, and
# monitoring. Needs Docker 24 and Compose 2.20.
`

// builder puts a compose file together.
type builder struct {
	s         *stack.Stack
	workloads []workload.Workload
	// variables are the values of the catalogue's variables.
	variables map[string]string
	project   types.Project
	// files are those that containers mount, by path below the output folder.
	files map[string][]byte
	// owners are the users that volumes belong to, by name of the volume.
	owners map[string]string
}

// confined is the base of all containers: they cannot gain privileges, and
// write only to what is listed.
func confined(user string, limits config.Quantities) types.ServiceConfig {
	service := types.ServiceConfig{Restart: types.RestartPolicyUnlessStopped}
	service.User = user
	service.ReadOnly = true
	service.CapDrop = []string{"ALL"}
	service.SecurityOpt = []string{"no-new-privileges:true"}
	service.Environment = types.MappingWithEquals{}
	service.Deploy = &types.DeployConfig{Resources: types.Resources{Limits: &types.Resource{
		NanoCPUs:    types.NanoCPUs(quantity(limits.CPU).AsApproximateFloat64()),
		MemoryBytes: types.UnitBytes(quantity(limits.Memory).Value()),
	}}}
	return service
}

// quantity parses a quantity of the configuration, which is validated.
func quantity(text string) *resource.Quantity {
	q := resource.MustParse(text)
	return &q
}

func sameUserAndGroup(id int) string { return fmt.Sprintf("%d:%d", id, id) }

func networks(names ...string) map[string]*types.ServiceNetworkConfig {
	joined := map[string]*types.ServiceNetworkConfig{}
	for _, name := range names {
		joined[name] = nil
	}
	return joined
}

// publish publishes a port on the machine's loopback address; an empty host
// lets Docker choose the port, so that a service can have several containers.
func publish(target int, host string) types.ServicePortConfig {
	return types.ServicePortConfig{Mode: "ingress", HostIP: loopback, Target: uint32(target), Published: host, Protocol: "tcp"} //nolint:gosec // A port.
}

// after is a dependency on a condition of another service.
func after(condition string) types.ServiceDependency {
	return types.ServiceDependency{Condition: condition, Required: true}
}

// check is a health check with a container's own command. startup is the time
// that the container gets to start.
func check(command []string, timing config.Probe, startup time.Duration) *types.HealthCheckConfig {
	retries := uint64(timing.FailureThreshold) //nolint:gosec // 1 to 100.
	return &types.HealthCheckConfig{
		Test:        append(types.HealthCheckTest{"CMD"}, literals(command)...),
		Interval:    seconds(timing.PeriodSeconds),
		Timeout:     seconds(timing.TimeoutSeconds),
		Retries:     &retries,
		StartPeriod: duration(startup),
	}
}

// startupTime is the time that a container gets to start, as on a cluster.
func (b *builder) startupTime() time.Duration {
	startup := b.s.Probes.Startup
	return time.Duration(startup.PeriodSeconds*startup.FailureThreshold) * time.Second
}

func seconds(n int) *types.Duration { return duration(time.Duration(n) * time.Second) }

func duration(value time.Duration) *types.Duration {
	d := types.Duration(value)
	return &d
}

// mount makes a file of the tree readable at a path of a container.
func mount(source, target string) types.ServiceVolumeConfig {
	return types.ServiceVolumeConfig{
		Type: types.VolumeTypeBind, Source: "./" + source, Target: target, ReadOnly: true,
		Bind: &types.ServiceVolumeBind{CreateHostPath: false},
	}
}

// volume declares a named volume of a user. Without nocopy Docker would fill a
// new one from the image, with the image's owner; addVolumeOwners sets the
// owner.
func (b *builder) volume(name, user, target string) types.ServiceVolumeConfig {
	b.project.Volumes[name] = types.VolumeConfig{}
	b.owners[name] = user
	return types.ServiceVolumeConfig{
		Type: types.VolumeTypeVolume, Source: name, Target: target,
		Volume: &types.ServiceVolumeVolume{NoCopy: true},
	}
}

// volumeOwners is the one-shot service that sets the owners of volumes.
const volumeOwners = "volumes"

// addVolumeOwners adds a container that sets the owner of each volume to the
// user that writes to it: a new volume belongs to root, and no other container
// runs as root.
func (b *builder) addVolumeOwners() {
	const root = "/volumes/"
	service := confined("0:0", config.Quantities{CPU: "250m", Memory: "64Mi"})
	service.Image = b.project.Services[catalog.FindStore(catalog.Redis).Name].Image
	service.Restart = types.RestartPolicyNo
	service.CapAdd = []string{"CHOWN"}
	service.NetworkMode = "none"
	service.Profiles = b.everyProfile()
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(b.owners)) {
		service.Volumes = append(service.Volumes, types.ServiceVolumeConfig{
			Type: types.VolumeTypeVolume, Source: name, Target: root + name,
			Volume: &types.ServiceVolumeVolume{NoCopy: true},
		})
		lines = append(lines, fmt.Sprintf("chown %s %s%s", b.owners[name], root, name))
	}
	service.Entrypoint = types.ShellCommand{"/bin/sh", "-ec", strings.Join(lines, "\n")}
	b.project.Services[volumeOwners] = service
}

func (b *builder) everyProfile() []string {
	profiles := []string{profileAll, profileMonitoring}
	for _, s := range b.s.Services {
		profiles = append(profiles, s.Name)
	}
	slices.Sort(profiles)
	return profiles
}

// profilesOf are the profiles of a workload: all, and each of the services that
// depend on it, directly or not.
func (b *builder) profilesOf(name string) []string {
	profiles, reached := map[string]bool{profileAll: true}, map[string]bool{name: true}
	dependsOnReached := func(to workload.Connection) bool { return reached[to.Peer.Workload] }
	for grown := true; grown; {
		grown = false
		for _, w := range workload.Of(b.workloads, workload.Service) {
			if profiles[w.Service] || !reached[w.Name] && !slices.ContainsFunc(w.Dependencies, dependsOnReached) {
				continue
			}
			profiles[w.Service], reached[w.Name], grown = true, true, true
		}
	}
	return slices.Sorted(maps.Keys(profiles))
}
