package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// crdModuleDir pins the modules with the definitions.
const crdModuleDir = "tools/crds"

// moduleFiles are files in a folder of a module.
type moduleFiles struct {
	module, folder string
	files          []string
}

// crdFiles are the custom resource definitions that stacks and kwok use. The
// modules have more, which are not needed.
var crdFiles = []moduleFiles{
	{"github.com/argoproj/argo-rollouts", "manifests/crds", []string{
		"rollout-crd.yaml", "analysis-template-crd.yaml", "cluster-analysis-template-crd.yaml", "analysis-run-crd.yaml", "experiment-crd.yaml",
	}},
	{"github.com/cert-manager/cert-manager", "deploy/crds", []string{"cert-manager.io_certificates.yaml"}},
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
	{kwokModule, "kustomize/crd/bases", []string{"kwok.x-k8s.io_stages.yaml"}},
}

// stageFiles are kwok's built-in Stages, which it uses when it is started
// without any.
var stageFiles = []moduleFiles{
	{kwokModule, "kustomize/stage/node/fast", []string{"node-initialize.yaml"}},
	{kwokModule, "kustomize/stage/node/heartbeat", []string{"node-heartbeat.yaml"}},
	{kwokModule, "kustomize/stage/pod/fast", []string{"pod-ready.yaml", "pod-complete.yaml", "pod-delete.yaml"}},
}

const kwokModule = "sigs.k8s.io/kwok"

// CRDs are the custom resource definitions in bin/.
type CRDs struct {
	// Sum identifies their content.
	Sum string
	// Manifests are the definitions, in JSON.
	Manifests [][]byte
	// Stages are what kwok simulates by default, in JSON.
	Stages [][]byte
}

// crdPath is the path of the definitions: one JSON file, which is read in a
// fraction of the time that their YAML takes. It is named by their sum, so that
// checkouts with other pins may share a folder of tools.
func crdPath(root, sum string) string {
	return filepath.Join(binDir(root), "crds-"+sum[:12]+".json")
}

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
	fmt.Fprint(sum, crdFiles, stageFiles)
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// FindCRDs returns the definitions in bin/ of the repository at root. When they
// are missing or not the pinned ones, the error wraps ErrNotInstalled and names
// the command that installs them.
func FindCRDs(root string) (CRDs, error) {
	want, err := crdSum(root)
	if err != nil {
		return CRDs{}, fmt.Errorf("toolchain: %w", err)
	}
	text, err := os.ReadFile(crdPath(root, want))
	var found struct {
		Sum       string            `json:"sum"`
		Manifests []json.RawMessage `json:"manifests"`
		Stages    []json.RawMessage `json:"stages"`
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
	for _, stage := range found.Stages {
		crds.Stages = append(crds.Stages, stage)
	}
	return crds, nil
}

// installCRDs takes the definitions out of their modules.
func (i installation) installCRDs(ctx context.Context) error {
	if _, err := FindCRDs(i.root); err == nil {
		return nil
	}
	i.say("fetching custom resource definitions")
	folders, err := moduleFolders(ctx, filepath.Join(i.root, filepath.FromSlash(crdModuleDir)), "mod", "download", "-json")
	if err != nil {
		return fmt.Errorf("toolchain: custom resource definitions: %w", err)
	}
	sum, err := crdSum(i.root)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	manifests, err := readManifests(folders, crdFiles)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	stages, err := readManifests(folders, stageFiles)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	text, err := json.Marshal(map[string]any{"sum": sum, "manifests": manifests, "stages": stages})
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	if err := os.WriteFile(crdPath(i.root, sum)+".new", text, 0o644); err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	return os.Rename(crdPath(i.root, sum)+".new", crdPath(i.root, sum))
}

// readManifests reads files of modules that lie in folders, as JSON.
func readManifests(folders map[string]string, groups []moduleFiles) ([]json.RawMessage, error) {
	var manifests []json.RawMessage
	for _, from := range groups {
		for _, file := range from.files {
			text, err := os.ReadFile(filepath.Join(folders[from.module], filepath.FromSlash(from.folder), file))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", from.module, err)
			}
			manifest, err := yaml.ToJSON(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", from.module, file, err)
			}
			manifests = append(manifests, manifest)
		}
	}
	return manifests, nil
}
