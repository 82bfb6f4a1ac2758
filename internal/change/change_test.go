package change

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/redact"
)

type object = map[string]any

const (
	deployment = "kubernetes:apps/v1:Deployment"
	secretKey  = "0123456789"
)

// workload is a Deployment of one container.
func workload(replicas float64, image string, env ...any) object {
	return object{
		"metadata": object{"name": "auth-service"},
		"spec": object{"replicas": replicas, "template": object{
			"metadata": object{"labels": object{"app": "auth"}},
			"spec": object{"containers": []any{object{"name": "auth", "image": image, "env": env, "resources": object{
				"requests": object{"cpu": "250m", "memory": "256Mi"}}}}},
		}},
	}
}

func urn(name string) string { return "urn:pulumi:prod::nova::x::" + name }

func update(kind string, old, now object, paths ...string) Step {
	return Step{Op: "update", Type: kind, URN: urn("auth-service"), Old: old, New: now, Paths: paths}
}

// only is the one change of a step.
func only(t *testing.T, steps ...Step) Change {
	t.Helper()
	result := Summarize(steps, Mask{Key: []byte(secretKey)})
	require.Len(t, result.Changes, 1)
	return result.Changes[0]
}

func env(name, value string) object { return object{"name": name, "value": value} }

func TestDifferences(t *testing.T) {
	const container = "spec.template.spec.containers[auth]"
	for name, c := range map[string]struct {
		step Step
		want []Difference
	}{
		"name elements of lists, so that one more moves no other": {
			update(deployment, workload(1, "a", env("B", "1"), env("C", "2")), workload(1, "a", env("A", "0"), env("B", "1"), env("C", "3"))),
			[]Difference{
				{Path: container + ".env[A]", Kind: Added, New: `{"name":"A","value":"0"}`},
				{Path: container + ".env[C].value", Kind: Changed, Old: "2", New: "3"},
			},
		},
		"do not see another order of named elements": {
			update(deployment, workload(1, "a", env("B", "1"), env("C", "2")), workload(1, "b", env("C", "2"), env("B", "1"))),
			[]Difference{{Path: container + ".image", Kind: Changed, Old: "a", New: "b"}},
		},
		"compare lists of other lengths as a whole": {
			update("x:y:Z", object{"args": []any{"a"}}, object{"args": []any{"a", "b"}}),
			[]Difference{{Path: "args", Kind: Changed, Old: `["a"]`, New: `["a","b"]`}},
		},
		"quote keys with dots, and leave out what engines add": {
			update("x:y:Z", object{"__defaults": []any{"a"}}, object{"metadata": object{"a.b/c": "d"}}),
			[]Difference{{Path: `metadata`, Kind: Added, New: `{"a.b/c":"d"}`}},
		},
		"name unknown values": {
			update("x:y:Z", object{"arn": "a"}, object{"arn": Unknown{}}),
			[]Difference{{Path: "arn", Kind: Changed, Old: "a", New: "[known after up]", Unknown: true}},
		},
		"come from the provider where the inputs do not differ": {
			update("x:y:Z", object{"a": "b"}, object{"a": "b"}, "status", "a"),
			[]Difference{{Path: "a", Kind: Changed, Old: "b", New: "b"}, {Path: "status", Kind: Changed}},
		},
		"leave out what the provider does not report": {
			update(deployment, workload(1, "a", env("A", "1"), env("B", "2")), func() object {
				now := workload(1, "b", env("B", "3"), env("C", "4"))
				now["spec"].(object)["minReadySeconds"] = 0.0
				return now
			}(), "spec.template.spec.containers[0].image", "spec.template.spec.containers[0].env[1].name"),
			[]Difference{
				{Path: container + ".env[C]", Kind: Added, New: `{"name":"C","value":"4"}`},
				{Path: container + ".image", Kind: Changed, Old: "a", New: "b"},
			},
		},
		"see a null that became a value": {
			update("x:y:Z", object{"a": nil}, object{"a": false}),
			[]Difference{{Path: "a", Kind: Added, New: "false"}},
		},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, only(t, c.step).Differences) })
	}
}

