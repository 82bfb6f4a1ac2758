package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
)

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func TestServices_prints_the_catalogue_as_table_and_JSON(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(p.must(t, "services", "--format", "json").out), &rows))
	require.Len(t, rows, 11)
	assert.Equal(t, "auth", rows[0]["name"])
	assert.EqualValues(t, 8083, rows[0]["http_port"])
	assert.EqualValues(t, 9083, rows[0]["grpc_port"])
	assert.Equal(t, "auth-service.nova-backend.svc.cluster.local", rows[0]["dns"])
	for _, row := range rows {
		for _, key := range []string{"needs", "calls", "buckets"} {
			assert.IsType(t, []any{}, row[key], "%s of %s is a list, also when empty", key, row["name"])
		}
	}
	table := p.must(t, "services").out
	assert.Len(t, strings.Split(strings.TrimSpace(table), "\n"), 12)
}

func TestCommand_has_help_and_an_example(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		assert.NotEmpty(t, c.Short, c.CommandPath())
		if c.HasParent() && !c.HasSubCommands() {
			assert.NotEmpty(t, c.Example, c.CommandPath())
		}
		for _, child := range c.Commands() {
			visit(child)
		}
	}
	visit(newRootCommand(streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}))
}

func TestCommand_wrong_input_exits_with_a_code_and_changes_nothing(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	p.stack(t, "wrong", "  nova:replicas: none\n  nova:mesh: x\n")
	p.stack(t, "far", "  nova:cluster: {kubeconfig: far.yaml, identifier: far}\n")
	p.stack(t, "nowhere", "  nova:cluster: {kubeconfig: nowhere.yaml, identifier: nowhere}\n")
	p.stack(t, "guarded", "  nova:environment: production\n  nova:images: {registry: registry.example.com, version: v1}\n  nova:cluster: {kubeconfig: far.yaml, identifier: far}\n"+
		"  nova:dependencies: {postgres: {host: pg.example.com}, redis: {host: redis.example.com}, clickhouse: {host: ch.example.com}, kafka: {host: kafka.example.com}, elasticsearch: {host: es.example.com}}\n"+
		"  nova:secretSources: {default: external, keys: {JWT_PRIVATE_KEY_PEM: generated}}\n"+
		"  nova:aws: {account: '123456789012', oidcIssuer: 'https://oidc.example.com/id/1', cdn: {distributions: ['arn:aws:cloudfront::123456789012:distribution/E1']}}\n")
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "far.yaml"), []byte(`{"apiVersion":"v1","kind":"Config","current-context":"x",
		"clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:1"}}],"users":[{"name":"x","user":{}}],
		"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}]}`), 0o600))
	for name, tc := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"no such command":           {[]string{"upp"}, exitUsage, []string{`unknown command "upp"`}},
		"no such flag":              {[]string{"up", "--stak", "dev"}, exitUsage, []string{"unknown flag: --stak", "nova up --help"}},
		"an argument too many":      {[]string{"up", "dev"}, exitUsage, []string{"nova up --help"}},
		"no such stack":             {[]string{"up", "--stack", "production"}, exitUsage, []string{`--stack: "production"`, "stacks are dev, far, guarded"}},
		"no such format":            {[]string{"services", "--format", "xml"}, exitUsage, []string{`--format: "xml" is not known; allowed: table, json`}},
		"no such provider mode":     {[]string{"up", "--providers", "fake"}, exitUsage, []string{"--providers", "allowed: auto, real, stand-in"}},
		"no such class of risk":     {[]string{"preview", "--fail-on", "severe"}, exitUsage, []string{`--fail-on: "severe" is not known; allowed: critical, high, medium, low`}},
		"no such host":              {[]string{"preview", "--host", "sourcehut"}, exitUsage, []string{`--host: "sourcehut" is not known; allowed: github, gitlab, bitbucket`}},
		"a stack twice":             {[]string{"preview", "--stack", "dev,far,dev"}, exitUsage, []string{"--stack: dev is named twice"}},
		"one stack that is not":     {[]string{"preview", "--stack", "dev,production"}, exitUsage, []string{`--stack: "production"`}},
		"outside the repository":    {[]string{"services", "--dir", "/"}, exitUsage, []string{"no Pulumi project"}},
		"a wrong configuration":     {[]string{"up", "--stack", "wrong"}, exitUsage, []string{"2 mistakes", "nova:mesh", "nova:replicas"}},
		"prod without a yes":        {[]string{"up", "--stack", "prod"}, exitUsage, []string{"--yes"}},
		"destroy without a yes":     {[]string{"destroy"}, exitUsage, []string{"--yes"}},
		"destroy of production":     {[]string{"destroy", "--stack", "prod", "--yes"}, exitRefused, []string{"stack prod is protected"}},
		"no control plane":          {[]string{"up"}, exitFailed, []string{"nova local up"}},
		"no kubeconfig":             {[]string{"up", "--stack", "nowhere", "--providers", "stand-in"}, exitFailed, []string{"nova:cluster.kubeconfig", "nowhere.yaml"}},
		"an unreachable cluster":    {[]string{"preview", "--stack", "far", "--providers", "stand-in"}, exitFailed, []string{"127.0.0.1:1"}},
		"stand-ins on real prod":    {[]string{"up", "--stack", "guarded", "--yes", "--providers", "stand-in"}, exitRefused, []string{"stand-in providers serve production only on the embedded control plane"}},
		"status of nothing":         {[]string{"status"}, exitFailed, []string{"nova local up"}},
		"local status of none":      {[]string{"local", "status"}, exitFailed, nil},
		"simulated nodes by number": {[]string{"local", "up", "--nodes", "3"}, exitUsage, []string{"--nodes is for --real"}},
		"no real node":              {[]string{"local", "up", "--real", "--nodes", "-1"}, exitUsage, []string{"--nodes: -1 is not allowed; allowed: 1 to 9"}},
		"too many real nodes":       {[]string{"local", "up", "--real", "--nodes", "10"}, exitUsage, []string{"allowed: 1 to 9"}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			d := p.nova(t, tc.args...)
			assert.Equal(t, tc.code, d.code, d.out+d.err)
			for _, want := range tc.want {
				assert.Contains(t, d.err, want)
			}
			assert.NotContains(t, d.out+d.err, "panic")
			assert.NotContains(t, d.out+d.err, "goroutine ")
			assert.NotContains(t, d.out+d.err, "changed")
			assert.Less(t, time.Since(start), time.Minute)
		})
	}
}

