package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// clean are objects that satisfy every rule, by kind and name.
const clean = `
Deployment api: &deployment
  apiVersion: apps/v1
  kind: Deployment
  metadata: &metadata
    name: api
    namespace: nova
    labels: {app.kubernetes.io/name: api, app.kubernetes.io/part-of: nova, app.kubernetes.io/managed-by: pulumi}
  spec:
    replicas: 2
    selector: {matchLabels: {app: api}}
    template: &template
      metadata: {labels: {app: api}}
      spec: &pod
        securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
        containers:
        - name: api
          image: registry.example.com/api:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000
          ports: [{name: http, containerPort: 8080}]
          env: [{name: PLAIN, value: plain}]
          resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 128Mi}}
          startupProbe: {tcpSocket: {port: http}}
          readinessProbe: {tcpSocket: {port: http}}
          livenessProbe: {tcpSocket: {port: http}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
StatefulSet: {<<: *deployment, kind: StatefulSet, metadata: {<<: *metadata, name: store}, spec: {replicas: 1, selector: {matchLabels: {app: api}}, template: *template}}
Job: {apiVersion: batch/v1, kind: Job, metadata: {<<: *metadata, name: job}, spec: {template: *template}}
CronJob: {apiVersion: batch/v1, kind: CronJob, metadata: {<<: *metadata, name: cron}, spec: {jobTemplate: {spec: {template: *template}}}}
Rollout: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {<<: *metadata, name: rollout}, spec: {replicas: 2, selector: {matchLabels: {app: api}}, template: *template}}
Service: {apiVersion: v1, kind: Service, metadata: *metadata, spec: {selector: {app: api}, ports: [{name: web, port: 80, targetPort: http}]}}
PodDisruptionBudget: {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: *metadata, spec: {maxUnavailable: 1, selector: {matchLabels: {app: api}}}}
NetworkPolicy: {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: *metadata, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
ConfigMap: {apiVersion: v1, kind: ConfigMap, metadata: *metadata, data: {A: b}}
Secret: {apiVersion: v1, kind: Secret, metadata: *metadata, stringData: {A: pl4nted-s3cret}}
Ingress: {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: *metadata, spec: {rules: [{http: {paths: [{path: /api, pathType: Prefix, backend: {service: {name: api, port: {name: web}}}}]}}]}}
HTTPRoute: {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: *metadata, spec: {rules: [{matches: [{path: {type: PathPrefix, value: /api}}], backendRefs: [{name: api, port: 80}]}]}}
`

// load is a clean stack, with its objects by the keys of clean.
func load(t *testing.T) (Stack, map[string]*unstructured.Unstructured) {
	t.Helper()
	var all map[string]map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(clean), &all))
	s := Stack{
		Guarded: true, Protected: true, Isolated: true, Secrets: []string{"pl4nted-s3cret"}, Unknown: "not-known-yet",
		Resources: []Resource{{Type: "aws:iam/role:Role", Name: "media", Documents: []string{
			`{"Statement": [{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::b/*", "Principal": {"Federated": "arn:x"}}, {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}]}`}}},
		Protections: []Protection{{"aws:s3/bucketV2:BucketV2", "media", true, true}},
	}
	objects := map[string]*unstructured.Unstructured{}
	for key, fields := range all {
		o := &unstructured.Unstructured{}
		text, err := yaml.Marshal(fields)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &o.Object))
		whole(o.Object)
		objects[key] = o
		s.Objects = append(s.Objects, o)
	}
	return s, objects
}

// whole makes numbers integers, as Kubernetes objects have them.
func whole(tree any) any {
	switch t := tree.(type) {
	case float64:
		return int64(t)
	case map[string]any:
		for key, each := range t {
			t[key] = whole(each)
		}
	case []any:
		for i, each := range t {
			t[i] = whole(each)
		}
	}
	return tree
}

// templates are where the pods of the kinds are.
var templates = map[string][]string{
	"Deployment api": {"spec", "template"}, "StatefulSet": {"spec", "template"}, "Job": {"spec", "template"},
	"CronJob": {"spec", "jobTemplate", "spec", "template"}, "Rollout": {"spec", "template"},
}

