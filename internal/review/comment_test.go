package review

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/change"
	"nova.dev/infra/internal/redact"
	"nova.dev/infra/internal/testing/golden"
)

var update = flag.Bool("update", false, "rewrite golden files")

type object = map[string]any

// planted is a secret that no text may have.
const planted = "pl4nted \"s3cret\" <&>"

// leaks are the forms of the planted secret.
func leaks() []string {
	quoted, _ := json.Marshal(planted)
	return []string{"pl4nted", base64.StdEncoding.EncodeToString([]byte(planted)), strings.Trim(string(quoted), `"`)}
}

var services = []string{"auth", "user", "content", "feed", "media", "messaging", "search", "streaming", "notification", "cdn", "events"}

func urn(kind, name string) string { return "urn:pulumi:prod::nova::" + kind + "::" + name }

func step(op, kind, name string, old, now object, paths ...string) change.Step {
	return change.Step{Op: op, Type: kind, URN: urn(kind, name), Old: old, New: now, Paths: paths}
}

// service is a Deployment. The planted secret lies in a variable whose name does
// not give it away, quoted within JSON.
func service(name, version string, replicas float64) object {
	hidden, _ := json.Marshal(object{"inner": planted})
	return object{
		"metadata": object{"name": name + "-service"},
		"spec": object{"replicas": replicas, "template": object{"spec": object{"containers": []any{object{
			"name": name, "image": "registry.example.com/nova/" + name + "-service:" + version,
			"env":       []any{object{"name": "SETTINGS", "value": string(hidden)}},
			"resources": object{"requests": object{"cpu": "250m", "memory": "512Mi"}},
		}}}}},
	}
}

const (
	deployment = "kubernetes:apps/v1:Deployment"
	secret     = "kubernetes:core/v1:Secret"
)

func rolled(name, from, to string, before, after float64) change.Step {
	return step("update", deployment, name+"-service", service(name, from, before), service(name, to, after))
}

// same is n resources that do not change.
func same(n int) []change.Step {
	var steps []change.Step
	for i := range n {
		steps = append(steps, step("same", "kubernetes:core/v1:ConfigMap", fmt.Sprint("same-", i), nil, nil))
	}
	return steps
}

func secrets(data ...string) object {
	values := object{}
	for i := 0; i < len(data); i += 2 {
		values[data[i]] = change.Secret{Value: data[i+1], Known: true}
	}
	return object{"metadata": object{"name": "nova-backend-secrets"}, "stringData": values}
}

func preview(stack string, failure error, steps ...change.Step) Preview {
	known := redact.New([]string{planted})
	result := change.Summarize(steps, change.Mask{Key: []byte("key"), Known: known})
	return New(stack, result, failure, known)
}

// warned is a preview with a warning that repeats the planted secret.
func warned(p Preview) Preview {
	p.Warnings = []string{"SETTINGS: " + planted + " is deprecated"}
	return p
}

