package render

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/datastore"
	"nova.dev/infra/internal/stack"
)

// addStore adds a stateful system and the one-shot service that sets it up.
func (d *composition) addStore(s datastore.Store) {
	profiles := d.profilesOf(func(service stack.Service) bool { return slices.Contains(service.Needs, s.System) })
	limits := d.c.Dependency(s.System).Resources.Limits

	store := d.container(s.Name, s.Container, limits)
	store.Hostname = s.Name
	store.Volumes = append(store.Volumes, d.volume(s.Name, sameUserAndGroup(s.User), s.DataPath))
	store.DependsOn = types.DependsOnConfig{volumeOwners: after(types.ServiceConditionCompletedSuccessfully)}
	store.HealthCheck = check(s.Ready.Command, d.c.Probes.Readiness, d.patience())
	store.StopGracePeriod = seconds(s.StopSeconds)
	store.Profiles = profiles
	for _, port := range s.Ports {
		store.Expose = append(store.Expose, itoa(port.Number))
	}
	d.project.Services[s.Name] = store

	if s.Setup == nil {
		return
	}
	setup := d.container(setupName(s.Name), *s.Setup, limits)
	setup.Restart = types.RestartPolicyNo
	setup.DependsOn = types.DependsOnConfig{s.Name: after(types.ServiceConditionHealthy)}
	setup.Profiles = profiles
	d.project.Services[setupName(s.Name)] = setup
}

func setupName(store string) string { return store + "-setup" }

// addExporter adds the exporter of a stateful system, which waits for the system
// where that runs.
func (d *composition) addExporter(e datastore.Exporter) {
	exporter := d.container(e.Name, e.Container, exporterLimits)
	exporter.Profiles = []string{profileMonitoring}
	exporter.DependsOn = types.DependsOnConfig{}
	name := catalog.FindStore(e.System).Name
	for service, condition := range map[string]string{
		name:            types.ServiceConditionHealthy,
		setupName(name): types.ServiceConditionCompletedSuccessfully,
	} {
		if _, exists := d.project.Services[service]; exists {
			exporter.DependsOn[service] = types.ServiceDependency{Condition: condition, Required: false}
		}
	}
	exporter.Expose = types.StringOrNumberList{itoa(e.Port)}
	d.project.Services[e.Name] = exporter
}

var exporterLimits = config.Quantities{CPU: "250m", Memory: "128Mi"}

// container turns a process into a service that only the other containers
// reach. Its read-only files become files of the tree.
func (d *composition) container(name string, c datastore.Container, limits config.Quantities) types.ServiceConfig {
	service := confined(sameUserAndGroup(c.User), limits)
	service.Image = c.Image
	service.Entrypoint = types.ShellCommand(literals(c.Command))
	if len(c.Command) == 0 {
		service.Entrypoint = nil
	}
	service.Command = types.ShellCommand(literals(c.Args))
	if len(c.Args) == 0 {
		service.Command = nil
	}
	for key, value := range c.Env {
		service.Environment[key] = text(literal(value))
	}
	for _, secret := range c.Secrets {
		// Nothing is rotated here, so the value before a rotation is this one.
		service.Environment[secret.Variable] = text(fromEnv(secret.Key))
	}
	for _, target := range slices.Sorted(maps.Keys(c.Files)) {
		source := path.Join(composeFolder, name, strings.TrimPrefix(target, "/"))
		d.files[source] = []byte(c.Files[target])
		service.Volumes = append(service.Volumes, mount(source, target))
	}
	for _, folder := range append(slices.Clone(c.Scratch), c.Memory...) {
		// Java unpacks native libraries into its scratch folders.
		service.Tmpfs = append(service.Tmpfs, folder+":exec,mode=1777,size=256m")
	}
	service.Networks = networks(networkBackend)
	return service
}
