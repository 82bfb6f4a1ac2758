package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

const loopback = "127.0.0.1"

// ports are the loopback ports of a cluster. They are chosen when it is created
// and kept, so that its address stays the same when it is started again.
type ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	APIServer         int `json:"apiServer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
	Kwok              int `json:"kwok"`
}

func (p *ports) all() []*int {
	return []*int{&p.Etcd, &p.EtcdPeer, &p.APIServer, &p.ControllerManager, &p.Scheduler, &p.Kwok}
}

// The range below the ephemeral ports of Linux (from 32768) and macOS (from
// 49152): there, no outgoing connection takes a port while the cluster is down.
const (
	lowestPort  = 20000
	highestPort = 29999
)

// settle replaces every port that is unset or in use by a free one, and returns
// the ports that were taken.
func (p *ports) settle() (taken []int, err error) {
	used := map[int]bool{}
	for _, port := range p.all() {
		if *port != 0 {
			if !used[*port] && isFree(*port) {
				used[*port] = true
				continue
			}
			taken = append(taken, *port)
		}
		if *port, err = freePort(used); err != nil {
			return taken, err
		}
		used[*port] = true
	}
	return taken, nil
}

func freePort(used map[int]bool) (int, error) {
	const attempts = 1000
	for range attempts {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		if !used[port] && isFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("cluster: no free port on %s between %d and %d after %d attempts", loopback, lowestPort, highestPort, attempts)
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// record is the stored description of a cluster that was completely up once. A
// state directory without one holds a cluster whose creation did not finish.
type record struct {
	Ports ports `json:"ports"`
	// Programs is the fingerprint of the programs that were started last.
	Programs string `json:"programs"`
}

func (c *Cluster) recordFile() string { return filepath.Join(c.home(), "cluster.json") }

// errNoRecord means that the state directory holds something, but no cluster
// that was ever complete.
var errNoRecord = errors.New("no complete cluster")

// readRecord returns the record of the cluster. The error is fs.ErrNotExist
// when there is no state at all and errNoRecord when there is no valid record.
func (c *Cluster) readRecord() (record, error) {
	if _, err := os.Stat(c.home()); err != nil {
		return record{}, err
	}
	data, err := os.ReadFile(c.recordFile())
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, errNoRecord
	}
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, fmt.Errorf("%w: %s: %w", errNoRecord, c.recordFile(), err)
	}
	for _, port := range r.Ports.all() {
		if *port < 1 || *port > 65535 {
			return record{}, fmt.Errorf("%w: %s: port %d", errNoRecord, c.recordFile(), *port)
		}
	}
	return r, nil
}

func (c *Cluster) writeRecord(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(c.recordFile(), append(data, '\n'))
}

// writeFile writes a file that only its owner may read, in one step: a reader
// sees the old content or the new, never a part.
func writeFile(name string, data []byte) error {
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
