package compose

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
)

// addStore adds a store.
func (b *builder) addStore(w workload.Workload) {
	store := b.container(w)
	store.Hostname = w.Name
	store.Volumes = append(store.Volumes, b.volume(w.Name, sameUserAndGroup(w.User), w.Volume.Path))
	store.DependsOn = types.DependsOnConfig{volumeOwners: after(types.ServiceConditionCompletedSuccessfully)}
	store.HealthCheck = check(w.Checks.Ready.Command, b.s.Probes.Readiness, b.startupTime())
	store.StopGracePeriod = seconds(w.GraceSeconds)
	store.Profiles = b.profilesOf(w.Name)
	store.Expose = expose(w)
	b.project.Services[w.Name] = store
}

// addSetup adds the one-shot service that sets a store up.
func (b *builder) addSetup(w workload.Workload) {
	setup := b.container(w)
	setup.Restart = types.RestartPolicyNo
	setup.DependsOn = b.dependencies(w)
	for name := range setup.DependsOn {
		setup.Profiles = b.profilesOf(name)
	}
	b.project.Services[w.Name] = setup
}

// addMigration adds the one-shot service that migrates the database, where the
// stack has an image for it.
func (b *builder) addMigration(w workload.Workload) {
	if w.Image == "" {
		return
	}
	migration := b.container(w)
	migration.PullPolicy = pullPolicy(w)
	migration.Restart = types.RestartPolicyNo
	migration.DependsOn = b.dependencies(w)
	for _, to := range w.Dependencies {
		migration.Profiles = b.profilesOf(to.Peer.Workload)
	}
	b.project.Services[w.Name] = migration
}

// addExporter adds the exporter of a store, which depends on the store where
// the stack runs it.
func (b *builder) addExporter(w workload.Workload) {
	exporter := b.container(w)
	exporter.Profiles = []string{profileMonitoring}
	exporter.DependsOn = b.dependencies(w)
	for name, dependency := range exporter.DependsOn {
		dependency.Required = false
		exporter.DependsOn[name] = dependency
	}
	exporter.Expose = expose(w)
	b.project.Services[w.Name] = exporter
}

func expose(w workload.Workload) types.StringOrNumberList {
	var ports types.StringOrNumberList
	for _, port := range w.Ports {
		ports = append(ports, itoa(port.Number))
	}
	return ports
}

// container turns a workload into a service that only the other containers
// reach. It has exactly the variables and secrets of the workload; its
// read-only files become files of the tree.
func (b *builder) container(w workload.Workload) types.ServiceConfig {
	service := confined(sameUserAndGroup(w.User), w.Resources.Limits)
	service.Image = w.Image
	if len(w.Command) > 0 {
		service.Entrypoint = types.ShellCommand(literals(w.Command))
	}
	if len(w.Args) > 0 {
		service.Command = types.ShellCommand(literals(w.Args))
	}
	for name, value := range w.Env {
		service.Environment[name] = b.value(value)
	}
	for _, target := range slices.Sorted(maps.Keys(w.Files)) {
		source := path.Join(mountFolder, w.Name, strings.TrimPrefix(target, "/"))
		b.files[source] = []byte(w.Files[target])
		service.Volumes = append(service.Volumes, mount(source, target))
	}
	for _, folder := range slices.Concat(w.Scratch, w.Memory) {
		// Java unpacks native libraries into its scratch folders.
		service.Tmpfs = append(service.Tmpfs, fmt.Sprintf("%s:exec,mode=1777,size=%dm", folder, config.FolderBytes>>20))
	}
	service.Networks = networks(networkBackend)
	return service
}
