package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/change"
)

// changed are the changes of a result, as "op Kind name", sorted.
func changed(result change.Result) []string {
	var all []string
	for _, c := range result.Changes {
		all = append(all, strings.Join([]string{c.Op, c.Type[strings.LastIndex(c.Type, ":")+1:], c.Name}, " "))
	}
	slices.Sort(all)
	return all
}

func TestUp_rotation_or_another_mode_changes_only_what_depends_on_it(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	const base = "  nova:namespace: touch\n  nova:deletionProtection: true\n"
	p.stack(t, "touch", base)
	p.must(t, "up", "--stack", "touch")

	t.Log("a rotated token secret: one more generator, the Secret, and the one service that receives it")
	p.stack(t, "touch", base+"  nova:secretSources: {rotation: {JWT_SECRET: 1}}\n")
	assert.Equal(t, []string{"create RandomPassword jwt-secret-2", "update Deployment user-service", "update Secret nova-backend-secrets"},
		changed(p.preview(t, "touch")))
	comment := p.must(t, "preview", "--stack", "touch", "--format", "markdown").out
	assert.Contains(t, comment, "**Risk high**: 3 changes in `touch`, 1 of them dangerous.\n")
	assert.Contains(t, comment, "- **high** secret changed: JWT_SECRET in Secret `nova-backend-secrets`\n")
	assert.Regexp(t, "`data.JWT_SECRET`: `\\[secret [0-9a-f]{4}\\]` → `\\[secret, known after up\\]`\n", comment)
	refused := p.nova(t, "preview", "--stack", "touch", "--fail-on", "high")
	assert.Equal(t, exitRefused, refused.code)
	assert.Contains(t, refused.err, "--fail-on high: changes of that class or a higher one in touch (high)")
	assert.Contains(t, refused.out, "high      secret changed: JWT_SECRET in Secret nova-backend-secrets\n")

	t.Log("a rotated database password: the set-up runs again, services roll, and the server itself stays")
	p.stack(t, "touch", base+"  nova:secretSources: {rotation: {POSTGRES_PASSWORD: 1}}\n")
	for _, change := range changed(p.preview(t, "touch")) {
		switch {
		case strings.HasPrefix(change, "update Deployment") && strings.HasSuffix(change, "-service"):
		case slices.Contains([]string{"create RandomPassword postgres-password-2", "update Secret nova-backend-secrets", "update ConfigMap postgres-setup"}, change):
		case strings.HasSuffix(change, "Job postgres-setup"):
		default:
			t.Errorf("not expected: %s", change)
		}
	}

	t.Log("another mode of each system: its own objects and its receivers, and nothing that holds data")
	for system, lines := range map[string]string{
		"redis":         "  nova:dependencies: {redis: {mode: external, host: redis.example.com}}\n  nova:secretSources: {keys: {REDIS_PASSWORD: external, REDIS_EXPORTER_PASSWORD: external}}\n",
		"kafka":         "  nova:dependencies: {kafka: {mode: external, host: kafka.example.com}}\n",
		"elasticsearch": "  nova:dependencies: {elasticsearch: {mode: external, host: search.example.com}}\n",
	} {
		p.stack(t, "touch", base+lines)
		result := p.preview(t, "touch")
		assert.Empty(t, result.Errors, system)
		for _, c := range result.Changes {
			kind := c.Type[strings.LastIndex(c.Type, ":")+1:]
			if strings.Contains(c.Op, "delete") || strings.Contains(c.Op, "replace") {
				assert.True(t, strings.HasPrefix(c.Name, system), "%s: %s %s %s", system, c.Op, kind, c.Name)
				assert.NotContains(t, []string{"Namespace", "PersistentVolumeClaim", "RandomPassword", "RandomBytes", "PrivateKey", "BucketV2"}, kind)
			}
			if kind == "StatefulSet" {
				assert.Equal(t, system, c.Name, "the other stores stay")
			}
		}
	}
}

func TestUp_changed_bucket_lifecycle_changes_nothing_else(t *testing.T) {
	t.Parallel()
	p := sharedProject(t)
	base := "  nova:namespace: keep\n  nova:deletionProtection: true\n" + only("media") +
		"  nova:aws: {account: '123456789012', oidcIssuer: 'https://oidc.example.com/id/1'}\n"
	p.stack(t, "keep", base+"  nova:storage: {mode: aws}\n")
	p.must(t, "up", "--stack", "keep")
	p.stack(t, "keep", base+"  nova:storage: {mode: aws, noncurrentDays: 60}\n")
	result := p.preview(t, "keep")
	require.Len(t, result.Changes, 4, "%v", changed(result))
	for _, c := range result.Changes {
		assert.Equal(t, "update", c.Op)
		assert.Equal(t, "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", c.Type)
	}
}
