package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"nova.dev/infra/release"
)

func TestRelease_asks_on_a_terminal_what_an_interrupt_means(t *testing.T) {
	t.Parallel()
	r := startRelease(t, "asked")
	r.requests.mu.Lock()
	r.requests.quiet = true
	r.requests.mu.Unlock()
	ours, theirs := openTerminal(t)
	require.NoError(t, unix.IoctlSetWinsize(int(ours.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 160}))
	args := r.args(t, "v2", "2")
	args[len(args)-1] = "20" // Slow enough to be interrupted in a stage.
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env = r.home, append(r.env(), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	theirs.Close()
	var said transcript
	go io.Copy(&said, ours) //nolint:errcheck // Ends with an error when the last process has left the terminal.
	says := func(text string) {
		t.Helper()
		ok := assert.Eventually(t, func() bool { return strings.Contains(said.String(), text) }, 2*time.Minute, 50*time.Millisecond)
		require.True(t, ok, "%q in: %s", text, said.String())
	}
	says("auth: 1 of 4 pods")
	says("errors 0.00/1 % ?") // The row of a service.
	_, err := ours.WriteString("\x03")
	require.NoError(t, err)
	says("interrupted: `abort` rolls everything back")
	_, err = ours.WriteString("go on\n")
	require.NoError(t, err)
	time.Sleep(2 * time.Second)
	assert.Contains(t, r.must(t, "release", "status", "--stack", r.stack).out, "phase canary; moved by")
	_, err = ours.WriteString("\x03")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Count(said.String(), "interrupted: ") == 2 }, time.Minute, 50*time.Millisecond)
	_, err = ours.WriteString("abort\n")
	require.NoError(t, err)
	_ = cmd.Wait()
	require.Equal(t, release.RolledBack.ExitCode(), cmd.ProcessState.ExitCode(), said.String())
	r.runs(t, "1")
}
