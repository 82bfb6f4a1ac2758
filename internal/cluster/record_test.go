package cluster

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listen takes a free loopback port for the time of the test.
func listen(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func values(p ports) []int {
	var all []int
	for _, port := range p.all() {
		all = append(all, *port)
	}
	return all
}

func TestPorts_are_chosen_once_and_kept(t *testing.T) {
	var p ports
	if taken, err := p.settle(); err != nil || len(taken) != 0 {
		t.Fatal(taken, err)
	}
	chosen := values(p)
	for _, port := range chosen {
		if port < lowestPort || port > highestPort {
			t.Errorf("port %d is out of range", port)
		}
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(chosen))); len(distinct) != 6 {
		t.Errorf("ports %v are not distinct", chosen)
	}
	if taken, err := p.settle(); err != nil || len(taken) != 0 {
		t.Fatal(taken, err)
	}
	if !slices.Equal(values(p), chosen) {
		t.Errorf("ports were %v, are %v", chosen, values(p))
	}
}

func TestPorts_in_use_are_replaced(t *testing.T) {
	var p ports
	if _, err := p.settle(); err != nil {
		t.Fatal(err)
	}
	before := p
	p.APIServer, p.Kwok = listen(t), p.Etcd
	busy := []int{p.APIServer, p.Kwok}
	taken, err := p.settle()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(taken, busy) {
		t.Errorf("taken are %v, want %v", taken, busy)
	}
	if p.APIServer == busy[0] || p.Kwok == busy[1] || p.Etcd != before.Etcd || p.Scheduler != before.Scheduler {
		t.Errorf("got %+v, had %+v", p, before)
	}
}

func TestRecord_distinguishes_absent_from_unfinished(t *testing.T) {
	complete := record{Ports: ports{1, 2, 3, 4, 5, 6}, Programs: "x"}
	for name, test := range map[string]struct {
		prepare func(t *testing.T, c *Cluster)
		want    error
	}{
		"no directory":  {func(*testing.T, *Cluster) {}, fs.ErrNotExist},
		"no record":     {func(*testing.T, *Cluster) {}, errNoRecord},
		"half a record": {func(t *testing.T, c *Cluster) { writeTestFile(t, c.recordFile(), `{"ports":`) }, errNoRecord},
		"a port of 0":   {func(t *testing.T, c *Cluster) { writeTestFile(t, c.recordFile(), `{"ports":{"etcd":1}}`) }, errNoRecord},
		"a record": {func(t *testing.T, c *Cluster) {
			if err := c.writeRecord(complete); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestCluster(t)
			if name != "no directory" {
				if err := os.MkdirAll(c.home(), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			test.prepare(t, c)
			got, err := c.readRecord()
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			if test.want == nil && got != complete {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func newTestCluster(t *testing.T) *Cluster {
	t.Helper()
	c, err := New(Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writeTestFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOptions_are_validated(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, "Root is required"},
		{Options{Root: "x", NodesPerZone: -1}, "NodesPerZone is -1"},
	} {
		if _, err := New(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v", test.options, err)
		}
	}
}

func TestOptions_state_is_in_the_repository_by_default(t *testing.T) {
	root := t.TempDir()
	c, err := New(Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, ".nova", "kubeconfig"); c.Kubeconfig() != want {
		t.Errorf("got %s, want %s", c.Kubeconfig(), want)
	}
}

func TestProcesses_of_the_control_plane_are_recognized(t *testing.T) {
	c, err := New(Options{Root: "/repository"})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]bool{
		"/repository/.nova/cluster/.kwok/clusters/nova/bin/etcd --name=node0":            true,
		"/repository/bin/kwokctl create --config=/repository/.nova/cluster/kwokctl.json": true,
		"/repository/bin/kwokctl create --config=/elsewhere/.nova/cluster/kwokctl.json":  false,
		"/repository/bin/etcd --data-dir=/repository/.nova/cluster/etcd":                 false,
		"/repository/.nova/cluster2/.kwok/clusters/nova/bin/etcd":                        false,
		"vi /repository/.nova/cluster/kwokctl.json":                                      false,
		"kwokctl": false,
	} {
		if got := c.owns(strings.Fields(line)); got != want {
			t.Errorf("%s: got %v", line, got)
		}
	}
}

func TestKwokctl_log_is_converted_to_text(t *testing.T) {
	log := `{"level":"INFO","msg":"Cluster is creating"}
{"level":"ERROR","msg":"Failed to setup config","err":"no such file"}
panic: nil map

`
	want := "  Cluster is creating\n  Failed to setup config: no such file\n  panic: nil map"
	if got := kwokctlMessages([]byte(log)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFingerprint_changes_with_a_program(t *testing.T) {
	file := filepath.Join(t.TempDir(), "etcd")
	writeTestFile(t, file, "a")
	programs := tools{"etcd": file}
	before := programs.fingerprint()
	if programs.fingerprint() != before {
		t.Error("it changes by itself")
	}
	writeTestFile(t, file, "ab")
	if programs.fingerprint() == before {
		t.Error("it does not change with the program")
	}
}

func TestLogTail_is_the_last_lines_or_the_panic(t *testing.T) {
	for name, test := range map[string]struct {
		log  string
		want []string
	}{
		"a short log": {"a\nb\n", []string{"a", "b"}},
		"a long log":  {"1\n2\n3\n4\n5\n6\n7\n", []string{"3", "4", "5", "6", "7"}},
		"a panic":     {"1\n2\npanic: bad\n\ngoroutine 1\nx\ny\nz\n", []string{"panic: bad", "", "goroutine 1", "x", "y"}},
	} {
		if got := ending(test.log); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
