package workload

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

// seaweed is a real SeaweedFS, started and set up by the scripts of the store.
type seaweed struct {
	*sandbox
	server, setup Workload
	// ports are those of the test, by those of the store.
	ports   map[int]int
	process *exec.Cmd
}

func newSeaweed(t *testing.T) *seaweed {
	t.Helper()
	weed, err := filepath.Abs(program(t, "weed", "../../bin/weed"))
	require.NoError(t, err)
	s := development(t, "")
	w := &seaweed{
		sandbox: newSandbox(t, ""), server: storeOf(s, catalog.ObjectStorage), setup: setupOf(s, catalog.ObjectStorage), ports: map[int]int{},
	}
	for _, port := range []int{objectStorePort, seaweedMaster, seaweedFiler, seaweedVolume} {
		w.ports[port] = freePair(t)
	}
	for _, folder := range []string{"bin", w.server.Volume.Path} {
		require.NoError(t, os.Mkdir(w.path(folder), 0o755))
	}
	require.NoError(t, os.Symlink(weed, w.path("bin/weed")))
	w.env = append(w.env, "PATH="+w.path("bin")+":"+os.Getenv("PATH"), "TMPDIR="+w.path(scratch))
	// A disk of 6 GB holds six volumes.
	w.unpack(t, w.server, "-dir=/data", "-dir="+w.path("/data"), "-volume.max=0", "-volume.max=6", "-s3.port=8333", fmt.Sprintf(
		"-s3.port=%d -master.port=%d -filer.port=%d -volume.port=%d -s3.port.iceberg=0 -s3.port.lance=0",
		w.ports[objectStorePort], w.ports[seaweedMaster], w.ports[seaweedFiler], w.ports[seaweedVolume]))
	return w
}

// seaweedVolume is the port of the volume server, which only the process itself
// uses.
const seaweedVolume = 8080

// freePair finds a port of the loopback interface of which the one 10,000 above,
// for gRPC, is free, too. Both are below those of outgoing connections.
func freePair(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 11000 + rand.IntN(9000)
		first, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		second, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+seaweedGRPCShift))
		_ = first.Close()
		if err == nil {
			_ = second.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func (w *seaweed) start(t *testing.T) {
	t.Helper()
	env := environment(w.server, nil, nil)
	env["MEMBER_ADDRESS"] = "127.0.0.1"
	w.process = w.command(env, "/bin/sh", w.path(settingsPath+"/start.sh"))
	log, err := os.OpenFile(w.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	w.process.Stdout, w.process.Stderr = log, log
	require.NoError(t, w.process.Start())
	t.Cleanup(func() {
		_ = w.process.Process.Kill()
		_ = w.process.Wait()
	})
	ready := w.server.Checks.Ready.Command[2]
	ready = strings.Replace(ready, strconv.Itoa(objectStorePort), strconv.Itoa(w.ports[objectStorePort]), 1)
	eventually(t, "the object store answers", func() error { _, err := w.run(nil, "/bin/sh", "-c", ready); return err })
}

// stop ends the server as the kubelet does, and waits no longer than it.
func (w *seaweed) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, w.process.Process.Signal(syscall.SIGTERM))
	kill := time.AfterFunc(time.Duration(w.server.GraceSeconds)*time.Second, func() { _ = w.process.Process.Kill() })
	defer kill.Stop()
	require.NoError(t, w.process.Wait(), "it ends by itself")
}

// key is a key of the services.
type key struct{ id, secret string }

func (w *seaweed) setUp(t *testing.T, current, previous key) (string, error) {
	t.Helper()
	box := newSandbox(t, "")
	box.env = append(slices.Clone(w.env), "TMPDIR="+box.path(scratch))
	box.unpack(t, w.setup)
	values := func(k key) map[string]string {
		return map[string]string{"AWS_ACCESS_KEY_ID": k.id, "AWS_SECRET_ACCESS_KEY": k.secret}
	}
	env := environment(w.setup, values(current), values(previous))
	env["WAIT_SECONDS"] = "5"
	for name, port := range map[string]int{"MASTER": seaweedMaster, "FILER": seaweedFiler, "S3": objectStorePort} {
		env[name] = fmt.Sprintf("127.0.0.1:%d", w.ports[port])
	}
	return box.run(env, "/bin/sh", box.path(settingsPath+"/setup.sh"))
}

