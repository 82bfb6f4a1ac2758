package compose_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/compose"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/envfile"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
)

// The stacks of the repository; nobody changes them.
var (
	stacks  = stacktest.Names
	load    = stacktest.Committed
	loadAll = stacktest.All
)

// rendered are the files of a stack, with the example of its environment.
func rendered(t testing.TB, c *stack.Stack) map[string][]byte {
	t.Helper()
	if trees[c] == nil {
		files, err := compose.Files(c)
		require.NoError(t, err)
		example, err := compose.Example(c, loadAll(t))
		require.NoError(t, err)
		maps.Copy(files, example)
		trees[c] = files
	}
	return trees[c]
}

var (
	trees = map[*stack.Stack]map[string][]byte{}
)

// environment is a .env that has all secrets. Making keys takes long, so each
// stack has one for all tests.
func environment(t *testing.T, c *stack.Stack) map[string]string {
	t.Helper()
	if _, made := environments[c.Stack]; !made {
		text, err := compose.Env(c)
		require.NoError(t, err)
		environments[c.Stack], err = envfile.Parse(text)
		require.NoError(t, err)
	}
	return maps.Clone(environments[c.Stack])
}

var environments = map[string]map[string]string{}

// composed loads a compose file as Docker Compose does: interpolated, checked
// against the schema and for consistency.
func composed(t *testing.T, files map[string][]byte, env map[string]string, profiles ...string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  "/deploy",
		ConfigFiles: []types.ConfigFile{{Filename: "/deploy/docker-compose.yml", Content: files["docker-compose.yml"]}},
		Environment: env,
	}, loader.WithProfiles(profiles), func(o *loader.Options) { o.SetProjectName("nova", true) })
}

func mustCompose(t *testing.T, c *stack.Stack, profiles ...string) *types.Project {
	t.Helper()
	project, err := composed(t, rendered(t, c), environment(t, c), profiles...)
	require.NoError(t, err)
	return project
}

func eachStack(t *testing.T, test func(t *testing.T, c *stack.Stack)) {
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) { test(t, load(t, stack)) })
	}
}

func TestFiles_hold_the_whole_system(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		project := mustCompose(t, c, "all", "monitoring")
		names := slices.Collect(maps.Keys(project.Services))
		for _, s := range catalog.Services() {
			assert.Contains(t, names, s.KubernetesName())
		}
		for _, s := range catalog.Stores() {
			assert.Contains(t, names, s.Name)
			if s.Exporter != nil {
				assert.Contains(t, names, s.Exporter.Name)
			}
		}
		assert.Subset(t, names, []string{"prometheus", "alertmanager", "grafana"})
		assert.Empty(t, project.DisabledServices, "two profiles are everything")
	})
}

func TestFiles_refuse_an_environment_without_a_secret_and_name_it(t *testing.T) {
	c := load(t, "dev")
	files := rendered(t, c)
	for _, secret := range catalog.Secrets() {
		env := environment(t, c)
		env[secret.Key] = ""
		_, err := composed(t, files, env, "all")
		if secret.Optional {
			assert.NoError(t, err, secret.Key)
			continue
		}
		require.ErrorContains(t, err, secret.Key)
		assert.ErrorContains(t, err, "nova env init")
	}
	example, err := envfile.Parse(files[".env.example"])
	require.NoError(t, err)
	_, err = composed(t, files, example, "all")
	assert.Error(t, err, "the example alone starts nothing")
}

func TestContainer_is_confined(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		for name, s := range mustCompose(t, c, "*").Services {
			assert.True(t, s.ReadOnly, "%s: root file system", name)
			assert.Equal(t, []string{"ALL"}, s.CapDrop, name)
			assert.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
			assert.False(t, s.Privileged, name)
			assert.Positive(t, s.Deploy.Resources.Limits.MemoryBytes, name)
			assert.Positive(t, s.Deploy.Resources.Limits.NanoCPUs, name)
			assert.Empty(t, s.EnvFiles, name)
			assert.NotEmpty(t, s.User, name)
			if name != "volumes" {
				assert.NotRegexp(t, "^0", s.User, "%s runs as root", name)
				assert.Empty(t, s.CapAdd, name)
			}
		}
	})
}

