// Package alert decides about alerts with what an instance of ThreatConnect knows, and stores what
// is worth a look.
package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// handler handles alerts. One alert is handled at a time, so that an alert which comes twice at once
// is stored once.
type handler struct {
	*config
	client     *threatconnect.Client
	exclusions ioc.Exclusions
	turn       chan struct{} // holds a token while an alert is handled
}

func newHandler(c *config, client *threatconnect.Client) (*handler, error) {
	h := &handler{config: c, client: client, turn: make(chan struct{}, 1)}
	h.exclusions.AllowDocumentation = true // no real alert has such values, and the demo has no others
	if c.excludeFile == "" {
		return h, nil
	}
	f, err := os.Open(c.excludeFile)
	if err != nil {
		return nil, fmt.Errorf("-exclude: %w", err)
	}
	defer f.Close()
	if err := h.exclusions.AddList(filepath.Base(c.excludeFile), f); err != nil {
		return nil, fmt.Errorf("-exclude: %w", err)
	}
	return h, nil
}

// Run handles alerts and returns the exit code.
func Run(ctx context.Context, e *command.Env) int {
	c, err := parse(e)
	if err != nil {
		return e.FailUsage(name, err)
	}
	var client *threatconnect.Client
	if c.InProcess() {
		client, _, err = c.Demo(e, name, fillDemo)
	} else {
		client, err = c.Client(e, name)
	}
	if err != nil {
		return e.Fail(name, err)
	}
	h, err := newHandler(c, client)
	if err != nil {
		return e.Fail(name, err)
	}
	if err := h.checkOwner(ctx); err != nil {
		return e.Fail(name, err)
	}
	if c.listen != "" {
		if err := h.serve(ctx, e); err != nil {
			return e.Fail(name, err)
		}
		return command.OK
	}
	code, err := h.once(ctx, e)
	if err != nil {
		return e.Fail(name, err)
	}
	return code
}

// checkOwner refuses an owner that is not there and says which owners there are.
func (h *handler) checkOwner(ctx context.Context) error {
	owners, err := threatconnect.Collect(h.client.Owners.All(ctx, nil))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(owners, func(o threatconnect.Owner) bool { return o.Name == h.owner }) {
		return nil
	}
	var known []string
	for _, o := range owners {
		known = append(known, fmt.Sprintf("%q", o.Name))
	}
	return fmt.Errorf("the API user sees no owner %q; the owners it sees are %s", h.owner, strings.Join(known, ", "))
}

// once handles the alert on standard input.
func (h *handler) once(ctx context.Context, e *command.Env) (int, error) {
	in := e.Stdin
	if h.InProcess() {
		in = orDemo(e)
	} else if e.StdinIsTerminal() {
		e.Say(name, "type the alert, and end it with Ctrl-D")
	}
	a, err := h.await(ctx, in)
	if err != nil {
		return 0, err
	}
	r, err := h.handle(ctx, a)
	if r != nil { // what was decided, and done before an error
		var bad error
		if h.json {
			bad = r.writeJSON(e.Stdout)
		} else {
			bad = r.writeText(e.Stdout, e.Width(e.Stdout))
		}
		err = errors.Join(err, bad)
	}
	switch {
	case err != nil:
		return 0, err
	case h.failOnNone && !r.matters():
		return nothingStored, nil
	}
	return command.OK, nil
}

// await reads an alert, and waits for it no longer than ctx.
func (h *handler) await(ctx context.Context, in io.Reader) (*alert, error) {
	type outcome struct {
		a   *alert
		err error
	}
	read := make(chan outcome, 1)
	go func() {
		a, err := readAlert(in, h.maxBody, &h.fields, time.Now())
		read <- outcome{a, err}
	}()
	select {
	case o := <-read:
		return o.a, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// handle decides about an alert and does what follows from it. The report comes with an error too,
// once there is something to report.
func (h *handler) handle(ctx context.Context, a *alert) (*report, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := &report{Alert: a.name(), Owner: h.owner, DryRun: h.dryRun, Indicators: h.judge(a.candidates)}
	if err := h.enrich(ctx, r.Indicators); err != nil {
		return nil, err
	}
	var err error
	if !h.dryRun && r.matters() {
		err = h.act(ctx, a, r)
	}
	if err = errors.Join(err, r.failure()); err != nil {
		return r, r.fail(err)
	}
	return r, nil
}

// orDemo returns standard input, or the test server's own alert when there is nothing on it.
func orDemo(e *command.Env) io.Reader {
	if e.StdinIsTerminal() {
		return strings.NewReader(demoAlert)
	}
	return &fallback{in: e.Stdin, other: strings.NewReader(demoAlert)}
}

// fallback reads the other reader when there is nothing in the first.
type fallback struct {
	in, other io.Reader
	began     bool
}

func (f *fallback) Read(p []byte) (int, error) {
	n, err := f.in.Read(p)
	if n > 0 {
		f.began = true
	}
	if n == 0 && err == io.EOF && !f.began {
		f.in, f.began = f.other, true
		return f.in.Read(p)
	}
	return n, err
}
