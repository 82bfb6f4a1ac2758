package tests

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

var update = flag.Bool("update", false, "rewrite golden files")

var stacks = []string{"dev", "staging", "prod"}

// eachStack runs a test for every stack, as an update and as a preview.
func eachStack(t *testing.T, test func(t *testing.T, c *stack.Stack, all []recorded, dryRun bool)) {
	for _, stack := range stacks {
		for _, dryRun := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/dryRun=%t", stack, dryRun), func(t *testing.T) {
				c := load(t, stack)
				test(t, c, declare(t, c, dryRun), dryRun)
			})
		}
	}
}

// as decodes a resource's inputs into the upstream type, refusing fields that
// do not exist.
func as[T any](t *testing.T, r recorded) T {
	t.Helper()
	text, err := json.Marshal(unwrap(r.inputs))
	require.NoError(t, err)
	var object T
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&object), r.urn)
	return object
}

// unwrap drops the marks of secrets, and what is not known yet.
func unwrap(m resource.PropertyMap) map[string]any {
	return m.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
		switch {
		case v.IsSecret():
			if v.SecretValue().Element.IsObject() {
				return unwrap(v.SecretValue().Element.ObjectValue()), true
			}
			return v.SecretValue().Element.V, true
		case v.IsComputed():
			return nil, true
		case v.IsOutput():
			return nil, true
		}
		return nil, false
	})
}

// kinds are what each stack declares, by kind.
var kinds = map[string]map[string]int{
	"dev": {
		"nova InfraStack": 1, "nova Namespace": 1, "nova Secrets": 1, "nova Configuration": 1, "nova Network": 1, "nova Quota": 1, "nova Priorities": 1,
		"nova NovaService": 11, "nova MonitoringStack": 1, "nova Exporter": 4, "nova Store": 6,
		"ConfigMap": 16, "Deployment": 15, "Job": 5, "LimitRange": 1, "Namespace": 1, "NetworkPolicy": 29,
		"PodDisruptionBudget": 17, "PriorityClass": 2, "PrivateKey": 1, "RandomBytes": 1, "RandomPassword": 13,
		"ResourceQuota": 1, "Secret": 1, "Service": 38, "ServiceAccount": 21, "StatefulSet": 6,
		"kubernetes": 1, "random": 1, "tls": 1, "Stack": 1,
		"PrometheusRule": 1, "PodMonitor": 11, "ServiceMonitor": 5, "AlertmanagerConfig": 1,
	},
	"staging": {
		"nova InfraStack": 1, "nova Namespace": 1, "nova Secrets": 1, "nova Configuration": 1, "nova Network": 1, "nova Quota": 1, "nova Priorities": 1,
		"nova NovaService": 11, "nova MonitoringStack": 1, "nova Exporter": 4, "nova Store": 5, "nova Backups": 1, "nova ObjectStorage": 1, "nova PublicAPI": 1,
		"BucketCorsConfigurationV2": 3, "BucketLifecycleConfigurationV2": 5, "BucketOwnershipControls": 5, "BucketPolicy": 5,
		"BucketPublicAccessBlock": 5, "BucketServerSideEncryptionConfigurationV2": 5, "BucketV2": 5, "BucketVersioningV2": 5,
		"LifecyclePolicy": 11, "Repository": 11, "Role": 5, "RolePolicy": 5, "User": 1, "UserPolicy": 1, "AccessKey": 1, "Distribution": 1, "OriginAccessControl": 1,
		"ConfigMap": 17, "CronJob": 3, "Deployment": 15, "Gateway": 1, "Certificate": 1, "HTTPRoute": 4, "Job": 4, "LimitRange": 1,
		"Namespace": 1, "NetworkPolicy": 31, "PodDisruptionBudget": 16, "PriorityClass": 2, "PrivateKey": 1,
		"RandomBytes": 1, "RandomPassword": 13, "ResourceQuota": 1, "Secret": 1, "Service": 36, "ServiceAccount": 21, "StatefulSet": 5,
		"aws": 1, "kubernetes": 1, "random": 1, "tls": 1, "Stack": 1,
		"PrometheusRule": 1, "PodMonitor": 11, "ServiceMonitor": 5, "AlertmanagerConfig": 1,
	},
	"prod": {
		"nova InfraStack": 1, "nova Namespace": 1, "nova Secrets": 1, "nova Configuration": 1, "nova Network": 1, "nova Quota": 1, "nova Priorities": 1,
		"nova NovaService": 11, "nova MonitoringStack": 1, "nova Exporter": 4, "nova ExternalStore": 4, "nova ObjectStorage": 1, "nova PublicAPI": 1,
		"BucketCorsConfigurationV2": 3, "BucketLifecycleConfigurationV2": 4, "BucketOwnershipControls": 4, "BucketPolicy": 4,
		"BucketPublicAccessBlock": 4, "BucketServerSideEncryptionConfigurationV2": 4, "BucketV2": 4, "BucketVersioningV2": 4,
		"LifecyclePolicy": 11, "Repository": 11, "Role": 4, "RolePolicy": 4, "User": 1, "UserPolicy": 1, "AccessKey": 1, "Distribution": 1, "OriginAccessControl": 1,
		"ConfigMap": 6, "Deployment": 15, "ExternalSecret": 1, "Ingress": 3, "Gateway": 1, "Certificate": 1, "HTTPRoute": 4, "LimitRange": 1,
		"Namespace": 1, "NetworkPolicy": 19, "PodDisruptionBudget": 11, "PriorityClass": 2, "PrivateKey": 1,
		"RandomBytes": 1, "RandomPassword": 13, "ResourceQuota": 1, "Secret": 1, "Service": 30, "ServiceAccount": 15,
		"aws": 1, "kubernetes": 1, "random": 1, "tls": 1, "Stack": 1,
		"PrometheusRule": 1, "PodMonitor": 11, "ServiceMonitor": 4, "AlertmanagerConfig": 1,
	},
}

