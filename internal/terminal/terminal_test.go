package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const asChild = "NOVA_TEST_PRINT_CI"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		os.Exit(m.Run())
	}
	before := os.Getenv(variable)
	Restore()
	after, set := os.LookupEnv(variable)
	fmt.Printf("%s, then %q %t", before, after, set)
}

func TestRestore(t *testing.T) {
	for name, tc := range map[string]struct {
		env  []string
		want string
	}{
		"an_absent_variable": {nil, `true, then "" false`},
		"an_empty_variable":  {[]string{"CI="}, `true, then "" true`},
		"a_variable_that_is": {[]string{"CI=github"}, `github, then "github" true`},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(tc.env, asChild+"=1")
			out, err := cmd.Output()
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(out))
		})
	}
}
