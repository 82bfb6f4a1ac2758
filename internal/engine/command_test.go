package engine

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/toolchain"
)

func TestCommand_pulumi_of_the_project_or_of_PATH_is_used(t *testing.T) {
	built, err := toolchain.Find("../..", "pulumi")
	require.NoError(t, err)
	module, err := filepath.Abs("../..")
	require.NoError(t, err)
	for name, prepare := range map[string]func(root string){
		"of the project": func(root string) {
			require.NoError(t, os.Symlink(filepath.Join(module, "bin"), filepath.Join(root, "bin")))
		},
		"of PATH": func(root string) {
			folder := filepath.Join(root, "elsewhere")
			require.NoError(t, os.Mkdir(folder, 0o700))
			require.NoError(t, os.Symlink(built, filepath.Join(folder, "pulumi")))
			t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, each := range []string{"tools", "go.mod"} {
				require.NoError(t, os.Symlink(filepath.Join(module, each), filepath.Join(root, each)))
			}
			prepare(root)
			command, err := pulumiCommand(root)
			require.NoError(t, err)
			assert.NotEmpty(t, command.Version().String())
		})
	}
}

// recorded is a Pulumi command that keeps the arguments of its last run.
type recorded struct {
	auto.PulumiCommand
	args []string
}

func (r *recorded) Run(_ context.Context, _ string, _ io.Reader, _, _ []io.Writer, _ []string, args ...string) (string, string, int, error) {
	r.args = args
	return "", "", 0, nil
}

func TestCommand_reads_the_values_of_secrets_only_where_it_is_told(t *testing.T) {
	last := &recorded{}
	c := &command{PulumiCommand: last}
	for want, ctx := range map[bool]context.Context{false: t.Context(), true: withSecrets(t.Context())} {
		_, _, _, err := c.Run(ctx, "", nil, nil, nil, nil, "stack", "export", "--show-secrets")
		require.NoError(t, err)
		assert.Equal(t, want, slices.Contains(last.args, "--show-secrets"))
	}
}