func TestDifferences_hide_secrets(t *testing.T) {
	const planted, other = "pl4nted-s3cret", "other-s3cret"
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	const secret = "kubernetes:core/v1:Secret"
	for name, c := range map[string]struct {
		step Step
		// kind of the only difference; a hidden value is compared by its fingerprint.
		kind string
	}{
		"by their mark":             {update("x:y:Z", object{"a": Secret{planted, true}}, object{"a": Secret{other, true}}), Changed},
		"by the mark around them":   {update("x:y:Z", object{"a": Secret{object{"b": planted}, true}}, object{"a": Secret{object{"b": other}, true}}), Changed},
		"that lose their mark":      {update("x:y:Z", object{"a": Secret{planted, true}}, object{"a": "plain"}), Changed},
		"in a Secret":               {update(secret, object{"stringData": object{"A": planted}}, object{"stringData": object{"A": other}}), Changed},
		"in the data of a Secret":   {update(secret, object{"data": object{"A": encoded(planted)}}, object{"data": object{"A": encoded(other)}}), Changed},
		"of a key that goes":        {update(secret, object{"stringData": object{"A": planted}}, object{"stringData": object{}}), Removed},
		"of a whole map that goes":  {update(secret, object{"stringData": object{"A": planted}}, object{}), Removed},
		"by the name of a variable": {update(deployment, workload(1, "a", env("DB_PASSWORD", planted)), workload(1, "a", env("DB_PASSWORD", other))), Changed},
		"in a variable that is new": {update(deployment, workload(1, "a"), workload(1, "a", env("API_TOKEN", planted))), Added},
		"by the name of a field":    {update("x:y:Z", object{"apiToken": planted}, object{"apiToken": other}), Changed},
		"in a URL":                  {update("x:y:Z", object{"a": "postgres://u:" + planted + "@h/d"}, object{"a": "postgres://u:" + other + "@h/d"}), Changed},
		"whose values nobody tells": {update("x:y:Z", object{"a": Secret{}}, object{"a": Secret{}}, "a"), Changed},
		"that are not made yet":     {update("x:y:Z", object{"a": Secret{planted, true}}, object{"a": Secret{Unknown{}, true}}), Changed},
	} {
		t.Run(name, func(t *testing.T) {
			ds := only(t, c.step).Differences
			require.Len(t, ds, 1, "%v", ds)
			assert.Equal(t, c.kind, ds[0].Kind)
			assert.True(t, ds[0].Secret)
			for _, text := range []string{ds[0].Old, ds[0].New} {
				for _, value := range []string{planted, other, encoded(planted), encoded(other)} {
					assert.NotContains(t, text, value)
				}
			}
			if c.kind == Changed {
				assert.NotEqual(t, ds[0].Old, ds[0].New)
			}
		})
	}
	t.Run("that the provider reports with one that differs, and are the same", func(t *testing.T) {
		data := func(b string) object {
			return object{"data": Secret{object{"A": encoded(planted), "B": b}, true}}
		}
		ds := only(t, update(secret, data(encoded("old")), data(encoded("new")), "data.A", "data.B")).Differences
		require.Len(t, ds, 1)
		assert.Equal(t, "data.B", ds[0].Path)
	})
	t.Run("that differ in the cluster only", func(t *testing.T) {
		data := object{"data": Secret{object{"A": encoded(planted)}, true}}
		ds := only(t, update(secret, data, data, "data.A")).Differences
		require.Len(t, ds, 1)
		assert.Equal(t, "[secret, another value]", ds[0].Old)
	})
	t.Run("by the name of a variable that only the provider reports", func(t *testing.T) {
		same := workload(1, "a", env("DB_PASSWORD", planted))
		ds := only(t, update(deployment, same, same, "spec.template.spec.containers[0].env[0].value")).Differences
		require.Len(t, ds, 1)
		assert.NotContains(t, ds[0].New, planted)
	})
	t.Run("wherever a known one occurs", func(t *testing.T) {
		mask := Mask{Known: redact.New([]string{planted})}
		result := Summarize([]Step{update("x:y:Z", object{"a": "x"}, object{"a": "say " + planted})}, mask)
		assert.Equal(t, "say [secret]", result.Changes[0].Differences[0].New)
	})
	t.Run("with the same fingerprint plain and in base64", func(t *testing.T) {
		one := only(t, update(secret, object{"stringData": object{"A": planted}}, object{"stringData": object{"A": other}})).Differences[0]
		two := only(t, update(secret, object{"data": object{"A": encoded(planted)}}, object{"data": object{"A": encoded(other)}})).Differences[0]
		assert.Equal(t, one.Old, two.Old)
		assert.Equal(t, one.New, two.New)
		assert.Regexp(t, `^\[secret [0-9a-f]{4}\]$`, one.Old)
	})
	t.Run("and show names and references of secrets", func(t *testing.T) {
		reference := func(key string) object {
			return object{"name": "A", "valueFrom": object{"secretKeyRef": object{"name": "nova-secrets", "key": key}}}
		}
		ds := only(t, update(deployment, workload(1, "a", reference("JWT_SECRET")), workload(1, "a", reference("JWT_SECRET_2")))).Differences
		require.Len(t, ds, 1)
		assert.Equal(t, "JWT_SECRET", ds[0].Old)
	})
}

