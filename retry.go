package threatconnect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryPolicy says how often and how patiently a call is tried again. The zero value stands for
// the defaults given at the fields.
//
// Every attempt is signed anew. GET, PUT and DELETE are tried again after transport errors and
// after 429, 502, 503 and 504; GET also after 500 and after an answer that was cut off or was not
// JSON. POST is tried again only when the connection was never made, or after 429 and 503 with a
// Retry-After header. What cannot change by waiting is not tried again: a failed certificate
// check, an instance without API license, a batch API that is switched off.
type RetryPolicy struct {
	MaxAttempts int           // attempts in all, the first one included; 0 means 5, 1 turns retries off
	BaseDelay   time.Duration // upper bound of the first wait, doubled each time; 0 means 250 ms. The wait is random between 0 and the bound.
	MaxDelay    time.Duration // upper bound of every wait between attempts; 0 means 20 s
	MaxWait     time.Duration // longest Retry-After that is waited for; a longer one fails the call at once; 0 means 2 minutes
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
	if n < 32 && p.BaseDelay<<(n-1) < bound && p.BaseDelay<<(n-1) > 0 {
		bound = p.BaseDelay << (n - 1)
	}
	return rand.N(bound + 1)
}

// sleep waits for d or until ctx ends. A deadline that comes before the wait is over fails at
// once.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return context.DeadlineExceeded
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
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
		const most = 1 << 31 // seconds; a larger number means never just as well
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
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// neverConnected reports whether err says that no byte of the request was sent, so that any method
// may be tried again.
func neverConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect" && !strings.Contains(op.Err.Error(), "Proxy Authentication Required"))
}

// hopeless reports whether err is a transport error that waiting does not cure.
func hopeless(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return true
	}
	text := err.Error()
	for _, t := range []string{"server gave HTTP response to HTTPS client", "unsupported protocol version", "Proxy Authentication Required", "response headers exceed", "response header flood", "server response headers exceeded"} {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}