func TestStack_declares_its_resources(t *testing.T) {
	for _, stack := range stacks {
		for _, dryRun := range []bool{false, true} {
			got := map[string]int{}
			for _, r := range declare(t, load(t, stack), dryRun) {
				kind := r.typ[strings.LastIndex(r.typ, ":")+1:]
				if strings.HasPrefix(r.typ, "nova:platform:") {
					kind = "nova " + kind
				}
				got[kind]++
			}
			got["Stack"] = 1 // The mocks may or may not be told of it.
			assert.Equal(t, kinds[stack], got, "%s, dryRun=%t", stack, dryRun)
			t.Logf("%s: %v", stack, got)
		}
	}
}

// services are the Deployments of the 11 services.
func services(all []recorded) []recorded {
	return slices.DeleteFunc(ofKind(all, "Deployment"), func(r recorded) bool { return !strings.HasSuffix(r.name, "-service") })
}

func TestURNs(t *testing.T) {
	for _, stack := range stacks {
		all := declare(t, load(t, stack), false)
		t.Run(stack+"/do not change by accident", func(t *testing.T) {
			var urns []string
			for _, r := range all {
				urns = append(urns, r.urn)
			}
			slices.Sort(urns)
			got := strings.Join(urns, "\n") + "\n"
			golden := "testdata/urns." + stack + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got, "a renamed resource is deleted and created again: give it an alias, then run the test with -update")
		})
		t.Run(stack+"/of resources that moved are aliases", func(t *testing.T) {
			before, err := os.ReadFile("testdata/urns." + stack + ".before.golden")
			require.NoError(t, err)
			owners := map[string][]string{}
			for _, r := range all {
				owners[r.urn] = append(owners[r.urn], r.urn)
				for _, alias := range r.aliases {
					if alias != r.urn {
						owners[alias] = append(owners[alias], r.urn)
					}
				}
			}
			for _, urn := range strings.Fields(string(before)) {
				assert.Len(t, owners[urn], 1, "%s would be replaced", urn)
			}
		})
	}
}

func TestResources_have_a_component_and_an_explicit_provider(t *testing.T) {
	eachStack(t, func(t *testing.T, _ *stack.Stack, all []recorded, _ bool) {
		for _, r := range all {
			switch {
			case strings.HasPrefix(r.typ, "pulumi:providers:"), strings.HasPrefix(r.typ, "nova:platform:"), r.typ == "pulumi:pulumi:Stack":
				continue
			}
			assert.Contains(t, r.parent, "nova:platform:", "%s has no component", r.urn)
			pkg, _, _ := strings.Cut(r.typ, ":")
			assert.Contains(t, r.provider, "pulumi:providers:"+pkg+"::"+pkg, "%s uses a default provider", r.urn)
		}
	})
}

func TestProtection_covers_what_holds_data(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack, all []recorded, _ bool) {
		held := 0
		for _, r := range all {
			data := strings.HasPrefix(r.typ, "random:") || strings.HasPrefix(r.typ, "tls:") || r.typ == "kubernetes:core/v1:Namespace" || keptInAWS[r.typ]
			if data && !keptInAWS[r.typ] {
				held++
			}
			assert.Equal(t, data && c.DeletionProtection, r.protect, r.urn)
			assert.Equal(t, data && c.DeletionProtection, r.retain, r.urn)
		}
		assert.Equal(t, 16, held)
	})
}

