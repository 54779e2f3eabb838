package threatconnect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/redact"
)

// call is one request of the API, before it is signed and as often as it is sent.
type call struct {
	method         string
	route          route
	query          url.Values
	header         http.Header
	body           payload
	secrets        []string // credentials of all attempts, of which no piece may show
	idempotentPOST bool     // a POST that may be retried like GET
	requireItem    bool     // an answer without the thing that is asked for is a broken one
	keepBody       bool     // the answer's body is left open for the caller
	readOnly       bool     // a POST that changes nothing
	allowEmpty     bool     // the platform is not known to answer anything: an empty answer is a success
}

// payload is a request body that can be sent more than once.
type payload struct {
	contentType string
	bytes       []byte
	open        func() (io.ReadCloser, error) // for bodies that are not in memory; nil uses bytes
	size        int64                         // of what open returns; -1 when it is not known
	oneShot     bool                          // open can be called only once: the body cannot be sent again
}

const jsonType = "application/json; charset=utf-8"

// jsonBody is the payload of a request that carries JSON.
func jsonBody(b []byte) payload { return payload{contentType: jsonType, bytes: b} }

// do sends a call until it succeeds or trying again makes no sense, and gives the answer of a
// success to consume. An error of consume that matches [ErrBadResponse] counts as a broken answer.
func (c *Client) do(ctx context.Context, call *call, consume func(*http.Response) error) error {
	if err := cmp.Or(c.usable(), checkContext(ctx)); err != nil {
		return err
	}
	if call.route.err != nil {
		return call.route.err
	}
	t := try{policy: c.retryPolicy()}
	began := c.cfg.now()
	ctx = c.callStart(ctx, call)
	err := c.retry(ctx, call, &t, consume)
	c.callEnd(ctx, call, t.attempts, began, err)
	return err
}

// retry sends a call until it succeeds or trying again makes no sense.
func (c *Client) retry(ctx context.Context, call *call, t *try, consume func(*http.Response) error) error {
	query := c.query(call)
	for {
		if c.cfg.limiter != nil {
			if err := c.cfg.limiter.Wait(ctx); err != nil {
				return t.finish(ctx, call, fmt.Errorf("waiting for the limiter: %w", err))
			}
		}
		if ctx.Err() != nil { // a transport of the caller's own need not look
			return t.finish(ctx, call, contextErr(ctx))
		}
		t.attempts++
		resp, err := c.attempt(ctx, call, query, t.attempts, consume)
		if err == nil {
			return nil
		}
		t.reached = t.reached || mayHaveReached(call, resp, err)
		again, wait := c.shouldRetry(ctx, call, t, resp, err)
		if !again {
			return t.finish(ctx, call, err)
		}
		t.last = err
		c.waitStart(ctx, call, t.attempts, wait, err)
		if err := sleep(ctx, wait); err != nil {
			return t.finish(ctx, call, err)
		}
	}
}

// try is the state of a call that is being tried.
type try struct {
	policy    RetryPolicy
	attempts  int
	corrected bool // the clock was corrected for this call
	renewed   bool // the token was renewed for this call
	reached   bool // an attempt of a write may have reached the platform and got no usable response
	last      error
}

// finish returns the error that a call ends with: the platform's answer, or a [*RequestError] that
// also says whether the context has ended.
func (t *try) finish(ctx context.Context, call *call, err error) error {
	if _, ok := err.(*APIError); ok {
		return err
	}
	if _, ok := errors.AsType[*ValidationError](err); ok {
		return err
	}
	return &RequestError{Method: call.method, Route: call.route.template, Attempts: t.attempts, Err: hideForeign(withContextErr(ctx, err)), Last: t.last, OutcomeUnknown: t.reached}
}

