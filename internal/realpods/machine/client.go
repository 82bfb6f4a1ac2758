package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Client gives orders to the first process of a cluster.
type Client struct {
	http *http.Client
}

// NewClient returns a client for a control socket.
func NewClient(socket string) Client {
	return Client{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			path, release, err := shortPath(socket)
			if err != nil {
				return nil, err
			}
			defer release()
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
}

// Status asks for the processes of the cluster.
func (c Client) Status(ctx context.Context) (s Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s, c.get(ctx, "/status", &s)
}

// Run runs a command in the namespaces of a node, or of the control plane where
// node is empty, and returns what it printed.
func (c Client) Run(ctx context.Context, node string, timeout time.Duration, args ...string) (string, error) {
	var answer Answer
	err := c.do(ctx, http.MethodPost, "/command", Command{Node: node, Args: args, TimeoutSeconds: int(timeout / time.Second)}, &answer)
	if err == nil && answer.Error != "" {
		err = fmt.Errorf("%s\n%s", answer.Error, answer.Output)
	}
	return answer.Output, err
}

// KillNode ends all processes of a node at once.
func (c Client) KillNode(ctx context.Context, node string) error {
	return c.do(ctx, http.MethodPost, "/nodes/"+node+"/kill", nil, nil)
}

// StartNode starts a node that was killed, with what was on its disk.
func (c Client) StartNode(ctx context.Context, node string) error {
	return c.do(ctx, http.MethodPost, "/nodes/"+node+"/start", nil, nil)
}

// AddStandIn adds an address that plays something outside.
func (c Client) AddStandIn(ctx context.Context, s StandIn) error {
	return c.do(ctx, http.MethodPost, "/standins", s, nil)
}

func (c Client) get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, nil, into)
}

func (c Client) do(ctx context.Context, method, path string, body, into any) error {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://cluster"+path, &content)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var answer Answer
		_ = json.NewDecoder(response.Body).Decode(&answer)
		return errors.New(answer.Error)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// ListenUnix listens on a socket whose path may be longer than the 107 bytes
// that an address holds.
func ListenUnix(socket string) (net.Listener, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	path, release, err := shortPath(socket)
	if err != nil {
		return nil, err
	}
	defer release()
	return net.Listen("unix", path)
}

// shortPath names a socket by way of its open folder.
func shortPath(socket string) (path string, release func(), err error) {
	dir, err := os.Open(filepath.Dir(socket))
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(socket), func() { _ = dir.Close() }, nil
}
