// Package contract is a service that keeps the contract of Nova's services and
// does nothing else: it answers on their ports and health paths, exports their
// metrics, logs in to the stores that its environment names, drains when it is
// told to stop, and connects to whatever it is asked to. Tests on real pods run
// it under the names of all the services.
//
// It can be told to misbehave: see Server.
package contract

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: contract-service [serve]            be a service, with the settings of the environment
       contract-service listen PORT... [-- IGNORED...]
                                           accept connections and answer nothing but "ok" to HTTP
       contract-service dial TARGET...     connect to each target, print one JSON object each
       contract-service load [FLAG...]     send requests at a steady rate, print what became of them
       contract-service order PATH         give an order to the service in this pod, such as /contract/hang?seconds=60
       contract-service about [FOLDER]     print as whom it runs and where it can write below a folder,
                                           by default anywhere, as JSON
       contract-service keep [FLAG...]     write records to a store until it is told to stop, then read
                                           them, print what became of them
       contract-service pause              hold the namespaces of a pod

Targets: tcp://HOST:PORT, http://..., grpc://HOST:PORT, postgres://..., redis://...,
and env:DATABASE_URL, env:REDIS_URL, env:S3 for the stores of the environment.
`

// Main runs one command line and returns the exit code: 0 done, 1 failed, 2
// wrong usage. dial ends with 1 when a target cannot be reached.
func Main(args []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var err error
	switch command {
	case "serve":
		err = serve(ctx, stderr)
	case "listen":
		err = listen(ctx, args)
	case "dial":
		return printDialled(ctx, args, stdout)
	case "load":
		err = loadCommand(ctx, args, stdout)
	case "order":
		err = order(ctx, args)
	case "about":
		folder := "/"
		if len(args) > 0 {
			folder = args[0]
		}
		err = writeJSON(stdout, About(folder))
	case "keep":
		err = keepCommand(ctx, args, stdout, stderr)
	case "pause":
		pause(ctx)
	default:
		fmt.Fprint(stderr, usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(stderr, "contract-service:", err)
		return 1
	}
	return 0
}

// env is the first variable that is set and not empty.
func env(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}