func TestPods_meet_Pod_Security_restricted_and_our_baseline(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	eachStack(t, func(t *testing.T, c *stack.Stack, all []recorded, _ bool) {
		for name, template := range podTemplates(t, all) {
			for _, result := range evaluator.EvaluatePod(psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}, &template.ObjectMeta, &template.Spec) {
				assert.True(t, result.Allowed, "%s: %s: %s", name, result.ForbiddenReason, result.ForbiddenDetail)
			}
			assert.False(t, *template.Spec.AutomountServiceAccountToken, name)
			assert.False(t, *template.Spec.EnableServiceLinks, name)
			assert.NotEmpty(t, template.Spec.ServiceAccountName, name)
			for _, container := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
				assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, name)
				assert.NotContains(t, container.Image, ":latest")
				for _, kind := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
					assert.Contains(t, container.Resources.Requests, kind, name)
					assert.Contains(t, container.Resources.Limits, kind, name)
				}
			}
			for _, volume := range template.Spec.Volumes {
				assert.True(t, volume.EmptyDir == nil || volume.EmptyDir.SizeLimit != nil, "%s: %s grows without bound", name, volume.Name)
			}
		}
		for _, r := range services(all) {
			template := as[appsv1.Deployment](t, r).Spec.Template
			pod, container := template.Spec, template.Spec.Containers[0]
			assert.EqualValues(t, 1000, *pod.SecurityContext.RunAsUser)
			assert.NotEqual(t, container.LivenessProbe.HTTPGet.Path, container.ReadinessProbe.HTTPGet.Path)
			assert.NotEqual(t, container.StartupProbe.HTTPGet.Path, container.LivenessProbe.HTTPGet.Path)
			assert.EqualValues(t, 10, container.Lifecycle.PreStop.Sleep.Seconds)
			assert.Greater(t, *pod.TerminationGracePeriodSeconds, container.Lifecycle.PreStop.Sleep.Seconds+30)
			assert.Len(t, pod.TopologySpreadConstraints, 2)
			if c.Guarded() {
				assert.NotContains(t, container.Image, ":latest")
			}
		}
	})
}

func TestNovaService_update_removes_no_pod_early(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack, all []recorded, _ bool) {
		for _, r := range services(all) {
			spec := as[appsv1.Deployment](t, r).Spec
			assert.EqualValues(t, c.Replicas, *spec.Replicas)
			assert.Zero(t, spec.Strategy.RollingUpdate.MaxUnavailable.IntValue())
			assert.Equal(t, map[string]string{"app.kubernetes.io/name": r.name}, spec.Selector.MatchLabels)
			for key, value := range spec.Selector.MatchLabels {
				assert.Equal(t, value, spec.Template.Labels[key])
			}
		}
	})
}

func TestNovaService_is_reached_on_both_ports_and_by_pod(t *testing.T) {
	eachStack(t, func(t *testing.T, _ *stack.Stack, all []recorded, _ bool) {
		for _, s := range catalog.Services() {
			for name, clusterIP := range map[string]string{s.KubernetesName(): "", s.HeadlessName(): "None"} {
				spec := as[corev1.Service](t, find(t, all, "Service", name)).Spec
				assert.Equal(t, clusterIP, spec.ClusterIP)
				assert.EqualValues(t, s.HTTPPort, spec.Ports[0].Port)
				assert.EqualValues(t, s.HTTPPort+1000, spec.Ports[1].Port)
				assert.Equal(t, "kubernetes.io/h2c", *spec.Ports[1].AppProtocol)
			}
		}
	})
}

func TestConfigMap_holds_every_plain_key_and_no_secret(t *testing.T) {
	eachStack(t, func(t *testing.T, _ *stack.Stack, all []recorded, dryRun bool) {
		inputs := find(t, all, "ConfigMap", "nova-backend-config").inputs["data"].ObjectValue()
		for _, v := range catalog.Variables() {
			assert.Contains(t, inputs, resource.PropertyKey(v.Key))
		}
		for _, s := range catalog.Secrets() {
			assert.NotContains(t, inputs, resource.PropertyKey(s.Key))
		}
		for key, value := range inputs {
			assert.False(t, value.ContainsSecrets(), key)
			if !dryRun {
				assert.NotContains(t, value.StringValue(), "generated-", key)
			}
		}
	})
}

