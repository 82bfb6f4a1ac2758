package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal that answers no query: this side of it, and the
// side of the processes on it.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { ours.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

func TestStart(t *testing.T) {
	t.Run("queries_no_terminal", func(t *testing.T) {
		ours, theirs := openTerminal(t)
		cmd := exec.Command(os.Args[0], "version")
		cmd.Env = []string{asNova + "=1", "HOME=" + t.TempDir(), "TERM=xterm-256color"}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		start := time.Now()
		require.NoError(t, cmd.Start())
		theirs.Close()
		written, _ := io.ReadAll(ours) // Ends with an error when the last process has left the terminal.
		require.NoError(t, cmd.Wait(), string(written))
		assert.Contains(t, string(written), "nova ")
		assert.NotContains(t, string(written), "\x1b", "an escape sequence, such as the query for the background color")
		assert.Less(t, time.Since(start), 4*time.Second, "a query that nobody answers takes 5 s")
	})
}
