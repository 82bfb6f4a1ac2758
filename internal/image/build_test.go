package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

// workspace copies the small workspace of testdata, which has the shape of
// Nova's, and adds what must never reach a builder.
func workspace(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS("testdata/workspace")))
	for name, text := range map[string]string{
		".git/HEAD":                          "ref: refs/heads/main",
		".env":                               "JWT_SECRET=private",
		"backend/.env":                       "JWT_SECRET=private",
		"backend/keys/private_key.pem":       "private",
		"backend/auth-service/.env.local":    "JWT_SECRET=private",
		"backend/libs/http/tls.pem":          "private",
		"backend/auth-service/target/debris": "large",
		"frontend/node_modules/x/index.js":   "large",
		"frontend/README.md":                 "other people's",
	} {
		write(t, root, name, text)
	}
	return root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// replace edits a file and sets its time far back, as a checkout of an old commit
// has it.
func replace(t *testing.T, root, name, before, after string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	require.Contains(t, string(text), before)
	write(t, root, name, strings.ReplaceAll(string(text), before, after))
	past := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(root, name), past, past))
}

func testRecipe(t *testing.T, service string) Recipe {
	t.Helper()
	recipe, err := NewRecipe(service)
	require.NoError(t, err)
	recipe.BuilderImage, recipe.RuntimeImage = testBuilder, testRuntime
	return recipe
}

// output is what a build printed.
type output string

