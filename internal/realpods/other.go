//go:build !linux

package realpods

import (
	"errors"

	"nova.dev/infra/internal/realpods/machine"
)

// Missing returns what a cluster of real pods lacks on this machine.
func Missing() []string { return []string{"Linux: containers run on its kernel"} }

func snapshotter(string) string { return "" }

func (c *Cluster) start(machine.Config) (int, error) { return 0, errors.New("real pods need Linux") }

func removeCgroups(string) error { return nil }
