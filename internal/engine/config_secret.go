package engine

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/toolchain"
)

// SetSecrets encrypts values and writes them into the stack file, under
// nova:secrets. They are passed to the Pulumi command on its standard input: a
// command line can be read by every user of the machine.
func (s *Stack) SetSecrets(ctx context.Context, values map[string]string) error {
	o := s.options
	path, err := toolchain.Find(o.Project.Root, "pulumi")
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		cmd := exec.CommandContext(ctx, path, "config", "set", "--non-interactive", "--secret", "--path",
			"--stack", o.Config.Stack, config.Project+":secrets."+key)
		cmd.Dir = o.Project.Root
		cmd.Env = os.Environ()
		for name, value := range s.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		// The command removes one line break at the end.
		cmd.Stdin = strings.NewReader(values[key] + "\n")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("encrypt %s: %w: %s", key, err, strings.TrimSpace(strings.ReplaceAll(said.String(), values[key], "[secret]")))
		}
		fmt.Fprintf(o.Progress, "  encrypted %s\n", key)
	}
	return nil
}