func TestPorts_are_published_for_services_and_tools_only(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		project := mustCompose(t, c, "*")
		assert.True(t, project.Networks["backend"].Internal)
		published := map[string]string{"prometheus": "9090", "alertmanager": "9093", "grafana": "3000"}
		for _, s := range c.Services {
			published[s.KubernetesName()] = ""
		}
		for name, s := range project.Services {
			host, expected := published[name]
			assert.Len(t, s.Ports, map[bool]int{true: 1}[expected], name)
			for _, port := range s.Ports {
				assert.Equal(t, "127.0.0.1", port.HostIP, name)
				assert.Equal(t, host, port.Published, name)
			}
			_, edge := s.Networks["edge"]
			assert.Equal(t, expected, edge, "%s has a way out", name)
		}
	})
}

func TestService_can_be_scaled_and_stops_in_its_own_time(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		project := mustCompose(t, c, "*")
		for _, s := range c.Services {
			service := project.Services[s.KubernetesName()]
			assert.Empty(t, service.ContainerName)
			assert.Empty(t, service.Hostname)
			assert.Empty(t, service.Ports[0].Published, "two containers cannot have one port of the machine")
			assert.Equal(t, "unless-stopped", service.Restart)
			assert.Equal(t, "1000:1000", service.User)
			assert.EqualValues(t, c.Shutdown.GracePeriodSeconds(), time.Duration(*service.StopGracePeriod).Seconds())
			assert.Equal(t, types.HealthCheckTest{"CMD", "/usr/local/bin/healthprobe"}, service.HealthCheck.Test)
			assert.Equal(t, s.Health.Ready, *service.Environment["HEALTH_PATH"])
		}
	})
}

func TestService_waits_for_its_stores_and_callees(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		project := mustCompose(t, c, "*")
		for _, s := range c.Services {
			want := map[string]string{}
			for _, need := range s.Needs {
				name := catalog.FindStore(need).Name
				want[name] = "service_healthy"
				if _, setup := project.Services[name+"-setup"]; setup {
					want[name+"-setup"] = "service_completed_successfully"
				}
			}
			for _, callee := range s.Calls {
				want[callee+"-service"] = "service_healthy"
			}
			got := map[string]string{}
			for name, dependency := range project.Services[s.KubernetesName()].DependsOn {
				got[name] = dependency.Condition
				assert.True(t, dependency.Required)
			}
			assert.Equal(t, want, got, s.Name)
		}
		for _, name := range []string{"postgres", "redis", "kafka", "object-store", "clickhouse"} {
			setup := project.Services[name+"-setup"]
			assert.Equal(t, "no", setup.Restart, name)
			assert.Equal(t, "service_healthy", setup.DependsOn[name].Condition)
			assert.Equal(t, "service_completed_successfully", project.Services[name].DependsOn["volumes"].Condition)
		}
	})
}

func TestProfile_is_a_service_with_all_that_it_depends_on(t *testing.T) {
	c := load(t, "dev")
	for profile, want := range map[string][]string{
		"auth":       {"auth-service", "kafka", "kafka-setup", "postgres", "postgres-setup", "redis", "redis-setup", "volumes"},
		"messaging":  {"auth-service", "kafka", "kafka-setup", "messaging-service", "object-store", "object-store-setup", "postgres", "postgres-setup", "redis", "redis-setup", "volumes"},
		"monitoring": {"alertmanager", "elasticsearch-exporter", "grafana", "kafka-exporter", "postgres-exporter", "prometheus", "redis-exporter", "volumes"},
	} {
		assert.Equal(t, want, slices.Sorted(maps.Keys(mustCompose(t, c, profile).Services)), profile)
	}
	for _, s := range c.Services {
		mustCompose(t, c, s.Name, "monitoring")
	}
	assert.Equal(t, "all", environment(t, c)["COMPOSE_PROFILES"])
}

func TestVolumes_have_owners_and_mounted_files_exist(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		files := rendered(t, c)
		project := mustCompose(t, c, "*")
		script := project.Services["volumes"].Entrypoint[2]
		mounted := map[string]bool{}
		for name, s := range project.Services {
			for _, v := range s.Volumes {
				switch v.Type {
				case "bind":
					assert.True(t, v.ReadOnly, name)
					source := strings.TrimPrefix(v.Source, "/deploy/")
					exists := slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(file string) bool {
						return file == source || strings.HasPrefix(file, source+"/")
					})
					assert.True(t, exists, "%s mounts %s", name, source)
					mounted[source] = true
				case "volume":
					assert.Contains(t, project.Volumes, v.Source)
					assert.True(t, v.Volume.NoCopy, "%s: the image would change the owner of %s", name, v.Source)
					if name != "volumes" {
						assert.Contains(t, script, "chown "+s.User+" /volumes/"+v.Source)
					}
				}
			}
		}
		for file := range files {
			if strings.HasPrefix(file, "compose/") {
				assert.True(t, mounted[file], "%s is mounted by nobody", file)
			}
		}
	})
}

