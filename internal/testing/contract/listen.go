package contract

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// listen stands in for a system that cannot be had: it accepts connections on
// the ports and answers every HTTP request with "ok", and does nothing of what
// the system does. What comes after "--" is for the system and is ignored.
func listen(ctx context.Context, args []string) error {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	if len(args) == 0 {
		return errors.New("listen: no port")
	}
	failed := make(chan error, len(args))
	for _, port := range args {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("listen: %q is not a port", port)
		}
		server := &http.Server{
			Addr: ":" + port, ReadHeaderTimeout: 10 * time.Second,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }),
		}
		go func() { failed <- server.ListenAndServe() }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}
