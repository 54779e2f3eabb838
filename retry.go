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

	"github.com/threatconnect-go/threatconnect/internal/sentence"
)

// RetryPolicy sets how often a call is retried and how long it waits. Zero fields select the defaults.
//
// The wait before a retry is random between 0 and a bound that doubles with each retry. The Retry-After of
// the response is added to it. The package documentation lists the failures that are retried.
//
// A retry with a corrected clock or a renewed token is made even if it exceeds MaxAttempts by one.
type RetryPolicy struct {
	MaxAttempts int           // number of attempts, including the first; 0 means 5, 1 disables retries
	BaseDelay   time.Duration // bound of the first wait; 0 means 250 ms
	MaxDelay    time.Duration // largest bound; 0 means 20 s
	MaxWait     time.Duration // longest Retry-After; a longer one fails the call at once; 0 means 2 minutes
}

func (p RetryPolicy) check() error {
	if p.MaxAttempts < 0 || p.BaseDelay < 0 || p.MaxDelay < 0 || p.MaxWait < 0 {
		return &ValidationError{Field: "retry policy", Rule: "has a negative number", Fix: "leave a field 0 for its default; MaxAttempts 1 disables retries"}
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

// backoff returns the wait after attempt n, from 1: full jitter with a bound that doubles.
func (p RetryPolicy) backoff(n int) time.Duration {
	bound := p.MaxDelay
	if n < 32 && p.BaseDelay < bound>>(n-1) {
		bound = p.BaseDelay << (n - 1)
	}
	return rand.N(bound)
}

// shouldRetry reports whether a call is retried after err, and after which wait.
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
			// The call has taken effect. A PUT can be repeated; a second DELETE would return 404.
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
		again = (call.method == http.MethodGet || call.method == http.MethodPost && call.idempotentPOST) && api.Message != sentence.NoPath
	}
	if again && asked > t.policy.MaxWait {
		api.Hint = "the platform asks to wait for " + asked.String() + ", longer than the retry policy allows"
		return false, 0
	}
	return again, asked + min(backoff, math.MaxInt64-asked)
}

func (c *Client) retryPolicy() RetryPolicy {
	if c.defaults.Retry != nil {
		return *c.defaults.Retry
	}
	return c.cfg.retry
}

// sleep waits for d or until ctx ends. If the deadline of ctx is before the end of the wait, it returns an
// error at once.
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

// retryAfter parses a Retry-After header: seconds, or a date, which is relative to the Date header if there
// is one. ok is false if the header is missing or invalid.
func retryAfter(h http.Header, now time.Time) (d time.Duration, ok bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if allDigits(v) {
		// A longer wait is as good as forever, and error texts must not repeat eight digits, which could
		// be a piece of a credential.
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

// proxyError is the error of a proxy that refused to connect to the platform.
type proxyError struct {
	host   string
	status int
}

func (e *proxyError) Error() string {
	s := fmt.Sprintf("the proxy %s answered %d %s", quoteForeign(e.host), e.status, http.StatusText(e.status))
	if e.status == http.StatusProxyAuthRequired {
		s += ": put its user name and password, percent-encoded, into the URL of the proxy"
	}
	return s
}

// neverConnected reports whether err means that no connection was made. Any method may then be retried.
func neverConnected(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect" || strings.HasPrefix(op.Op, "socks")) {
		return true
	}
	_, ok := errors.AsType[*proxyError](err)
	return ok
}

// refusedConnection reports whether err means that no request was sent because of a permanent failure of
// the TLS handshake or the name resolution.
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
		return true // a TLS alert: the server refused the handshake or certificate
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return true
	}
	return false
}

// permanent reports whether err is a transport error that a retry cannot fix.
func permanent(err error) bool {
	if refusedConnection(err) || errors.Is(err, ErrRedirect) {
		return true
	}
	if p, ok := errors.AsType[*proxyError](err); ok {
		return p.status < 500 && p.status != http.StatusTooManyRequests
	}
	// Package net/http and custom transports report these only as text.
	text := err.Error()
	for _, t := range []string{"tls: server selected unsupported protocol version", "Proxy Authentication Required", "username/password authentication failed", "no acceptable authentication methods", "server response headers exceeded", "response header list larger"} {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}

const (
	mostOffset  = 24 * time.Hour  // a larger offset is ignored
	leastOffset = 2 * time.Minute // a smaller offset is 0: the platform accepts five minutes
)

// now returns the time of this machine, corrected by the offset of the platform's clock.
func (c *Client) now() time.Time { return c.cfg.now().Add(time.Duration(c.offset.Load())) }

// followClock updates the clock offset from a response, and drops it when the local clock is right again.
// It does nothing before the first correction, except with a token: a request with a token has no
// timestamp that could be refused.
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

// correctClock measures the clock offset after a refused timestamp and reports whether the call should be
// signed again. It sets the hint of e in any case.
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
		return false // the refused request was signed with the platform's time: a new one would be refused too
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

// serverOffset returns the difference between the Date header and the local clock.
func (c *Client) serverOffset(resp *http.Response) (time.Duration, bool) {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	return date.Sub(c.cfg.now()), true
}
