package threatconnect

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	defaultMaxBody = 64 << 20
	defaultStall   = 2 * time.Minute
)

// config is what options fill in; it does not change after NewClient.
type config struct {
	base         *url.URL
	credentials  Credentials
	owner        string
	product      string
	userAgent    string
	httpClient   *http.Client
	transport    http.RoundTripper
	proxy        *url.URL
	tls          *tls.Config
	logger       *slog.Logger
	observers    []Observer // the logger's included
	retry        RetryPolicy
	limiter      Limiter
	now          func() time.Time
	correctClock bool
	plainHTTP    bool
	maxBody      int64
	stall        time.Duration
	timeout      time.Duration // of an attempt; 0 for none
	activityLog  *bool
}

// Option changes how [NewClient] builds a client.
type Option func(*config) error

// WithOwner sets the owner that calls use when neither they nor the resource name one. Without it
// nothing is sent and the platform uses the API user's organization. Batch imports ignore it: they
// always name their owner.
func WithOwner(name string) Option {
	return func(c *config) error {
		c.owner = name
		return checkVerbatim("owner", name)
	}
}

// WithUserAgent puts the integration's own product in front of the User-Agent header, as in
// "acme-feed/1.4.2". Leading spaces are dropped. A product that is blank, not UTF-8 or has control or
// invisible characters returns a [*ValidationError].
func WithUserAgent(product string) Option {
	return func(c *config) error {
		c.product = product
		return checkVerbatim("user agent", product)
	}
}

// WithHTTPClient sends with a copy of h: its transport, timeout and cookie jar are used, its
// CheckRedirect is not, because a signed request cannot follow a redirect. h itself stays as it
// is. Its transport is held to the rules of [WithTransport]. It cannot be combined with
// [WithTransport], [WithProxy] or [WithTLSConfig].
func WithHTTPClient(h *http.Client) Option {
	return func(c *config) error {
		if h == nil {
			return &ValidationError{Field: "HTTP client", Rule: "is nil"}
		}
		c.httpClient = h
		return nil
	}
}

// WithTransport sends through t, which must be safe for concurrent use and must not change the URL
// or the headers of what it sends. It cannot be combined with [WithProxy] or [WithTLSConfig].
//
// If t is an [*http.Transport], its TLS configuration is held to the rules of [WithTLSConfig], and a
// MinVersion below TLS 1.2 returns a [*ValidationError] as well. For an http:// base URL without
// [WithPlainHTTP], a proxy on another machine is refused. Its dialers (DialContext, DialTLSContext) and
// other types of [http.RoundTripper] are not checked.
func WithTransport(t http.RoundTripper) Option {
	return func(c *config) error {
		if t == nil {
			return &ValidationError{Field: "transport", Rule: "is nil"}
		}
		c.transport = t
		return nil
	}
}

// WithProxy sends through the proxy at proxyURL (http, https or socks5; a user name and password
// in it must be percent-encoded). Without it the proxy comes from HTTPS_PROXY and NO_PROXY, and an
// HTTPS_PROXY that is not such a URL is a [*ValidationError]; its scheme may be missing.
func WithProxy(proxyURL string) Option {
	return func(c *config) error {
		u, err := parseProxy("proxy URL", proxyURL)
		if err != nil {
			return err
		}
		c.proxy = u
		return nil
	}
}

func parseProxy(field, proxyURL string) (*url.URL, error) {
	bad := func(rule string) error {
		return &ValidationError{Field: field, Rule: rule, Fix: "write it as in http://user:password@proxy.example:3128, the password percent-encoded"}
	}
	u, err := url.Parse(strings.TrimSpace(proxyURL))
	if err != nil {
		return nil, bad("is not a URL")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return nil, bad("has a scheme other than http, https and socks5")
	}
	if u.Hostname() == "" {
		return nil, bad("has no host")
	}
	return u, nil
}

// checkProxyEnv refuses a proxy in the environment that package net/http would ignore: requests
// would then go out without it.
func checkProxyEnv() error {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		v := os.Getenv(name)
		if v == "" {
			continue
		}
		if !strings.Contains(v, "://") {
			v = "http://" + v
		}
		_, err := parseProxy(name, v)
		return err // the first one counts
	}
	return nil
}

