package render_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/envfile"
	"nova.dev/infra/internal/stack"
)

// The parts of the files that must agree, as their readers take them.
type (
	composeFile struct {
		Services map[string]composeService `json:"services"`
	}
	composeService struct {
		Environment map[string]*string `json:"environment"`
		Expose      []string           `json:"expose"`
		Ports       []struct {
			Target int `json:"target"`
		} `json:"ports"`
		Image  string `json:"image"`
		Deploy struct {
			Resources struct {
				Limits struct {
					CPUs   float64 `json:"cpus"`
					Memory string  `json:"memory"`
				} `json:"limits"`
			} `json:"resources"`
		} `json:"deploy"`
	}
	prometheusFile struct {
		ScrapeConfigs []struct {
			MetricsPath string `json:"metrics_path"`
			DNS         []struct {
				Names []string `json:"names"`
				Port  int      `json:"port"`
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	externalSecret struct {
		Spec struct {
			Data []struct {
				SecretKey string `json:"secretKey"`
			} `json:"data"`
			Target struct {
				Template struct {
					Data map[string]string `json:"data"`
				} `json:"template"`
			} `json:"target"`
		} `json:"spec"`
	}
)

// surfaces are everything that says something about the services.
type surfaces struct {
	compose     composeFile
	deployments map[string]appsv1.Deployment
	services    map[string]corev1.Service
	variables   map[string]string
	secretKeys  map[string]bool
	example     map[string]string
	targets     map[string]int
	wrong       []string
}

func (s *surfaces) check(ok bool, format string, args ...any) {
	if !ok {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

func read(t *testing.T, files map[string][]byte) *surfaces {
	t.Helper()
	s := &surfaces{
		deployments: map[string]appsv1.Deployment{}, services: map[string]corev1.Service{},
		secretKeys: map[string]bool{}, targets: map[string]int{},
	}
	for name, text := range files {
		if !strings.HasPrefix(name, "kubernetes/") {
			continue
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var kind struct {
				Kind string `json:"kind"`
			}
			require.NoError(t, yaml.Unmarshal(document, &kind), name)
			switch kind.Kind {
			case "Deployment":
				var d appsv1.Deployment
				require.NoError(t, yaml.UnmarshalStrict(document, &d), name)
				s.deployments[d.Name] = d
			case "Service":
				var service corev1.Service
				require.NoError(t, yaml.UnmarshalStrict(document, &service), name)
				s.services[service.Name] = service
			case "ConfigMap":
				var m corev1.ConfigMap
				require.NoError(t, yaml.UnmarshalStrict(document, &m), name)
				if m.Name == "nova-backend-config" {
					s.variables = m.Data
				}
			case "Secret":
				var secret corev1.Secret
				require.NoError(t, yaml.UnmarshalStrict(document, &secret), name)
				for key := range secret.StringData {
					s.secretKeys[key] = true
				}
			case "ExternalSecret":
				var secret externalSecret
				require.NoError(t, yaml.Unmarshal(document, &secret), name)
				for _, each := range secret.Spec.Data {
					s.secretKeys[each.SecretKey] = true
				}
				for key := range secret.Spec.Target.Template.Data {
					s.secretKeys[key] = true
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(files["docker-compose.yml"], &s.compose))
	var err error
	s.example, err = envfile.Parse(files[".env.example"])
	require.NoError(t, err)
	var prometheus prometheusFile
	require.NoError(t, yaml.Unmarshal(files["prometheus/prometheus.yml"], &prometheus))
	for _, scrape := range prometheus.ScrapeConfigs {
		for _, target := range scrape.DNS {
			s.targets[target.Names[0]] = target.Port
		}
	}
	return s
}

// disagreements compares all surfaces with the catalogue and one another.
func disagreements(t *testing.T, c *stack.Stack, files map[string][]byte) []string {
	s := read(t, files)
	for _, service := range c.Services {
		s.service(c, service)
	}
	for _, store := range catalog.Stores() {
		s.check(slices.Contains(s.compose.Services[store.Name].Expose, fmt.Sprint(store.Port)), "compose: %s has no port %d", store.Name, store.Port)
		name, port := store.Name, store.MetricsPort
		if store.Exporter != nil {
			name, port = store.Exporter.Name, store.Exporter.Port
			s.check(s.servicePort(name, "metrics") == port, "manifests: %s has no port %d", name, port)
		}
		if port != 0 {
			s.check(slices.Contains(s.compose.Services[name].Expose, fmt.Sprint(port)), "compose: %s has no port %d", name, port)
			s.check(s.targets[name] == port, "prometheus: %s is not scraped at %d", name, port)
		}
	}
	s.keys()
	for target := range s.targets {
		_, runs := s.compose.Services[target]
		s.check(runs, "prometheus: %s is scraped and not in the compose file", target)
	}
	return s.wrong
}

func (s *surfaces) servicePort(service, port string) int {
	for _, p := range s.services[service].Spec.Ports {
		if p.Name == port {
			return int(p.Port)
		}
	}
	return 0
}

func (s *surfaces) service(c *stack.Stack, service stack.Service) {
	name, http, grpc := service.KubernetesName(), service.HTTPPort, service.HTTPPort+1000
	composed, inCompose := s.compose.Services[name]
	deployment, inManifests := s.deployments[name]
	s.check(inCompose, "compose: %s is missing", name)
	s.check(inManifests, "manifests: Deployment %s is missing", name)
	if !inCompose || !inManifests {
		return
	}
	s.check(len(composed.Ports) == 1 && composed.Ports[0].Target == http, "compose: %s does not publish %d", name, http)
	s.check(slices.Contains(composed.Expose, fmt.Sprint(grpc)), "compose: %s does not expose %d", name, grpc)
	for _, object := range []string{name, name + "-headless"} {
		s.check(s.servicePort(object, "http") == http && s.servicePort(object, "grpc") == grpc, "manifests: Service %s has other ports than %d and %d", object, http, grpc)
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	s.check(len(container.Ports) == 2 && int(container.Ports[0].ContainerPort) == http && int(container.Ports[1].ContainerPort) == grpc, "manifests: the container of %s has other ports than %d and %d", name, http, grpc)

	prefix := strings.ToUpper(service.Name)
	short := fmt.Sprintf("http://%s:%d", name, grpc)
	long := fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", name, c.Namespace, grpc)
	for key, want := range map[string][2]string{
		prefix + "_SERVICE_HTTP_PORT":     {fmt.Sprint(http), fmt.Sprint(http)},
		"GRPC_" + prefix + "_SERVICE_URL": {short, long},
	} {
		s.check(s.example[key] == want[0], ".env.example: %s is %q", key, s.example[key])
		s.check(s.variables[key] == want[1], "manifests: %s is %q", key, s.variables[key])
	}

	listed := map[string]bool{}
	for _, env := range container.Env {
		listed[env.Name] = true
		value, inCompose := composed.Environment[env.Name]
		s.check(inCompose, "compose: %s lacks %s", name, env.Name)
		switch {
		case env.ValueFrom == nil:
			s.check(inCompose && value != nil && *value == env.Value, "%s: %s differs between manifests and compose", name, env.Name)
		case env.ValueFrom.ConfigMapKeyRef != nil:
			_, exists := s.variables[env.ValueFrom.ConfigMapKeyRef.Key]
			s.check(exists, "manifests: %s reads %s, which the ConfigMap has not", name, env.ValueFrom.ConfigMapKeyRef.Key)
		case env.ValueFrom.SecretKeyRef != nil:
			s.check(s.secretKeys[env.ValueFrom.SecretKeyRef.Key], "manifests: %s reads %s, which no Secret has", name, env.ValueFrom.SecretKeyRef.Key)
		}
	}
	for key := range composed.Environment {
		secret, _ := catalog.FindSecret(key)
		// A cluster may have no value of these: an optional one, or the keys of
		// an object store where pods have roles.
		absent := secret.Key != "" && !s.secretKeys[key] || secret.Store == catalog.ObjectStorage && !c.InCluster(catalog.ObjectStorage)
		if value, variable := s.variables[key]; variable && value == "" {
			absent = true
			s.check(!listed[key], "manifests: %s gets %s, which is empty", name, key)
		}
		s.check(listed[key] || key == "HEALTH_PATH" || absent, "manifests: %s lacks %s", name, key)
	}
	if service.MetricsPath != "" {
		s.check(s.targets[name] == http, "prometheus: %s is not scraped at %d", name, http)
	}
}

var reference = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)`)

// keys compares the sets of variables.
func (s *surfaces) keys() {
	for key := range s.variables {
		_, explained := s.example[key]
		s.check(explained, ".env.example: %s of the ConfigMap is missing", key)
	}
	for key := range s.example {
		_, variable := s.variables[key]
		_, secret := catalog.FindSecret(key)
		s.check(variable || secret || key == "COMPOSE_PROFILES", ".env.example: %s is in no ConfigMap and no Secret", key)
	}
	for key := range s.secretKeys {
		_, explained := s.example[strings.TrimSuffix(key, "_PREVIOUS")]
		s.check(explained, ".env.example: secret %s is missing", key)
	}
	for name, service := range s.compose.Services {
		for key, value := range service.Environment {
			if value == nil {
				_, explained := s.example[key]
				s.check(explained, ".env.example: %s of %s is missing", key, name)
				continue
			}
			for _, match := range reference.FindAllStringSubmatch(*value, -1) {
				_, explained := s.example[match[1]]
				s.check(explained, ".env.example: %s of %s is missing", match[1], name)
			}
		}
	}
}

func TestTree_agrees_on_every_surface(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		assert.Empty(t, disagreements(t, c, rendered(t, c)))
	})
	moved, err := stack.Parse("dev", config.Input{"services": map[string]any{
		"auth": map[string]any{"httpPort": 8183, "metricsPath": "", "calls": []any{}},
	}})
	require.NoError(t, err)
	assert.Empty(t, disagreements(t, moved, rendered(t, moved)), "an overridden port reaches everything")
}

func TestDisagreements_are_found_on_every_surface(t *testing.T) {
	c := load(t, "dev")
	for _, change := range []struct{ file, from, to string }{
		{"docker-compose.yml", "target: 8083", "target: 8099"},
		{"docker-compose.yml", `- "9083"`, `- "9099"`},
		{"docker-compose.yml", "  auth-service:\n    profiles", "  auth:\n    profiles"},
		{"docker-compose.yml", `SERVER_PORT: "8083"`, `SERVER_PORT: "8099"`},
		{"docker-compose.yml", "      JWT_SECRET:", "      JWT_SECRETS:"},
		{"docker-compose.yml", "${RUST_LOG-", "${RUSTLOG-"},
		{"docker-compose.yml", `- "9187"`, `- "9188"`},
		{"docker-compose.yml", `- "6379"`, `- "6380"`},
		{"kubernetes/30-auth-service.yaml", "containerPort: 8083", "containerPort: 8099"},
		{"kubernetes/30-auth-service.yaml", "port: 9083\n    protocol: TCP\n    targetPort: grpc\n  selector", "port: 9099\n    protocol: TCP\n    targetPort: grpc\n  selector"},
		{"kubernetes/30-auth-service.yaml", "- name: KAFKA_BROKERS", "- name: KAFKA_BROKER"},
		{"kubernetes/30-auth-service.yaml", "key: KAFKA_BROKERS", "key: KAFKA_BROKER"},
		{"kubernetes/30-auth-service.yaml", "value: \"8083\"", "value: \"8099\""},
		{"kubernetes/31-user-service.yaml", "key: JWT_SECRET", "key: JWT_SECRETS"},
		{"kubernetes/10-configuration.yaml", "  KAFKA_BROKERS:", "  KAFKA_BROKER:"},
		{"kubernetes/10-configuration.yaml", "AUTH_SERVICE_HTTP_PORT: \"8083\"", "AUTH_SERVICE_HTTP_PORT: \"8099\""},
		{"kubernetes/11-secrets.yaml", "  JWT_SECRET:", "  JWT_SECRETS:"},
		{"kubernetes/20-postgres-exporter.yaml", "port: 9187", "port: 9188"},
		{".env.example", "\nKAFKA_BROKERS=", "\nKAFKA_BROKER="},
		{".env.example", "AUTH_SERVICE_HTTP_PORT=8083", "AUTH_SERVICE_HTTP_PORT=8099"},
		{".env.example", "auth-service:9083", "auth-service:9099"},
		{".env.example", "\nJWT_SECRET=", "\nJWT_SECRETS="},
		{"prometheus/prometheus.yml", "port: 8083", "port: 8099"},
		{"prometheus/prometheus.yml", "- auth-service", "- auth"},
		{"prometheus/prometheus.yml", "port: 9187", "port: 9188"},
	} {
		files := maps.Clone(rendered(t, c))
		changed := strings.Replace(string(files[change.file]), change.from, change.to, 1)
		require.NotEqual(t, string(files[change.file]), changed, "%s has no %q", change.file, change.from)
		files[change.file] = []byte(changed)
		assert.NotEmpty(t, disagreements(t, c, files), "%s with %q", change.file, change.to)
	}
}

// podTemplates are the pods of rendered manifests, by name of the workload.
func podTemplates(t *testing.T, files map[string][]byte) map[string]corev1.PodTemplateSpec {
	t.Helper()
	pods := map[string]corev1.PodTemplateSpec{}
	for name, text := range files {
		if !strings.HasPrefix(name, "kubernetes/") {
			continue
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var object struct {
				Kind     string            `json:"kind"`
				Metadata metav1.ObjectMeta `json:"metadata"`
				Spec     struct {
					Template corev1.PodTemplateSpec `json:"template"`
				} `json:"spec"`
			}
			require.NoError(t, yaml.Unmarshal(document, &object), name)
			if slices.Contains([]string{"Deployment", "StatefulSet", "Job"}, object.Kind) {
				pods[object.Metadata.Name] = object.Spec.Template
			}
		}
	}
	return pods
}

func TestManifestsAndCompose(t *testing.T) {
	eachStack(t, func(t *testing.T, s *stack.Stack) {
		files := rendered(t, s)
		pods := podTemplates(t, files)
		require.NotEmpty(t, pods)
		project := read(t, files).compose
		t.Run("give a container the same limits", func(t *testing.T) {
			for name, pod := range pods {
				limits := pod.Spec.Containers[0].Resources.Limits
				composed := project.Services[name].Deploy.Resources.Limits
				assert.InDelta(t, limits.Cpu().AsApproximateFloat64(), composed.CPUs, 1e-6, name)
				assert.Equal(t, fmt.Sprint(limits.Memory().Value()), composed.Memory, name)
			}
		})
		t.Run("run the same image", func(t *testing.T) {
			for name, pod := range pods {
				assert.Equal(t, pod.Spec.Containers[0].Image, project.Services[name].Image, name)
			}
		})
	})
}