// container is the only one of a workload.
func container(t *testing.T, o *unstructured.Unstructured, key string) map[string]any {
	t.Helper()
	template, ok, err := unstructured.NestedFieldNoCopy(o.Object, templates[key]...)
	require.True(t, ok && err == nil)
	return template.(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
}

func rulesOf(all []Violation) []string {
	var names []string
	for _, v := range all {
		names = append(names, v.Rule)
	}
	return names
}

func TestRules(t *testing.T) {
	t.Run("find nothing in a clean stack", func(t *testing.T) {
		s, _ := load(t)
		assert.Empty(t, Check(s, nil, time.Now()))
	})
	type objects = map[string]*unstructured.Unstructured
	set := func(o *unstructured.Unstructured, value any, path ...string) {
		if value == nil {
			unstructured.RemoveNestedField(o.Object, path...)
			return
		}
		_ = unstructured.SetNestedField(o.Object, value, path...)
	}
	document := func(statement string) Resource {
		return Resource{Type: "aws:iam/role:Role", Name: "x", Documents: []string{`{"Statement": [` + statement + `]}`}}
	}
	for name, c := range map[string]struct {
		rule    string
		plant   func(s *Stack, o objects)
		message string
	}{
		"two limits of one budget":    {"disruption-budget", func(_ *Stack, o objects) { set(o["PodDisruptionBudget"], int64(1), "spec", "minAvailable") }, "both set"},
		"a budget that lets none go":  {"disruption-budget", func(_ *Stack, o objects) { set(o["PodDisruptionBudget"], int64(0), "spec", "maxUnavailable") }, "lets none of the 2 pods"},
		"no budget":                   {"disruption-budget", func(_ *Stack, o objects) { set(o["PodDisruptionBudget"], "other", "metadata", "namespace") }, "0 disruption budgets cover its 2 pods"},
		"pods that no policy selects": {"network-policy", func(_ *Stack, o objects) { set(o["NetworkPolicy"], "b", "spec", "podSelector", "matchLabels", "a") }, "selects its pods for Ingress"},
		"no policy for egress":        {"network-policy", func(_ *Stack, o objects) { set(o["NetworkPolicy"], []any{"Ingress"}, "spec", "policyTypes") }, "for Egress"},
		"a secret in a ConfigMap":     {"plain-secrets", func(_ *Stack, o objects) { set(o["ConfigMap"], "a://u:pl4nted-s3cret@h", "data", "URL") }, "data.URL has the value"},
		"a Service without pods":      {"selectors", func(_ *Stack, o objects) { set(o["Service"], "b", "spec", "selector", "app") }, "app=b matches no pods"},
		"a port that no container has": {"selectors", func(_ *Stack, o objects) {
			set(o["Service"], []any{map[string]any{"name": "web", "port": int64(80), "targetPort": "grpc"}}, "spec", "ports")
		}, "leads to grpc"},
		"a selector of others":  {"selectors", func(_ *Stack, o objects) { set(o["StatefulSet"], "b", "spec", "selector", "matchLabels", "app") }, "does not match its own pods"},
		"an Ingress to nowhere": {"routes", func(_ *Stack, o objects) { set(o["Service"], "other", "metadata", "name") }, "leads to Service api"},
		"a route to no port": {"routes", func(_ *Stack, o objects) {
			set(o["HTTPRoute"], []any{map[string]any{"backendRefs": []any{map[string]any{"name": "api", "port": int64(81)}}}}, "spec", "rules")
		}, "leads to port 81"},
		"a route with a path without a type": {"routes", func(_ *Stack, o objects) {
			set(o["HTTPRoute"], []any{map[string]any{"matches": []any{map[string]any{"path": map[string]any{"value": "api"}}}}}, "spec", "rules")
		}, `path "api"`},
		"every action": {"iam-wildcards", func(s *Stack, _ objects) {
			s.Resources = []Resource{document(`{"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:x"}`)}
		}, "allows action s3:*"},
		"every resource": {"iam-wildcards", func(s *Stack, _ objects) {
			s.Resources = []Resource{document(`{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}`)}
		}, "allows every resource"},
		"everybody": {"iam-wildcards", func(s *Stack, _ objects) {
			s.Resources = []Resource{document(`{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x", "Principal": {"AWS": "*"}}`)}
		}, "allows everybody"},
		"an unreadable document":        {"iam-wildcards", func(s *Stack, _ objects) { s.Resources = []Resource{{Type: "a", Name: "b", Documents: []string{"{"}}} }, "cannot be read"},
		"an unprotected bucket":         {"deletion-protection", func(s *Stack, _ objects) { s.Protections[0].Protected = false }, "not protected"},
		"a bucket that is not retained": {"deletion-protection", func(s *Stack, _ objects) { s.Protections[0].Retained = false }, "is deleted when it leaves"},
		"an object without its labels":  {"labels", func(_ *Stack, o objects) { set(o["ConfigMap"], nil, "metadata", "labels") }, "app.kubernetes.io/name"},
	} {
		t.Run("find "+name, func(t *testing.T) {
			s, o := load(t)
			c.plant(&s, o)
			found := Check(s, nil, time.Now())
			require.NotEmpty(t, found)
			assert.Subset(t, []string{c.rule}, rulesOf(found), "%v", found)
			var texts string
			for _, v := range found {
				texts += v.String() + "\n"
			}
			assert.Contains(t, texts, c.message)
			assert.NotContains(t, texts, "pl4nted")
		})
	}
	for key := range templates {
		for name, c := range map[string]struct {
			rule  string
			plant func(c map[string]any)
		}{
			"privileged containers":  {"pod-security", func(c map[string]any) { c["securityContext"] = map[string]any{"privileged": true} }},
			"containers as they are": {"resources", func(c map[string]any) { delete(c, "resources") }},
			"the tag latest":         {"image-tag", func(c map[string]any) { c["image"] = "registry.example.com:5000/api:latest@sha256:0" }},
			"no tag":                 {"image-tag", func(c map[string]any) { c["image"] = "registry.example.com:5000/api" }},
			"tags":                   {"image-digest", func(c map[string]any) { c["image"] = "registry.example.com:5000/api:v1" }},
			"a secret in a variable": {"plain-secrets", func(c map[string]any) {
				c["env"] = []any{map[string]any{"name": "A", "value": "pl4nted-s3cret"}}
			}},
			"no probes": {"probes", func(c map[string]any) { delete(c, "readinessProbe") }},
		} {
			t.Run("find "+name+" in a "+key, func(t *testing.T) {
				s, o := load(t)
				c.plant(container(t, o[key], key))
				found := rulesOf(Check(s, nil, time.Now()))
				if c.rule == "probes" && (key == "Job" || key == "CronJob") {
					assert.Empty(t, found, "what ends needs none")
					return
				}
				assert.Contains(t, found, c.rule)
			})
		}
	}
	t.Run("leave out what is not known yet, and what a stack does not want", func(t *testing.T) {
		s, o := load(t)
		container(t, o["Deployment api"], "Deployment api")["image"] = "not-known-yet"
		assert.Empty(t, Check(s, nil, time.Now()))
		s.Guarded, s.Protected, s.Isolated, s.Protections[0].Protected = false, false, false, false
		container(t, o["Deployment api"], "Deployment api")["image"] = "api"
		set(o["NetworkPolicy"], "b", "spec", "podSelector", "matchLabels", "a")
		assert.Empty(t, Check(s, nil, time.Now()))
	})
	t.Run("count an autoscaler's minimum", func(t *testing.T) {
		s, o := load(t)
		set(o["Deployment api"], nil, "spec", "replicas")
		set(o["Rollout"], int64(1), "spec", "replicas")
		set(o["PodDisruptionBudget"], "other", "metadata", "namespace")
		assert.Empty(t, Check(s, nil, time.Now()))
		s.Objects = append(s.Objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": o["ConfigMap"].Object["metadata"],
			"spec": map[string]any{"minReplicas": int64(3), "scaleTargetRef": map[string]any{"name": "api"}},
		}})
		assert.Equal(t, []string{"disruption-budget"}, rulesOf(Check(s, nil, time.Now())))
	})
}

