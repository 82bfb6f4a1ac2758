package stack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/monitoring"
	"nova.dev/infra/monitoring/alertmanager"
	"nova.dev/infra/monitoring/slo"
)

func service(t *testing.T, c *stack.Stack, name string) stack.Service {
	t.Helper()
	for _, s := range c.Services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no service %s", name)
	return stack.Service{}
}

func TestStack_files_of_the_repository_are_valid(t *testing.T) {
	for name, want := range map[string]struct {
		environment, image, request, limit string
		replicas                           int
		protected                          bool
	}{
		"dev":     {"development", "nova-auth-service:dev", "256Mi", "512Mi", 1, false},
		"staging": {"staging", "111122223333.dkr.ecr.ap-northeast-1.amazonaws.com/nova/staging/auth-service:v1.0.0", "256Mi", "512Mi", 2, true},
		"prod":    {"production", "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/nova/prod/auth-service:v1.0.0", "512Mi", "1Gi", 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
			require.NoError(t, err)
			require.Len(t, c.Services, 11)
			assert.Equal(t, want.environment, c.Environment)
			assert.Equal(t, want.protected, c.DeletionProtection)
			assert.Equal(t, "nova-backend", c.Namespace)
			for _, s := range c.Services {
				assert.Equal(t, want.replicas, s.Replicas, s.Name)
				assert.Equal(t, config.Quantities{CPU: "100m", Memory: want.request, EphemeralStorage: "64Mi"}, s.Resources.Requests, s.Name)
				assert.Equal(t, config.Quantities{CPU: "500m", Memory: want.limit, EphemeralStorage: "1Gi"}, s.Resources.Limits, s.Name)
			}
			assert.Equal(t, want.image, service(t, c, "auth").Image)
		})
	}
}

func TestStack_that_sets_nothing_is_valid(t *testing.T) {
	c, err := stack.Parse("mine", config.Input{})
	require.NoError(t, err)
	assert.Equal(t, 50, c.Shutdown.GracePeriodSeconds(), "preStop, drain and margin")
	assert.Equal(t, "nova-media-mine", c.CatalogEnvironment().Buckets[catalog.BucketMedia])
}

