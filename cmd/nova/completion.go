package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"nova.dev/infra/catalog"
)

func newCompletionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the completion script of a shell",
		Long: `Print the script that makes a shell complete the commands, flags, stacks,
services and secret keys of nova. It reads the repository's files only, no
cluster and no network. bash needs the package bash-completion.`,
		Example: `  source <(nova completion bash)                                   # this session
  nova completion bash > /etc/bash_completion.d/nova
  nova completion zsh > "${fpath[1]}/_nova"
  nova completion fish > ~/.config/fish/completions/nova.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(g.out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(g.out)
			case "fish":
				return cmd.Root().GenFishCompletion(g.out, true)
			}
			return fmt.Errorf("shell %q is not known", args[0])
		},
	}
}

// values completes with fixed words. A word that is already an argument is not
// offered again.
func values(words func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		offered := slices.DeleteFunc(words(), func(word string) bool { return slices.Contains(given, word) })
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// files completes with names of files, folders with those of folders.
func files(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeFlag completes the value of a flag of cmd.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // The command has no such flag.
	}
}

// stackNames are the stacks of the project; none outside a project.
func (g *globals) stackNames() []string {
	project, err := g.project()
	if err != nil {
		return nil
	}
	return project.Stacks()
}

// serviceNames are the services of the stack; those of the catalogue if its
// configuration cannot be read.
func (g *globals) serviceNames() []string {
	_, c, err := g.configuration()
	if err != nil {
		return catalog.Names()
	}
	return serviceNames(c)
}

func secretKeys() []string {
	var keys []string
	for _, secret := range catalog.Secrets() {
		keys = append(keys, secret.Key)
	}
	return keys
}

// rotatableKeys are the secrets that the stack can rotate; all if its
// configuration cannot be read.
func (g *globals) rotatableKeys() []string {
	_, c, err := g.configuration()
	if err != nil {
		return secretKeys()
	}
	return slices.DeleteFunc(secretKeys(), func(key string) bool { return rotatable(c, []string{key}, true) != nil })
}
