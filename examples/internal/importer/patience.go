package importer

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// patience is a [slog.Handler] that sees the client's record of every request and says when the
// platform does not answer: the client tries again for minutes then, and nobody would know why
// nothing happens. All records go on to the next handler if that wants them.
type patience struct {
	slog.Handler
	say   func(format string, args ...any)
	state *patienceState
}

type patienceState struct {
	mu   sync.Mutex
	said time.Time
}

// betweenComplaints is how long it is quiet after it has said something.
const betweenComplaints = 10 * time.Second

func newPatience(next slog.Handler, say func(format string, args ...any)) *patience {
	return &patience{Handler: next, say: say, state: new(patienceState)}
}

// Enabled reports true for every level, because the records that are looked at are of the lowest.
func (p *patience) Enabled(context.Context, slog.Level) bool { return true }

// Handle looks at a record and hands it on.
func (p *patience) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "error":
			if why := a.Value.String(); why != context.Canceled.Error() {
				p.complain(r.Time, why)
			}
		case "status":
			if s := a.Value.Int64(); s == 429 || s >= 500 {
				p.complain(r.Time, "status "+strconv.FormatInt(s, 10))
			}
		}
		return true
	})
	if !p.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return p.Handler.Handle(ctx, r)
}

func (p *patience) complain(at time.Time, why string) {
	p.state.mu.Lock()
	quiet := at.Sub(p.state.said) < betweenComplaints
	if !quiet {
		p.state.said = at
	}
	p.state.mu.Unlock()
	if !quiet {
		p.say("a request failed (%s); it is tried again where that does no harm", why)
	}
}

// WithAttrs returns a handler that looks too.
func (p *patience) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &patience{p.Handler.WithAttrs(attrs), p.say, p.state}
}

// WithGroup returns a handler that looks too.
func (p *patience) WithGroup(name string) slog.Handler {
	return &patience{p.Handler.WithGroup(name), p.say, p.state}
}
