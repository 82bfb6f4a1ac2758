//go:build linux

package machine

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestControlSocket_may_have_a_long_path(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	socket := filepath.Join(dir, ControlSocket)
	listener, err := ListenUnix(socket)
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status" {
			reply(w, nil, assert.AnError)
			return
		}
		reply(w, Status{Nodes: []string{"node-1"}}, nil)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	status, err := NewClient(socket).Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"node-1"}, status.Nodes)
	assert.ErrorContains(t, NewClient(socket).KillNode(t.Context(), "node-1"), assert.AnError.Error())
}

func TestProxy_forwards_both_ways_until_both_sides_are_done(t *testing.T) {
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		connection, err := inside.Accept()
		if err != nil {
			return
		}
		text, _ := io.ReadAll(connection)
		_, _ = connection.Write([]byte("got " + string(text)))
		_ = connection.Close()
	}()
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go proxy(outside, inside.Addr().String())
	t.Cleanup(func() { _ = outside.Close() })

	connection, err := net.Dial("tcp", outside.Addr().String())
	require.NoError(t, err)
	require.NoError(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = connection.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(connection)
	require.NoError(t, err)
	assert.Equal(t, "got hello", string(answer))
}

func TestProcesses_tell_how_each_ended(t *testing.T) {
	p := &processes{node: "node-1", logs: t.TempDir()}
	require.NoError(t, p.run(t.Context(), "good", exec.Command("true")))
	err := p.run(t.Context(), "bad", exec.Command("sh", "-c", "echo reason; exit 3"))
	require.ErrorContains(t, err, "bad: exit status 3 (log: ")
	text, err := os.ReadFile(filepath.Join(p.logs, "bad.log"))
	require.NoError(t, err)
	assert.Equal(t, "reason\n", string(text))
	assert.Empty(t, p.list(), "what is over is not listed")

	good, err := p.launch("good", exec.Command("true"), true)
	require.NoError(t, err)
	assert.Eventually(t, func() bool {
		for _, each := range p.list() {
			assert.True(t, each.Running, "a command that has done its work is not listed as one that has ended")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return !good.Running
	}, 10*time.Second, time.Millisecond)
	assert.Empty(t, p.list())

	sleeping := exec.Command("sleep", "60")
	require.NoError(t, p.start("sleeping", sleeping))
	assert.True(t, p.list()[0].Running)
	require.NoError(t, sleeping.Process.Kill())
	assert.Eventually(t, func() bool { return !p.list()[0].Running }, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, "signal: killed", p.list()[0].Error)
	assert.Equal(t, "node-1", p.list()[0].Node)
}

func TestProvisioner_makes_a_volume_where_the_pod_goes_and_removes_it_after_its_claim(t *testing.T) {
	dir, class, other := t.TempDir(), StorageClass, "other"
	claim := func(name, node string, class *string) *corev1.PersistentVolumeClaim {
		c := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n", UID: "uid-" + "1"},
			Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}},
			Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
		}
		if node != "" {
			c.Annotations = map[string]string{selectedNode: node}
		}
		return c
	}
	client := fake.NewClientset(claim("scheduled", "node-2", &class), claim("waiting", "", &class), claim("foreign", "node-1", &other))
	require.NoError(t, provisionOnce(t.Context(), client, dir))
	require.NoError(t, provisionOnce(t.Context(), client, dir), "it may be repeated")
	volumes, err := client.CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, volumes.Items, 1)
	volume := volumes.Items[0]
	assert.Equal(t, "scheduled", volume.Spec.ClaimRef.Name)
	assert.Equal(t, []string{"node-2"}, volume.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values)
	assert.DirExists(t, volume.Spec.Local.Path)

	require.NoError(t, reclaimOnce(t.Context(), client))
	assert.DirExists(t, volume.Spec.Local.Path, "its claim is there")
	volume.Status.Phase = corev1.VolumeReleased
	_, err = client.CoreV1().PersistentVolumes().UpdateStatus(t.Context(), &volume, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, reclaimOnce(t.Context(), client))
	assert.NoDirExists(t, volume.Spec.Local.Path)
}

func TestCgroups_of_a_cluster_are_removed_with_those_below(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "node-1", "kubepods", "pod"), 0o755))
	require.NoError(t, removeTree(dir))
	assert.NoDirExists(t, dir)
	assert.NoError(t, removeTree(dir), "it may be repeated")
}

func TestStandIn_needs_an_address(t *testing.T) {
	assert.ErrorContains(t, addStandIn(StandIn{Address: "metadata"}), `"metadata" is not an IP address`)
}
