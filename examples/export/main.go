// Export takes indicators out of ThreatConnect; run it with -help.
package main

import (
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/examples/internal/export"
)

func main() { command.Main(export.Run) }
