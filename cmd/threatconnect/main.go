// Command threatconnect works with an instance of ThreatConnect from the command line: it imports
// feeds, looks indicators up, follows changes, handles alerts, and checks an instance.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/alert"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/changes"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/doctor"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/extract"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/feed"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/lookup"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	info, _ := debug.ReadBuildInfo()
	env := &cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
	os.Exit(cli.Run(ctx, root(env, info), env, os.Args[1:]))
}

// root returns the command with all its subcommands. info may be nil.
func root(env *cli.Env, info *debug.BuildInfo) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "threatconnect",
		Short: "Work with ThreatConnect from the command line",
		Example: `  threatconnect feed                    # import a sample into a test server
  threatconnect lookup evil.example     # look up an indicator`,
	}
	cmd.AddCommand(
		alert.Command(env),
		changes.Command(env),
		completionCommand(env),
		doctor.Command(env),
		extract.Command(env),
		feed.Command(env),
		lookup.Command(env),
		sandbox.Command(env),
		versionCommand(env, info),
	)
	return cmd
}
