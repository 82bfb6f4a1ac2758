// Command realpods-machine is what runs in the namespaces of a cluster of real
// pods. `nova local up --real` builds and starts it.
package main

import (
	"os"
	"runtime"

	"nova.dev/infra/internal/realpods/machine"
)

// The main goroutine stays on the main thread: the processes that it starts end
// when that thread does.
func init() { runtime.LockOSThread() }

func main() { os.Exit(machine.Main(os.Args[1:])) }
