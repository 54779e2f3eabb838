// Lookup finds what ThreatConnect knows about indicators; run it with -help.
package main

import (
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/examples/internal/lookup"
)

func main() { command.Main(lookup.Run) }
