package cluster

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"nova.dev/infra/internal/toolchain"
)

// ownStages set the status of objects whose controllers the embedded control
// plane lacks. The Stages of nodes and pods are kwok's own.
//
//go:embed stages
var ownStages embed.FS

var stageResource = schema.GroupVersionResource{Group: "kwok.x-k8s.io", Version: "v1alpha1", Resource: "stages"}

// simulationSum identifies the definitions and all Stages.
func simulationSum(pinned toolchain.CRDs) string {
	sum := sha256.New()
	sum.Write([]byte(pinned.Sum))
	_ = fs.WalkDir(ownStages, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := ownStages.ReadFile(name)
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:32]
}

// applyStages installs the Stages, which define what kwok simulates: the state
// of nodes and pods, and the status that other controllers would set. A Stage
// of a kind whose definition is missing does nothing.
func (c *Cluster) applyStages(ctx context.Context, pinned toolchain.CRDs) error {
	manifests := pinned.Stages
	files, err := fs.Glob(ownStages, "stages/*.yaml")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	for _, file := range files {
		text, err := ownStages.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		manifests = append(manifests, text)
	}
	stages, err := parse(manifests, "Stage")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	client, err := c.dynamicClient()
	if err != nil {
		return err
	}
	for _, stage := range stages {
		options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
		if _, err := client.Resource(stageResource).Apply(ctx, stage.GetName(), stage, options); err != nil {
			return fmt.Errorf("cluster: apply Stage %s: %w", stage.GetName(), err)
		}
	}
	return nil
}
