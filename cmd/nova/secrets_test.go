package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretsList_shows_source_and_receivers_but_no_value(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	var rows []secretRow
	require.NoError(t, json.Unmarshal([]byte(p.must(t, "secrets", "list", "--stack", "prod", "--format", "json").out), &rows))
	byKey := map[string]secretRow{}
	for _, r := range rows {
		byKey[r.Key] = r
	}
	assert.Equal(t, secretRow{Key: "JWT_PRIVATE_KEY_PEM", Source: "generated", Receivers: []string{"auth", "user"}, Doc: byKey["JWT_PRIVATE_KEY_PEM"].Doc}, byKey["JWT_PRIVATE_KEY_PEM"])
	assert.Equal(t, "nova/prod/POSTGRES_PASSWORD", byKey["POSTGRES_PASSWORD"].External)
	assert.Empty(t, byKey["POSTGRES_PASSWORD"].Receivers, "services get the URL")
	assert.Len(t, byKey["DATABASE_URL"].Receivers, 11)
	assert.Equal(t, "none", string(byKey["GOOGLE_CLIENT_SECRET"].Source))
	assert.Contains(t, p.must(t, "secrets", "list").out, "MESSAGE_ENCRYPTION_MASTER_KEY  generated  0          messaging")
}

func TestSecretsRotate_increments_the_generation_in_the_stack_file(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	p.stack(t, "turn", "  nova:namespace: turn # ours\n  nova:secrets: {SMTP_PASSWORD: {secure: v1:abc}}\n")
	file := filepath.Join(p.dir, "Pulumi.turn.yaml")
	d := p.must(t, "secrets", "rotate", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "--stack", "turn")
	assert.Equal(t, "POSTGRES_PASSWORD: rotation 1\nREDIS_PASSWORD: rotation 1\n", d.out)
	assert.Contains(t, d.err, "nova up --stack turn")
	assert.Contains(t, p.must(t, "secrets", "rotate", "POSTGRES_PASSWORD", "--stack", "turn").out, "rotation 2")
	p.must(t, "secrets", "rotate", "JWT_PRIVATE_KEY_PEM", "--accept-loss", "--stack", "turn")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, want := range []string{"nova:namespace: turn # ours", "POSTGRES_PASSWORD: 2", "REDIS_PASSWORD: 1", "JWT_PRIVATE_KEY_PEM: 1"} {
		assert.Contains(t, string(text), want)
	}

	for name, tc := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"what breaks stored data":  {[]string{"MESSAGE_ENCRYPTION_MASTER_KEY"}, exitRefused, []string{"can never be read again", "--accept-loss"}},
		"no key at all":            {nil, exitUsage, []string{"secrets rotate --help"}},
		"several mistakes at once": {[]string{"NOPE", "DATABASE_URL", "SMTP_PASSWORD", "GOOGLE_CLIENT_SECRET"}, exitUsage, []string{`"NOPE" is no secret`, "is composed from a password", "nova secrets import", "has no such secret"}},
		"one of two that cannot":   {[]string{"REDIS_PASSWORD", "NOPE"}, exitUsage, []string{`"NOPE" is no secret`}},
	} {
		t.Run(name, func(t *testing.T) {
			d := p.nova(t, append([]string{"secrets", "rotate", "--stack", "turn"}, tc.args...)...)
			assert.Equal(t, tc.code, d.code, d.err)
			for _, want := range tc.want {
				assert.Contains(t, d.err, want)
			}
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(text), string(after), "nothing is written")
		})
	}
}

func TestSecretsImport_encrypts_values_of_an_env_file(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	p.stack(t, "in", "  nova:namespace: in\n")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	values := map[string]string{"JWT_PRIVATE_KEY_PEM": private, "SMTP_PASSWORD": "hunter2 # $not a comment", "JWT_SECRET": "hunter2-hunter2-hunter2-hunter2-hunter2"}
	env := filepath.Join(p.dir, "in.env")
	require.NoError(t, os.WriteFile(env, []byte("# a file of Compose\nAPP_ENV=production  # plain\nGOOGLE_CLIENT_SECRET=\n"+
		"export JWT_SECRET="+values["JWT_SECRET"]+"  # at least 32\n"+
		"SMTP_PASSWORD='"+values["SMTP_PASSWORD"]+"'\nJWT_PRIVATE_KEY_PEM=\""+private+"\"\n"), 0o600))
	file := filepath.Join(p.dir, "Pulumi.in.yaml")

	d := p.must(t, "secrets", "import", "--from-env-file", env, "--stack", "in", "--dry-run")
	assert.Contains(t, d.err, "3 secrets would be imported, 2 other variables left out")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secure")

	said := d.out + d.err
	d = p.must(t, "secrets", "import", "--from-env-file", env, "--stack", "in")
	said += d.out + d.err
	text, err = os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text)+said, "hunter2")
	assert.NotContains(t, string(text)+said, strings.Split(private, "\n")[1])
	assert.Contains(t, p.must(t, "secrets", "list", "--stack", "in").out, "SMTP_PASSWORD                  config")
	for name, want := range values {
		get := exec.Command(filepath.Join(p.dir, "bin", "pulumi"), "config", "get", "--path", "nova:secrets."+name, "--stack", "in", "--non-interactive")
		get.Dir = p.dir
		get.Env = append(p.env(), "PULUMI_SKIP_UPDATE_CHECK=1", "PULUMI_BACKEND_URL=file://"+filepath.Join(p.dir, ".nova", "state"),
			"PULUMI_CONFIG_PASSPHRASE_FILE="+filepath.Join(p.dir, ".nova", "passphrase"))
		out, err := get.Output()
		require.NoError(t, err)
		assert.True(t, string(out) == want+"\n", "%s has another value", name)
	}

	for name, tc := range map[string]struct {
		content string
		args    []string
		want    string
	}{
		"a malformed key":         {"JWT_PRIVATE_KEY_PEM=hunter2\n", nil, "nova:secrets.JWT_PRIVATE_KEY_PEM: Invalid value: [secret]: is not PEM"},
		"an open quote":           {"SMTP_PASSWORD=\"hunter2\n", nil, "check that every quote is closed"},
		"nothing secret":          {"APP_ENV=production\n", nil, "holds no secret with a value"},
		"a key that is not there": {"SMTP_PASSWORD=hunter2\n", []string{"--only", "JWT_SECRET"}, `--only: "JWT_SECRET"`},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(env, []byte(tc.content), 0o600))
			d := p.nova(t, append([]string{"secrets", "import", "--from-env-file", env, "--stack", "in"}, tc.args...)...)
			assert.Equal(t, exitUsage, d.code, d.err)
			assert.Contains(t, d.err, tc.want)
			assert.NotContains(t, d.err+d.out, "hunter2")
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(text), string(after))
		})
	}
	assert.Equal(t, exitUsage, p.nova(t, "secrets", "import").code)
	assert.Equal(t, exitUsage, p.nova(t, "secrets", "import", "--from-env-file", filepath.Join(p.dir, "missing.env")).code)
}
