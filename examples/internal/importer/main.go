package importer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/feeds"
	"github.com/threatconnect-go/threatconnect/examples/internal/job"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// product is how the import names itself to the instance.
const product = "threatconnect-go-feed/" + threatconnect.Version

// Process is what the import has of the process that it runs in.
type Process struct {
	Getenv   func(string) string
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool // whether Stderr is a terminal
	// Constant is called when the feed is of a format that is read in constant memory; nil is not.
	Constant func()
}

// Main runs one import as the command line says and returns the exit code. When ctx ends, it stops
// at once and says which jobs it leaves on the platform.
func Main(ctx context.Context, args []string, p Process) int {
	started := time.Now()
	c, err := parse(args, p.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		if _, err := io.WriteString(p.Stdout, usage); err != nil {
			return job.Failure
		}
		return job.Success
	}
	s := &summary{Input: c.inputName(), Owner: c.Owner, InProcess: c.InProcess()}
	if err != nil {
		err = fmt.Errorf("%w (see feed -help)", err)
	} else {
		err = load(ctx, c, p, s)
	}
	s.Seconds = time.Since(started).Round(time.Millisecond).Seconds()
	cause := explain(ctx, err)
	s.finish(cause)
	if err != nil {
		if s.Cause = plain(err); s.Cause != cause {
			fmt.Fprintln(p.Stderr, s.Cause)
		}
	}
	return end(c, p, s)
}

// load does the import and fills in the summary.
func load(ctx context.Context, c *config, p Process, s *summary) error {
	in, err := c.open(ctx, p.Stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	feed, err := feeds.Open(in, feeds.Options{
		Format: c.format,
		// An xid is unique in the whole instance: without the owner, a feed that goes into two
		// owners would fight over its groups.
		XID: func(parts ...string) string {
			return threatconnect.XID(append([]string{"feed", c.Owner}, parts...)...)
		},
	})
	if err != nil {
		return err
	}
	s.Format = string(feed.Format)
	if feed.Format != feeds.STIX && p.Constant != nil {
		p.Constant()
	}

	rep := newReport(p.Stderr, p.Terminal, in.size, in.read.Load)
	defer rep.end()
	log, closer, err := c.Logger(rep)
	if err != nil {
		return err
	}
	defer closer.Close()
	client, err := connect(c, threatconnect.WithUserAgent(product), threatconnect.WithLogger(slog.New(newPatience(log.Handler(), rep.line))))
	if err != nil {
		return err
	}
	at := client.BaseURL()
	if c.InProcess() {
		rep.line("TC_BASE_URL is not set: importing into a test server in this process. Nothing leaves this machine.")
		at = "the test server"
	}
	rep.line("Importing %s (%s) into %s at %s", c.inputName(), feed.Format, c.Owner, at)
	r := &run{cfg: c, log: log, report: rep, sum: s}
	known, err := r.startChanges(ctx, client)
	if err != nil {
		return err
	}
	defer r.changes.close()
	w, err := client.Batch.NewWriter(ctx, threatconnect.BatchConfig{
		Owner:      c.Owner,
		Attributes: c.attributes,
		MaxBytes:   c.maxBytes,
		KnownGroup: known,
		OnEvent:    rep.event,
		OnError:    r.refused,
	})
	if err != nil {
		return err
	}
	if c.sweep {
		return r.loadAndSweep(ctx, client, feed, w)
	}
	return r.load(ctx, feed, w)
}

// connect makes the client: for the instance that the configuration names, or for a test server in
// the process that keeps of an indicator only that it is there.
func connect(c *config, options ...threatconnect.Option) (*threatconnect.Client, error) {
	if !c.InProcess() {
		return c.Client(options...)
	}
	srv := threatconnecttest.New(threatconnecttest.WithRequestLog(0), threatconnecttest.WithoutContents())
	return srv.Client(options...), nil
}

// end writes message, summary and message.tc, and returns the exit code. What cannot be written
// makes the job a failed one: somebody waits for it.
func end(c *config, p Process, s *summary) int {
	exit := s.Exit
	failed := func(what string, err error) {
		fmt.Fprintf(p.Stderr, "%s: %v\n", what, withoutPath(err))
		exit = job.Failure
	}
	if s.MoreErrors > 0 {
		fmt.Fprintf(p.Stderr, "%d more are not listed; all of them, by rule:\n", s.MoreErrors)
		for _, r := range s.Rules {
			fmt.Fprintf(p.Stderr, "%8d  %s (first on line %d)\n", r.Count, r.Rule, r.FirstLine)
		}
	}
	if err := job.WriteMessage(c.OutPath, s.Message); err != nil {
		failed("message.tc cannot be written", err)
	}
	out := p.Stdout
	if c.json {
		if err := s.writeJSON(p.Stdout); err != nil {
			failed("the summary cannot be written", err)
		}
		out = p.Stderr
	}
	if _, err := fmt.Fprintln(out, s.Message); err != nil {
		failed("the message cannot be written", err)
	}
	return exit
}
