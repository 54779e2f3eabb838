package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

func versionCommand(env *cli.Env, info *debug.BuildInfo) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the command, the SDK and Go",
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(env.Stdout, version(info))
			return err
		},
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