func TestConfigHash_depends_only_on_what_the_service_receives(t *testing.T) {
	before := configHashes(t, parse(t, "  nova:replicas: 1\n"))
	after := configHashes(t, parse(t, "  nova:variables: {CDN_DOMAIN: other.example.com}\n"))
	for name := range before {
		assert.Equal(t, name == "cdn-service", before[name] != after[name], name)
	}
}

func TestSecrets_supplied_value_reaches_only_its_receiver(t *testing.T) {
	c, err := stack.Parse("stack", config.Input{"secrets": map[string]any{"SMTP_PASSWORD": config.NewSecret("hunter2")}})
	require.NoError(t, err)
	for _, r := range declare(t, c, false) {
		shown := fmt.Sprint(withoutSecrets(r.inputs))
		assert.NotContains(t, shown, "hunter2", r.urn)
		assert.NotContains(t, shown, base64.StdEncoding.EncodeToString([]byte("hunter2")), r.urn)
		if strings.HasSuffix(r.typ, ":Deployment") {
			assert.Equal(t, r.name == "user-service", strings.Contains(shown, "SMTP_PASSWORD"), r.name)
		}
	}
}

// withoutSecrets is what an onlooker would see.
func withoutSecrets(m resource.PropertyMap) map[string]any {
	return m.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
		return "[secret]", v.IsSecret()
	})
}

func TestProvider_kubeconfig_is_a_secret(t *testing.T) {
	all := declare(t, load(t, "prod"), false)
	provider := find(t, all, "kubernetes", "kubernetes")
	assert.NotContains(t, fmt.Sprint(withoutSecrets(provider.inputs)), "planted kubeconfig")
	for _, key := range []resource.PropertyKey{"enableServerSideApply", "enableConfigMapMutable", "enableSecretMutable", "clusterIdentifier"} {
		assert.Contains(t, provider.inputs, key)
	}
}

func TestNovaService_autoscaler_owns_the_replica_count(t *testing.T) {
	all := declare(t, parse(t, "  nova:replicas: 3\n  nova:autoscaling: {enabled: true, maxReplicas: 8}\n  nova:dependencies: {postgres: {maxConnections: 2000, resources: {limits: {memory: 8Gi}}}}\n"), false)
	assert.Len(t, ofKind(all, "HorizontalPodAutoscaler"), 11)
	for _, r := range services(all) {
		assert.EqualValues(t, 3, *as[appsv1.Deployment](t, r).Spec.Replicas, "pods to begin with")
		assert.Equal(t, []string{"spec.replicas"}, r.ignore, "from then on the count is the cluster's")
	}
	spec := unwrap(find(t, all, "HorizontalPodAutoscaler", "auth-service").inputs)["spec"].(map[string]any)
	assert.EqualValues(t, 3, spec["minReplicas"])
	assert.EqualValues(t, 8, spec["maxReplicas"])
}

func TestNovaService_mesh_sidecar_annotations(t *testing.T) {
	for mesh, in := range map[string]func(corev1.PodTemplateSpec) string{
		"linkerd": func(p corev1.PodTemplateSpec) string { return p.Annotations["linkerd.io/inject"] },
		"istio":   func(p corev1.PodTemplateSpec) string { return p.Labels["sidecar.istio.io/inject"] },
	} {
		for _, r := range services(declare(t, parse(t, "  nova:mesh: "+mesh+"\n"), false)) {
			assert.NotEmpty(t, in(as[appsv1.Deployment](t, r).Spec.Template), mesh)
		}
	}
}

func TestNovaService_disabled_is_not_declared(t *testing.T) {
	all := declare(t, parse(t, "  nova:services: {events: {enabled: false}}\n"), false)
	assert.Len(t, services(all), 10)
	for _, r := range all {
		assert.NotContains(t, r.name, "events")
	}
}

func TestNovaService_depends_on_its_callees(t *testing.T) {
	all := declare(t, load(t, "prod"), false)
	deployment := find(t, all, "Deployment", "feed-service")
	component := find(t, all, "NovaService", "feed")
	waits := strings.Join(append(component.dependsOn, deployment.dependsOn...), " ")
	for _, callee := range []string{"user-service", "content-service"} {
		assert.Contains(t, waits, "Deployment::"+callee)
	}
}

func TestProgram_fails_when_any_resource_fails(t *testing.T) {
	c := load(t, "dev")
	total := len(declare(t, c, false))
	for n := 1; n <= total; n++ {
		r := &recorder{failAt: n}
		assert.ErrorContains(t, r.run(c), "planted failure", "resource %d of %d was lost", n, total)
	}
}
