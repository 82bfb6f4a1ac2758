package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"nova.dev/infra/internal/toolchain/dirlock"
)

// portAttempts is the number of starts that are tried when another process
// takes a port between its choice and its use.
const portAttempts = 3

// Up brings the cluster to the state Running, and writes what it does to
// progress: it creates an absent cluster, starts a stopped one with its data,
// restarts one that is degraded or whose tools have changed, and replaces one
// whose creation did not finish. For a healthy cluster it returns in well under
// a second.
//
// The processes are independent of the calling one and keep running after it.
// When ctx ends first, the processes are stopped, a new cluster is removed, and
// the error wraps that of ctx. When tools are missing, it wraps
// toolchain.ErrNotInstalled.
func (c *Cluster) Up(ctx context.Context, progress io.Writer) error {
	r := newReporter(progress)
	programs, err := c.findTools()
	if err != nil {
		return err
	}
	release, err := c.lock(ctx, r)
	if err != nil {
		return err
	}
	defer release()

	remembered, err := c.readRecord()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.say("creating the embedded control plane")
		return c.create(ctx, programs, r)
	case errors.Is(err, errNoRecord):
		r.say("cleaning up an embedded control plane whose creation did not finish, and creating it again")
		if err := c.remove(ctx); err != nil {
			return err
		}
		return c.create(ctx, programs, r)
	case err != nil:
		return fmt.Errorf("cluster: %w", err)
	}

	alive, err := c.processes(ctx)
	if err != nil {
		return err
	}
	sick := unhealthy(ctx, remembered.Ports)
	switch {
	case len(alive) == 0:
		r.say("starting the embedded control plane with the data it has")
	case len(missing(alive)) > 0 || len(sick) > 0:
		r.say("restarting the embedded control plane with the data it has: %s not healthy", strings.Join(sick, ", "))
	case remembered.Programs != programs.fingerprint():
		r.say("restarting the embedded control plane with the data it has: the tools have changed")
	default:
		return c.complete(ctx, remembered, r, "the embedded control plane is running")
	}
	remembered.Programs = programs.fingerprint()
	if err := c.start(ctx, programs, &remembered, r); err != nil {
		return errors.Join(err, c.stop(context.WithoutCancel(ctx)))
	}
	return c.complete(ctx, remembered, r, "the embedded control plane is running again")
}

// create brings up a cluster where there is no state.
func (c *Cluster) create(ctx context.Context, programs tools, r reporter) error {
	fresh := record{Programs: programs.fingerprint()}
	err := c.start(ctx, programs, &fresh, r)
	if err == nil {
		err = c.complete(ctx, fresh, r, "the embedded control plane is running")
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.Join(err, c.remove(context.WithoutCancel(ctx)))
	default:
		// The logs stay for the user to read; the next Up removes them.
		return errors.Join(err, c.stop(context.WithoutCancel(ctx)))
	}
}

// start starts every process and waits until all are healthy. It changes ports
// that are unset or taken.
func (c *Cluster) start(ctx context.Context, programs tools, rec *record, r reporter) error {
	for attempt := 1; ; attempt++ {
		if err := c.stop(ctx); err != nil {
			return err
		}
		taken, err := rec.Ports.settle()
		if err != nil {
			return err
		}
		for _, port := range taken {
			r.say("  another process has taken port %d; using another one", port)
		}
		if err := c.prepare(programs, rec.Ports); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		if err := c.kwokctlCreate(ctx, programs); err != nil {
			return err
		}
		err = c.awaitHealth(ctx, programs, rec.Ports, r)
		if !errors.Is(err, errPortTaken) || attempt == portAttempts {
			return err
		}
	}
}

// complete adds to healthy processes what makes them a usable cluster, and
// records it as complete.
func (c *Cluster) complete(ctx context.Context, rec record, r reporter, headline string) error {
	if err := c.writeKubeconfig(rec.Ports); err != nil {
		return err
	}
	for _, ensure := range []func(context.Context) error{c.ensureCRDs, c.ensureNodes, c.ensureStorageClass} {
		if err := ensure(ctx); err != nil {
			return err
		}
	}
	if err := c.writeRecord(rec); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	r.say("%s (%s): %s, %d simulated nodes in %d zones", headline, r.elapsed(),
		serverURL(rec.Ports), len(c.nodes()), len(c.options.Zones))
	r.say("  kubeconfig: %s", c.Kubeconfig())
	return nil
}

// Down stops every process of the cluster, waits until they are gone, and
// removes all of its state and its kubeconfig. It does nothing when the cluster
// is absent.
func (c *Cluster) Down(ctx context.Context, progress io.Writer) error {
	r := newReporter(progress)
	if _, err := os.Stat(c.options.Dir); errors.Is(err, fs.ErrNotExist) {
		r.say("there is no embedded control plane")
		return nil
	}
	release, err := c.lock(ctx, r)
	if err != nil {
		return err
	}
	defer release()

	alive, err := c.processes(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.home()); errors.Is(err, fs.ErrNotExist) && len(alive) == 0 {
		r.say("there is no embedded control plane")
		return c.remove(ctx) // A kubeconfig may be left all the same.
	}
	r.say("stopping the embedded control plane (%d processes)", len(alive))
	if err := c.remove(ctx); err != nil {
		return err
	}
	r.say("nothing of the embedded control plane is left (%s)", r.elapsed())
	return nil
}

// remove stops every process and deletes all state.
func (c *Cluster) remove(ctx context.Context) error {
	if err := c.stop(ctx); err != nil {
		return err
	}
	for _, path := range []string{c.home(), c.Kubeconfig(), c.Kubeconfig() + ".new"} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	return nil
}

// lock keeps other processes from changing the cluster.
func (c *Cluster) lock(ctx context.Context, r reporter) (release func(), err error) {
	if err := os.MkdirAll(c.options.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	release, err = dirlock.Acquire(ctx, c.options.Dir, func(elapsed time.Duration) {
		r.say("waiting for another process that is changing the embedded control plane (%s)", elapsed.Round(time.Second))
	})
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return release, nil
}
