package threatconnect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryPolicy controls how often and how patiently a call is retried. The zero value stands for the
// defaults given at the fields.
//
// Every attempt is signed again. GET, PUT and DELETE are retried after transport errors and after 429,
// 502, 503 and 504; GET and PUT also after a response that was cut off or is not the platform's, and GET
// after 500. POST is retried only if the connection was never made, after 429 and 503 with a
// Retry-After header, and if its method says that it is idempotent. Permanent failures are not retried:
// a failed certificate check, an instance without an API license, a batch API that is switched off.
//
// A DELETE whose first response was lost can end with [ErrNotFound], because the first attempt took
// effect. One retry with a corrected clock or a renewed token is made even if it exceeds MaxAttempts.
type RetryPolicy struct {
	MaxAttempts int           // number of attempts, including the first; 0 means 5, 1 turns retries off
	BaseDelay   time.Duration // upper bound of the first wait, doubled each time; 0 means 250 ms. The wait is random between 0 and the bound.
	MaxDelay    time.Duration // upper bound of every wait; 0 means 20 s. A Retry-After is added to the wait.
	MaxWait     time.Duration // longest Retry-After that a call waits for; a longer one fails it at once; 0 means 2 minutes
}

func (p RetryPolicy) check() error {
	if p.MaxAttempts < 0 || p.BaseDelay < 0 || p.MaxDelay < 0 || p.MaxWait < 0 {
		return &ValidationError{Field: "retry policy", Rule: "holds a negative number", Fix: "leave a field 0 for its default; MaxAttempts 1 turns retries off"}
	}
	return nil
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 5
	}
	if p.BaseDelay == 0 {
		p.BaseDelay = 250 * time.Millisecond
	}
	if p.MaxDelay == 0 {
		p.MaxDelay = 20 * time.Second
	}
	if p.MaxWait == 0 {
		p.MaxWait = 2 * time.Minute
	}
	return p
}

// backoff returns the wait before attempt n+1, n counting from 1: full jitter below a bound that
// doubles.
func (p RetryPolicy) backoff(n int) time.Duration {
	bound := p.MaxDelay
	if n < 32 && p.BaseDelay < bound>>(n-1) {
		bound = p.BaseDelay << (n - 1)
	}
	return rand.N(bound)
}

// shouldRetry says whether a call is tried again, and after what wait.
func (c *Client) shouldRetry(ctx context.Context, call *call, t *try, resp *http.Response, err error) (again bool, wait time.Duration) {
	backoff := t.policy.backoff(t.attempts)
	left := t.attempts < t.policy.MaxAttempts
	idempotent := call.method != http.MethodPost || call.idempotentPOST
	api, answered := errors.AsType[*APIError](err)
	_, ofForm := errors.AsType[*formError](err)
	if !answered {
		switch {
		case !left || call.body.oneShot || ctx.Err() != nil:
			return false, 0
		case errors.Is(err, ErrResponseTooLarge) || errors.Is(err, ErrValidation) || errors.Is(err, errUnsent) || ofForm:
			return false, 0
		case errors.Is(err, ErrBadResponse):
			// The platform has done what it was asked to. A PUT can be done again; a DELETE would be
			// told that there is nothing to delete.
			return idempotent && call.method != http.MethodDelete, backoff
		case permanent(err):
			return false, 0
		}
		return idempotent || neverConnected(err), backoff
	}
	asked, hasAsked := retryAfter(resp.Header, c.cfg.now())
	api.RetryAfter = asked
	switch {
	case errors.Is(err, ErrClockSkew):
		if !c.correctClock(ctx, call, resp, api) || t.corrected || call.body.oneShot {
			return false, 0
		}
		t.corrected = true
		return true, 0
	case call.body.oneShot:
		return false, 0
	case errors.Is(err, ErrTokenRefused) || api.StatusCode == http.StatusUnauthorized && api.Message == "" && !api.HTML:
		if t.renewed || !c.cfg.credentials.renew(ctx, resp.Request) {
			return false, 0
		}
		t.renewed = true
		return true, 0
	case !left || errors.Is(err, ErrNotLicensed) || errors.Is(err, ErrBatchDisabled):
		return false, 0
	}
	switch api.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		again = idempotent || hasAsked
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		again = idempotent
	case http.StatusInternalServerError:
		again = (call.method == http.MethodGet || call.method == http.MethodPost && call.idempotentPOST) && api.Message != sentenceNoPath
	}
	if again && asked > t.policy.MaxWait {
		api.Hint = "the platform asks to wait for " + asked.String() + ", longer than the retry policy allows"
		return false, 0
	}
	return again, asked + min(backoff, math.MaxInt64-asked)
}

// retryPolicy returns the policy for the calls of c.
func (c *Client) retryPolicy() RetryPolicy {
	if c.defaults.Retry != nil {
		return *c.defaults.Retry
	}
	return c.cfg.retry
}

