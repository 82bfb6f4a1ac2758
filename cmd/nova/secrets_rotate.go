package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

func newSecretsRotateCommand(g *globals) *cobra.Command {
	var acceptLoss bool
	cmd := &cobra.Command{
		Use:   "rotate KEY...",
		Short: "Make the next up use new values for secrets",
		Long: `Make the next up use new values for secrets: increment their rotation counts in
the stack file.

The next up generates a new value, gives it to the store that the stack runs, and
then replaces the pods that receive it one after another. PostgreSQL, Redis and the
object store take it over while they run and accept the previous value until the next
rotation, so that no pod is locked out meanwhile: rotate twice to end an old value.
ClickHouse accepts both, too, but restarts. The two halves of a key of object storage
are rotated together. An external value is replaced in the external secret store
first; the new count makes pods read it.
A key whose new value breaks something is refused without --accept-loss (exit
code 3).`,
		Example: "  nova secrets rotate POSTGRES_PASSWORD --stack staging && nova up --stack staging\n  nova secrets rotate JWT_PRIVATE_KEY_PEM --accept-loss",
		Args:    cobra.MinimumNArgs(1),

		ValidArgsFunction: values(g.rotatableKeys),
		RunE: func(_ *cobra.Command, keys []string) error {
			project, c, err := g.configuration()
			if err != nil {
				return err
			}
			if err := rotatable(c, keys, acceptLoss); err != nil {
				return err
			}
			for _, key := range keys {
				if secret, _ := catalog.FindSecret(key); secret.Pair != "" {
					keys = append(keys, secret.Pair)
				}
			}
			slices.Sort(keys)
			var settings []stackfile.Setting
			for _, key := range slices.Compact(keys) {
				rotations := c.SecretSources.Rotation[key] + 1
				settings = append(settings, stackfile.Setting{Path: []string{config.Project + ":secretSources", "rotation", key}, Value: rotations})
				fmt.Fprintf(g.out, "%s: rotation %d\n", key, rotations)
			}
			if _, err := stackfile.Set(project.StackFile(g.stack), settings); err != nil {
				return err
			}
			fmt.Fprintf(g.err, "wrote %s; commit it and run `nova up --stack %s`\n", filepath.Base(project.StackFile(g.stack)), g.stack)
			return nil
		},
	}
	cmd.Flags().BoolVar(&acceptLoss, "accept-loss", false, "rotate although the new value breaks something")
	return cmd
}

// rotatable reports every key that cannot be rotated.
func rotatable(c *stack.Stack, keys []string, acceptLoss bool) error {
	var wrong, losses []error
	for _, key := range keys {
		secret, known := catalog.FindSecret(key)
		source := config.SourceNone
		if known {
			source = c.Source(secret)
		}
		switch {
		case !known:
			wrong = append(wrong, fmt.Errorf("%q is no secret; `nova secrets list` prints them", key))
		case secret.Generate == catalog.GenerateURL:
			wrong = append(wrong, fmt.Errorf("%s is composed from a password; rotate that", key))
		case source == config.SourceNone:
			wrong = append(wrong, fmt.Errorf("%s: stack %s has no such secret", key, c.Stack))
		case source == config.SourceConfig:
			wrong = append(wrong, fmt.Errorf("%s is supplied under nova:secrets; supply a new value with `nova secrets import`", key))
		case c.SecretSources.Rotation[key] >= config.MaxRotations:
			wrong = append(wrong, fmt.Errorf("%s was rotated %d times, the maximum", key, config.MaxRotations))
		case secret.OnRotation != "" && !acceptLoss:
			losses = append(losses, fmt.Errorf("%s: %s", key, secret.OnRotation))
		}
	}
	if len(wrong) > 0 {
		return usageError{errors.Join(wrong...)}
	}
	if len(losses) > 0 {
		return &engine.RefusedError{Reason: strings.ReplaceAll(errors.Join(losses...).Error(), "\n", "; ") + "; add --accept-loss if that is meant"}
	}
	return nil
}