func TestRisk(t *testing.T) {
	change := func(kind string, old, now object) Step { return update(kind, old, now) }
	gone := func(op, kind string) Step { return Step{Op: op, Type: kind, URN: urn("x"), Old: object{}} }
	made := func(kind string, inputs object) Step {
		return Step{Op: "create", Type: kind, URN: urn("x"), New: inputs}
	}
	template := func(field string, value any) object {
		o := workload(1, "a")
		valueAt(o, []string{"spec", "template", "spec", "containers", "0"}).(object)[field] = value
		return o
	}
	spec := func(field string, value any) object { return object{"spec": object{field: value}} }
	budget := Step{Op: "same", Type: "kubernetes:policy/v1:PodDisruptionBudget", URN: urn("b"), New: object{"spec": object{
		"minAvailable": 2.0, "selector": object{"matchLabels": object{"app": "auth"}}}}}
	const policy, service, secret = "kubernetes:networking.k8s.io/v1:NetworkPolicy", "kubernetes:core/v1:Service", "kubernetes:core/v1:Secret"
	for name, c := range map[string]struct {
		steps  []Step
		want   Risk
		reason string
	}{
		"a deleted bucket":               {[]Step{gone("delete", "aws:s3/bucketV2:BucketV2")}, Critical, "holds data"},
		"a replaced generator":           {[]Step{gone("replace", "random:index/randomPassword:RandomPassword")}, Critical, "holds data"},
		"a deleted namespace":            {[]Step{gone("delete", "kubernetes:core/v1:Namespace")}, Critical, "takes everything in the namespace along"},
		"a deleted protected thing":      {[]Step{{Op: "delete", Type: "x:y:Z", URN: urn("x"), Protected: true}}, Critical, "protected"},
		"a bucket that is only left":     {[]Step{{Op: "delete", Type: "aws:s3/bucketV2:BucketV2", URN: urn("x"), Retained: true}}, High, "leaves the stack; what exists stays"},
		"a deleted Deployment":           {[]Step{gone("delete", deployment)}, High, "stops what runs"},
		"a Job that runs again":          {[]Step{gone("create-replacement", "kubernetes:batch/v1:Job"), gone("replace", "kubernetes:batch/v1:Job"), gone("delete-replaced", "kubernetes:batch/v1:Job")}, Medium, "runs again"},
		"a new Ingress":                  {[]Step{made("kubernetes:networking.k8s.io/v1:Ingress", nil)}, High, "public access"},
		"a new load balancer":            {[]Step{made(service, spec("type", "LoadBalancer"))}, High, "public access"},
		"a Service that becomes public":  {[]Step{change(service, spec("type", "ClusterIP"), spec("type", "NodePort"))}, High, "public access"},
		"a new role of the account":      {[]Step{made("aws:iam/role:Role", nil)}, High, "permissions"},
		"a new Deployment":               {[]Step{made(deployment, workload(1, "a"))}, Low, ""},
		"a changed network policy":       {[]Step{change(policy, spec("ingress", "a"), spec("ingress", "b"))}, High, "network policy"},
		"labels of a network policy":     {[]Step{change(policy, object{"metadata": object{"labels": "a"}}, object{"metadata": object{"labels": "b"}})}, Low, "labels"},
		"the selector of a Deployment":   {[]Step{change(deployment, spec("selector", object{"matchLabels": object{"a": "b"}}), spec("selector", object{"matchLabels": object{"a": "c"}}))}, Critical, "selector"},
		"the selector of a Service":      {[]Step{change(service, spec("selector", object{"a": "b"}), spec("selector", object{"a": "c"}))}, Critical, "selector"},
		"a rotated secret":               {[]Step{change(secret, object{"stringData": object{"A": "1"}}, object{"stringData": object{"A": "2"}})}, High, "secret changed: A"},
		"a secret's removed key":         {[]Step{change(secret, object{"stringData": object{"A": "1"}}, object{"stringData": object{}})}, High, "secret key removed: A"},
		"another image":                  {[]Step{change(deployment, workload(1, "a"), workload(1, "b"))}, Medium, "image"},
		"other probes":                   {[]Step{change(deployment, workload(1, "a"), template("livenessProbe", object{"httpGet": "/"}))}, Medium, "probes"},
		"other resources":                {[]Step{change(deployment, workload(1, "a"), template("resources", object{}))}, Medium, "resources"},
		"another security context":       {[]Step{change(deployment, workload(1, "a"), template("securityContext", object{"privileged": true}))}, High, "security context"},
		"more replicas":                  {[]Step{change(deployment, workload(1, "a"), workload(3, "a"))}, Medium, "replicas 1 -> 3"},
		"no replicas":                    {[]Step{change(deployment, workload(1, "a"), workload(0, "a"))}, High, "replicas 1 -> 0: nothing runs"},
		"replicas at the budget":         {[]Step{change(deployment, workload(3, "a"), workload(2, "a")), budget}, High, "replicas 3 -> 2: the disruption budget wants 2"},
		"replicas above the budget":      {[]Step{change(deployment, workload(4, "a"), workload(3, "a")), budget}, Medium, "replicas 4 -> 3"},
		"replicas that a Rollout owns":   {[]Step{change(deployment, workload(3, "a"), workload(0, "a")), {Op: "same", Type: "kubernetes:argoproj.io/v1alpha1:Rollout", URN: urn("r"), New: object{"metadata": object{"name": "r"}, "spec": object{"replicas": 3.0, "workloadRef": object{"name": "auth-service"}}}}}, Medium, "replicas 3 -> 0"},
		"rules of Prometheus":            {[]Step{change("kubernetes:monitoring.coreos.com/v1:PrometheusRule", spec("a", "b"), spec("a", "c"))}, Low, "monitoring"},
		"a component":                    {[]Step{gone("delete", "nova:platform:NovaService")}, Low, ""},
		"the kubeconfig of the provider": {[]Step{change("pulumi:providers:kubernetes", object{"kubeconfig": Secret{}}, object{"kubeconfig": Secret{}})}, Low, "provider"},
	} {
		t.Run(name, func(t *testing.T) {
			got := only(t, c.steps...)
			assert.Equal(t, c.want, got.Risk, "%v", got)
			if c.reason == "" {
				assert.Empty(t, got.Reasons)
				return
			}
			assert.Contains(t, got.Reasons, c.reason)
		})
	}
	t.Run("is that of the most dangerous change", func(t *testing.T) {
		result := Summarize([]Step{gone("delete", deployment), gone("delete", "nova:platform:NovaService")}, Mask{})
		assert.Len(t, result.Changes, 1, "the two have one URN")
		assert.True(t, Critical.AtLeast(High) && High.AtLeast(Medium) && Medium.AtLeast(Low) && Low.AtLeast("") && !Low.AtLeast(Medium))
	})
}