// situations are previews that reviewers meet.
func situations() map[string][]Preview {
	of := func(p ...Preview) []Preview { return p }
	var all, first, everything []change.Step
	for _, name := range services {
		all = append(all, rolled(name, "v1.4.0", "v1.5.0", 3, 3))
		first = append(first,
			step("create", deployment, name+"-service", nil, service(name, "v1.0.0", 3)),
			step("create", "kubernetes:core/v1:Service", name+"-service", nil, object{"spec": object{"type": "ClusterIP"}}),
			step("create", "kubernetes:networking.k8s.io/v1:NetworkPolicy", name, nil, object{}),
			step("create", "nova:platform:NovaService", name, nil, object{}))
		everything = append(everything, step("replace", deployment, name+"-service", service(name, "v1.4.0", 3), service(name, "v1.4.0", 3)))
	}
	first = append(first,
		step("create", "kubernetes:core/v1:Namespace", "nova-backend", nil, object{}),
		step("create", "kubernetes:networking.k8s.io/v1:Ingress", "api", nil, object{}),
		step("create", secret, "nova-backend-secrets", nil, secrets("JWT_SECRET", planted)),
		step("create", "random:index/randomPassword:RandomPassword", "jwt-secret", nil, object{}))
	everything = append(everything,
		step("replace", "kubernetes:core/v1:Namespace", "nova-backend", object{"metadata": object{"name": "nova-backend"}}, object{"metadata": object{"name": "nova"}}),
		step("replace", "kubernetes:apps/v1:StatefulSet", "postgres", object{"metadata": object{"namespace": "nova-backend"}}, object{"metadata": object{"namespace": "nova"}}))
	many := same(40)
	for i := range 300 {
		name := fmt.Sprintf("thing-%03d", i)
		kind, risky := "kubernetes:core/v1:ConfigMap", object{"data": object{"text": strings.Repeat("old ", 100) + planted + name}}
		switch {
		case i < 20:
			many = append(many, step("delete", "aws:s3/bucketV2:BucketV2", name, object{}, nil))
			continue
		case i < 60:
			many = append(many, step("update", deployment, name, service(name, "v1", 1), service(name, "v2", float64(i%5+1))))
			continue
		}
		many = append(many, step("update", kind, name, risky, object{"data": object{"text": strings.Repeat("new ", 100) + name}, fmt.Sprint("more-", i): name}))
	}
	return map[string][]Preview{
		"no-change": of(preview("staging", nil, same(252)...), preview("prod", nil, same(218)...)),
		"image-of-one-service": of(
			preview("staging", nil, same(252)...),
			preview("prod", nil, append(same(217), rolled("auth", "v1.4.0", "v1.5.0", 3, 3))...)),
		"image-of-all-services": of(warned(preview("staging", nil, append(same(230), all...)...)), warned(preview("prod", nil, append(same(207), all...)...))),
		"scale":                 of(preview("prod", nil, append(same(216), rolled("feed", "v1.4.0", "v1.4.0", 3, 5), rolled("media", "v1.4.0", "v1.4.0", 3, 0))...)),
		"bucket-deletion": of(preview("prod", nil, append(same(216),
			step("delete", "aws:s3/bucketV2:BucketV2", "nova-media", object{"bucket": "nova-media-prod"}, nil),
			step("delete", "aws:s3/bucketPolicy:BucketPolicy", "nova-media", object{"policy": planted}, nil))...)),
		"namespace-rename": of(preview("prod", nil, everything...)),
		"secret-rotation": of(preview("prod", nil, append(same(216),
			step("update", secret, "nova-backend-secrets", secrets("JWT_SECRET", "an older one", "OTHER", "same"), secrets("JWT_SECRET", planted, "OTHER", "same"), "stringData.JWT_SECRET"),
			step("create", "random:index/randomPassword:RandomPassword", "jwt-secret-2", nil, object{}),
			step("update", secret, "encoded", object{"data": object{"A": base64.StdEncoding.EncodeToString([]byte("old"))}},
				object{"data": object{"A": base64.StdEncoding.EncodeToString([]byte(planted))}}))...)),
		"secret-key-removed": of(preview("prod", nil, append(same(217),
			step("update", secret, "nova-backend-secrets", secrets("JWT_SECRET", planted), secrets()))...)),
		"many-changes":     of(preview("prod", nil, many...)),
		"first-deployment": of(preview("prod", nil, first...)),
		"unknown-values": of(preview("prod", nil, append(same(216),
			step("update", "aws:cloudfront/distribution:Distribution", "cdn", object{"origin": "a.example.com", "comment": "`a` | " + planted}, object{"origin": change.Unknown{}, "comment": "`a` | b"}),
			step("update", secret, "made-later", secrets("A", planted), object{"metadata": object{"name": "nova-backend-secrets"}, "stringData": object{"A": change.Secret{Value: change.Unknown{}, Known: true}}}))...)),
		"failed-preview": of(
			preview("staging", errors.New("preview of stack staging failed:\n  - auth-service: \""+planted+"\" is not ```valid```"), rolled("auth", "v1.4.0", "v1.5.0", 2, 2)),
			preview("prod", nil, append(same(217), rolled("auth", "v1.4.0", "v1.5.0", 3, 3))...)),
	}
}

