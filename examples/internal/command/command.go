// Package command is what the interactive examples share: where a command reads and writes, how it
// reads its flags, and how it finds the instance that it talks to.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// Exit codes that the commands share. What a code beyond these means is in a command's help.
const (
	OK    = 0 // everything was done
	Error = 1 // something went wrong, the command line included
)

// Env is what a command runs in.
type Env struct {
	Args   []string // without the command's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
}

// Main runs a command in the environment of the process and exits with its code. An interrupt ends
// the command's context; a second one ends the process.
func Main(run func(context.Context, *Env) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, &Env{os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}

// Width returns how many columns the terminal has that w writes to; 0 when w is no terminal.
// COLUMNS wins over what the terminal says, and does not make a terminal of a file.
func (e *Env) Width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	var columns int
	if _, err := fmt.Sscanf(e.Getenv("COLUMNS"), "%d", &columns); err == nil && columns > 0 {
		return columns
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 {
		return 80
	}
	return columns
}

// StdinIsTerminal reports whether somebody would have to type what is read from Stdin.
func (e *Env) StdinIsTerminal() bool {
	f, ok := e.Stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ErrHelp is returned by Parse after it has printed the help that was asked for.
var ErrHelp = flag.ErrHelp

// Parse reads the flags, which may stand before, between and after the other arguments, and returns
// those. What follows -- is no flag. Asked for help, it prints usage on Stdout and returns ErrHelp.
func (e *Env) Parse(fs *flag.FlagSet, usage string) ([]string, error) {
	fs.SetOutput(io.Discard)
	var rest []string
	for args := e.Args; ; {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			_, err := io.WriteString(e.Stdout, usage)
			return nil, errors.Join(ErrHelp, err)
		}
		if err != nil {
			return nil, err
		}
		left := fs.Args()
		if used := len(args) - len(left); used > 0 && args[used-1] == "--" {
			return append(rest, left...), nil
		}
		if len(left) == 0 {
			return rest, nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// Say writes a line of a command's own words to Stderr.
func (e *Env) Say(name, format string, args ...any) {
	_, _ = fmt.Fprintf(e.Stderr, "%s: %s\n", name, fmt.Sprintf(format, args...)) // there is nobody else to tell
}

// Fail says what went wrong and returns the exit code for it.
func (e *Env) Fail(name string, err error) int {
	e.Say(name, "%s", Plain(err))
	return Error
}

// FailUsage says what is wrong with the command line and how to learn more.
func (e *Env) FailUsage(name string, err error) int {
	if errors.Is(err, ErrHelp) {
		return OK
	}
	e.Say(name, "%s", Plain(err))
	_, _ = fmt.Fprintf(e.Stderr, "Run %s -help to see how it is used.\n", name)
	return Error
}

// Plain returns the text of an error without the name of the package that it comes from.
func Plain(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "threatconnect: "), "ioc: ")
}

// Texts is a flag that may be repeated.
type Texts []string

// String returns the texts with commas between them.
func (t *Texts) String() string { return strings.Join(*t, ", ") }

// Set adds a text.
func (t *Texts) Set(s string) error {
	if s = strings.TrimSpace(s); s == "" {
		return errors.New("is empty")
	}
	*t = append(*t, s)
	return nil
}
