package toolchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// crdModuleDir pins the modules with the definitions.
const crdModuleDir = "tools/crds"

// crdFiles are the custom resource definitions that stacks use, by module and
// folder. The modules have more, which nobody needs to wait for.
var crdFiles = []struct {
	module, folder string
	files          []string
}{
	{"github.com/external-secrets/external-secrets", "config/crds/bases", []string{
		"external-secrets.io_externalsecrets.yaml", "external-secrets.io_clustersecretstores.yaml",
	}},
	{"sigs.k8s.io/gateway-api", "config/crd/standard", []string{
		"gateway.networking.k8s.io_gatewayclasses.yaml", "gateway.networking.k8s.io_gateways.yaml",
		"gateway.networking.k8s.io_httproutes.yaml", "gateway.networking.k8s.io_grpcroutes.yaml",
	}},
	{"github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd", []string{
		"monitoring.coreos.com_alertmanagerconfigs.yaml", "monitoring.coreos.com_podmonitors.yaml",
		"monitoring.coreos.com_prometheusrules.yaml", "monitoring.coreos.com_servicemonitors.yaml",
	}},
}

// CRDs are the custom resource definitions in bin/.
type CRDs struct {
	// Sum identifies their content.
	Sum string
	// Manifests are the definitions, in JSON.
	Manifests [][]byte
}

// crdPath is where they lie: one JSON file, which is read in a fraction of the
// time that their YAML takes.
func crdPath(root string) string { return filepath.Join(binDir(root), "crds.json") }

// crdSum identifies the pinned modules and what is taken from them.
func crdSum(root string) (string, error) {
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(crdModuleDir), name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	fmt.Fprint(sum, crdFiles)
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// FindCRDs returns the definitions in bin/ of the repository at root. Where they
// are missing, or others than those that are pinned, the error wraps
// ErrNotInstalled and says how to install them.
func FindCRDs(root string) (CRDs, error) {
	want, err := crdSum(root)
	if err != nil {
		return CRDs{}, fmt.Errorf("toolchain: %w", err)
	}
	text, err := os.ReadFile(crdPath(root))
	var found struct {
		Sum       string            `json:"sum"`
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil || found.Sum != want {
		return CRDs{}, fmt.Errorf("toolchain: the custom resource definitions are %w; run: make tools", ErrNotInstalled)
	}
	crds := CRDs{Sum: found.Sum}
	for _, manifest := range found.Manifests {
		crds.Manifests = append(crds.Manifests, manifest)
	}
	return crds, nil
}

// installCRDs takes the definitions out of their modules.
func (i installation) installCRDs(ctx context.Context) error {
	if _, err := FindCRDs(i.root); err == nil {
		return nil
	}
	i.say("fetching custom resource definitions")
	folders, err := moduleFolders(ctx, filepath.Join(i.root, filepath.FromSlash(crdModuleDir)))
	if err != nil {
		return fmt.Errorf("toolchain: custom resource definitions: %w", err)
	}
	sum, err := crdSum(i.root)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	var manifests []json.RawMessage
	for _, from := range crdFiles {
		for _, file := range from.files {
			text, err := os.ReadFile(filepath.Join(folders[from.module], filepath.FromSlash(from.folder), file))
			if err != nil {
				return fmt.Errorf("toolchain: %s: %w", from.module, err)
			}
			manifest, err := yaml.ToJSON(text)
			if err != nil {
				return fmt.Errorf("toolchain: %s: %s: %w", from.module, file, err)
			}
			manifests = append(manifests, manifest)
		}
	}
	text, err := json.Marshal(map[string]any{"sum": sum, "manifests": manifests})
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	if err := os.WriteFile(crdPath(i.root)+".new", text, 0o644); err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	return os.Rename(crdPath(i.root)+".new", crdPath(i.root))
}

// moduleFolders downloads the modules that a go.mod names and returns where
// they lie, by path.
func moduleFolders(ctx context.Context, dir string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json")
	cmd.Dir = dir
	// A workspace around the repository would change what is pinned.
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	folders := map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for decoder.More() {
		var module struct{ Path, Dir, Error string }
		if err := decoder.Decode(&module); err != nil {
			return nil, err
		}
		if module.Error != "" {
			return nil, errors.New(module.Error)
		}
		folders[module.Path] = module.Dir
	}
	return folders, nil
}