func TestLocal_has_one_cluster_at_a_time(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	d := p.nova(t, "local", "up", "--real")
	assert.Equal(t, exitRefused, d.code, d.err)
	assert.Contains(t, d.err, "the embedded control plane is here (running)")
	assert.Contains(t, d.err, "run `nova local down` first")

	other := newProject(t)
	defer os.RemoveAll(other.dir)
	// A cluster of real pods whose process has ended.
	state := filepath.Join(other.dir, ".nova", "real")
	require.NoError(t, os.MkdirAll(state, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(state, "record.json"), []byte(`{"pid": 1, "started": 1, "name": "none"}`), 0o600))
	d = other.nova(t, "local", "up")
	assert.Equal(t, exitRefused, d.code, d.err)
	assert.Contains(t, d.err, "a cluster of real pods is here (stopped)")
	d = other.nova(t, "local", "status")
	assert.Equal(t, exitFailed, d.code)
	assert.Contains(t, d.out, "cluster of real pods: stopped")
	other.must(t, "local", "down")
	assert.NoDirExists(t, state)
}

func TestPreview_reports_a_wrong_passphrase(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	p.stack(t, "pass", "  nova:namespace: pass\n"+only("cdn"))
	p.must(t, "up", "--stack", "pass")
	d := p.novaWith(t, []string{"PULUMI_CONFIG_PASSPHRASE=wrong"}, "up", "--stack", "pass")
	assert.Equal(t, exitFailed, d.code)
	assert.Contains(t, d.err, "passphrase is not the one")
}

func TestLock_is_kept_while_its_holder_lives_and_removed_afterwards(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	p.stack(t, "locked", "  nova:namespace: locked\n"+only("cdn"))
	host, err := os.Hostname()
	require.NoError(t, err)
	hold := func(pid int) {
		dir := filepath.Join(p.dir, ".nova", "state", ".pulumi", "locks", "organization", "nova", "locked")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		text, err := json.Marshal(map[string]any{"pid": pid, "username": "somebody", "hostname": host, "timestamp": time.Now()})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "one.json"), text, 0o600))
	}
	hold(os.Getpid())
	d := p.nova(t, "up", "--stack", "locked")
	assert.Equal(t, exitFailed, d.code)
	assert.Contains(t, d.err, "stack locked is locked by somebody@")
	hold(1 << 22) // Above the highest process id.
	d = p.must(t, "up", "--stack", "locked")
	assert.Contains(t, d.err, "released the lock")
}

func TestDoctor_and_version(t *testing.T) {
	p := newProject(t)
	defer os.RemoveAll(p.dir)
	doctor := p.must(t, "doctor").out
	for _, tool := range []string{"pulumi", "etcd", "kube-apiserver", "kwokctl"} {
		assert.Contains(t, doctor, tool)
	}
	assert.Contains(t, p.must(t, "version").out, "nova ")
}
