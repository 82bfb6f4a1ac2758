package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/compose"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/render"
	"nova.dev/infra/internal/stack"
)

func newRenderCommand(g *globals) *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{
		Use:   "render --out DIR",
		Short: "Write the deployment files of a stack",
		Long: `Write the deployment files of a stack:
  kubernetes/            manifests, in the order in which kubectl applies them
  docker-compose.yml     the whole system on one machine; compose/ is what it mounts
  .env.example           every variable, explained; nova env init writes a .env
  prometheus/, alertmanager/, grafana/
  Dockerfile             of every service

It needs no cluster, state or credentials, and writes the same bytes every time.
Values of secrets are never written; placeholders such as <POSTGRES_PASSWORD> are.

Rendering into the same folder again replaces the files written before, removes
those no longer needed and changes no others. Files that were changed by hand
since, and folders that were not written by nova, are refused (exit code 3) unless
--force is given.`,
		Example: "  nova render --stack prod --out deploy\n  kubectl apply -f deploy/kubernetes",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usageError{errors.New("--out is required: the folder to write to\nrun `nova render --help`")}
			}
			project, c, err := g.pinned()
			if err != nil {
				return err
			}
			tree, err := render.Tree(c, g.comparedStacks(project)...)
			if err != nil {
				return err
			}
			g.note(compose.Notes(c))
			if err := render.Write(out, tree, force); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			fmt.Fprintf(g.out, "%d files of stack %s in %s\n", len(tree), g.stack, out)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "folder to write to; made if it does not exist")
	completeFlag(cmd, "out", folders)
	cmd.Flags().BoolVar(&force, "force", false, "overwrite files that were changed by hand or not written by nova")
	return cmd
}

// comparedStacks are the stacks of the project whose configuration can be read;
// a mistake in another stack does not fail the rendering of this one.
func (g *globals) comparedStacks(project engine.Project) []*stack.Stack {
	var stacks []*stack.Stack
	for _, name := range project.Stacks() {
		c, err := project.Config(name)
		if err != nil {
			fmt.Fprintf(g.err, "stack %s is left out of the comments of .env.example: its configuration has mistakes\n", name)
			continue
		}
		stacks = append(stacks, c)
	}
	return stacks
}

// note prints remarks about what was done otherwise than usual.
func (g *globals) note(remarks []string) {
	for _, remark := range remarks {
		fmt.Fprintf(g.err, "note: %s\n", remark)
	}
}
