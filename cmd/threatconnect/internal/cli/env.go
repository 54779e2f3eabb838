// Package cli is shared by the subcommands: streams, exit codes, help, errors in the terms of the command
// line, and the flags that name an instance.
package cli

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/threatconnect-go/threatconnect/internal/secret"
)

// Exit codes. The platform reads them when it runs a command as a job.
const (
	Success = 0 // everything was done
	Failure = 1 // nothing was done, or the command line is wrong
	Partial = 3 // a part was done
)

// helpWidth is the width of help, and of messages on terminals of unknown width.
const helpWidth = 80

// Env is the environment that a command runs in.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer // results only
	Stderr io.Writer // messages, progress and logs
	Getenv func(string) string
}

// Secret returns the secret in the variable name, or in the file that name_FILE names, and the variable that it is
// from. Errors are errors of the command line.
func (e *Env) Secret(name string) (value, from string, err error) {
	if value, from, err = secret.Lookup(e.Getenv, name); err != nil {
		err = UsageError("%w", err)
	}
	return value, from, err
}

// IsTerminal reports whether a stream of the command is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns the number of columns of the terminal that w writes to, and 0 if w is not a terminal.
// COLUMNS overrides the width that the terminal reports.
func (e *Env) Width(w io.Writer) int {
	if !IsTerminal(w) {
		return 0
	}
	columns := 0
	if _, err := fmt.Sscanf(e.Getenv("COLUMNS"), "%d", &columns); err == nil && columns > 0 {
		return columns
	}
	columns, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil || columns <= 0 {
		return helpWidth
	}
	return columns
}

// Color reports whether w shows colors: it is a terminal, and NO_COLOR is not set.
func (e *Env) Color(w io.Writer) bool {
	return IsTerminal(w) && e.Getenv("NO_COLOR") == "" && e.Getenv("TERM") != "dumb"
}

// Printf writes a message to Stderr and wraps it at words if Stderr is a terminal. Characters that control a
// terminal are replaced.
func (e *Env) Printf(format string, args ...any) {
	message := cleanLines(fmt.Sprintf(format, args...))
	if width := e.Width(e.Stderr); width > 0 {
		message = Wrap(message, width)
	}
	_, _ = fmt.Fprintln(e.Stderr, message) // there is no other place to report it
}
