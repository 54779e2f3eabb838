// Command feed imports a threat feed into an owner of ThreatConnect. It does the main job of the
// SDK with nothing configured: without TC_BASE_URL it imports a sample into a test server in its own
// process. See feed -help.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"

	"github.com/threatconnect-go/threatconnect/examples/internal/importer"
)

// memoryLimit is the size in bytes from which garbage is collected more often, so that an import of a
// million hosts stays below 64 MiB even when the test server's set of what it has is in this process.
const memoryLimit = 44 << 20

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader of the output that goes away is a write error
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	os.Exit(importer.Main(ctx, os.Args[1:], importer.Process{
		Getenv:   os.Getenv,
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())),
		Constant: func() {
			if os.Getenv("GOMEMLIMIT") == "" {
				debug.SetMemoryLimit(memoryLimit)
			}
		},
	}))
}
