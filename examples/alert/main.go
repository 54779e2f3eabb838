// Alert makes ThreatConnect decide about alerts; run it with -help.
package main

import (
	"github.com/threatconnect-go/threatconnect/examples/internal/alert"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
)

func main() { command.Main(alert.Run) }
