package plugin_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/internal/plugin"
	"nova.dev/infra/internal/testing/pulumihome"
	"nova.dev/infra/internal/toolchain"
)

// repository is the root of the repository, seen from this package.
const repository = "../.."

// session is a stack of the real engine with the stand-ins attached.
type session struct {
	t     *testing.T
	stack auto.Stack
	// backend is the directory with the state.
	backend string
	// text is what the engine printed last.
	text string
}

func newSession(t *testing.T, program pulumi.RunFunc) *session {
	t.Helper()
	path, err := toolchain.Find(repository, "pulumi")
	if errors.Is(err, toolchain.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	// Not the context of the test, which ends before its cleanup.
	servers, err := plugin.Serve(context.Background(), plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	})
	backend, home := t.TempDir(), t.TempDir()
	if err := pulumihome.New(home); err != nil {
		t.Fatal(err)
	}
	// The Automation API looks for the command in the PATH of this process.
	t.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
	stack, err := auto.UpsertStackInlineSource(t.Context(), "test", "standin", program,
		auto.PulumiHome(home),
		auto.EnvVars(map[string]string{
			plugin.EnvVar:                                 servers.Env(),
			"PULUMI_BACKEND_URL":                          "file://" + backend,
			"PULUMI_CONFIG_PASSPHRASE":                    "test",
			"PULUMI_SKIP_UPDATE_CHECK":                    "true",
			"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		}))
	if err != nil {
		t.Fatal(err)
	}
	return &session{t: t, stack: stack, backend: backend}
}

// ops counts the operations of resources by name.
type ops map[apitype.OpType]int

func (o ops) changes() int {
	n := 0
	for op, count := range o {
		if op != apitype.OpSame {
			n += count
		}
	}
	return n
}

func (s *session) preview() ops {
	s.t.Helper()
	var out bytes.Buffer
	result, err := s.stack.Preview(s.t.Context(), optpreview.ProgressStreams(&out), optpreview.ErrorProgressStreams(&out), optpreview.Diff())
	s.text = out.String()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.text)
	}
	return result.ChangeSummary
}

func (s *session) up() ops {
	s.t.Helper()
	var out bytes.Buffer
	result, err := s.stack.Up(s.t.Context(), optup.ProgressStreams(&out), optup.ErrorProgressStreams(&out))
	s.text = out.String()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.text)
	}
	counted := ops{}
	if result.Summary.ResourceChanges != nil {
		for op, count := range *result.Summary.ResourceChanges {
			counted[apitype.OpType(op)] = count
		}
	}
	return counted
}

// output is the value of an output of the stack, secret or not.
func (s *session) output(name string) string {
	s.t.Helper()
	outputs, err := s.stack.Outputs(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	text, _ := outputs[name].Value.(string)
	return text
}

// hides requires that neither the engine's last words nor a file of the backend
// has a value in clear, raw or encoded as in the data of a Secret.
func (s *session) hides(name, value string) {
	s.t.Helper()
	quoted, err := json.Marshal(value)
	if err != nil {
		s.t.Fatal(err)
	}
	forms := []string{value, string(quoted[1 : len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(value))}
	places := map[string]string{"the output of the engine": s.text}
	err = filepath.WalkDir(s.backend, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		places[filepath.Base(path)] = string(text)
		return err
	})
	if err != nil || len(places) < 2 {
		s.t.Fatalf("%d places were read: %v", len(places), err)
	}
	for place, text := range places {
		for _, form := range forms {
			if strings.Contains(text, form) {
				s.t.Errorf("%s has %s in clear", place, name)
			}
		}
	}
}

func TestStandIns_passwords_and_keys_are_drawn_once_and_stay_secret(t *testing.T) {
	length := 24
	s := newSession(t, func(ctx *pulumi.Context) error {
		password, err := random.NewRandomPassword(ctx, "password", &random.RandomPasswordArgs{Length: pulumi.Int(length)})
		if err != nil {
			return err
		}
		key, err := tls.NewPrivateKey(ctx, "key", &tls.PrivateKeyArgs{Algorithm: pulumi.String("ED25519")})
		if err != nil {
			return err
		}
		ctx.Export("password", password.Result)
		ctx.Export("key", key.PrivateKeyPem)
		return nil
	})
	s.preview()
	s.up()
	password, key := s.output("password"), s.output("key")
	if len(password) != 24 || !strings.HasPrefix(key, "-----BEGIN PRIVATE KEY-----") {
		t.Fatalf("%d characters of password, %d of key", len(password), len(key))
	}
	s.hides("the password", password)
	s.hides("the key", key)
	if counted := s.up(); counted.changes() != 0 {
		t.Errorf("an unchanged program changes %v", counted)
	}
	length = 32
	if counted := s.up(); counted[apitype.OpReplace] != 1 || counted.changes() != 1 {
		t.Errorf("another length counts %v, want the password replaced and nothing else", counted)
	}
	if len(s.output("password")) != 32 || s.output("key") != key {
		t.Error("the password must change and the key must not")
	}
}
