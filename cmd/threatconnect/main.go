// Command threatconnect works with an instance of ThreatConnect from the command line. So far it
// only prints its version.
package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/threatconnect-go/threatconnect"
)

const usage = `Usage: threatconnect version

  version   print the versions of the command, of the SDK and of Go, and the revision
`

func main() {
	info, _ := debug.ReadBuildInfo()
	os.Exit(run(os.Args[1:], info, os.Stdout, os.Stderr))
}

// run executes the command and returns its exit code: 0, or 2 for wrong arguments. It prints the
// usage on stdout if it is asked for, and on stderr if the arguments are wrong. info may be nil.
func run(args []string, info *debug.BuildInfo, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		_, _ = fmt.Fprint(stderr, usage)
		return 2
	}
	switch args[0] {
	case "version":
		_, _ = fmt.Fprint(stdout, version(info))
		return 0
	case "-h", "-help", "--help":
		_, _ = fmt.Fprint(stdout, usage)
		return 0
	default:
		_, _ = fmt.Fprintf(stderr, "threatconnect: unknown command %q\n\n%s", args[0], usage)
		return 2
	}
}

// version describes the binary, a line for each of the command, the SDK, Go and the revision. In a
// clone, the version of the command is "(devel)". Go knows no revision if it built the binary from the
// module proxy, or without version control.
func version(info *debug.BuildInfo) string {
	if info == nil {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	text := fmt.Sprintf("threatconnect %s\nSDK v%s\n%s\n", cmp.Or(info.Main.Version, "(devel)"), threatconnect.Version, info.GoVersion)
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		text += "revision " + revision
		if settings["vcs.modified"] == "true" {
			text += " (modified)"
		}
		text += "\n"
	}
	return text
}
