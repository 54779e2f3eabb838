package command

import (
	"flag"
	"fmt"
	"log/slog"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/job"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Instance says which instance a command talks to.
type Instance struct {
	BaseURL string // TC_BASE_URL, -base-url
	Verbose bool   // -verbose
}

// Register defines the flags.
func (i *Instance) Register(e *Env, fs *flag.FlagSet) {
	fs.StringVar(&i.BaseURL, "base-url", e.Getenv("TC_BASE_URL"), "")
	fs.BoolVar(&i.Verbose, "verbose", false, "")
}

// Usage describes the flags of Register and the environment. more are the lines about variables of
// the command's own.
func Usage(more string) string {
	return `  -base-url URL       as TC_BASE_URL, and wins over it
  -verbose            log one line a request on the error output, without values

The instance and the API user come from the environment:
  TC_BASE_URL      the instance's API, as in https://app.threatconnect.com/api
  TC_ACCESS_ID     access id of the API user
  TC_SECRET_KEY    its secret key; in single quotes, so that the shell leaves $ and ! alone
  TC_TOKEN         an API token, in place of the two
` + more + `There are no flags for the secrets: what stands on a command line can be read by every user of the
machine while the command runs, and stays in the history of the shell.
`
}

// InProcess reports whether nothing says which instance to use, so that a test server in the process
// stands in for one.
func (i *Instance) InProcess() bool { return i.BaseURL == "" }

// Client makes a client for the instance that was named. name is the command's.
func (i *Instance) Client(e *Env, name string, options ...threatconnect.Option) (*threatconnect.Client, error) {
	return i.params(e).Client(append(i.options(e, name), options...)...)
}

// params are the parameters that the examples share.
func (i *Instance) params(e *Env) *job.Params {
	p := job.FromEnv(e.Getenv)
	p.BaseURL = i.BaseURL
	return &p
}

// Demo makes a client for a test server in the process, which it announces. fill puts into the
// server what the command is to find.
func (i *Instance) Demo(e *Env, name string, fill func(*threatconnecttest.Server) error) (*threatconnect.Client, *threatconnecttest.Server, error) {
	if err := i.params(e).CheckInstance(); err != nil {
		return nil, nil, err
	}
	srv := threatconnecttest.New()
	if err := fill(srv); err != nil {
		return nil, nil, fmt.Errorf("fill the test server: %w", err)
	}
	e.Say(name, "TC_BASE_URL is not set: this is a test server in the process with invented data; nothing leaves the machine")
	return srv.Client(i.options(e, name)...), srv, nil
}

func (i *Instance) options(e *Env, name string) []threatconnect.Option {
	options := []threatconnect.Option{threatconnect.WithUserAgent("threatconnect-go-" + name + "/" + threatconnect.Version)}
	if i.Verbose {
		options = append(options, threatconnect.WithLogger(slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	}
	return options
}
