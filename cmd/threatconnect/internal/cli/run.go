package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// ExitCode is an error that ends the command with an exit code. The command has already printed the reason.
type ExitCode int

// Error returns the code in words. It is never printed.
func (c ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Run runs the command that args name and returns the exit code of the process. It prints the error of the
// command, if any, in the terms of the command line.
func Run(ctx context.Context, root *cobra.Command, env *Env, args []string) int {
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetArgs(args)
	root.SilenceErrors, root.SilenceUsage = true, true
	setHelp(root)
	cmd, err := root.ExecuteContextC(withArguments(ctx, args))
	if code, ok := errors.AsType[ExitCode](err); ok {
		return int(code)
	}
	switch {
	case err == nil, errors.Is(err, errHelpShown):
		return Success
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		env.Printf("%s: stopped: %v", cmd.CommandPath(), context.Cause(ctx))
	default:
		env.Printf("%s: %s", cmd.CommandPath(), Explain(err))
		if IsUsage(err) {
			env.Printf("Run %q for the flags.", cmd.CommandPath()+" -h")
		}
	}
	return Failure
}

// usageError is an error of the command line.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// UsageError makes an error of the command line, which ends with a hint at the help.
func UsageError(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// IsUsage reports whether an error is one of the command line.
func IsUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}