// step is the part of the output about the step that runs or copies something.
func (o output) step(t *testing.T, stage, instruction string) string {
	t.Helper()
	title := regexp.MustCompile(`(?m)^(#\d+) \[` + stage + ` \d+/\d+\] ` + regexp.QuoteMeta(instruction)).FindStringSubmatch(string(o))
	require.NotNil(t, title, "no step %q in stage %s:\n%s", instruction, stage, o)
	var lines []string
	for line := range strings.Lines(string(o)) {
		if strings.HasPrefix(line, title[1]+" ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (o output) compiled() []string {
	var crates []string
	for _, found := range regexp.MustCompile(`Compiling (\S+)`).FindAllStringSubmatch(string(o), -1) {
		crates = append(crates, found[1])
	}
	slices.Sort(crates)
	return crates
}

func TestDockerfile_builds_services_that_run_as_on_the_cluster(t *testing.T) {
	engine := startDaemon(t)
	root := workspace(t)
	host := testRegistry(t) + "/nova/"
	auth, feed := testRecipe(t, "auth"), testRecipe(t, "feed")
	logs := t.TempDir()
	var events []string
	order := Order{
		Root: root, Version: "v1.0.0", Push: true, Parallel: 2, Logs: logs,
		Targets:  []Target{{auth, host + "auth-service"}, {feed, host + "feed-service"}},
		Labels:   Labels{Revision: "abc", Created: "2025-11-06T00:00:00Z", Source: "https://example.com/nova"},
		Progress: func(service, event string) { events = append(events, service+": "+event) },
	}
	results, err := engine.Publish(t.Context(), order)
	require.NoError(t, err)
	require.Len(t, results, 2)
	log := func(name string) output {
		text, err := os.ReadFile(filepath.Join(logs, name+".log"))
		require.NoError(t, err)
		return output(text)
	}
	build := func(recipe Recipe, reference string) (string, output) {
		var out bytes.Buffer
		labels := order.Labels
		labels.Version, labels.Inputs = "v1.0.0", "same"
		id, err := engine.Build(t.Context(), recipe, root, reference, labels, &out)
		require.NoError(t, err)
		return id, output(out.String())
	}

	t.Run("crates are compiled once for all services, without the sources of any", func(t *testing.T) {
		assert.Subset(t, log("dependencies").compiled(), []string{"bytes", "heck"})
		assert.Equal(t, []string{"auth-service", "nova-http"}, log("auth").compiled())
		assert.Equal(t, []string{"feed-service", "nova-http"}, log("feed").compiled())
		for _, name := range []string{"auth", "feed"} {
			assert.Contains(t, log(name).step(t, "dependencies", "RUN { cargo build"), "CACHED")
		}
	})

	t.Run("the image says what it is and where it came from", func(t *testing.T) {
		var config struct {
			User         string
			Entrypoint   []string
			StopSignal   string
			Labels       map[string]string
			ExposedPorts map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(engine.docker(t, "image", "inspect", "--format", "{{json .Config}}", results[0].Reference)), &config))
		assert.Equal(t, "1000:1000", config.User)
		assert.Equal(t, []string{"/usr/local/bin/service"}, config.Entrypoint)
		assert.Equal(t, "SIGTERM", config.StopSignal)
		assert.Equal(t, map[string]string{
			"org.opencontainers.image.title":    "nova-auth-service",
			"org.opencontainers.image.version":  "v1.0.0",
			"org.opencontainers.image.revision": "abc",
			"org.opencontainers.image.created":  "2025-11-06T00:00:00Z",
			"org.opencontainers.image.source":   "https://example.com/nova",
			"dev.nova.inputs":                   results[0].Inputs,
		}, config.Labels)
		assert.Equal(t, map[string]any{"8083/tcp": map[string]any{}, "9083/tcp": map[string]any{}}, config.ExposedPorts)
	})

	start := func(reference string, flags ...string) string {
		return engine.docker(t, append(append([]string{"run", "--detach", "--read-only", "--tmpfs", "/tmp", "--network", "none",
			"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--health-interval", "500ms", "--health-start-period", "1ms"}, flags...), reference)...)
	}
	health := func(container, want string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			if engine.docker(t, "inspect", "--format", "{{.State.Health.Status}}", container) == want {
				return
			}
			require.True(t, time.Now().Before(deadline), "not %s: %s\n%s", want,
				engine.docker(t, "inspect", "--format", "{{json .State}}", container), engine.docker(t, "logs", container))
		}
	}

	t.Run("it is healthy as uid 1000 with a read-only root, and stops on SIGTERM", func(t *testing.T) {
		container := start(results[0].Reference, "--env", "HTTP_PORT=18083")
		health(container, "healthy")
		assert.Contains(t, engine.docker(t, "logs", container), "listening on 18083: auth one")
		assert.Equal(t, "1000:1000", engine.docker(t, "exec", container, "stat", "--format", "%u:%g", "/proc/1"))
		_, err := engine.run(t.Context(), nil, "exec", container, "touch", "/app/file")
		assert.ErrorContains(t, err, "Read-only file system")
		before := time.Now()
		engine.docker(t, "stop", "--time", "30", container)
		assert.Less(t, time.Since(before), 10*time.Second)
		assert.Equal(t, "0", engine.docker(t, "inspect", "--format", "{{.State.ExitCode}}", container))
	})

	t.Run("the probe follows PORT and HEALTH_PATH, and tells a failure", func(t *testing.T) {
		container := start(results[1].Reference, "--env", "HTTP_PORT=18084", "--env", "HEALTH_PATH=/health")
		health(container, "healthy")
		for _, tc := range []struct {
			env  []string
			want string
		}{
			{[]string{"HTTP_PORT=18084", "HEALTH_PATH=/nothing"}, "port 18084/nothing: HTTP/1.1 404"},
			{[]string{"HTTP_PORT=18085", "HEALTH_PATH=/health"}, "Connection refused"},
			{[]string{"HTTP_PORT=", "HEALTH_PATH=/health"}, "neither HTTP_PORT nor PORT is set"},
			{[]string{"HTTP_PORT=", "PORT=eighty", "HEALTH_PATH=/health"}, `"eighty" is not a port`},
		} {
			args := []string{"exec"}
			for _, e := range tc.env {
				args = append(args, "--env", e)
			}
			var said bytes.Buffer
			_, err := engine.run(t.Context(), &said, append(args, container, "/usr/local/bin/healthprobe")...)
			assert.ErrorContains(t, err, "exit status 1")
			assert.Contains(t, said.String(), tc.want)
		}
		engine.docker(t, "exec", "--env", "HTTP_PORT=", "--env", "PORT=18084", container, "/usr/local/bin/healthprobe")
		engine.docker(t, "rm", "--force", container)
		sick := start(results[1].Reference, "--env", "HTTP_PORT=18084", "--env", "HEALTH_PATH=/nothing")
		health(sick, "unhealthy")
		engine.docker(t, "rm", "--force", sick)
	})

	t.Run("the builder sees exactly the files of the digest, and no secret", func(t *testing.T) {
		for name, patterns := range map[string][]string{"one service": Ignore(auth.Service), "all services": IgnoreAll()} {
			require.NoError(t, engine.build(t.Context(), auth, root, patterns, auth.arguments(), &bytes.Buffer{}, "--target", "plan", "--tag", "plan"))
			seen := strings.Fields(engine.docker(t, "run", "--rm", "--network", "none", "plan", "find", "/context", "-type", "f", "-printf", `%P\n`))
			slices.Sort(seen)
			var want []string
			files, err := contextFiles(root, patterns)
			require.NoError(t, err)
			for _, file := range files {
				want = append(want, file.path)
			}
			assert.Equal(t, want, seen, name)
		}
	})

	t.Run("a staged context makes the same image, without an ignore file", func(t *testing.T) {
		id, _ := build(auth, "auth-service:1")
		staged := filepath.Join(t.TempDir(), "staged")
		require.NoError(t, auth.stage(root, results[0].Inputs, staged))
		// As an archive, which is how the Docker provider hands it over.
		var archive, out bytes.Buffer
		pack := tar.NewWriter(&archive)
		require.NoError(t, pack.AddFS(os.DirFS(staged)))
		require.NoError(t, pack.Close())
		args := []string{"build", "--progress", "plain", "--network", "none", "--tag", "auth-service:staged"}
		labels := order.Labels
		labels.Version, labels.Inputs = "v1.0.0", "same"
		for name, value := range auth.BuildArguments(labels) {
			args = append(args, "--build-arg", name+"="+value)
		}
		cmd := exec.CommandContext(t.Context(), engine.Command, append(args, "-")...)
		cmd.Env = engine.environ()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = &archive, &out, &out
		require.NoError(t, cmd.Run(), "%s", &out)
		assert.Empty(t, output(out.String()).compiled())
		assert.Equal(t, id, strings.TrimSpace(engine.docker(t, "image", "inspect", "--format", "{{.Id}}", "auth-service:staged")))
	})

	t.Run("another service's change leaves an image as it is, one's own compiles one's own", func(t *testing.T) {
		id, _ := build(auth, "auth-service:1")
		replace(t, root, "backend/feed-service/src/lib.rs", "feed one", "feed two")
		again, out := build(auth, "auth-service:2")
		assert.Equal(t, id, again)
		assert.Empty(t, out.compiled())
		assert.Contains(t, out.step(t, "plan", "COPY . ."), "CACHED")

		// The same holds for who builds by hand, with the ignore file for all.
		folder := t.TempDir()
		for name, text := range Files() {
			write(t, folder, name, text)
		}
		byHand := func(service string) output {
			var out bytes.Buffer
			_, err := engine.run(t.Context(), &out, "build", "--progress", "plain", "--network", "none", "--file", filepath.Join(folder, "Dockerfile"),
				"--build-arg", "BUILDER_IMAGE="+testBuilder, "--build-arg", "RUNTIME_IMAGE="+testRuntime,
				"--build-arg", "SERVICE_NAME="+service, "--tag", service+":hand", root)
			require.NoError(t, err)
			return output(out.String())
		}
		out = byHand("auth-service")
		assert.NotContains(t, out.step(t, "plan", "COPY . ."), "CACHED", "feed's sources are in this context")
		assert.Contains(t, out.step(t, "dependencies", "RUN { cargo build"), "CACHED")
		assert.Contains(t, out.step(t, "build", "RUN cargo build"), "CACHED")
		assert.Empty(t, out.compiled())

		changed, out := build(feed, "feed-service:2")
		assert.NotEqual(t, results[1].ID, changed)
		assert.Contains(t, out.step(t, "dependencies", "RUN { cargo build"), "CACHED")
		assert.Equal(t, []string{"feed-service", "nova-http"}, out.compiled())
		container := start("feed-service:2", "--env", "HTTP_PORT=18084", "--env", "HEALTH_PATH=/health")
		health(container, "healthy")
		assert.Contains(t, engine.docker(t, "logs", container), "feed two", "the old file time must not hide the change")
		engine.docker(t, "rm", "--force", container)
	})

	t.Run("a service that does not compile fails alone, with the compiler's words", func(t *testing.T) {
		replace(t, root, "backend/feed-service/src/lib.rs", "pub const", "pub broken const")
		before := results[0]
		results, err := engine.Publish(t.Context(), Order{
			Root: root, Parallel: 2, Logs: logs, Progress: order.Progress, Version: "v1.0.1",
			Targets: []Target{{auth, host + "auth-service"}, {feed, host + "feed-service"}},
		})
		assert.ErrorContains(t, err, "feed: build: ")
		assert.ErrorContains(t, err, "error: ")
		require.Len(t, results, 1)
		assert.Equal(t, before.Inputs, results[0].Inputs)
	})

	t.Run("a crate that does not compile fails only the services that use it", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "Dockerfile", `FROM `+testBuilder+`
RUN mkdir -p /usr/share/cargo/registry/fails-1.0.0/src && cd /usr/share/cargo/registry/fails-1.0.0 \
    && echo '{"files":{}}' > .cargo-checksum.json \
    && printf '[package]\nname = "fails"\nversion = "1.0.0"\n' > Cargo.toml \
    && echo 'compile_error!("this crate is broken");' > src/lib.rs
`)
		engine.docker(t, "build", "--network", "none", "--tag", "nova-test/builder:broken", dir)
		broken := workspace(t)
		replace(t, broken, "backend/feed-service/Cargo.toml", "[dependencies]", "[dependencies]\nfails = \"1\"")
		replace(t, broken, "Cargo.lock", `name = "feed-service"
version = "0.1.0"
dependencies = [
`, `name = "fails"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "feed-service"
version = "0.1.0"
dependencies = [
 "fails",
`)
		broke := Order{Root: broken, Parallel: 2, Logs: logs, Progress: order.Progress, Version: "v1.0.2"}
		for _, target := range order.Targets {
			target.Recipe.BuilderImage = "nova-test/builder:broken"
			broke.Targets = append(broke.Targets, target)
		}
		results, err := engine.Publish(t.Context(), broke)
		assert.ErrorContains(t, err, "feed: build: ")
		assert.ErrorContains(t, err, "this crate is broken")
		require.Len(t, results, 1)
		assert.Equal(t, "auth", results[0].Service)
		assert.Contains(t, log("dependencies"), "a dependency did not compile")
		assert.Equal(t, []string{"auth-service", "nova-http"}, log("auth").compiled())
	})

	t.Run("what is in the registry is neither built nor overwritten", func(t *testing.T) {
		found, err := Find(t.Context(), results[0].Reference, catalog.NodePlatform)
		require.NoError(t, err)
		assert.Equal(t, &Published{Digest: results[0].Digest, Inputs: results[0].Inputs}, found)
		_, err = engine.Publish(t.Context(), order)
		var exists *ExistsError
		require.ErrorAs(t, err, &exists)
		assert.Equal(t, []string{results[1].Reference}, exists.References, "feed has changed, auth has not")
	})
	assert.Contains(t, events, "auth: pushed "+results[0].Digest)
}
