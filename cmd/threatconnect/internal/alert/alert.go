package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// handler handles one alert at a time, so an alert that arrives twice at once is stored once.
type handler struct {
	*config
	client     *threatconnect.Client
	log        *slog.Logger
	exclusions *ioc.Exclusions
	maxNote    int           // bytes of a note
	turn       chan struct{} // contains a token while an alert is handled
}

func newHandler(c *config, client *threatconnect.Client, log *slog.Logger) (*handler, error) {
	exclusions, err := loadExclusions(c.exclude)
	return &handler{
		config: c, client: client, log: log, exclusions: exclusions,
		maxNote: maxDescription, turn: make(chan struct{}, 1),
	}, err
}

// once handles the alert on standard input.
func (h *handler) once(ctx context.Context, env *cli.Env) error {
	var body []byte
	if terminal := cli.IsTerminal(env.Stdin); !terminal || !h.InProcess() {
		if terminal {
			env.Printf("Type the alert, and end it with Ctrl-D.")
		}
		var err error
		in := cli.Interruptible(ctx, env.Stdin)
		defer in.Close()
		if body, err = readBody(in, h.maxBody); err != nil {
			return err
		}
	}
	if len(body) == 0 && h.InProcess() {
		body = []byte(sampleAlert)
	}
	a, err := parse(body, &h.fields, time.Now())
	if err != nil {
		return err
	}
	r, err := h.handle(ctx, a)
	write := r.writeText
	if h.json {
		write = func(w io.Writer, _ int) error { return cli.WriteJSON(w, r) }
	}
	if bad := write(env.Stdout, env.Width(env.Stdout)); bad != nil {
		return errors.Join(err, bad)
	}
	switch {
	case err != nil && (h.failOnError || ctx.Err() != nil):
		return err
	case err != nil:
		env.Printf("threatconnect alert: %s", cli.Explain(err))
	case h.failOnNoResults && !r.matters():
		env.Printf("threatconnect alert: exit code 1, because nothing was stored; see --fail-on-no-results=false")
		return cli.ExitCode(cli.Failure)
	}
	return nil
}

// errBusy is the error of an alert that waited too long. Nothing was done with it.
var errBusy = errors.New("other alerts are being handled: send the alert again")

// handle decides about an alert and acts on the decision. The report is never nil.
func (h *handler) handle(ctx context.Context, a *alert) (*report, error) {
	r := &report{
		Alert: a.name(), Owner: h.owner, DryRun: h.dryRun, Indicators: []*verdict{},
		Notification: notificationReport{Outcome: notSent},
	}
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return r, fmt.Errorf("%w: %w", errBusy, context.Cause(ctx))
	}
	r.Indicators = h.recognize(a.candidates)
	h.enrich(ctx, r.Indicators)
	var err error
	if !h.dryRun && r.matters() {
		err = h.act(ctx, a, r)
	}
	err = errors.Join(err, r.failure())
	r.close(err)
	level := slog.LevelError
	if h.listen == "" && h.logs.Dir == "" {
		level = slog.LevelInfo // the command prints the error on the same stream
	}
	r.log(ctx, h.log, a, level)
	return r, err
}
