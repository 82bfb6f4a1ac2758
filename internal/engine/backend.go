package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// Variables of the environment by which Pulumi itself is configured.
const (
	backendVariable        = "PULUMI_BACKEND_URL"
	passphraseVariable     = "PULUMI_CONFIG_PASSPHRASE"
	passphraseFileVariable = "PULUMI_CONFIG_PASSPHRASE_FILE"
)

// backendURL says where the state lives: the flag, Pulumi's own variable, the
// project file, or else a directory of this checkout.
func (p Project) backendURL(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if url := os.Getenv(backendVariable); url != "" {
		return url, nil
	}
	text, err := os.ReadFile(filepath.Join(p.Root, "Pulumi.yaml"))
	if err != nil {
		return "", err
	}
	var file struct {
		Backend struct {
			URL string `yaml:"url"`
		} `yaml:"backend"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return "", fmt.Errorf("project file Pulumi.yaml: %w", err)
	}
	if file.Backend.URL != "" {
		return file.Backend.URL, nil
	}
	state := filepath.Join(p.LocalDir(), "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", err
	}
	return "file://" + state, nil
}

// localState is the directory of a file backend, or empty.
func localState(backend string) string {
	path, ok := strings.CutPrefix(backend, "file://")
	if !ok {
		return ""
	}
	return path
}

// passphraseFile returns the file with the passphrase of this checkout's own
// state, and makes one where there is none. It returns "" where the user gave a
// passphrase, or where the state is not local and so the secrets provider is
// the user's choice.
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
