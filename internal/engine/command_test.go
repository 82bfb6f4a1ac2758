package engine

import (
	"os"
	"path/filepath"
	"testing"

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