// sleep waits for d or until ctx ends. A deadline that comes before the wait is over fails at
// once.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return contextErr(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return fmt.Errorf("%w: it would pass during the wait of %s before the next attempt", context.DeadlineExceeded, d.Round(time.Millisecond))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return contextErr(ctx)
	}
}

// retryAfter reads a Retry-After header: seconds or a date, measured against the platform's own
// clock when it sent one. ok is false when there is none that makes sense.
func retryAfter(h http.Header, now time.Time) (d time.Duration, ok bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if allDigits(v) {
		// The most seconds that are told. More means never just as well, and eight digits could be a piece
		// of a credential.
		const most = 90 * 24 * 60 * 60
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n > most {
			n = most
		}
		return time.Duration(n) * time.Second, true
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, t.Sub(now)), true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// proxyError is a proxy that refused to connect to the platform.
type proxyError struct {
	host   string
	status int
}

func (e *proxyError) Error() string {
	s := fmt.Sprintf("the proxy %s answered %d %s", quoteForeign(e.host), e.status, http.StatusText(e.status))
	if e.status == http.StatusProxyAuthRequired {
		s += ": give its user name and password, percent-encoded, in the proxy's URL"
	}
	return s
}

// neverConnected reports whether err says that no byte of the request was sent, so that any method
// may be tried again.
func neverConnected(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect" || strings.HasPrefix(op.Op, "socks")) {
		return true
	}
	_, ok := errors.AsType[*proxyError](err)
	return ok
}

// refusedConnection reports whether err says that a connection was made and could not be used: no
// request was sent over it, and waiting does not help.
func refusedConnection(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return true // a TLS alert: the other side does not want this handshake or certificate
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return true
	}
	return false
}

// permanent reports whether err is a transport error that waiting does not cure.
func permanent(err error) bool {
	if refusedConnection(err) || errors.Is(err, ErrRedirect) {
		return true
	}
	if p, ok := errors.AsType[*proxyError](err); ok {
		return p.status < 500 && p.status != http.StatusTooManyRequests
	}
	// What package net/http and a caller's own transport say in words only.
	text := err.Error()
	for _, t := range []string{"tls: server selected unsupported protocol version", "Proxy Authentication Required", "username/password authentication failed", "no acceptable authentication methods", "server response headers exceeded", "response header list larger"} {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}

const (
	mostOffset  = 24 * time.Hour  // a Date header further off than this is not believed
	leastOffset = 2 * time.Minute // an offset below this is well inside the platform's five minutes
)

// now is the platform's time as far as it is known.
func (c *Client) now() time.Time { return c.cfg.now().Add(time.Duration(c.offset.Load())) }

// followClock keeps the offset true once there is one, and drops it when our clock is right again. A
// token has no timestamp that could be refused, so with a token the first answer sets the offset.
func (c *Client) followClock(resp *http.Response) {
	_, isToken := c.cfg.credentials.(*tokenCredentials)
	if c.offset.Load() == 0 && !(isToken && c.cfg.correctClock) {
		return
	}
	if off, ok := c.serverOffset(resp); ok && off.Abs() <= mostOffset {
		if off.Abs() < leastOffset {
			off = 0
		}
		c.offset.Store(int64(off))
	}
}

// correctClock reacts to a refused timestamp: it measures the offset and reports whether signing
// once more with it makes sense. The error learns the offset either way.
func (c *Client) correctClock(ctx context.Context, call *call, resp *http.Response, e *APIError) bool {
	off, ok := c.serverOffset(resp)
	switch {
	case !ok:
		e.Hint = "the answer carries no usable Date, so the offset is not known: set this machine's clock"
		return false
	case off.Abs() > mostOffset:
		e.Hint = "this machine's clock is more than a day off: set it"
		return false
	}
	way := "behind"
	if off < 0 {
		way = "ahead of"
	}
	e.Hint = fmt.Sprintf("this machine's clock is about %s %s the platform's: set it", off.Abs().Round(time.Second), way)
	signed, err := strconv.ParseInt(resp.Request.Header.Get("Timestamp"), 10, 64)
	if !c.cfg.correctClock || err != nil {
		return false
	}
	if c.now().Sub(time.Unix(signed, 0)).Abs() < leastOffset && off.Abs() < leastOffset {
		return false // what was refused was signed with the platform's own time: another one would be no better
	}
	if off.Abs() < leastOffset {
		off = 0
	}
	before := time.Duration(c.offset.Swap(int64(off)))
	if c.cfg.logger != nil && (off-before).Abs() >= leastOffset && off != 0 {
		c.cfg.logger.LogAttrs(ctx, slog.LevelWarn, "threatconnect: the clock is wrong, requests are signed with the platform's time",
			slog.Duration("offset", off.Round(time.Second)), slog.String("route", call.route.template))
	}
	return true
}

// serverOffset is how far the platform's clock, as its Date header shows it, is ahead of ours.
func (c *Client) serverOffset(resp *http.Response) (time.Duration, bool) {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	return date.Sub(c.cfg.now()), true
}
