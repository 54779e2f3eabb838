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

// call is one API call, which sends its request once or more.
type call struct {
	method         string
	route          route
	query          url.Values
	header         http.Header
	body           payload
	secrets        []string // credentials of all attempts, which error texts must not repeat
	idempotentPOST bool     // the call is a POST that may be retried like GET
	requireItem    bool     // a response without the item is invalid
	keepBody       bool     // the response body stays open for the caller
	readOnly       bool     // the call is a POST that changes nothing
	allowEmpty     bool     // an empty response is a success
}

// payload is a request body that can be sent more than once.
type payload struct {
	contentType string
	bytes       []byte
	open        func() (io.ReadCloser, error) // opens a body that is not in memory; nil uses bytes
	size        int64                         // size of the body that open returns; -1 if unknown
	oneShot     bool                          // open can be called only once, so the body cannot be sent again
}

const jsonType = "application/json; charset=utf-8"

func jsonBody(b []byte) payload { return payload{contentType: jsonType, bytes: b} }

// do sends a call, with retries, and passes a successful response to consume. An error of consume that
// matches [ErrBadResponse] counts as an invalid response.
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

// retry sends a call until it succeeds or must not be retried.
func (c *Client) retry(ctx context.Context, call *call, t *try, consume func(*http.Response) error) error {
	query := c.query(call)
	for {
		if c.cfg.limiter != nil {
			if err := c.cfg.limiter.Wait(ctx); err != nil {
				return t.finish(ctx, call, fmt.Errorf("waiting for the limiter: %w", err))
			}
		}
		if ctx.Err() != nil { // a custom transport may ignore the context
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

// try is the state of the attempts of a call.
type try struct {
	policy    RetryPolicy
	attempts  int
	corrected bool  // the clock was corrected for this call
	renewed   bool  // the token was renewed for this call
	reached   bool  // an attempt of a write may have reached the platform and got no usable response
	last      error // of the attempt before
}

// finish returns the error of a call: err if it is an error response or a validation error, and otherwise
// a [*RequestError] that also matches the error of an ended context.
func (t *try) finish(ctx context.Context, call *call, err error) error {
	if _, ok := err.(*APIError); ok {
		return err
	}
	if _, ok := errors.AsType[*ValidationError](err); ok {
		return err
	}
	return &RequestError{Method: call.method, Route: call.route.template, Attempts: t.attempts, Err: hideForeign(withContextErr(ctx, err)), Last: t.last, OutcomeUnknown: t.reached}
}

// mayHaveReached reports whether an attempt that failed with err may have taken effect on the platform.
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

// hideForeign hides an [*APIError] in err that is a response to a different call. The caller's token source,
// content, writer, transport, limiter and context can return such an error, whose status must not be
// taken for the status of this call.
func hideForeign(err error) error {
	api, ok := errors.AsType[*APIError](err)
	if !ok {
		return err
	}
	return &foreignError{err: err, api: api}
}

// foreignError matches everything that err matches, except api and the Err values that api matches.
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

// RequestError describes a call that ended without a usable response: the connection failed, the context
// ended, or the response could not be read.
//
// It unwraps to Err and to Last, so errors.Is can match [context.Canceled] and [ErrRateLimited] in the same
// error.
type RequestError struct {
	Method   string // the HTTP method
	Route    string // the path with {} in place of every value
	Attempts int    // number of times the request was sent
	Err      error  // reason why the call ended
	Last     error  // error of the attempt before; nil if there was none

	// OutcomeUnknown reports whether a POST, PUT or DELETE may have taken effect: the connection failed
	// or the context ended after the request may have been sent. The error then matches
	// ErrOutcomeUnknown.
	OutcomeUnknown bool
}

// Is reports whether target is [ErrOutcomeUnknown] and the outcome is unknown.
func (e *RequestError) Is(target error) bool {
	return target == ErrOutcomeUnknown && e.OutcomeUnknown
}

// Error returns the method, the route, the reason and the error of the attempt before.
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

// Unwrap returns Err, and Last if it is not nil.
func (e *RequestError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Last}
}

// query returns the encoded query of a call.
func (c *Client) query(call *call) string {
	q := call.query
	if on := cmp.Or(c.defaults.ActivityLog, c.cfg.activityLog); on != nil {
		with := url.Values{"createActivityLog": {strconv.FormatBool(*on)}}
		maps.Copy(with, q)
		q = with
	}
	return encodeQuery(q)
}

var errUnsent = errors.New("the request was not sent")

// attempt sends a call once and passes a successful response to consume. It returns the response even if
// it returns an error.
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

// send signs and sends a call once. It decompresses, watches and limits the response body.
func (c *Client) send(ctx context.Context, call *call, query string) (*http.Response, error) {
	watch := newWatch(ctx, call, c.cfg.stall)
	req, err := c.newRequest(watch, query)
	if err != nil {
		err = call.sanitize(watch.explain(err)) // a token source may repeat a credential
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

// attach sets the payload as the body of req.
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
			req.GetBody = open // for an idle connection that the server has closed
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

// plainTransportError removes the URL from a transport error, because it can contain an indicator. It
// also recognizes a redirect to an invalid URL, which fails in the transport.
func plainTransportError(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if strings.HasPrefix(err.Error(), "failed to parse Location header") {
		return fmt.Errorf("%w: its Location is not a URL", ErrRedirect)
	}
	return err
}
