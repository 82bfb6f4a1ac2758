//go:build !linux

// Command realpods-machine runs only on Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "real pods need Linux")
	os.Exit(1)
}
