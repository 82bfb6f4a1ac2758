// Command contract-service is the service that tests on real pods run under the
// names of Nova's services.
package main

import (
	"os"

	"nova.dev/infra/internal/testing/contract"
)

func main() { os.Exit(contract.Main(os.Args[1:], os.Stdout, os.Stderr)) }
