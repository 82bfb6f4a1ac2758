// Command install builds the pinned tools of the repository into bin/.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"nova.dev/infra/internal/toolchain"
)

// Exit codes.
const (
	ok          = 0
	failed      = 1
	wrongUsage  = 2
	interrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("install", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("root", ".", "root of the repository")
	flags.Usage = func() {}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout, flags, *root)
		return ok
	case err != nil:
		usage(stderr, flags, *root)
		return wrongUsage
	}

	tools, err := toolchain.Tools(*root)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return wrongUsage
	}
	for _, name := range flags.Args() {
		if !slices.ContainsFunc(tools, func(t toolchain.Tool) bool { return t.Name == name }) {
			fmt.Fprintf(stderr, "install: unknown tool %q\n", name)
			usage(stderr, flags, *root)
			return wrongUsage
		}
	}

	err = toolchain.Install(ctx, *root, stdout, flags.Args()...)
	switch {
	case ctx.Err() != nil && err != nil:
		fmt.Fprintln(stderr, err)
		return interrupted
	case err != nil:
		fmt.Fprintln(stderr, err)
		return failed
	}
	return ok
}

func usage(out io.Writer, flags *flag.FlagSet, root string) {
	flags.SetOutput(out)
	fmt.Fprint(out, "usage: go run ./tools/install [-root DIR] [TOOL...]\n\n"+
		"Builds the named tools, or all that are not optional, into bin/. What is there already, or on PATH\n"+
		"in a suitable version, is left alone.\n\n")
	flags.PrintDefaults()
	tools, err := toolchain.Tools(root)
	if err != nil {
		return
	}
	fmt.Fprint(out, "\ntools:\n")
	for _, t := range tools {
		optional := ""
		if t.Optional {
			optional = "; optional"
		}
		fmt.Fprintf(out, "  %-26s %-9s (on PATH: %s%s)\n", t.Name, t.Version, t.Suitable, optional)
	}
}
