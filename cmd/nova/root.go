package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/realpods"
	"nova.dev/infra/internal/stack"
)

// streams are the input and output of a command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// globals are the flags that every command has.
type globals struct {
	streams
	dir       string
	stack     string
	backend   string
	providers string
}

func newRootCommand(io streams) *cobra.Command {
	g := &globals{streams: io}
	root := &cobra.Command{
		Use:   "nova",
		Short: "Operate the Nova infrastructure",
		Long: `nova operates the Nova infrastructure.

It works from any folder of the repository. Exit codes: 0 done; 1 the operation
failed; 2 wrong usage or configuration; 3 refused by a guard; 5 released and rolled
back; 6 waiting for a decision; 130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nrun `%s --help`", err, cmd.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&g.dir, "dir", ".", "folder inside the repository")
	flags.StringVarP(&g.stack, "stack", "s", "dev", "stack to work on")
	flags.StringVar(&g.backend, "backend", "", "URL of the state backend (default: PULUMI_BACKEND_URL, backend.url of Pulumi.yaml, or .nova/state)")
	flags.StringVar(&g.providers, "providers", "auto", "providers of packages other than kubernetes: auto, real or stand-in")
	completeFlag(root, "dir", folders)
	completeFlag(root, "stack", values(g.stackNames))
	completeFlag(root, "providers", values(engine.ProviderModes))
	root.CompletionOptions.DisableDefaultCmd = true // newCompletionCommand replaces it.
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		newUpCommand(g), newPreviewCommand(g), newPolicyCommand(g), newDestroyCommand(g), newStatusCommand(g),
		newServicesCommand(g), newSecretsCommand(g), newLocalCommand(g), newDoctorCommand(g), newVersionCommand(g),
		newImagesCommand(g), newMigrationsCommand(g), newBackupCommand(g),
		newReleaseCommand(g), newRollbackCommand(g), newReleasesCommand(g), newRehearseCommand(g),
		newRenderCommand(g), newEnvCommand(g), newCompletionCommand(g),
	)
	reportUsage(root)
	return root
}

// reportUsage makes wrong arguments a usage error in every command.
func reportUsage(command *cobra.Command) {
	if check := command.Args; check != nil {
		command.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w\nrun `%s --help`", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, child := range command.Commands() {
		reportUsage(child)
	}
}

// project finds the repository.
func (g *globals) project() (engine.Project, error) {
	project, err := engine.FindProject(g.dir)
	if err != nil {
		return project, usageError{err}
	}
	return project, nil
}

// configuration finds the repository and reads the stack's configuration.
func (g *globals) configuration() (engine.Project, *stack.Stack, error) {
	project, err := g.project()
	if err != nil {
		return project, nil, err
	}
	c, err := project.Config(g.stack)
	if err != nil {
		return project, nil, usageError{err}
	}
	return project, c, nil
}

// pinned is configuration for commands that need the images of the stack: it
// reads the sources of a stack that builds them.
func (g *globals) pinned() (engine.Project, *stack.Stack, error) {
	project, c, err := g.configuration()
	if err != nil {
		return project, nil, err
	}
	pins, err := image.Pin(&c.Config, project.Root)
	if err != nil {
		return project, nil, usageError{err}
	}
	if c, err = c.Pinned(pins); err != nil {
		return project, nil, usageError{err}
	}
	return project, c, nil
}

// options are the options of the stack that the flags name. Everything that can
// be checked without the engine is checked here.
func (g *globals) options() (engine.Options, error) {
	project, c, err := g.pinned()
	if err != nil {
		return engine.Options{}, err
	}
	return g.optionsFor(project, c)
}

func (g *globals) optionsFor(project engine.Project, c *stack.Stack) (engine.Options, error) {
	if !slices.Contains(engine.ProviderModes(), g.providers) {
		return engine.Options{}, usageError{fmt.Errorf("--providers: %q is not known; allowed: %s", g.providers, strings.Join(engine.ProviderModes(), ", "))}
	}
	embedded, err := targetsLocal(project, c)
	if err != nil {
		return engine.Options{}, usageError{err}
	}
	return engine.Options{
		Project: project, Config: c, Backend: g.backend, Providers: g.providers, Embedded: embedded,
		Progress: g.err, Terminal: isTerminal(g.err),
	}, nil
}

// targetsLocal reports whether the stack's kubeconfig leads to a local cluster of
// this checkout, the embedded control plane or one of real pods, or will when
// that is started.
func targetsLocal(project engine.Project, c *stack.Stack) (bool, error) {
	path := c.KubeconfigPath(project.Root)
	if _, err := os.Stat(path); err != nil {
		return c.TargetsEmbedded(), nil
	}
	simulated, err := targetsSimulated(project, c)
	if err != nil || simulated {
		return simulated, err
	}
	pods, err := realpods.New(realpods.Options{Root: project.Root})
	if err != nil {
		return false, err
	}
	return pods.IsOwn(path, c.Cluster.Context)
}

// targetsSimulated reports whether the stack's kubeconfig, which exists, leads to
// the embedded control plane of this checkout.
func targetsSimulated(project engine.Project, c *stack.Stack) (bool, error) {
	local, err := cluster.New(cluster.Options{Root: project.Root})
	if err != nil {
		return false, err
	}
	embedded, err := local.IsEmbedded(c.KubeconfigPath(project.Root), c.Cluster.Context)
	if err != nil {
		return false, fmt.Errorf("nova:cluster.kubeconfig: %q: %w", c.Cluster.Kubeconfig, err)
	}
	return embedded, nil
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// formatFlag adds --format and returns a check to call first.
func formatFlag(cmd *cobra.Command, into *string, allowed ...string) func() error {
	cmd.Flags().StringVar(into, "format", allowed[0], "output format: "+strings.Join(allowed, ", "))
	completeFlag(cmd, "format", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
	return func() error {
		if !slices.Contains(allowed, *into) {
			return usageError{fmt.Errorf("--format: %q is not known; allowed: %s", *into, strings.Join(allowed, ", "))}
		}
		return nil
	}
}

// printJSON prints the output of a command as JSON.
func (g *globals) printJSON(value any) error {
	encoder := json.NewEncoder(g.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
