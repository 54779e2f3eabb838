package feed

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// progress shows how far the import is: with a bar on a terminal, in plain lines elsewhere. It is safe for
// concurrent use.
type progress struct {
	env      *cli.Env
	retryFor time.Duration
	stop     chan struct{}
	stopped  sync.WaitGroup

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil without a terminal, and before the feed is read
	in    *input
	stats threatconnect.BatchCounts
	told  time.Time // when an outage was reported last
	down  outage
	open  map[*request]bool // requests that have no answer yet
}

// request is an attempt of a request that has no answer yet. It is in the context of the attempt.
type request struct {
	name  string
	since time.Time
}

type requestKey struct{}

// outage is a time in which the platform does not answer.
type outage struct {
	since time.Time // zero if it answers
	why   string    // the last failure
	batch bool      // it is retried for as long as --retry-for says
}

// tellEvery is the interval between reports of an outage.
const tellEvery = 10 * time.Second

func newProgress(env *cli.Env, retryFor time.Duration) *progress {
	p := &progress{env: env, retryFor: retryFor, stop: make(chan struct{}), open: map[*request]bool{}}
	tick := time.Second
	if cli.IsTerminal(env.Stderr) {
		tick = 100 * time.Millisecond
	}
	p.stopped.Go(func() {
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case <-p.stop:
				return
			case now := <-t.C:
				p.tick(now)
			}
		}
	})
	return p
}

// close removes the bar and ends the goroutine.
func (p *progress) close() {
	close(p.stop)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// reading starts the bar of a feed.
func (p *progress) reading(in *input) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in, p.stats = in, threatconnect.BatchCounts{}
	if width := p.env.Width(p.env.Stderr); width > 0 {
		p.bar = progressbar.NewOptions64(in.size,
			progressbar.OptionSetWriter(p.env.Stderr),
			progressbar.OptionSetWidth(max(width/4, 10)),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionClearOnFinish(),
		)
	}
}

func (p *progress) tick(now time.Time) {
	p.mu.Lock()
	message := p.outageMessage(now)
	if p.bar != nil && message == "" {
		what := cli.Number(p.stats.Succeeded) + " imported"
		if waiting := p.stats.Added - p.stats.Succeeded; waiting > 0 {
			what += ", " + cli.Number(waiting) + " in progress"
		}
		p.bar.Describe(what)
		_ = p.bar.Set64(p.in.read.Load())
	}
	p.mu.Unlock()
	if message != "" {
		p.line("%s", message)
	}
}

// outageMessage returns the message about an outage that is due now, or "".
func (p *progress) outageMessage(now time.Time) string {
	if now.Sub(p.told) < tellEvery {
		return ""
	}
	var oldest *request
	for r := range p.open {
		if now.Sub(r.since) >= tellEvery && (oldest == nil || r.since.Before(oldest.since)) {
			oldest = r
		}
	}
	d := &p.down
	down := !d.since.IsZero() && now.Sub(d.since) >= tellEvery
	if down || oldest != nil {
		p.told = now
	}
	switch {
	case down && d.batch:
		return fmt.Sprintf("The platform does not answer (%s). Retrying until %s (--retry-for).", d.why, d.since.Add(p.retryFor).UTC().Format("15:04:05 UTC"))
	case down:
		return fmt.Sprintf("The platform does not answer (%s). Retrying.", d.why)
	case oldest != nil:
		return fmt.Sprintf("The platform has not answered %s for %d seconds. Waiting.", oldest.name, now.Sub(oldest.since)/time.Second)
	}
	return ""
}

// observer returns an observer that notices outages.
func (p *progress) observer() threatconnect.Observer {
	return threatconnect.Observer{AttemptStart: p.attemptStart, AttemptEnd: p.attemptEnd}
}

func (p *progress) attemptStart(ctx context.Context, a threatconnect.Attempt) context.Context {
	r := &request{a.Method + " " + a.Route, time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[r] = true
	return context.WithValue(ctx, requestKey{}, r)
}

func (p *progress) attemptEnd(ctx context.Context, a threatconnect.Attempt) {
	r, _ := ctx.Value(requestKey{}).(*request)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, r)
	switch {
	case a.Err != nil && ctx.Err() != nil: // the command ends
	case a.Err == nil || a.Status > 0 && a.Status < 500 && a.Status != http.StatusTooManyRequests:
		p.down = outage{}
	default:
		if p.down.since.IsZero() {
			p.down.since = time.Now()
		}
		p.down.batch = strings.HasPrefix(a.Route, "/v2/batch")
		if p.down.why = r.name + ": " + cli.Plain(a.Err); a.Status > 0 {
			p.down.why = fmt.Sprintf("%s: %d %s", r.name, a.Status, http.StatusText(a.Status))
		}
	}
}

// event shows a step of the import: a line for each job that has ended.
func (p *progress) event(e threatconnect.BatchEvent) {
	p.mu.Lock()
	p.stats = e.Stats.Total()
	plain := p.bar == nil
	p.mu.Unlock()
	if plain && e.Phase == threatconnect.BatchCompleted {
		p.line("Job %d is done: %s of %s imported.", e.JobID, cli.Number(e.Stats.Total().Succeeded), cli.Count(e.Stats.Total().Added, "item"))
	}
}

// Write writes a record of the log, above the bar.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	return p.env.Stderr.Write(b)
}

// line prints a message, above the bar.
func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.env.Printf(format, args...)
}

// clear removes the bar until it is drawn again.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear() // a terminal that is gone ends nothing
	}
}
