// Command sandbox serves the test server of the SDK on a port, for clients in any language. It is
// not ThreatConnect. See sandbox -help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/threatconnect-go/threatconnect/examples/internal/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	os.Exit(sandbox.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