// client is a client of S3 that sends checksums behind the data, as the SDKs of
// AWS do since 2025.
func (w *seaweed) client(t *testing.T, k key) *minio.Client {
	t.Helper()
	client, err := minio.New(fmt.Sprintf("127.0.0.1:%d", w.ports[objectStorePort]), &minio.Options{
		Creds: credentials.NewStaticV4(k.id, k.secret, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath,
		TrailingHeaders: true, MaxRetries: 1,
	})
	require.NoError(t, err)
	return client
}

func names(t *testing.T, client *minio.Client) ([]string, error) {
	t.Helper()
	buckets, err := client.ListBuckets(t.Context())
	var all []string
	for _, bucket := range buckets {
		all = append(all, bucket.Name)
	}
	slices.Sort(all)
	return all, err
}

func TestObjectStore_is_set_up_and_run_by_a_real_SeaweedFS(whole *testing.T) {
	t := whole
	w := newSeaweed(t)
	const bucket = "nova-media-dev"
	buckets := []string{"nova-audio-dev", "nova-cdn-dev", bucket, "nova-uploads-dev"}
	// Keys such as AWS makes them, and such as the program does.
	keys := []key{{"AKIAEXAMPLE", "wJalr/UtnFEMI+K7MDENG="}, {"second0000", "second1111"}, {"third0000", "third1111"}, {"fourth0000", "fourth1111"}}
	w.start(t)

	t.Run("nobody may do anything before the set-up", func(t *testing.T) {
		for _, nobody := range []key{{}, keys[0]} {
			_, err := names(t, w.client(t, nobody))
			assert.Error(t, err)
		}
	})
	t.Run("the set-up creates the buckets that are missing, any number of times", func(t *testing.T) {
		for range 2 {
			out, err := w.setUp(t, keys[0], keys[0])
			require.NoError(t, err, out)
			assert.NotContains(t, out, keys[0].secret)
			found, err := names(t, w.client(t, keys[0]))
			require.NoError(t, err)
			assert.Equal(t, buckets, found)
		}
	})
	t.Run("no other key is accepted", func(t *testing.T) {
		for _, other := range []key{{}, keys[1], {keys[0].id, "another"}} {
			_, err := names(t, w.client(t, other))
			assert.Error(t, err, other.id)
		}
	})

	content := []byte(hex.EncodeToString(bytes.Repeat([]byte{7, 250}, 300_000)))
	stored := func(t *testing.T, k key) {
		t.Helper()
		object, err := w.client(t, k).GetObject(t.Context(), bucket, "a/b", minio.GetObjectOptions{})
		require.NoError(t, err)
		read, err := io.ReadAll(object)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(content, read), "%d bytes", len(read))
	}
	t.Run("an object with a checksum behind it is stored as it is", func(t *testing.T) {
		put := func() error {
			_, err := w.client(t, keys[0]).PutObject(t.Context(), bucket, "a/b", bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
			return err
		}
		// For 15 s after a start the store takes no writes.
		for range 3 {
			if put() == nil {
				break
			}
			time.Sleep(10 * time.Second)
		}
		require.NoError(t, put())
		stored(t, keys[0])
	})
	t.Run("every bucket takes objects on a small disk", func(t *testing.T) {
		for _, each := range buckets {
			_, err := w.client(t, keys[0]).PutObject(t.Context(), each, "c", bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
			assert.NoError(t, err, each)
		}
	})
	t.Run("a rotation refuses nobody", func(t *testing.T) {
		for n := 1; n < len(keys); n++ {
			stop, done := make(chan struct{}), make(chan []string)
			go func() { done <- w.keepReading(w.client(t, keys[n-1]), bucket, "a/b", stop) }()
			out, err := w.setUp(t, keys[n], keys[n-1])
			require.NoError(t, err, out)
			_, err = names(t, w.client(t, keys[n]))
			assert.NoError(t, err, "the new key, at once")
			close(stop)
			assert.Empty(t, <-done, "the key before")
			if n > 1 {
				_, err = names(t, w.client(t, keys[n-2]))
				assert.Error(t, err, "the key before that")
			}
		}
	})
	t.Run("a restart keeps objects and keys", func(t *testing.T) {
		w.stop(t)
		w.start(whole)
		for _, k := range keys[len(keys)-2:] {
			stored(t, k)
		}
	})
	t.Run("nothing is logged to files", func(t *testing.T) {
		files, err := filepath.Glob(w.path(scratch) + "/*")
		require.NoError(t, err)
		for _, file := range files {
			assert.NotRegexp(t, `\.log|INFO|WARNING|ERROR`, file)
		}
		log, err := os.ReadFile(w.path("log"))
		require.NoError(t, err)
		assert.NotEmpty(t, log)
		for _, k := range keys {
			assert.NotContains(t, string(log), k.secret)
		}
	})
	t.Run("a key that the shell would misread is refused", func(t *testing.T) {
		out, err := w.setUp(t, key{"id", "se;cret"}, key{"id", "se;cret"})
		require.Error(t, err)
		assert.Contains(t, out, "has other characters than letters")
		assert.NotContains(t, out, "cret'")
	})
	t.Run("a store that is away is named", func(t *testing.T) {
		w.stop(t)
		out, err := w.setUp(t, keys[0], keys[0])
		require.Error(t, err)
		assert.Contains(t, out, "the object store's master at 127.0.0.1:")
		assert.Contains(t, out, "does not answer, within 5 s")
	})
}

// keepReading reads an object until it is stopped, and returns what went wrong.
func (w *seaweed) keepReading(client *minio.Client, bucket, object string, stop <-chan struct{}) []string {
	var failures []string
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_, err := client.StatObject(ctx, bucket, object, minio.StatObjectOptions{})
		cancel()
		if err != nil {
			var answer minio.ErrorResponse
			_ = errors.As(err, &answer)
			failures = append(failures, fmt.Sprintf("%s (%s)", err, answer.Code))
		}
		select {
		case <-stop:
			return failures
		case <-time.After(time.Millisecond):
		}
	}
}