func TestComment(t *testing.T) {
	for name, all := range situations() {
		t.Run(name, func(t *testing.T) {
			for host, budget := range budgets {
				text := Comment(all, host)
				assert.LessOrEqual(t, len(text), budget)
				for _, leak := range leaks() {
					assert.NotContains(t, text, leak)
				}
			}
			golden.Equal(t, *update, name+".md", Comment(all, GitHub))
		})
	}
	golden, err := filepath.Glob("testdata/*.md")
	require.NoError(t, err)
	assert.Len(t, golden, len(situations()), "golden files of no situation")
}

func TestComment_keeps_its_budget(t *testing.T) {
	all := situations()["many-changes"]
	full := comment(all, 1<<30)
	assert.NotContains(t, full, "Shortened")
	for budget := 3000; budget < len(full); budget += 3000 {
		text := comment(all, budget)
		assert.LessOrEqual(t, len(text), budget)
		lines := strings.Split(text, "\n")
		assert.Contains(t, lines[1], "**Risk critical**: 300 changes")
		assert.Contains(t, lines[1], "**Shortened**", "the line below the marker says it")
		assert.Contains(t, text, "| `prod` | 0 | 280 | 0 | 20 | 40 | critical |", "the table stays")
		assert.Contains(t, text, "delete 20 BucketV2s: holds data", "the dangers stay")
	}
}

func TestText(t *testing.T) {
	for name, all := range situations() {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for _, p := range all {
				text.WriteString(Text(p, "would change", false))
			}
			for _, leak := range leaks() {
				assert.NotContains(t, text.String(), leak)
			}
			assert.NotContains(t, text.String(), "\x1b")
			if name != "many-changes" {
				golden.Equal(t, *update, name+".txt", text.String())
			}
		})
	}
	t.Run("has colors where wanted", func(t *testing.T) {
		p := situations()["bucket-deletion"][0]
		assert.True(t, strings.HasPrefix(Text(p, "would change", true), "\x1b[1;31mcritical\x1b[0m  delete BucketV2 nova-media: holds data\n"))
	})
}

func TestMarker_is_the_same_in_any_order(t *testing.T) {
	assert.Equal(t, "<!-- nova-preview prod,staging -->", Marker([]string{"staging", "prod"}))
	assert.True(t, IsMarker(Marker([]string{"prod"})) && !IsMarker("nova-preview prod"))
	assert.True(t, strings.HasPrefix(Comment(situations()["no-change"], GitHub), Marker([]string{"prod", "staging"})+"\n"))
}

func TestValues_are_cut_around_their_difference(t *testing.T) {
	d := change.Difference{Old: strings.Repeat("ä", 200) + "old" + strings.Repeat("x", 300), New: strings.Repeat("ä", 200) + "new" + strings.Repeat("x", 300)}
	old, now := values(d, 40)
	assert.Equal(t, "…"+strings.Repeat("ä", 10)+"old"+strings.Repeat("x", 17)+"… (703 bytes)", old)
	assert.Contains(t, now, "new")
}

func TestCode_holds_any_text(t *testing.T) {
	for text, want := range map[string]string{"a": "`a`", "a`b": "`` a`b ``", "a\n```": "```` a\\n``` ````", "": "` `", " a ": "`  a  `"} {
		assert.Equal(t, want, code(text))
	}
}

func TestFiguresSayTheirChange(t *testing.T) {
	assert.Equal(t, "1.5 (+0.25)", delta(1250, 1500, cores))
	assert.Equal(t, "0.5 GiB (-1 GiB)", delta(3<<29, 1<<29, gib))
	assert.Equal(t, "2", delta(2000, 2000, cores))
	assert.Equal(t, []string{"NetworkPolicies", "Ingresses", "Deployments"}, []string{plural("NetworkPolicy"), plural("Ingress"), plural("Deployment")})
	assert.Equal(t, slices.Sorted(maps.Keys(budgets)), slices.Sorted(slices.Values(Hosts())))
}
