package contract

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// pause does what the first process of a pod must do: nothing, but to take note
// of the processes that end in its namespace.
func pause(ctx context.Context) {
	children := make(chan os.Signal, 8)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-ctx.Done():
			return
		case <-children:
			for {
				if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
					break
				}
			}
		}
	}
}
