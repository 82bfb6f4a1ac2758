package render_test

import (
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/compose"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/envfile"
	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/testing/stacktest"
)

// The stacks of the repository; nobody changes them.
var (
	stacks  = stacktest.Names
	load    = stacktest.Committed
	loadAll = stacktest.All
)

func rendered(t testing.TB, c *stack.Stack) map[string][]byte {
	t.Helper()
	if trees[c] == nil {
		files, err := render.Tree(c, loadAll(t)...)
		require.NoError(t, err)
		trees[c] = files
	}
	return trees[c]
}

var (
	trees = map[*stack.Stack]map[string][]byte{}
)

func eachStack(t *testing.T, test func(t *testing.T, c *stack.Stack)) {
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) { test(t, load(t, stack)) })
	}
}

func TestTree_holds_no_secret_and_no_default_of_one(t *testing.T) {
	c, err := stack.Parse("dev", config.Input{"secrets": map[string]any{
		"SMTP_PASSWORD": config.NewSecret("hunter2-smtp"), "POSTGRES_PASSWORD": config.NewSecret("hunter2-postgres"),
		"MESSAGE_ENCRYPTION_MASTER_KEY": config.NewSecret("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
		"JWT_PRIVATE_KEY_PEM":           config.NewSecret(signingKey(t)),
	}})
	require.NoError(t, err)
	for name, text := range rendered(t, c) {
		for _, value := range []string{"hunter2", "MDEyMzQ1", "BEGIN PRIVATE KEY", "nova-secret-", "%3C"} {
			if path.Ext(name) != ".json" {
				assert.NotContains(t, string(text), value, name)
			}
		}
	}
	secrets := string(rendered(t, c)["kubernetes/11-secrets.yaml"])
	for _, line := range []string{
		"SMTP_PASSWORD: <SMTP_PASSWORD>", "JWT_PRIVATE_KEY_PEM: <JWT_PRIVATE_KEY_PEM>",
		"DATABASE_URL: postgresql://nova_a:<POSTGRES_PASSWORD>@postgres.nova-backend.svc.cluster.local:5432/nova",
	} {
		assert.Contains(t, secrets, line)
	}
}

// signingKey is a key that a stack supplies.
func signingKey(t *testing.T) string {
	t.Helper()
	text, err := compose.Env(load(t, "dev"))
	require.NoError(t, err)
	env, err := envfile.Parse(text)
	require.NoError(t, err)
	return env["JWT_PRIVATE_KEY_PEM"]
}
