package tests

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// The Secrets of a stack: the program's own, and the one that the External
// Secrets Operator writes.
const (
	ownSecret      = "nova-backend-secrets"
	externalSecret = "nova-backend-secrets-external"
)

// keysOf says which secret keys each container gets, beside the connection
// URLs of PostgreSQL and Redis that all get.
func keysOf(stack string) map[string][]string {
	keys := map[string][]string{
		"auth":    {"JWT_PRIVATE_KEY_PEM"},
		"user":    {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CLICKHOUSE_PASSWORD", "JWT_PRIVATE_KEY_PEM", "JWT_SECRET"},
		"content": {"CLICKHOUSE_PASSWORD"}, "feed": {"CLICKHOUSE_PASSWORD"},
		"messaging": {"MESSAGE_ENCRYPTION_MASTER_KEY"}, "cdn": {"CDN_SECRET_KEY"},
		"media": nil, "search": nil, "streaming": nil, "notification": nil, "events": nil,
	}
	if stack == "dev" {
		// The store in the cluster knows no roles.
		for _, name := range []string{"media", "messaging", "cdn"} {
			keys[name] = append(keys[name], "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
		}
	}
	if stack == "prod" {
		keys["user"] = append(keys["user"], "SMTP_PASSWORD")
	}
	for name := range keys {
		keys[name] = append(keys[name], "DATABASE_URL", "REDIS_URL")
		slices.Sort(keys[name])
	}
	return keys
}

// external are the keys that stacks fetch from outside.
var external = map[string][]string{
	"prod": {"CLICKHOUSE_PASSWORD", "DATABASE_URL", "POSTGRES_EXPORTER_PASSWORD",
		"POSTGRES_PASSWORD", "REDIS_EXPORTER_PASSWORD", "REDIS_PASSWORD", "REDIS_URL", "SMTP_PASSWORD"},
}

func TestSecrets_containers_receive_only_their_own_keys(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) {
			c := load(t, stack)
			all, values := declare(t, c, false), c.VariableValues()
			for _, s := range catalog.Services() {
				with := slices.DeleteFunc(slices.Clone(s.Variables), func(key string) bool {
					return values[key] == "" && key != config.PublicKeyVariable
				})
				container := as[appsv1.Deployment](t, find(t, all, "Deployment", s.KubernetesName())).Spec.Template.Spec.Containers[0]
				assert.Empty(t, container.EnvFrom)
				own := map[string]string{}
				var secrets, variables []string
				for _, env := range container.Env {
					switch {
					case env.ValueFrom == nil:
						own[env.Name] = env.Value
					case env.ValueFrom.SecretKeyRef != nil:
						assert.Equal(t, env.Name, env.ValueFrom.SecretKeyRef.Key)
						want := ownSecret
						if slices.Contains(external[stack], env.Name) {
							want = externalSecret
						}
						assert.Equal(t, want, env.ValueFrom.SecretKeyRef.Name, "%s of %s", env.Name, s.Name)
						secrets = append(secrets, env.Name)
					case env.ValueFrom.ConfigMapKeyRef != nil:
						assert.Equal(t, env.Name, env.ValueFrom.ConfigMapKeyRef.Key)
						variables = append(variables, env.Name)
					}
				}
				assert.Equal(t, keysOf(stack)[s.Name], secrets, s.Name)
				assert.Equal(t, with, variables, "%s: all of its record that are not empty", s.Name)
				for key, value := range s.PortVariables() {
					assert.Equal(t, value, own[key], "%s %s", s.Name, key)
				}
			}
		})
	}
}

func TestSecrets_hold_generated_values_and_are_marked_secret(t *testing.T) {
	data := secretData(t, declare(t, load(t, "dev"), false))
	assert.Equal(t, "postgresql://nova_a:generated-postgres-password@postgres.nova-backend.svc.cluster.local:5432/nova", data["DATABASE_URL"])
	assert.Equal(t, "redis://:generated-redis-password@redis.nova-backend.svc.cluster.local:6379", data["REDIS_URL"])
	assert.Equal(t, "generated-jwt-private-key-pem", data["JWT_PRIVATE_KEY_PEM"])
	assert.NotContains(t, data, "SMTP_PASSWORD", "nobody supplied it")
}

