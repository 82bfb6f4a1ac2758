package compose_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/compose"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/envfile"
	"nova.dev/infra/internal/stack"
)

// sourced is the environment of a POSIX shell that has read an env file.
func sourced(t *testing.T, text []byte) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cmd := exec.Command("sh", "-ec", `set -a; . "$0"; exec env -0`, file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	require.NoError(t, err)
	values := map[string]string{}
	for _, pair := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "PATH" && name != "PWD" && name != "_" && name != "SHLVL" && name != "OLDPWD" {
			values[name] = value
		}
	}
	return values
}

// readByAll reads an env file as Compose does, and asserts that a dotenv library
// and a shell take it for the same.
func readByAll(t *testing.T, text []byte) map[string]string {
	t.Helper()
	values, err := envfile.Parse(text)
	require.NoError(t, err)
	library, err := godotenv.Unmarshal(string(text))
	require.NoError(t, err)
	assert.Equal(t, values, library, "godotenv")
	assert.Equal(t, values, sourced(t, text), "sh")
	return values
}

func TestExample_explains_every_variable_for_every_reader(t *testing.T) {
	eachStack(t, func(t *testing.T, c *stack.Stack) {
		text := rendered(t, c)[".env.example"]
		values := readByAll(t, text)
		unwrapped := strings.ReplaceAll(string(text), "\n# ", " ")
		for _, v := range catalog.Variables() {
			assert.Contains(t, values, v.Key)
			assert.Contains(t, unwrapped, v.Doc)
		}
		for _, s := range catalog.Secrets() {
			value, listed := values[s.Key]
			assert.True(t, listed, s.Key)
			assert.Empty(t, value, "%s: Compose refuses to start with an empty secret", s.Key)
		}
		assert.Len(t, values, len(catalog.Variables())+len(catalog.Secrets())+1)
		before := "\n"
		for line := range strings.Lines(string(text)) {
			if key, _, assigns := strings.Cut(line, "="); assigns && !strings.HasPrefix(line, "#") {
				assert.True(t, strings.HasPrefix(before, "# "), "%s is not explained", key)
				assert.NotContains(t, line, "#", "a comment behind a value is part of it for some readers")
			}
			before = line
		}
	})
}

func TestExample_tells_how_the_stacks_differ(t *testing.T) {
	text := string(rendered(t, load(t, "dev"))[".env.example"])
	for _, want := range []string{
		"#   in dev: debug\n#   in staging, prod: info\nLOG_LEVEL=debug\n",
		"#   in dev, staging: 20\n#   in prod: 50\nREDIS_POOL_SIZE=20\n",
		"#   in dev: development\n#   in staging: staging\n#   in prod: production\nAPP_ENV=development\n",
		"#   in dev, staging: generated\n#   in prod: external\nPOSTGRES_PASSWORD=\n",
	} {
		assert.Contains(t, text, want)
	}
	alone, err := compose.Example(load(t, "dev"), nil)
	require.NoError(t, err)
	assert.NotContains(t, string(alone[".env.example"]), "#   in ")
}

func TestEnv_has_every_secret_for_every_reader(t *testing.T) {
	c := load(t, "prod")
	text, err := compose.Env(c)
	require.NoError(t, err)
	values := readByAll(t, text)
	for key, value := range values {
		assert.NotEmpty(t, value, "%s: to the code an empty text is a value", key)
	}
	assert.Contains(t, string(text), "\n# SMTP_PASSWORD=\n")
	for _, s := range catalog.Secrets() {
		assert.Equal(t, s.Generate == catalog.GenerateNone, values[s.Key] == "", s.Key)
		if s.Generate == catalog.GeneratePassword {
			assert.Regexp(t, "^[A-Za-z0-9]{32,}$", values[s.Key], s.Key)
		}
	}
	key, err := base64.StdEncoding.DecodeString(values["MESSAGE_ENCRYPTION_MASTER_KEY"])
	require.NoError(t, err)
	assert.Len(t, key, 32)

	block, rest := pem.Decode([]byte(values["JWT_PRIVATE_KEY_PEM"]))
	require.NotNil(t, block)
	assert.Empty(t, rest)
	_, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	public, err := config.PublicKeyPEM(values["JWT_PRIVATE_KEY_PEM"])
	require.NoError(t, err)
	assert.Equal(t, public, values["JWT_PUBLIC_KEY_PEM"])
	assert.Equal(t, "postgresql://nova_user_a:"+values["POSTGRES_PASSWORD"]+"@postgres:5432/nova", values["DATABASE_URL"])
	assert.Equal(t, "redis://:"+values["REDIS_PASSWORD"]+"@redis:6379", values["REDIS_URL"])

	again, err := compose.Env(c)
	require.NoError(t, err)
	other, err := envfile.Parse(again)
	require.NoError(t, err)
	for _, s := range catalog.Secrets() {
		if s.Generate != catalog.GenerateNone {
			assert.NotEqual(t, values[s.Key], other[s.Key], "%s is new each time", s.Key)
		}
	}
}

func TestNotes(t *testing.T) {
	t.Run("a value that no env file can carry is in the compose file", func(t *testing.T) {
		value := `It's "N\ova" for $5`
		c, err := stack.Parse("dev", config.Input{"variables": map[string]any{"SMTP_FROM": value}})
		require.NoError(t, err)
		require.Len(t, compose.Notes(c), 1)
		assert.Contains(t, compose.Notes(c)[0], "nova:variables.SMTP_FROM is written into docker-compose.yml and cannot be set in .env: it holds")
		assert.NotContains(t, compose.Notes(c)[0], "N\\ova")

		env, err := compose.Env(c)
		require.NoError(t, err)
		assert.NotContains(t, readByAll(t, env), "SMTP_FROM")
		example, err := compose.Example(c, nil)
		require.NoError(t, err)
		assert.Contains(t, string(example[".env.example"]), "# SMTP_FROM is not set here")
		files, err := compose.Files(c)
		require.NoError(t, err)
		values, err := envfile.Parse(env)
		require.NoError(t, err)
		project, err := composed(t, files, values, "*")
		require.NoError(t, err)
		assert.Equal(t, value, *project.Services["user-service"].Environment["SMTP_FROM"])
	})
	t.Run("there are none about the stacks of the repository", func(t *testing.T) {
		eachStack(t, func(t *testing.T, c *stack.Stack) { assert.Empty(t, compose.Notes(c)) })
	})
}