// WithTLSConfig sends with a copy of t, for example for an instance behind a private certificate
// authority. The minimum version is raised to TLS 1.2. A maximum version below that is a
// [*ValidationError], and so is InsecureSkipVerify without VerifyConnection or VerifyPeerCertificate.
func WithTLSConfig(t *tls.Config) Option {
	return func(c *config) error {
		if t == nil {
			return &ValidationError{Field: "TLS config", Rule: "is nil"}
		}
		if err := checkTLS("TLS config", t); err != nil {
			return err
		}
		c.tls = t.Clone()
		if c.tls.MinVersion < tls.VersionTLS12 {
			c.tls.MinVersion = tls.VersionTLS12
		}
		return nil
	}
}

// WithLogger writes a Debug record for each attempt (method, route, attempt, duration, and status or
// error; no value, body or header), a Warn record when the clock is found to be wrong, and a Warn
// record when a tag repeats the name of the owner that it is added in (the route or the number of the
// item, not the tag): once per tag for a call of Tags.Add and for a [BatchWriter], up to 100 tags.
// Without a logger, or with nil, the client logs nothing. See [WithObserver] for tracing and metrics.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		c.logger = l
		return nil
	}
}

// WithRetry replaces the retry policy; see [RetryPolicy] for what zero values mean.
func WithRetry(p RetryPolicy) Option {
	return func(c *config) error {
		if err := p.check(); err != nil {
			return err
		}
		c.retry = p.withDefaults()
		return nil
	}
}

// Limiter says when the next request may be sent. A [golang.org/x/time/rate.Limiter] is one.
type Limiter interface {
	// Wait returns when one more request may be sent, or with an error when ctx ends first.
	Wait(ctx context.Context) error
}

// WithLimiter asks l before every attempt, retries included. l must be safe for concurrent use; nil
// limits nothing.
func WithLimiter(l Limiter) Option {
	return func(c *config) error {
		if isNil(l) {
			l = nil
		}
		c.limiter = l
		return nil
	}
}

// WithClock reads the time from now instead of [time.Now]. It is for tests.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return &ValidationError{Field: "clock", Rule: "is nil"}
		}
		c.now = now
		return nil
	}
}

// WithoutClockCorrection makes a refused timestamp an error that matches [ErrClockSkew], instead
// of signing once more with the offset measured from the platform's response.
func WithoutClockCorrection() Option {
	return func(c *config) error {
		c.correctClock = false
		return nil
	}
}

// WithPlainHTTP allows an http:// base URL to a machine other than this one, and proxies on other
// machines for an http:// base URL. Every request, every signature and every token can then be read
// on the way. Without it, calls over http:// return a [*ValidationError] instead of connecting to
// another machine, whatever localhost resolves to and whichever proxy is set. See [WithTransport] for what
// is checked of a transport that you provide.
func WithPlainHTTP() Option {
	return func(c *config) error {
		c.plainHTTP = true
		return nil
	}
}

// WithMaxResponseBytes limits the size of a response that is read into memory to n bytes, after
// decompression. The decoded values may take three times as much, so that a response costs at most 4n bytes
// of memory and 256 KiB of buffers. Values of your own types in a [DataStore] are not counted. The default
// is 64 MiB, enough for a page of 10,000 indicators with the usual tags and attributes. A larger response
// returns an error that matches [ErrResponseTooLarge] and is not retried. Streams (downloads, bulk reports,
// lists of errors) have no limit and are not held in memory: an element of a JSON report may have 16 MiB,
// and costs at most four times that.
func WithMaxResponseBytes(n int64) Option {
	return func(c *config) error {
		if n <= 0 {
			return &ValidationError{Field: "response size cap", Rule: "must be more than 0 bytes"}
		}
		c.maxBody = n
		return nil
	}
}

