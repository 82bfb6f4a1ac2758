package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/envfile"
)

func newSecretsImportCommand(g *globals) *cobra.Command {
	var (
		file   string
		only   []string
		dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "import --from-env-file FILE",
		Short: "Supply secrets from an env file, encrypted",
		Long: `Supply secrets from an env file: the values of the keys that are secrets are
encrypted into the stack file, under nova:secrets.

The file is read as Docker Compose reads it: quotes, values over several lines,
comments behind a value. Variables that are not secret are left out, and so are
empty values. Everything is checked before the first value is written.`,
		Example: "  nova secrets import --from-env-file .env.prod --stack prod\n  nova secrets import --from-env-file - --only SMTP_PASSWORD < secrets.env",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{errors.New("--from-env-file is required: the path of an env file, or - for standard input")}
			}
			values, err := g.readEnvFile(file)
			if err != nil {
				return usageError{fmt.Errorf("--from-env-file: %q: %w", file, err)}
			}
			chosen, err := chooseSecrets(values, only)
			if err != nil {
				return usageError{err}
			}
			options, err := g.optionsWith(chosen)
			if err != nil {
				return err
			}
			for _, key := range slices.Sorted(maps.Keys(chosen)) {
				fmt.Fprintln(g.out, key)
			}
			if dryRun {
				fmt.Fprintf(g.err, "%d secrets would be imported, %d other variables left out\n", len(chosen), len(values)-len(chosen))
				return nil
			}
			stack, err := engine.Open(cmd.Context(), options)
			if err != nil {
				return err
			}
			defer stack.Close()
			if err := stack.SetSecrets(cmd.Context(), chosen); err != nil {
				return err
			}
			fmt.Fprintf(g.err, "imported %d secrets into %s, left out %d other variables; run `nova up --stack %s`\n",
				len(chosen), filepath.Base(options.Project.StackFile(g.stack)), len(values)-len(chosen), g.stack)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "from-env-file", "", "env file to read; - means standard input")
	cmd.Flags().StringSliceVar(&only, "only", nil, "import these keys only")
	completeFlag(cmd, "from-env-file", files)
	completeFlag(cmd, "only", values(secretKeys))
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check and print the keys, write nothing")
	return cmd
}

func (g *globals) readEnvFile(path string) (map[string]string, error) {
	var text []byte
	var err error
	if path == "-" {
		text, err = io.ReadAll(g.in)
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	return envfile.Parse(text)
}

// chooseSecrets selects the secrets that have a value.
func chooseSecrets(values map[string]string, only []string) (map[string]string, error) {
	chosen := map[string]string{}
	for _, secret := range catalog.Secrets() {
		if value := values[secret.Key]; value != "" && (len(only) == 0 || slices.Contains(only, secret.Key)) {
			chosen[secret.Key] = value
		}
	}
	var errs []error
	for _, key := range only {
		if _, ok := chosen[key]; !ok {
			errs = append(errs, fmt.Errorf("--only: %q: the file has no value for it, or it is no secret", key))
		}
	}
	if len(chosen) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("--from-env-file: the file holds no secret with a value; `nova secrets list` prints the keys"))
	}
	return chosen, errors.Join(errs...)
}

// optionsWith are the options of the stack with more secrets supplied: without
// them, the stack may lack some that are required.
func (g *globals) optionsWith(secrets map[string]string) (engine.Options, error) {
	project, err := g.project()
	if err != nil {
		return engine.Options{}, err
	}
	c, err := project.ConfigWith(g.stack, func(input config.Input) {
		supplied, _ := input["secrets"].(map[string]any)
		if supplied == nil {
			supplied = map[string]any{}
		}
		for key, value := range secrets {
			supplied[key] = config.NewSecret(value)
		}
		input["secrets"] = supplied
	})
	if err != nil {
		return engine.Options{}, usageError{err}
	}
	return g.optionsFor(project, c)
}
