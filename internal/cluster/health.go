package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// healthTimeout bounds one health check, which takes milliseconds on
	// loopback.
	healthTimeout = 2 * time.Second
	healthPoll    = 100 * time.Millisecond
	// startTimeout bounds the start of the control plane: four seconds on an
	// idle machine; the rest is for a busy one.
	startTimeout = 3 * time.Minute
	// restartLimit is the number of restarts of components that end during the
	// start. The controller manager exits when the API server takes more than
	// ten seconds to start, as it does on a busy machine.
	restartLimit = 5
	// restartPause is the minimum time between two restarts.
	restartPause = 2 * time.Second
	// waitNotice is the interval at which waiting is reported.
	waitNotice = 2 * time.Second
)

// errPortTaken means that another process took a port between its choice and
// its use.
var errPortTaken = errors.New("port taken")

// unhealthy returns the components that do not answer as healthy, in order.
func unhealthy(ctx context.Context, p ports) []string {
	client := &http.Client{
		Timeout: healthTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// The controller manager and the scheduler generate certificates at
			// each start. Nothing confidential is sent or read here.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
	}
	failing := make([]bool, len(components))
	var wait sync.WaitGroup
	for i, component := range components {
		wait.Go(func() {
			address := net.JoinHostPort(loopback, strconv.Itoa(component.port(p)))
			failing[i] = !answersOK(ctx, client, component.scheme+"://"+address+component.path)
		})
	}
	wait.Wait()
	var names []string
	for i, component := range components {
		if failing[i] {
			names = append(names, component.name)
		}
	}
	return names
}

func answersOK(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// missing returns the components that are not among the running processes.
func missing(alive []running) []string {
	var names []string
	for _, component := range components {
		if !slices.ContainsFunc(alive, func(p running) bool { return p.name == component.name }) {
			names = append(names, component.name)
		}
	}
	return names
}

// awaitHealth waits until every component is healthy, and starts again those
// that end meanwhile. The error wraps errPortTaken when one ended because its
// port was taken.
func (c *Cluster) awaitHealth(ctx context.Context, programs tools, p ports, r reporter) error {
	deadline := time.Now().Add(startTimeout)
	lastRestart, lastNotice := time.Now(), time.Now()
	for restarts := 0; ; {
		waiting := unhealthy(ctx, p)
		if ctx.Err() != nil {
			return fmt.Errorf("cluster: waiting for %s: %w", strings.Join(waiting, ", "), ctx.Err())
		}
		alive, err := c.processes(ctx)
		if err != nil {
			return err
		}
		dead := missing(alive)
		if len(waiting) == 0 && len(dead) == 0 {
			return nil
		}
		if len(dead) > 0 && time.Since(lastRestart) > restartPause {
			reason := c.lastWords(dead)
			if strings.Contains(reason, "address already in use") {
				return fmt.Errorf("cluster: %s: %w\n%s", strings.Join(dead, ", "), errPortTaken, reason)
			}
			if restarts == restartLimit {
				return fmt.Errorf("cluster: %s ended %d times during the start; the last lines of the log:\n%s\nall logs: %s",
					strings.Join(dead, ", "), restarts+1, reason, c.logFile("*"))
			}
			restarts++
			lastRestart = time.Now()
			r.say("  %s ended early, starting again", strings.Join(dead, ", "))
			if err := c.kwokctlCreate(ctx, programs); err != nil {
				return err
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cluster: %s not healthy after %s; the last lines of the log:\n%s\nall logs: %s",
				strings.Join(waiting, ", "), startTimeout, c.lastWords(waiting), c.logFile("*"))
		}
		if time.Since(lastNotice) > waitNotice {
			lastNotice = time.Now()
			r.say("  waiting for %s (%s)", strings.Join(waiting, ", "), r.elapsed())
		}
		select {
		case <-ctx.Done():
		case <-time.After(healthPoll):
		}
	}
}

// lastWords returns the end of the components' logs.
func (c *Cluster) lastWords(names []string) string {
	var words []string
	for _, name := range names {
		log, err := os.ReadFile(c.logFile(name))
		if err != nil {
			continue
		}
		for _, line := range ending(string(log)) {
			words = append(words, "  "+name+": "+line)
		}
	}
	return strings.Join(words, "\n")
}

// ending returns the last lines of a log, or, when it ends in a panic, the
// first lines of that: what follows them is a stack trace.
func ending(log string) []string {
	const count = 5
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic: ") {
			return lines[i:min(len(lines), i+count)]
		}
	}
	return lines[max(0, len(lines)-count):]
}