func TestRules_are_explained(t *testing.T) {
	names := map[string]bool{}
	for _, r := range Rules() {
		assert.False(t, names[r.Name], r.Name)
		names[r.Name] = true
		assert.NotEmpty(t, r.What)
		assert.NotEmpty(t, r.Why)
	}
}

func TestExemptions(t *testing.T) {
	today := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s, o := load(t)
	delete(container(t, o["Deployment api"], "Deployment api"), "resources")
	exemption := Exemption{"resources", "Deployment nova/api", "measured first", day}
	t.Run("cover a violation until their last day", func(t *testing.T) {
		found := Check(s, []Exemption{exemption}, today)
		require.Len(t, found, 1)
		assert.Equal(t, "measured first", found[0].Exempted)
		assert.Empty(t, Open(found, Refused))
	})
	for name, c := range map[string]struct {
		change  func(e *Exemption)
		message string
	}{
		"that have ended":    {func(e *Exemption) { e.Until = day.AddDate(0, 0, -1) }, "ended on 2026-11-24"},
		"without a reason":   {func(e *Exemption) { e.Reason = " " }, "has no reason"},
		"from no rule":       {func(e *Exemption) { e.Rule = "resource" }, "is no rule"},
		"that cover nothing": {func(e *Exemption) { e.Object = "Deployment nova/other" }, "covers nothing any more"},
	} {
		t.Run(name+" are violations", func(t *testing.T) {
			one := exemption
			c.change(&one)
			found := Open(Check(s, []Exemption{one}, today), Refused)
			require.Len(t, found, 2)
			assert.Equal(t, "exemptions", found[0].Rule)
			assert.Contains(t, found[0].Message, c.message)
		})
	}
}
