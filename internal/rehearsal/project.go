package rehearsal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// shared are the files of a checkout that its copy shares with it: the tools, and what
// pins them.
var shared = []string{"bin", "tools", "go.mod"}

// copyProject makes a project in a folder with the stack file of another project's
// stack, changed so that it is deployed to the embedded control plane of the folder,
// as canaries that are released together, with images by digest.
func copyProject(from engine.Project, name, folder, prometheus string) (engine.Project, *stack.Stack, error) {
	project := engine.Project{Root: folder}
	original, err := from.Config(name)
	if err != nil {
		return project, nil, err
	}
	for _, each := range shared {
		if err := os.Symlink(filepath.Join(from.Root, each), filepath.Join(folder, each)); err != nil {
			return project, nil, err
		}
	}
	for source, target := range map[string]string{
		filepath.Join(from.Root, "Pulumi.yaml"): filepath.Join(folder, "Pulumi.yaml"),
		from.StackFile(name):                    project.StackFile(name),
	} {
		text, err := os.ReadFile(source)
		if err != nil {
			return project, nil, err
		}
		if err := os.WriteFile(target, text, 0o600); err != nil {
			return project, nil, err
		}
	}
	if _, err := stackfile.Set(project.StackFile(name), settings(original, prometheus)); err != nil {
		return project, nil, err
	}
	changed, err := project.Config(name)
	if err != nil {
		return project, nil, err
	}
	if !changed.TargetsEmbedded() || changed.Cluster.Context != "" {
		return project, nil, fmt.Errorf("the stack file of %s cannot be made to mean the embedded control plane: it names %s", name, changed.Cluster.Kubeconfig)
	}
	return project, changed, nil
}

// settings are what a rehearsal changes in a stack file.
func settings(s *stack.Stack, prometheus string) []stackfile.Setting {
	all := []stackfile.Setting{
		{Path: []string{"nova:cluster", "kubeconfig"}, Value: config.EmbeddedKubeconfig},
		{Path: []string{"nova:cluster", "context"}, Value: ""},
		{Path: []string{"nova:cluster", "identifier"}, Value: "embedded"},
		{Path: []string{"nova:rollout", "strategy"}, Value: config.StrategyCanary},
		{Path: []string{"nova:rollout", "promotion"}, Value: config.PromotionUnit},
		// Pods are ready at once here, and nothing is learned from waiting for them.
		{Path: []string{"nova:rollout", "minReadySeconds"}, Value: 0},
		{Path: []string{"nova:monitoring", "mode"}, Value: config.MonitoringExisting},
		{Path: []string{"nova:monitoring", "prometheusURL"}, Value: prometheus},
	}
	for _, each := range s.Services {
		all = append(all, stackfile.Setting{Path: []string{"nova:services", each.Name, "image", "digest"}, Value: digestOf(each.Name, "stable")})
	}
	return all
}

// digestOf is the digest of no image: that of the text of a service and a version.
func digestOf(service, version string) string {
	sum := sha256.Sum256([]byte(service + " " + version))
	return "sha256:" + hex.EncodeToString(sum[:])
}