// secretData decodes the data of the program's own Secret.
func secretData(t *testing.T, all []recorded) map[string]string {
	t.Helper()
	property := find(t, all, "Secret", ownSecret).inputs["data"]
	require.True(t, property.IsSecret(), "the whole of it is secret")
	data := map[string]string{}
	for key, value := range property.SecretValue().Element.ObjectValue() {
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		text, err := base64.StdEncoding.DecodeString(value.StringValue())
		require.NoError(t, err)
		data[string(key)] = string(text)
	}
	return data
}

func TestSecrets_rotation_keeps_the_previous_value(t *testing.T) {
	before := declare(t, load(t, "dev"), false)
	rotated := parse(t, "  nova:secretSources: {rotation: {POSTGRES_PASSWORD: 1, JWT_SECRET: 2}}\n")
	after := declare(t, rotated, false)
	data := secretData(t, after)
	assert.Equal(t, "generated-postgres-password-2", data["POSTGRES_PASSWORD"])
	assert.Equal(t, "generated-postgres-password", data["POSTGRES_PASSWORD_PREVIOUS"], "pods that still have it go on")
	assert.Equal(t, "postgresql://nova_b:generated-postgres-password-2@postgres.nova-backend.svc.cluster.local:5432/nova", data["DATABASE_URL"])
	assert.Equal(t, "generated-jwt-secret-3", data["JWT_SECRET"])
	assert.NotContains(t, data, "JWT_SECRET_PREVIOUS", "nothing would accept it")
	for _, r := range before {
		if strings.HasPrefix(r.typ, "random:") || strings.HasPrefix(r.typ, "tls:") {
			find(t, after, r.typ[strings.LastIndex(r.typ, ":")+1:], r.name)
		}
	}
	keepers := find(t, after, "RandomPassword", "jwt-secret-3").inputs["keepers"].ObjectValue()
	assert.Equal(t, "2", keepers["rotation"].StringValue())
}

func TestSecrets_rotation_touches_only_receivers(t *testing.T) {
	before, after := configHashes(t, parse(t, "")), configHashes(t, parse(t, "  nova:secretSources: {rotation: {JWT_SECRET: 1}}\n"))
	for name := range before {
		assert.Equal(t, name == "user-service", before[name] != after[name], name)
	}
	prod := load(t, "prod")
	before = configHashes(t, prod)
	after = configHashes(t, changed(t, "prod", "secretSources", map[string]any{"rotation": map[string]any{"SMTP_PASSWORD": json.Number("1")}}))
	for name := range before {
		assert.Equal(t, name == "user-service", before[name] != after[name], "%s, of an external secret", name)
	}
	after = configHashes(t, changed(t, "prod", "secretSources", map[string]any{"rotation": map[string]any{"POSTGRES_PASSWORD": json.Number("1")}}))
	for name := range before {
		assert.Equal(t, strings.HasSuffix(name, "-service"), before[name] != after[name], "%s, of the password in an external connection URL", name)
	}
}

