package threatconnect

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// RouteFrom returns the route of a request of this package from the context of the request. The route is
// the path below the base URL with {} in place of every value, for example /v2/indicators/hosts/{}. In a
// transport, it names a span or a metric without revealing an indicator. ok is false for other contexts.
func RouteFrom(ctx context.Context) (route string, ok bool) {
	call, ok := ctx.Value(routeKey{}).(*call)
	if !ok {
		return "", false
	}
	return call.route.template, true
}

// routeKey is the context key for the *call of a request.
type routeKey struct{}

// Observer is a set of functions that are called during API calls, for tracing and metrics; see
// [WithObserver]. Each function may be nil. Later versions may add fields.
//
// The events of a call are CallStart, then AttemptStart and AttemptEnd for each attempt with Wait between
// two attempts, and CallEnd. Every start event is followed by its end event unless there is a panic. A call
// that fails validation before its first attempt has no events. A [PlaybookTrigger] reports no events.
//
// The functions run in the goroutine of the call, so they should be fast. They must be safe for concurrent
// use. A panic in a function is not recovered.
type Observer struct {
	// CallStart is called before the first attempt. It returns the context for the call, which must be
	// ctx or derived from it. Nil means ctx.
	CallStart func(ctx context.Context, call Call) context.Context
	// CallEnd is called after the last attempt with the context from CallStart. If the call returns an
	// open body, for example Client.Do, CallEnd is called before the body is read.
	CallEnd func(ctx context.Context, call Call)
	// AttemptStart is called before each attempt with the context of the call. It returns the context for
	// the attempt, which must be ctx or derived from it. Nil means ctx.
	AttemptStart func(ctx context.Context, attempt Attempt) context.Context
	// AttemptEnd is called with the context from AttemptStart after the response was read or the attempt
	// failed. The attempt includes the call of the function passed to TokenFunc, HMACFunc or SignerFunc.
	AttemptEnd func(ctx context.Context, attempt Attempt)
	// Wait is called before the wait between two attempts with the context of the call. It is not called
	// for a Limiter or if the next attempt follows at once.
	Wait func(ctx context.Context, wait Wait)
}

// Call describes a call to an [Observer].
type Call struct {
	Method   string        // the HTTP method
	Route    string        // the path with {} in place of every value
	Server   string        // host and port of the base URL
	Attempts int           // number of attempts; 0 in CallStart
	Duration time.Duration // including the waits between attempts; 0 in CallStart
	Err      error         // the error of the call; nil in CallStart and after a success
}

// Attempt describes one attempt of a call to an [Observer].
type Attempt struct {
	Method   string        // the HTTP method
	Route    string        // the path with {} in place of every value
	Server   string        // host and port of the base URL
	Number   int           // number of the attempt, from 1
	Status   int           // the HTTP status; 0 in AttemptStart and without a response
	Duration time.Duration // 0 in AttemptStart
	Err      error         // the error of the attempt; nil in AttemptStart and after a success
}

// Wait describes the wait between two attempts to an [Observer].
type Wait struct {
	Method     string        // the HTTP method
	Route      string        // the path with {} in place of every value
	Server     string        // host and port of the base URL
	Attempts   int           // number of attempts before the wait
	Duration   time.Duration // length of the wait
	RetryAfter time.Duration // the part of Duration that the platform requested; the rest is backoff
	Err        error         // the error of the attempt before
}

// WithObserver reports the events of all calls to o. With several observers, start events are reported in
// the order of the options and end events in reverse order. An end event gets the context from the last
// start event.
//
// Events contain methods, routes, numbers and errors, but no value, header or body. See [APIError] and
// [RequestError] for the contents of errors.
func WithObserver(o Observer) Option {
	return func(c *config) error {
		c.observers = append(c.observers, o)
		return nil
	}
}

// callStart reports the start of a call and returns the context for the call.
func (c *Client) callStart(ctx context.Context, call *call) context.Context {
	for _, o := range c.cfg.observers {
		if o.CallStart != nil {
			ctx = orParent(o.CallStart(ctx, Call{Method: call.method, Route: call.route.template, Server: c.server()}), ctx)
		}
	}
	return ctx
}

func (c *Client) callEnd(ctx context.Context, call *call, attempts int, began time.Time, err error) {
	for _, o := range slices.Backward(c.cfg.observers) {
		if end := o.CallEnd; end != nil {
			end(ctx, Call{Method: call.method, Route: call.route.template, Server: c.server(), Attempts: attempts, Duration: c.cfg.now().Sub(began), Err: err})
		}
	}
}

// attemptStart reports the start of attempt n of a call and returns the context for the attempt.
func (c *Client) attemptStart(ctx context.Context, call *call, n int) context.Context {
	for _, o := range c.cfg.observers {
		if o.AttemptStart != nil {
			ctx = orParent(o.AttemptStart(ctx, Attempt{Method: call.method, Route: call.route.template, Server: c.server(), Number: n}), ctx)
		}
	}
	return ctx
}

func (c *Client) attemptEnd(ctx context.Context, call *call, n int, began time.Time, resp *http.Response, err error) {
	for _, o := range slices.Backward(c.cfg.observers) {
		if end := o.AttemptEnd; end != nil {
			a := Attempt{Method: call.method, Route: call.route.template, Server: c.server(), Number: n, Duration: c.cfg.now().Sub(began), Err: err}
			if resp != nil {
				a.Status = resp.StatusCode
			}
			end(ctx, a)
		}
	}
}

// waitStart reports a wait of d after attempt n of a call, which failed with err.
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

// logObserver writes a Debug record for each attempt. It omits the error of an attempt with a response,
// because the error quotes the response.
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