func TestService_overrides_every_part_of_its_contract(t *testing.T) {
	c, err := parse(t, "s", `
  nova:services:
    auth:
      httpPort: 7000
      replicas: 4
      health: {live: /health, ready: /readiness, startup: /health}
      metricsPath: ""
      needs: [postgres]
      variables: [APP_ENV]
      secrets: [DATABASE_URL]
      env: {FEATURE: "on"}
      class: worker
      disruption: {minAvailable: 3}
      resources: {limits: {memory: 2Gi}}
      image: {repository: registry.example.com/auth, tag: v2}
      buckets: [{bucket: cdn, variable: MY_BUCKET}]
      autoscaling: {enabled: true, maxReplicas: 8, cpuPercent: 60, memoryPercent: 70}
`)
	require.NoError(t, err)
	s := service(t, c, "auth")
	assert.Equal(t, 8000, s.GRPCPort())
	assert.Equal(t, catalog.Health{Startup: "/health", Live: "/health", Ready: "/readiness"}, s.Health)
	assert.Empty(t, s.MetricsPath)
	assert.Equal(t, []catalog.StoreKind{catalog.Postgres}, s.Needs)
	assert.Equal(t, []string{"APP_ENV"}, s.Variables)
	assert.Equal(t, []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL"}, s.Secrets, "a store in the cluster opens by key")
	assert.Equal(t, "on", s.Env["FEATURE"])
	assert.Equal(t, catalog.ClassWorker, s.Class)
	assert.Equal(t, 3, *s.Disruption.MinAvailable)
	assert.Equal(t, "2Gi", s.Resources.Limits.Memory)
	assert.Equal(t, "256Mi", s.Resources.Requests.Memory, "what is not set is inherited")
	assert.Equal(t, "registry.example.com/auth:v2", s.Image)
	assert.Equal(t, 4, s.Autoscaling.MinReplicas, "the replica count is the lower bound")
	assert.Equal(t, []catalog.BucketUse{{Bucket: catalog.BucketCDN, Variable: "MY_BUCKET", Actions: []string{"s3:PutObject"}}}, s.Buckets)
	assert.Equal(t, "http://auth-service.nova-backend.svc.cluster.local:8000", c.VariableValues()["GRPC_AUTH_SERVICE_URL"])
}

func TestService_has_the_resources_of_its_class(t *testing.T) {
	c, err := parse(t, "s", "  nova:resources: {media: {limits: {cpu: '2'}}}\n")
	require.NoError(t, err)
	for _, s := range c.Services {
		want := "500m"
		if s.Class == catalog.ClassMedia {
			want = "2"
		}
		assert.Equal(t, want, s.Resources.Limits.CPU, s.Name)
	}
}

func TestLists_and_maps_replace_the_defaults(t *testing.T) {
	c, err := parse(t, "mine", "  nova:network: {private: [10.0.0.0/8], dns: {labels: {}}, prometheus: {namespace: watch, labels: {app: p}}}\n")
	require.NoError(t, err)
	assert.Equal(t, []string{"10.0.0.0/8"}, c.Network.Private)
	assert.Equal(t, config.Peer{Namespace: "watch", Labels: map[string]string{"app": "p"}}, c.Network.Prometheus)
	assert.Empty(t, c.Network.DNS.Labels, "every pod of the namespace")
	assert.Equal(t, "ingress-nginx", c.Network.Ingress.Labels["app.kubernetes.io/name"], "said nothing of")
}

func TestImage_has_the_digest_and_the_tag(t *testing.T) {
	digest := "sha256:" + fmt.Sprintf("%064x", 7)
	c, err := parse(t, "s", released+"  nova:services: {auth: {image: {digest: '"+digest+"'}}}\n")
	require.NoError(t, err)
	assert.Equal(t, "registry.example.com/nova/auth-service:v1.4.0@"+digest, service(t, c, "auth").Image)
}

func TestService_that_is_disabled_is_gone(t *testing.T) {
	c, err := parse(t, "s", "  nova:services: {events: {enabled: false}}\n")
	require.NoError(t, err)
	assert.Len(t, c.Services, 10)
}

func TestVariables_follow_headless_discovery(t *testing.T) {
	c, err := parse(t, "s", "  nova:grpc: {discovery: headless}\n")
	require.NoError(t, err)
	assert.Equal(t, "http://media-service-headless.nova-backend.svc.cluster.local:9082", c.VariableValues()["MEDIA_SERVICE_GRPC_URL"])
}

func TestParse_reads_the_text_of_the_engine_like_the_file(t *testing.T) {
	secret := map[string]bool{"nova:secrets": true}
	input := config.FromStrings(map[string]string{
		"nova:replicas":           "3",
		"nova:deletionProtection": "true",
		"nova:disruption":         `{"minAvailable":2}`,
		"nova:secrets":            `{"SMTP_PASSWORD":"hunter2"}`,
		"aws:region":              "us-east-1",
	}, func(key string) bool { return secret[key] })
	c, err := stack.Parse("s", input)
	require.NoError(t, err)
	assert.Equal(t, 3, c.Replicas)
	assert.True(t, c.DeletionProtection)
	assert.Equal(t, 2, *service(t, c, "auth").Disruption.MinAvailable)
	value, known := c.Secrets["SMTP_PASSWORD"].Reveal()
	assert.True(t, known)
	assert.Equal(t, "hunter2", value)
}

func TestSecrets_are_checked_and_never_shown(t *testing.T) {
	for key, value := range map[string]string{
		"JWT_SECRET":                    "hunter2",
		"JWT_PRIVATE_KEY_PEM":           "hunter2",
		"MESSAGE_ENCRYPTION_MASTER_KEY": "hunter2",
		"SMTP_PASSWORD":                 " ",
	} {
		t.Run(key, func(t *testing.T) {
			_, err := stack.Parse("s", config.Input{"secrets": map[string]any{key: config.NewSecret(value)}})
			require.ErrorContains(t, err, "nova:secrets."+key+": Invalid value: [secret]")
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestSecret_prints_as_a_mask_in_every_form(t *testing.T) {
	s := config.NewSecret("hunter2")
	text, err := json.Marshal(map[string]any{"s": s})
	require.NoError(t, err)
	for _, shown := range []string{string(text), fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q", s, s, s, s)} {
		assert.NotContains(t, shown, "hunter2")
	}
}

func TestMonitoringSettings_take_the_numbers_of_the_stack(t *testing.T) {
	c, err := parse(t, "blue", `
  nova:services: {cdn: {metricsPath: ""}}
  nova:monitoring:
    mode: existing
    slo: {errorHigh: 4, p99: {alert: 2s}}
    limits: {kafkaBrokers: 2, redisMemory: 75.5}
    services: {feed: {team: feeds, slo: {objective: "99.5"}}}
    labels: {rules: {release: main}}
    receivers: [{kind: slack, severity: warning, team: feeds, secret: {name: alerting, key: slack}}]
    timing: {repeatWarning: 24h}
`)
	require.NoError(t, err)
	s := c.MonitoringSettings()
	require.NoError(t, s.Validate())
	all := slo.Default().With(s.SLO)
	want := slo.Default()
	want.ErrorHigh, want.P99.Alert = 4, 2*time.Second
	assert.Equal(t, want, all, "what is not set is the record's")
	want.Objective = 99.5
	assert.Equal(t, want, all.With(s.ServiceSLOs["feed"]))
	assert.Equal(t, map[string]string{"feed": "feeds"}, s.Teams)
	limits := slo.DefaultDependencies()
	limits.KafkaBrokers, limits.RedisMemory = 2, 75.5
	assert.Equal(t, limits, s.Limits)
	assert.Equal(t, map[string]string{"release": "main"}, s.Labels.Rules)
	assert.Equal(t, []alertmanager.Receiver{{
		Kind: alertmanager.Slack, Severity: "warning", Team: "feeds", Secret: alertmanager.Secret{Name: "alerting", Key: "slack"},
	}}, s.Receivers)
	assert.Equal(t, 24*time.Hour, s.Timing.RepeatWarning)
	assert.Equal(t, 10*time.Second, s.Intervals.Services)
	assert.Equal(t, "blue", s.Environment)
	assert.Contains(t, strings.Join(s.Notes(), "\n"), "cdn-service exports no metrics")
}

func TestReceivers_are_set_outside_of_development(t *testing.T) {
	for name, told := range map[string][]string{
		"dev": nil, "staging": {"critical", "warning", "watchdog"}, "prod": {"critical", "warning", "watchdog"},
	} {
		c, err := stacktest.Load(name, "../../Pulumi."+name+".yaml")
		require.NoError(t, err)
		assert.Equal(t, config.MonitoringExisting, c.Monitoring.Mode, name)
		var severities []string
		for _, r := range c.Monitoring.Receivers {
			severities = append(severities, r.Severity)
			assert.NotEmpty(t, r.Secret.Name, "%s: an address in the clear", name)
		}
		assert.Equal(t, told, severities, name)
	}
}

func TestProfile(t *testing.T) {
	c, err := parse(t, "s", "  nova:profile: commit-94b91e29\n  nova:services: {cdn: {metricsPath: /stats}, auth: {health: {live: tcp}}, content: {unmeasured: false}}\n")
	require.NoError(t, err)
	t.Run("has the deviations of its code", func(t *testing.T) {
		assert.Empty(t, service(t, c, "search").MetricsPath)
		assert.Equal(t, "/ready", service(t, c, "events").Health.Ready)
	})
	t.Run("is overridden by the stack", func(t *testing.T) {
		assert.Equal(t, "/stats", service(t, c, "cdn").MetricsPath)
		assert.Equal(t, catalog.Health{Startup: "/health", Live: "tcp", Ready: "/readiness"}, service(t, c, "auth").Health)
		assert.False(t, service(t, c, "content").Unmeasured)
	})
	t.Run("is kept by the stack under Compose", func(t *testing.T) {
		local, err := c.Local()
		require.NoError(t, err)
		assert.Equal(t, service(t, c, "messaging").Aliases, service(t, local, "messaging").Aliases)
	})
	t.Run("pages nobody for what its code does not export", func(t *testing.T) {
		settings := c.MonitoringSettings()
		settings.Kubernetes = true
		var rules strings.Builder
		for _, group := range monitoring.Rules(settings) {
			for _, rule := range group.Rules {
				fmt.Fprintln(&rules, rule.Alert, rule.Labels, rule.Expr.StrVal)
			}
		}
		for _, name := range []string{"search-service", "events-service", "user-service"} {
			for _, target := range monitoring.Scraping(settings).Services {
				assert.NotEqual(t, name, target.Name)
			}
			assert.NotContains(t, rules.String(), `up{app="`+name, "it has no target")
			assert.Contains(t, strings.Join(settings.Notes(), "\n"), name+" exports no metrics")
		}
	})
}