// mayHaveReached reports whether the platform may have done what an attempt asked for although err came
// in place of its response.
func mayHaveReached(call *call, resp *http.Response, err error) bool {
	if !isWrite(call.method) || call.readOnly {
		return false
	}
	if resp != nil {
		api, ok := err.(*APIError)
		return !ok || lostByGateway(api.StatusCode)
	}
	return !errors.Is(err, errUnsent) && !errors.Is(err, ErrValidation) && !errors.Is(err, ErrRedirect) && !neverConnected(err) && !refusedConnection(err)
}

// hideForeign hides an [*APIError] that is not the answer to the call which err ended. The caller's token
// source, content, writer, transport, limiter and context can bring in an error of another call, and
// its status must not be taken for that of this one.
func hideForeign(err error) error {
	api, ok := errors.AsType[*APIError](err)
	if !ok {
		return err
	}
	return &foreignError{err: err, api: api}
}

// foreignError is an error that matches all that err matches except what the answer in it says.
type foreignError struct {
	err error
	api *APIError
}

func (e *foreignError) Error() string { return e.err.Error() }

func (e *foreignError) Is(target error) bool { return !e.api.Is(target) && errors.Is(e.err, target) }

func (e *foreignError) As(target any) bool {
	if _, ok := target.(**APIError); ok {
		return false
	}
	return errors.As(e.err, target)
}

// RequestError is a call that ended without an answer of the platform: there was no connection, it
// broke, a context ended, an answer could not be read.
//
// It unwraps to the reason and, when attempts before it were answered, to the last answer, so that
// errors.Is finds [context.Canceled] and [ErrRateLimited] in the same error.
type RequestError struct {
	Method   string // the HTTP method
	Route    string // the path with {} in place of every value
	Attempts int    // how many times the request was sent
	Err      error  // why the call ended
	Last     error  // how the attempt before it ended; nil when there was none

	// OutcomeUnknown reports whether a POST, PUT or DELETE may have taken effect although no response
	// says so: the connection broke, or the context ended, after the request may have been sent. The
	// error then matches [ErrOutcomeUnknown].
	OutcomeUnknown bool
}

// Is reports whether target is [ErrOutcomeUnknown] and the outcome is unknown.
func (e *RequestError) Is(target error) bool {
	return target == ErrOutcomeUnknown && e.OutcomeUnknown
}

// Error names the call, the reason and the outcome of the attempt before.
func (e *RequestError) Error() string {
	s := "threatconnect: " + e.Method + " " + e.Route + ": " + strings.TrimPrefix(e.Err.Error(), "threatconnect: ")
	if e.Attempts > 1 {
		s += " (after " + strconv.Itoa(e.Attempts) + " attempts)"
	}
	if e.Last != nil && e.Last.Error() != e.Err.Error() {
		s += "; before that: " + strings.TrimSuffix(strings.TrimPrefix(e.Last.Error(), "threatconnect: "), "; "+mayHaveHappened)
	}
	if e.OutcomeUnknown {
		s += "; " + mayHaveHappened
	}
	return s
}

// Unwrap returns the reason and the outcome of the attempt before it.
func (e *RequestError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Last}
}

// query returns the call's query as it is signed and sent.
func (c *Client) query(call *call) string {
	q := call.query
	if on := cmp.Or(c.defaults.ActivityLog, c.cfg.activityLog); on != nil {
		with := url.Values{"createActivityLog": {strconv.FormatBool(*on)}}
		for k, v := range q {
			with[k] = v
		}
		q = with
	}
	return encodeQuery(q)
}

var errUnsent = errors.New("the request was not sent")

// attempt sends a call once and gives the answer of a success to consume. The answer is not nil when
// there was one.
func (c *Client) attempt(ctx context.Context, call *call, query string, n int, consume func(*http.Response) error) (*http.Response, error) {
	began := c.cfg.now()
	ctx = c.attemptStart(ctx, call, n)
	resp, err := c.send(ctx, call, query)
	if err == nil {
		err = c.accept(resp, call, consume)
		if !call.keepBody || err != nil {
			_ = resp.Body.Close()
		}
	}
	if api, ok := err.(*APIError); ok && resp != nil {
		api.Attempts = n
	} else if err != nil {
		err = hideForeign(err)
	}
	c.attemptEnd(ctx, call, n, began, resp, err)
	return resp, err
}