func TestDemand(t *testing.T) {
	autoscaler := Step{Op: "same", Type: "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", URN: urn("h")}
	autoscaler.Old = object{"spec": object{"minReplicas": 4.0, "scaleTargetRef": object{"name": "auth-service"}}}
	autoscaler.New = autoscaler.Old
	without := workload(1, "a")
	delete(without["spec"].(object), "replicas")
	claim := object{"spec": object{"resources": object{"requests": object{"storage": "10Gi"}}}}
	store := object{"metadata": object{"name": "kafka"}, "spec": object{"replicas": 3.0, "volumeClaimTemplates": []any{claim}}}
	for name, c := range map[string]struct {
		steps      []Step
		was, after Demand
	}{
		"multiplies by replicas": {[]Step{update(deployment, workload(1, "a"), workload(3, "a"))}, Demand{250, 256 << 20, 0}, Demand{750, 768 << 20, 0}},
		"counts what does not change": {
			[]Step{{Op: "same", Type: deployment, URN: urn("a"), Old: workload(2, "a"), New: workload(2, "a")}},
			Demand{500, 512 << 20, 0}, Demand{500, 512 << 20, 0},
		},
		"takes the minimum of an autoscaler": {[]Step{update(deployment, without, without), autoscaler}, Demand{1000, 1 << 30, 0}, Demand{1000, 1 << 30, 0}},
		"counts volumes of stores":           {[]Step{{Op: "create", Type: "kubernetes:apps/v1:StatefulSet", URN: urn("k"), New: store}}, Demand{}, Demand{0, 0, 30 << 30}},
		"leaves out Jobs":                    {[]Step{{Op: "create", Type: "kubernetes:batch/v1:Job", URN: urn("j"), New: workload(1, "a")}}, Demand{}, Demand{}},
		"counts a replacement once": {
			[]Step{
				{Op: "create-replacement", Type: deployment, URN: urn("a"), Old: workload(1, "a"), New: workload(2, "a")},
				{Op: "replace", Type: deployment, URN: urn("a"), Old: workload(1, "a"), New: workload(2, "a")},
				{Op: "delete-replaced", Type: deployment, URN: urn("a"), Old: workload(1, "a")},
			},
			Demand{250, 256 << 20, 0}, Demand{500, 512 << 20, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := Summarize(c.steps, Mask{})
			assert.Equal(t, c.was, result.Before)
			assert.Equal(t, c.after, result.After)
		})
	}
}

func TestResult_of_two_steps(t *testing.T) {
	one, two := Change{Type: "a", Name: "one"}, Change{Type: "b", Name: "two"}
	both := Result{Changes: []Change{two}, Warnings: []string{"first", "both"}}.Then(Result{Changes: []Change{one}, Unchanged: 1, Warnings: []string{"both"}})
	assert.Equal(t, Result{Changes: []Change{one, two}, Warnings: []string{"first", "both"}}, both)
}
