package real

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"nova.dev/infra/internal/testing/contract"
	"nova.dev/infra/internal/workload"
)

// ofTheRuntime are folders that a container runtime gives to every container:
// memory for POSIX shared memory, which counts against the memory limit.
var ofTheRuntime = []string{"/dev/shm"}

// testAccounts compares as whom the processes of every container run, and where
// they can write, with what its workload declares.
func testAccounts(t *testing.T, c *realCluster, d *deployment) {
	const none, filtered = "0000000000000000", "2"
	type container struct {
		workload.Workload
		pod     corev1.Pod
		account contract.Account
	}
	var all []*container
	for _, w := range workload.All(devStack(t)) {
		for _, pod := range c.pods(t, d.namespace, w.Name) {
			all = append(all, &container{Workload: w, pod: pod})
		}
	}
	require.GreaterOrEqual(t, len(all), 17, "11 services and 6 stores")
	var group errgroup.Group
	group.SetLimit(dialSources)
	for _, each := range all {
		group.Go(func() error {
			out, err := c.exec(t.Context(), d.namespace, each.pod.Name, contractService, "about")
			if err == nil {
				err = json.Unmarshal([]byte(out), &each.account)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", each.Name, err)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	for _, w := range all {
		for process, as := range map[string]contract.Credentials{"first": w.account.First, "own": w.account.Credentials} {
			assert.Equal(t, w.User, as.UID, "uid of %s (%s process)", w.Name, process)
			assert.Equal(t, w.User, as.GID, "gid of %s (%s process)", w.Name, process)
			assert.Equal(t, none, as.Capabilities, "effective capabilities of %s (%s process)", w.Name, process)
			assert.Equal(t, none, as.Bounding, "bounding capabilities of %s (%s process)", w.Name, process)
			assert.Equal(t, "1", as.NoNewPrivileges, "no_new_privs of %s (%s process)", w.Name, process)
			assert.Equal(t, filtered, as.Seccomp, "seccomp mode of %s (%s process)", w.Name, process)
		}
		declared := slices.Concat(w.Scratch, w.Memory)
		if w.Volume.Path != "" {
			declared = append(declared, w.Volume.Path)
		}
		for i, folder := range declared {
			if below, found := strings.CutPrefix(folder, "/var/run/"); found {
				folder = "/run/" + below // The one is a link to the other in Debian.
				declared[i] = folder
			}
			assert.Contains(t, w.account.Writable, folder, "%s", w.Name)
		}
		outside := slices.DeleteFunc(slices.Clone(w.account.Writable), func(folder string) bool {
			return slices.ContainsFunc(slices.Concat(declared, ofTheRuntime), func(d string) bool { return folder == d || strings.HasPrefix(folder, d+"/") })
		})
		assert.Empty(t, outside, "folders that %s can write to and that are not declared", w.Name)
	}
	t.Logf("%d containers run as declared and write nowhere else", len(all))
}