// send signs and sends a call once. The answer's body is decompressed, watched and capped.
func (c *Client) send(ctx context.Context, call *call, query string) (*http.Response, error) {
	watch := newWatch(ctx, call, c.cfg.stall)
	req, err := c.newRequest(watch, query)
	if err != nil {
		err = call.sanitize(watch.explain(err)) // a token source may repeat what it was told
		watch.stop()
		return nil, err
	}
	call.secrets = append(call.secrets, redact.Secrets(req.Header.Get("Authorization"))...)
	watch.start()
	resp, err := c.cfg.httpClient.Do(req)
	if err != nil {
		err = watch.explain(call.transportError(watch.Context, plainTransportError(err)))
		watch.stop()
		return nil, err
	}
	c.followClock(resp)
	limit := c.cfg.maxBody
	if call.keepBody {
		limit = -1
	}
	receive(resp, watch, limit)
	resp.Request = req
	return resp, nil
}

// newRequest builds and signs one attempt.
func (c *Client) newRequest(watch *watch, query string) (*http.Request, error) {
	call := watch.call
	escaped := c.cfg.base.EscapedPath() + call.route.path
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, &ValidationError{Field: "path", Rule: "holds a % that is not followed by two hexadecimal digits", Fix: "escape values with PathSegment"}
	}
	header := make(http.Header, 8)
	maps.Copy(header, c.defaults.Header)
	maps.Copy(header, call.header)
	if _, ok := header["Accept"]; !ok {
		header["Accept"] = []string{"application/json"}
	}
	header["User-Agent"] = []string{c.cfg.userAgent}
	req := (&http.Request{
		Method:     call.method,
		URL:        &url.URL{Scheme: c.cfg.base.Scheme, Host: c.cfg.base.Host, Path: path, RawPath: escaped, RawQuery: query},
		Host:       c.cfg.base.Host,
		Header:     header,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}).WithContext(watch)
	if req.URL.EscapedPath() != escaped {
		return nil, &ValidationError{Field: "path", Rule: "holds a character that must be escaped", Fix: "escape values with PathSegment"}
	}
	if err := call.body.attach(req, watch); err != nil {
		return nil, err
	}
	if err := c.cfg.credentials.authorize(watch, req, c.now()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	return req, nil
}

// attach gives the payload to one attempt.
func (p *payload) attach(req *http.Request, watch *watch) error {
	if p.contentType != "" {
		req.Header["Content-Type"] = []string{p.contentType}
	}
	switch {
	case p.open != nil:
		open := func() (io.ReadCloser, error) {
			rc, err := p.open()
			if err != nil {
				return nil, fmt.Errorf("%w: its body could not be opened: %w", errUnsent, err)
			}
			return &sending{rc, watch}, nil
		}
		rc, err := open()
		if err != nil {
			return err
		}
		req.Body, req.ContentLength = rc, p.size
		if !p.oneShot {
			req.GetBody = open // for a connection that the platform closed before it was used again
		}
		if p.size == 0 {
			_ = rc.Close()
			req.Body, req.GetBody = http.NoBody, nil
		}
	case len(p.bytes) > 0:
		req.ContentLength = int64(len(p.bytes))
		req.Body = &sending{io.NopCloser(bytes.NewReader(p.bytes)), watch}
		req.GetBody = func() (io.ReadCloser, error) {
			return &sending{io.NopCloser(bytes.NewReader(p.bytes)), watch}, nil
		}
	}
	return nil
}

// plainTransportError takes the URL off a transport error, because a path can hold an indicator. A
// redirect to what is no URL fails in the transport, where others are left to the caller.
func plainTransportError(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if strings.HasPrefix(err.Error(), "failed to parse Location header") {
		return fmt.Errorf("%w: its Location is not a URL", ErrRedirect)
	}
	return err
}