// WithStallTimeout ends an attempt in which no byte moves for d while it is sent, waited for or
// read. The time that a caller takes between two reads of a stream does not count. The default is
// two minutes; 0 turns it off.
func WithStallTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return &ValidationError{Field: "stall timeout", Rule: "must be 0 or more"}
		}
		c.stall = d
		return nil
	}
}

// WithAttemptTimeout ends an attempt that takes longer than d, from connecting to the last byte of the
// response's body, the pauses of a caller that reads a stream included. The attempt counts as a
// transport error. The default is 0: no limit besides the stall timeout, so that a server that sends a
// byte now and then keeps a call until its context ends. It cannot be combined with [WithHTTPClient],
// which has a timeout of its own.
func WithAttemptTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return &ValidationError{Field: "attempt timeout", Rule: "must be 0 or more"}
		}
		c.timeout = d
		return nil
	}
}

// WithActivityLog says with every call whether the platform is to write it to the owner's activity
// log. Without it nothing is sent and the platform decides. Imports of many items are best left
// out of the log.
func WithActivityLog(on bool) Option {
	return func(c *config) error {
		c.activityLog = &on
		return nil
	}
}

// checkPort refuses a port that is not a number from 1 to 65535.
func checkPort(hostport string) error {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || strings.HasSuffix(hostport, "]") {
		return nil
	}
	if n, err := strconv.Atoi(hostport[i+1:]); err != nil || n < 1 || n > 65535 {
		return &ValidationError{Field: "base URL", Rule: "has a port that is not a number from 1 to 65535"}
	}
	return nil
}

// CallOptions change how one call is sent. They are part of every options struct; [Client.With] gives
// them to methods that have none. The zero value changes nothing.
type CallOptions struct {
	// Retry, if not nil, replaces the client's retry policy.
	Retry *RetryPolicy `url:"-"`
	// ActivityLog, if not nil, says whether the platform writes the call to the owner's activity log,
	// as [WithActivityLog] does for all calls.
	ActivityLog *bool `url:"-"`
	// Header holds further headers, which are sent with every attempt. Authorization, Timestamp,
	// User-Agent and the headers of the connection cannot be set.
	Header http.Header `url:"-"`
}

func (o CallOptions) isZero() bool {
	return o.Retry == nil && o.ActivityLog == nil && len(o.Header) == 0
}

func (o CallOptions) check() error {
	if o.Retry != nil {
		if err := o.Retry.check(); err != nil {
			return err
		}
	}
	return checkCallHeader(o.Header)
}

// clone returns a copy of o that shares no memory with it.
func (o CallOptions) clone() CallOptions {
	if o.Retry != nil {
		o.Retry = new(*o.Retry)
	}
	if o.ActivityLog != nil {
		o.ActivityLog = new(*o.ActivityLog)
	}
	o.Header = o.Header.Clone()
	return o
}

// over returns o with the options of defaults where o says nothing. The result shares no memory with o.
func (o CallOptions) over(defaults CallOptions) CallOptions {
	o, merged := o.clone(), defaults
	if o.Retry != nil {
		merged.Retry = new(o.Retry.withDefaults())
	}
	if o.ActivityLog != nil {
		merged.ActivityLog = o.ActivityLog
	}
	if len(o.Header) > 0 {
		merged.Header = merged.Header.Clone()
		if merged.Header == nil {
			merged.Header = make(http.Header, len(o.Header))
		}
		maps.Copy(merged.Header, canonicalHeader(o.Header))
	}
	return merged
}

// canonicalHeader returns a copy of h with canonical names.
func canonicalHeader(h http.Header) http.Header {
	canonical := make(http.Header, len(h))
	for name, values := range h {
		canonical[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	return canonical
}

// checkCallHeader checks further headers of a call.
func checkCallHeader(h http.Header) error {
	if err := checkHeader("header", h); err != nil {
		return err
	}
	for _, name := range []string{"Authorization", "Timestamp", "User-Agent"} {
		if headerHas(h, name) {
			return &ValidationError{Field: "header", Rule: "has " + name + ", which the client sets", Fix: "leave it out"}
		}
	}
	return nil
}
