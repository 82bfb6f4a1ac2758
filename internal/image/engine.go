package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Engine is a Docker engine, reached through its command-line client.
type Engine struct {
	// Command is the client: a path, or a name to find on PATH.
	Command string
	// Environment is added to that of the process, such as DOCKER_HOST.
	Environment []string
	// Network is that of the steps of a build: host, none, or empty for the
	// engine's own. None suits base images that hold all packages and crates.
	Network string
}

// Labels describe an image. They are no inputs: a change of them causes no
// build.
type Labels struct {
	// Version is the released version.
	Version string
	// Revision is the commit of the sources.
	Revision string
	// Source is the URL of the repository.
	Source string
	// Created is a time in RFC 3339. That of the commit keeps images the same
	// from build to build.
	Created string
	// Inputs is the digest of the image's inputs, by which a published image is
	// recognised.
	Inputs string
}

// inputsLabel is the label that holds Labels.Inputs.
const inputsLabel = "dev.nova.inputs"

// needsBuildx is the first major version of the client that builds through its
// plugin buildx only.
const needsBuildx = 23

// Check returns an error that names what is missing for a build with BuildKit.
func (e Engine) Check(ctx context.Context) error {
	out, err := e.run(ctx, nil, "version", "--format", "{{.Client.Version}} {{.Server.Version}}")
	if err != nil {
		return fmt.Errorf("the Docker engine does not answer: %w", err)
	}
	client, _, _ := strings.Cut(strings.TrimSpace(out), " ")
	major, _, _ := strings.Cut(client, ".")
	if number, err := strconv.Atoi(major); err != nil || number < needsBuildx {
		return nil
	}
	if _, err := e.run(ctx, nil, "buildx", "version"); err != nil {
		return fmt.Errorf("docker %s builds through its plugin buildx, which is not installed: install the package docker-buildx-plugin or docker-buildx", client)
	}
	return nil
}

// BuildDependencies compiles the crates of all services, so that builds of
// services that follow or run side by side find them in the cache.
func (e Engine) BuildDependencies(ctx context.Context, recipe Recipe, root string, log io.Writer) error {
	return e.build(ctx, recipe, root, IgnoreAll(), recipe.arguments(), log, "--target", "dependencies")
}

// Build builds the image of one service under a reference. The result is the
// image's id in the engine.
func (e Engine) Build(ctx context.Context, recipe Recipe, root, reference string, labels Labels, log io.Writer) (string, error) {
	if err := e.build(ctx, recipe, root, Ignore(recipe.Service), recipe.BuildArguments(labels), log, "--tag", reference); err != nil {
		return "", err
	}
	id, err := e.run(ctx, nil, "image", "inspect", "--format", "{{.Id}}", reference)
	return strings.TrimSpace(id), err
}

// Push sends an image to the registry that its reference names.
func (e Engine) Push(ctx context.Context, reference string, log io.Writer) error {
	_, err := e.run(ctx, log, "push", reference)
	return err
}

func (e Engine) build(ctx context.Context, recipe Recipe, root string, ignore []string, arguments map[string]string, log io.Writer, flags ...string) error {
	dir, err := os.MkdirTemp("", "nova-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, text := range buildFiles(ignore) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	args := []string{"build", "--progress", "plain", "--platform", recipe.Platform, "--file", filepath.Join(dir, dockerfileName)}
	if e.Network != "" {
		args = append(args, "--network", e.Network)
	}
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		args = append(args, "--build-arg", name+"="+arguments[name])
	}
	_, err = e.run(ctx, log, append(append(args, flags...), root)...)
	return err
}

// interruptPatience is the time that the client gets to end after an interrupt.
const interruptPatience = 10 * time.Second

// run runs the client and returns what it printed. What it printed also goes to
// log, where there is one, as it comes.
func (e Engine) run(ctx context.Context, log io.Writer, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.Command, args...)
	cmd.Env = e.environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptPatience
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if log != nil {
		both := io.MultiWriter(&said, log)
		cmd.Stdout, cmd.Stderr = both, both
	}
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not installed or not on PATH", e.Command)
	}
	return "", fmt.Errorf("docker %s: %w\n%s", args[0], err, lastLines(said.String(), 25))
}

// environ is the environment of the client.
func (e Engine) environ() []string {
	// No attestations: with them each push would have another digest.
	return append(append(os.Environ(), "DOCKER_BUILDKIT=1", "BUILDX_NO_DEFAULT_ATTESTATIONS=1"), e.Environment...)
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