func TestSecrets_external_values_are_fetched_in_the_cluster_only(t *testing.T) {
	for stack, want := range external {
		all := declare(t, load(t, stack), false)
		object := find(t, all, "ExternalSecret", externalSecret)
		spec := unwrap(object.inputs)["spec"].(map[string]any)
		var keys []string
		for _, each := range spec["data"].([]any) {
			entry := each.(map[string]any)
			key := entry["secretKey"].(string)
			assert.Equal(t, "nova/"+stack+"/"+key, entry["remoteRef"].(map[string]any)["key"])
			keys = append(keys, key)
		}
		target := spec["target"].(map[string]any)
		if made, ok := target["template"].(map[string]any); ok {
			for key := range made["data"].(map[string]any) {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		assert.Equal(t, want, keys, stack)
		assert.Equal(t, externalSecret, target["name"])
		assert.NotEqual(t, ownSecret, target["name"], "one Secret has one owner")
		for key := range secretData(t, all) {
			assert.NotContains(t, want, key, "%s has two places", key)
		}
	}
	assert.Empty(t, ofKind(declare(t, load(t, "dev"), false), "ExternalSecret"))
}

func TestSecrets_external_connection_URL_takes_any_password(t *testing.T) {
	object := find(t, declare(t, load(t, "prod"), false), "ExternalSecret", externalSecret)
	made := unwrap(object.inputs)["spec"].(map[string]any)["target"].(map[string]any)["template"].(map[string]any)["data"].(map[string]any)
	// As the operator's template engine has it.
	functions := template.FuncMap{"replace": func(from, to, text string) string { return strings.ReplaceAll(text, from, to) }}
	parsed, err := template.New("url").Funcs(functions).Parse(made["DATABASE_URL"].(string))
	require.NoError(t, err)
	var url strings.Builder
	require.NoError(t, parsed.Execute(&url, map[string]string{"POSTGRES_PASSWORD": "p@s s/w+rd:%"}))
	assert.Equal(t, "postgresql://nova_user:p%40s%20s%2Fw%2Brd%3A%25@nova-prod-db.nova.internal:5432/nova?sslmode=require", url.String())
	assert.Contains(t, made["REDIS_URL"], "rediss://:")
}

func TestSecrets_of_every_source_reach_their_receivers(t *testing.T) {
	for source, lines := range map[string]string{
		ownSecret:      "",
		externalSecret: "  nova:secretSources: {keys: {JWT_SECRET: external}}\n",
	} {
		all := declare(t, parse(t, lines), false)
		for _, env := range as[appsv1.Deployment](t, find(t, all, "Deployment", "user-service")).Spec.Template.Spec.Containers[0].Env {
			if env.Name == "JWT_SECRET" {
				assert.Equal(t, source, env.ValueFrom.SecretKeyRef.Name)
			}
		}
	}
}

// configHashes are the configuration hashes of the Deployments, by name.
func configHashes(t *testing.T, c *stack.Stack) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, r := range ofKind(declare(t, c, false), "Deployment") {
		metadata := r.inputs["spec"].ObjectValue()["template"].ObjectValue()["metadata"].ObjectValue()
		annotation, ok := metadata["annotations"]
		if !ok {
			continue
		}
		hash := annotation.ObjectValue()[resource.PropertyKey("nova.dev/config-hash")]
		require.True(t, hash.IsString(), "%s: %v", r.name, hash.TypeString())
		found[r.name] = hash.StringValue()
	}
	return found
}

func TestSecrets_are_never_in_clear_text(t *testing.T) {
	supplied := map[string]any{}
	for _, s := range catalog.Secrets() {
		switch s.Key {
		case "JWT_PRIVATE_KEY_PEM", "MESSAGE_ENCRYPTION_MASTER_KEY":
		default:
			supplied[s.Key] = config.NewSecret("planted-" + s.Key + "-with-enough-characters")
		}
	}
	c, err := stack.Parse("stack", config.Input{"secrets": supplied})
	require.NoError(t, err)
	for _, r := range declare(t, c, false) {
		shown := fmt.Sprint(withoutSecrets(r.inputs))
		assert.NotContains(t, shown, "planted-", r.urn)
		assert.NotContains(t, shown, base64.StdEncoding.EncodeToString([]byte("planted-"))[:8], r.urn)
	}
}

func TestSecrets_connection_URL_holds_a_supplied_password(t *testing.T) {
	c, err := stack.Parse("stack", config.Input{"secrets": map[string]any{"POSTGRES_PASSWORD": config.NewSecret("supplied")}})
	require.NoError(t, err)
	data := secretData(t, declare(t, c, false))
	assert.Equal(t, "postgresql://nova_a:supplied@postgres.nova-backend.svc.cluster.local:5432/nova", data["DATABASE_URL"])
}

func TestSecrets_rotation_restarts_no_store_that_can_take_a_value_over(t *testing.T) {
	rotated := func(n string) []recorded {
		return declare(t, parse(t, "  nova:secretSources: {rotation: {POSTGRES_PASSWORD: "+n+", POSTGRES_SUPERUSER_PASSWORD: "+n+", REDIS_PASSWORD: "+n+", REDIS_EXPORTER_PASSWORD: "+n+
			", REDIS_ADMIN_PASSWORD: "+n+", AWS_ACCESS_KEY_ID: "+n+", AWS_SECRET_ACCESS_KEY: "+n+"}}\n"), false)
	}
	first, second, third := rotated("0"), rotated("1"), rotated("2")
	template := func(all []recorded, kind, name string) resource.PropertyValue {
		return find(t, all, kind, name).inputs["spec"].ObjectValue()["template"]
	}
	for _, store := range []string{"postgres", "redis", "object-store"} {
		for _, after := range [][]recorded{second, third} {
			assert.Equal(t, template(first, "StatefulSet", store), template(after, "StatefulSet", store), store)
		}
		assert.NotEqual(t, template(first, "Job", store+"-setup"), template(second, "Job", store+"-setup"), store)
		assert.NotEqual(t, template(second, "Job", store+"-setup"), template(third, "Job", store+"-setup"), store)
	}
}
