package threatconnect

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// RouteFrom returns the route of the request that has the context ctx: its path with {} in place of
// every value, as in /v2/indicators/hosts/{}. The path is the one below the base URL. A transport
// calls it with the context of its request to name a span or a metric without an indicator in it.
// ok is false when ctx is not that of a request of this package.
func RouteFrom(ctx context.Context) (route string, ok bool) {
	call, ok := ctx.Value(routeKey{}).(*call)
	if !ok {
		return "", false
	}
	return call.route.template, true
}

// routeKey is the key of a request's context under which its *call is.
type routeKey struct{}

// Observer receives the events of calls, for tracing and metrics; see [WithObserver]. Each field may
// be nil. Later versions may add fields.
//
// A call makes CallStart, AttemptStart and AttemptEnd for each attempt, Wait between two attempts,
// and CallEnd. Every start has its end, unless something panics in between. A call that fails
// validation makes no events when it fails before its first attempt. [PlaybookTrigger] makes none.
//
// The functions run in the goroutine of the call, which waits for them: they must be fast and safe
// for concurrent use. A panic in one of them is not recovered.
type Observer struct {
	// CallStart is called before the first attempt. It returns the context of the call: ctx, or a
	// context that is made from it. Nil stands for ctx.
	CallStart func(ctx context.Context, call Call) context.Context
	// CallEnd is called after the last attempt with the context that CallStart returned. The body of
	// a call that returns an open one, as [Client.Do], is read after that.
	CallEnd func(ctx context.Context, call Call)
	// AttemptStart is called before each attempt, with the context of the call. It returns the
	// context of the attempt: ctx, or a context that is made from it. Nil stands for ctx.
	AttemptStart func(ctx context.Context, attempt Attempt) context.Context
	// AttemptEnd is called with the context that AttemptStart returned when the answer was read or
	// the attempt has failed. The attempt includes the call of a [TokenFunc], [HMACFunc] or
	// [SignerFunc].
	AttemptEnd func(ctx context.Context, attempt Attempt)
	// Wait is called before the wait between two attempts, with the context of the call. It is not
	// called for a [Limiter], nor when the next attempt follows at once.
	Wait func(ctx context.Context, wait Wait)
}

// Call describes a call to an [Observer].
type Call struct {
	Method   string        // the HTTP method
	Route    string        // the path with {} in place of every value
	Server   string        // host and port of the base URL
	Attempts int           // how many attempts were made; 0 in CallStart
	Duration time.Duration // with the waits between attempts; 0 in CallStart
	Err      error         // what the call returns; nil in CallStart and after a success
}

// Attempt describes one attempt of a call to an [Observer].
type Attempt struct {
	Method   string        // the HTTP method
	Route    string        // the path with {} in place of every value
	Server   string        // host and port of the base URL
	Number   int           // the first attempt of a call is 1
	Status   int           // the HTTP status; 0 in AttemptStart and when there was no answer
	Duration time.Duration // 0 in AttemptStart
	Err      error         // why the attempt failed, be it with an answer; nil in AttemptStart and after a success
}

// Wait describes the wait between two attempts to an [Observer].
type Wait struct {
	Method     string        // the HTTP method
	Route      string        // the path with {} in place of every value
	Server     string        // host and port of the base URL
	Attempts   int           // how many attempts were made before the wait
	Duration   time.Duration // how long the call waits
	RetryAfter time.Duration // the part of Duration that the platform asked for; the rest is backoff
	Err        error         // why the attempt before failed
}

// WithObserver reports the events of all calls to o. It may be given several times: starts are
// reported in the order of the options, ends in the reverse order, and an end gets the context that
// the last start returned.
//
// Events hold methods, routes, numbers and errors, but no value, header or body. What an error
// holds is described at [APIError] and [RequestError].
func WithObserver(o Observer) Option {
	return func(c *config) error {
		c.observers = append(c.observers, o)
		return nil
	}
}

// callStart reports the start of a call and returns the call's context.
func (c *Client) callStart(ctx context.Context, call *call) context.Context {
	for _, o := range c.cfg.observers {
		if o.CallStart != nil {
			ctx = orParent(o.CallStart(ctx, Call{Method: call.method, Route: call.route.template, Server: c.server()}), ctx)
		}
	}
	return ctx
}

func (c *Client) callEnd(ctx context.Context, call *call, attempts int, began time.Time, err error) {
	for i := len(c.cfg.observers) - 1; i >= 0; i-- {
		if end := c.cfg.observers[i].CallEnd; end != nil {
			end(ctx, Call{Method: call.method, Route: call.route.template, Server: c.server(), Attempts: attempts, Duration: c.cfg.now().Sub(began), Err: err})
		}
	}
}

// attemptStart reports the start of attempt n of a call and returns the attempt's context.
func (c *Client) attemptStart(ctx context.Context, call *call, n int) context.Context {
	for _, o := range c.cfg.observers {
		if o.AttemptStart != nil {
			ctx = orParent(o.AttemptStart(ctx, Attempt{Method: call.method, Route: call.route.template, Server: c.server(), Number: n}), ctx)
		}
	}
	return ctx
}

func (c *Client) attemptEnd(ctx context.Context, call *call, n int, began time.Time, resp *http.Response, err error) {
	for i := len(c.cfg.observers) - 1; i >= 0; i-- {
		if end := c.cfg.observers[i].AttemptEnd; end != nil {
			a := Attempt{Method: call.method, Route: call.route.template, Server: c.server(), Number: n, Duration: c.cfg.now().Sub(began), Err: err}
			if resp != nil {
				a.Status = resp.StatusCode
			}
			end(ctx, a)
		}
	}
}

// waitStart reports the wait of d after attempt n of a call, which ended with err.
func (c *Client) waitStart(ctx context.Context, call *call, n int, d time.Duration, err error) {
	if d <= 0 {
		return
	}
	w := Wait{Method: call.method, Route: call.route.template, Server: c.server(), Attempts: n, Duration: d, Err: err}
	if api, ok := err.(*APIError); ok {
		w.RetryAfter = api.RetryAfter
	}
	for _, o := range c.cfg.observers {
		if o.Wait != nil {
			o.Wait(ctx, w)
		}
	}
}

// server returns the host and the port of the base URL.
func (c *Client) server() string {
	base := c.cfg.base
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	return net.JoinHostPort(base.Hostname(), port)
}

func orParent(ctx, parent context.Context) context.Context {
	if ctx == nil {
		return parent
	}
	return ctx
}

// logObserver writes a Debug record for each request. The error of an attempt with an answer is left
// out, because it repeats the platform's words.
func logObserver(l *slog.Logger) Observer {
	return Observer{AttemptEnd: func(ctx context.Context, a Attempt) {
		unsent := errors.Is(a.Err, errUnsent) || errors.Is(a.Err, ErrValidation)
		if a.Status == 0 && unsent || !l.Enabled(ctx, slog.LevelDebug) {
			return
		}
		attrs := []slog.Attr{
			slog.String("method", a.Method),
			slog.String("route", a.Route),
			slog.Int("attempt", a.Number),
			slog.Duration("duration", a.Duration),
		}
		if a.Status == 0 {
			attrs = append(attrs, slog.String("error", strings.TrimPrefix(a.Err.Error(), "threatconnect: ")))
		} else {
			attrs = append(attrs, slog.Int("status", a.Status))
		}
		l.LogAttrs(ctx, slog.LevelDebug, "threatconnect request", attrs...)
	}}
}
