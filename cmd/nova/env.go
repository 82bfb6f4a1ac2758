package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/compose"
	"nova.dev/infra/internal/engine"
)

func newEnvCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Write the environment of the compose file",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEnvInitCommand(g))
	return cmd
}

func newEnvInitCommand(g *globals) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a .env with new secrets",
		Long: `Write a .env for docker-compose.yml with new secrets, with mode 0600.

Docker Compose, dotenv libraries and POSIX shells read the file alike; PEM keys
span several lines. kubectl's --from-env-file and docker run's --env-file do not
support quotes and cannot read it.

An existing file is never overwritten (exit code 3): stores keep the passwords
that they were created with.`,
		Example: "  nova env init --out deploy/.env\n  cd deploy && docker compose up -d",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, c, err := g.configuration()
			if err != nil {
				return err
			}
			if _, err := os.Lstat(out); err == nil {
				return envExists(out)
			}
			text, err := compose.Env(c)
			if err != nil {
				return err
			}
			g.note(compose.Notes(c))
			if err := createPrivate(out, text, os.Link); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			fmt.Fprintf(g.out, "%s holds new secrets for stack %s; never commit it\n", out, g.stack)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", ".env", "file to write")
	completeFlag(cmd, "out", files)
	return cmd
}

func envExists(path string) error {
	return &engine.RefusedError{Reason: fmt.Sprintf("--out: %s exists and is never overwritten: stores keep the passwords that they were created with; remove it yourself if they are new", path)}
}

// createPrivate creates a file with mode 0600, completely or not at all. It
// fails if the file exists, also if another process creates it meanwhile. link is
// os.Link, which unlike a rename never replaces a file.
func createPrivate(path string, text []byte, link func(from, to string) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".env-*") // Mode 0600.
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	if err := writeAndClose(temporary, text); err != nil {
		return err
	}
	switch err := link(temporary.Name(), path); {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return envExists(path)
	}
	// A file system without links: a process that is killed here leaves a part.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return envExists(path)
	} else if err != nil {
		return err
	}
	if err := writeAndClose(file, text); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func writeAndClose(file *os.File, text []byte) error {
	_, err := file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}
