package engine

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Variables of the environment by which Pulumi itself is configured.
const (
	backendVariable        = "PULUMI_BACKEND_URL"
	passphraseVariable     = "PULUMI_CONFIG_PASSPHRASE"
	passphraseFileVariable = "PULUMI_CONFIG_PASSPHRASE_FILE"
)

// backendURL is the URL of the state backend: that of the flag, Pulumi's own
// variable or the project file, or else a directory of this checkout. A path is
// made absolute as the stock command reads it: ~ is the user's home directory,
// a relative path starts at the current directory. The engine runs in another
// one.
func (p Project) backendURL(flag string) (string, error) {
	given := cmp.Or(flag, os.Getenv(backendVariable))
	if given == "" {
		project, err := workspace.LoadProject(filepath.Join(p.Root, "Pulumi.yaml"))
		if err != nil {
			return "", fmt.Errorf("project file Pulumi.yaml: %w", err)
		}
		if project.Backend != nil {
			given = project.Backend.URL
		}
	}
	if given != "" {
		return absoluteBackend(given)
	}
	state := filepath.Join(p.LocalDir(), "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", err
	}
	return filePrefix + state, nil
}

// filePrefix begins the URL of a backend in a directory.
const filePrefix = "file://"

func absoluteBackend(given string) (string, error) {
	path, ok := strings.CutPrefix(given, filePrefix)
	if !ok {
		return given, nil
	}
	path, query, _ := strings.Cut(path, "?")
	if path == "~" || strings.HasPrefix(path, "~/") {
		home, err := user.Current()
		if err != nil {
			return "", fmt.Errorf("backend %s: %w", given, err)
		}
		path = filepath.Join(home.HomeDir, path[1:])
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("backend %s: %w", given, err)
	}
	if query != "" {
		query = "?" + query
	}
	return filePrefix + path + query, nil
}

// localState is the directory of a file backend, or empty.
func localState(backend string) string {
	path, ok := strings.CutPrefix(backend, filePrefix)
	if !ok {
		return ""
	}
	path, _, _ = strings.Cut(path, "?")
	return path
}

// passphraseFile returns the file with the passphrase of this checkout's own
// state, and creates it if it does not exist. It returns "" when the user gave
// a passphrase, or when the state is not local: then the user chooses the
// secrets provider.
func (p Project) passphraseFile(backend string) (string, error) {
	_, given := os.LookupEnv(passphraseVariable)
	if given || os.Getenv(passphraseFileVariable) != "" || localState(backend) == "" {
		return "", nil
	}
	path := filepath.Join(p.LocalDir(), "passphrase")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	if _, err := file.WriteString(rand.Text() + rand.Text()); err != nil {
		return "", errors.Join(err, file.Close(), os.Remove(path))
	}
	return path, file.Close()
}