func TestContainer_gets_its_own_variables_and_secrets_only(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		env := environment(t, c)
		project := mustCompose(t, c, "*")
		c, err := c.Local()
		require.NoError(t, err)
		for _, s := range c.Services {
			got := project.Services[s.KubernetesName()].Environment
			want := append(slices.Clone(s.Variables), s.Secrets...)
			want = append(want, "HEALTH_PATH")
			want = slices.AppendSeq(want, maps.Keys(s.PortVariables()))
			want = slices.AppendSeq(want, maps.Keys(s.Env))
			for _, use := range s.Buckets {
				want = append(want, use.Variable)
			}
			slices.Sort(want)
			assert.Equal(t, slices.Compact(want), slices.Sorted(maps.Keys(got)), s.Name)
			for _, key := range s.Secrets {
				if value, set := env[key]; set {
					assert.Equal(t, value, *got[key], "%s %s", s.Name, key)
				} else {
					assert.Nil(t, got[key], "%s gets no empty %s", s.Name, key)
				}
			}
			for key, value := range got {
				assert.True(t, value == nil || *value != "", "%s: %s is empty", s.Name, key)
			}
		}
		for name, s := range project.Services {
			for key, value := range s.Environment {
				if value == nil || *value == "" {
					continue
				}
				for _, secret := range catalog.Secrets() {
					if *value == env[secret.Key] {
						receives := slices.ContainsFunc(c.Services, func(s stack.Service) bool {
							return s.KubernetesName() == name && slices.Contains(s.Secrets, secret.Key)
						})
						store := slices.Contains([]string{"postgres", "redis", "clickhouse", "object-store"}, strings.TrimSuffix(strings.TrimSuffix(name, "-exporter"), "-setup"))
						assert.True(t, receives || store, "%s gets %s as %s", name, secret.Key, key)
					}
				}
			}
		}
	})
}

func TestCompose(t *testing.T) {
	t.Run("gives a service the same variables in every stack", func(t *testing.T) {
		want := mustCompose(t, load(t, "dev"), "*").Services
		for _, name := range stacks {
			for service, got := range mustCompose(t, load(t, name), "*").Services {
				assert.Equal(t, slices.Sorted(maps.Keys(want[service].Environment)), slices.Sorted(maps.Keys(got.Environment)), "%s in %s", service, name)
			}
		}
	})
}

func TestFiles_migrate_the_database_before_services_start(t *testing.T) {
	c, err := stacktest.LoadWith("dev", "../../Pulumi.dev.yaml", func(in config.Input) {
		in["migrations"] = map[string]any{"image": "nova-migrations:v1", "serving": []any{"v1.4.0"}}
	})
	require.NoError(t, err)
	project := mustCompose(t, c, "feed")
	migrations := project.Services["migrations"]
	assert.Equal(t, types.PullPolicyNever, migrations.PullPolicy, "the image is local")
	assert.Equal(t, types.RestartPolicyNo, migrations.Restart)
	assert.Equal(t, types.ShellCommand{"migrations", "run", "/migrations/nova", "--deadline", "30m0s", "--setup-wait", "15m0s", "--serving", "v1.4.0"}, migrations.Command)
	assert.Equal(t, environment(t, c)["POSTGRES_MIGRATION_PASSWORD"], *migrations.Environment["PGPASSWORD"])
	assert.Len(t, migrations.Environment, 2, "and the address of the database")
	assert.Equal(t, types.ServiceConditionCompletedSuccessfully, migrations.DependsOn["postgres-setup"].Condition)
	for name, service := range project.Services {
		if strings.HasSuffix(name, "-service") {
			assert.Equal(t, types.ServiceConditionCompletedSuccessfully, service.DependsOn["migrations"].Condition, name)
			continue
		}
		assert.NotContains(t, service.DependsOn, "migrations", name)
	}
	assert.NotContains(t, mustCompose(t, load(t, "dev"), "all").Services, "migrations", "where nobody has an image")
}
