package releasing

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/testing/stacktest"
	"nova.dev/infra/release"
)

func TestTasks_migrate(t *testing.T) {
	image := "registry.example.com/nova/migrations@sha256:" + strings.Repeat("c", 64)
	dir := t.TempDir()
	for _, name := range []string{"Pulumi.yaml", "Pulumi.dev.yaml"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	file := filepath.Join(dir, "Pulumi.dev.yaml")
	c, err := stacktest.Load("dev", file)
	require.NoError(t, err)
	says := func() string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return string(text)
	}
	var ran []string
	failure := errors.New("column id is in use")
	tasks := &Tasks{Stack: c, File: file, Migrate: func(_ context.Context, image string) error {
		ran = append(ran, image)
		return failure
	}}

	findings, err := tasks.Run(t.Context(), release.Migrate, release.Plan{})
	require.NoError(t, err)
	assert.Empty(t, ran, "a release without migrations runs none")
	assert.True(t, findings[0].OK)

	plan := release.Plan{Migrations: []string{image}}
	_, err = tasks.Run(t.Context(), release.Migrate, plan)
	require.ErrorIs(t, err, failure)
	assert.NotContains(t, says(), image, "a Job that fails leaves the stack file as it was")

	failure = nil
	for range 2 {
		findings, err = tasks.Run(t.Context(), release.Migrate, plan)
		require.NoError(t, err)
		assert.True(t, findings[0].OK)
		assert.Contains(t, says(), image, "one that succeeds stays, also when the release does not")
	}
	c, err = stacktest.Load("dev", file)
	require.NoError(t, err)
	assert.True(t, c.Migrates())
}

func TestTasks_write_down_what_is_released(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"Pulumi.yaml", "Pulumi.prod.yaml"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	file := filepath.Join(dir, "Pulumi.prod.yaml")
	c, err := stacktest.Load("prod", file)
	require.NoError(t, err)
	old := c.Services[0].Image
	shall := split(old).repository + ":v9@sha256:" + strings.Repeat("d", 64)
	plan := release.Plan{Services: []release.Service{{Name: c.Services[0].Name, Previous: old, Next: shall}}}
	tasks := &Tasks{Stack: c, File: file}

	findings, err := tasks.Run(t.Context(), release.Finish, plan)
	require.NoError(t, err)
	assert.Contains(t, findings[0].Found, "1 services that are released")
	again, err := stacktest.Load("prod", file)
	require.NoError(t, err)
	assert.Equal(t, shall, again.Services[0].Image)
	assert.Equal(t, c.Services[1].Image, again.Services[1].Image, "no other service changes")
	findings, err = tasks.Run(t.Context(), release.Finish, plan)
	require.NoError(t, err)
	assert.Contains(t, findings[0].Found, "already", "done twice, it is the same")
}
