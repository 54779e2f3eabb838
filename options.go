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

// config is the configuration of a client. It does not change after NewClient.
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
	observers    []Observer // including that of the logger
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

// Option configures a client; see [NewClient]. If an option is given several times, the last one counts,
// except for [WithObserver]. Invalid arguments, for example a negative duration or a nil function, make
// NewClient return a [*ValidationError]. [WithLogger] and [WithLimiter] accept nil.
type Option func(*config) error

// WithOwner sets the default owner, which applies to calls and resources without an owner. Without a
// default owner, the client sends no owner and the platform uses the API user's organization. Batch
// imports ignore the default owner and require their own.
func WithOwner(name string) Option {
	return func(c *config) error {
		c.owner = name
		return checkVerbatim("owner", name)
	}
}

// WithUserAgent prepends the name of the program to the User-Agent header, for example "acme-feed/1.4.2".
// Leading spaces are dropped. A product that is blank, is not UTF-8, or contains control or invisible
// characters returns a [*ValidationError].
func WithUserAgent(product string) Option {
	return func(c *config) error {
		c.product = product
		return checkVerbatim("user agent", product)
	}
}

// WithHTTPClient sends requests with a copy of h, including its transport, timeout and cookie jar. Its
// CheckRedirect is ignored, because a signed request cannot follow a redirect. The rules of
// [WithTransport] apply to the transport of h. WithHTTPClient cannot be combined with [WithTransport],
// [WithProxy], [WithTLSConfig] or [WithAttemptTimeout].
func WithHTTPClient(h *http.Client) Option {
	return func(c *config) error {
		if h == nil {
			return &ValidationError{Field: "HTTP client", Rule: "is nil"}
		}
		c.httpClient = h
		return nil
	}
}

// WithTransport sends requests through t, which must be safe for concurrent use and must not change the
// URL or the headers of a request. WithTransport cannot be combined with [WithProxy] or [WithTLSConfig].
//
// If t is an [*http.Transport], the rules of [WithTLSConfig] apply to its TLS configuration, and a
// MinVersion below TLS 1.2 returns a [*ValidationError] as well. For an http:// base URL without
// [WithPlainHTTP], a proxy on another machine returns a [*ValidationError]. The dialers of the transport
// (DialContext, DialTLSContext) and other types of [http.RoundTripper] are not checked.
func WithTransport(t http.RoundTripper) Option {
	return func(c *config) error {
		if t == nil {
			return &ValidationError{Field: "transport", Rule: "is nil"}
		}
		c.transport = t
		return nil
	}
}

// WithProxy sends requests through the proxy at proxyURL. The scheme is http, https or socks5; a user name
// and password must be percent-encoded. Without WithProxy, HTTPS_PROXY and NO_PROXY select the proxy.
// [NewClient] then returns a [*ValidationError] if HTTPS_PROXY is invalid; its scheme may be missing.
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
		return &ValidationError{Field: field, Rule: rule, Fix: "write it like http://user:password@proxy.example:3128, the password percent-encoded"}
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

// checkProxyEnv returns an error for an invalid proxy in the environment. Package net/http would ignore it
// and send requests without a proxy.
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

// WithTLSConfig uses a copy of t for TLS connections, for example to trust a private certificate
// authority. The minimum version is raised to TLS 1.2. A maximum version below TLS 1.2, and
// InsecureSkipVerify without VerifyConnection or VerifyPeerCertificate, return a [*ValidationError].
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

// WithLogger logs to l:
//
//   - A Debug record for each attempt, with method, route, attempt number, duration, and status or error.
//   - A Warn record if the clock of this machine is wrong.
//   - A Warn record if a tag repeats the name of its owner, with the route or the number of the item. It
//     is written once per tag for a call of [TagsService.Add] and for a [BatchWriter], for up to 100 tags.
//
// Records contain no value, body or header. If l is nil, the client logs nothing. See [WithObserver] for
// tracing and metrics.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		c.logger = l
		return nil
	}
}

// WithRetry sets the retry policy. Zero fields of p select the defaults; see [RetryPolicy]. A negative
// field returns a [*ValidationError].
func WithRetry(p RetryPolicy) Option {
	return func(c *config) error {
		if err := p.check(); err != nil {
			return err
		}
		c.retry = p.withDefaults()
		return nil
	}
}

// Limiter limits the rate of requests. [golang.org/x/time/rate.Limiter] implements it.
type Limiter interface {
	// Wait blocks until the next request may be sent. It returns an error if ctx ends first.
	Wait(ctx context.Context) error
}

// WithLimiter waits for l before every attempt, including retries. l must be safe for concurrent use. Nil
// means no limit.
func WithLimiter(l Limiter) Option {
	return func(c *config) error {
		if isNil(l) {
			l = nil
		}
		c.limiter = l
		return nil
	}
}

// WithClock uses now instead of [time.Now]. It is for tests.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return &ValidationError{Field: "clock", Rule: "is nil"}
		}
		c.now = now
		return nil
	}
}

// WithoutClockCorrection disables the correction of a wrong clock. A call with a refused timestamp then
// returns an error that matches [ErrClockSkew], instead of being signed again with the corrected time.
func WithoutClockCorrection() Option {
	return func(c *config) error {
		c.correctClock = false
		return nil
	}
}

// WithPlainHTTP allows an http:// base URL, and proxies for it, on other machines. Every request,
// signature and token can then be read by anyone on the network path.
//
// Without WithPlainHTTP, calls over http:// return a [*ValidationError] instead of connecting to another
// machine, even if localhost resolves to another machine or a proxy is set. See [WithTransport] for the
// checks of a custom transport.
func WithPlainHTTP() Option {
	return func(c *config) error {
		c.plainHTTP = true
		return nil
	}
}

// WithMaxResponseBytes limits a response that is read into memory to n bytes after decompression. A larger
// response returns an error that matches [ErrResponseTooLarge] and is not retried. The default is 64 MiB,
// enough for a page of 10,000 indicators with common tags and attributes.
//
// Decoded values may use 3n bytes, so a response uses at most 4n bytes of memory and 256 KiB of buffers.
// Values of a caller's type in a [DataStore] are not counted.
//
// The limit does not apply to streams: downloads, bulk reports and lists of errors. They are not read into
// memory. An element of a JSON report may have 16 MiB, and uses at most four times that.
func WithMaxResponseBytes(n int64) Option {
	return func(c *config) error {
		if n <= 0 {
			return &ValidationError{Field: "response size cap", Rule: "must be more than 0 bytes"}
		}
		c.maxBody = n
		return nil
	}
}

// WithStallTimeout sets the timeout for an attempt that transfers no data, while the client sends the
// request, waits for the response or reads it. Time between a caller's reads of a stream does not count.
// The default is 2 minutes; 0 means no timeout.
func WithStallTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return &ValidationError{Field: "stall timeout", Rule: "must be 0 or more"}
		}
		c.stall = d
		return nil
	}
}

// WithAttemptTimeout sets the timeout for a whole attempt, from connecting to the last byte of the
// response body, including pauses between a caller's reads of a stream. A timeout counts as a transport
// error.
//
// The default is 0, which means no timeout except the stall timeout: a server that keeps sending a few
// bytes can delay a call until its context ends. WithAttemptTimeout cannot be combined with
// [WithHTTPClient], which has its own timeout.
func WithAttemptTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return &ValidationError{Field: "attempt timeout", Rule: "must be 0 or more"}
		}
		c.timeout = d
		return nil
	}
}

// WithActivityLog sets whether the platform writes calls to the activity log of the owner. By default the
// client sends no preference and the platform decides. Turn it off for imports of many items.
func WithActivityLog(on bool) Option {
	return func(c *config) error {
		c.activityLog = &on
		return nil
	}
}

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

// CallOptions configures a single call. The options structs of methods embed it. For methods without an
// options struct, pass it to [Client.With]. The zero value selects the settings of the client.
type CallOptions struct {
	// Retry, if not nil, replaces the client's retry policy.
	Retry *RetryPolicy `url:"-"`
	// ActivityLog, if not nil, sets whether the platform writes the call to the activity log of the
	// owner. It overrides WithActivityLog.
	ActivityLog *bool `url:"-"`
	// Header contains additional headers, which are sent with every attempt. Authorization, Timestamp,
	// User-Agent and connection headers return a *ValidationError.
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

// clone returns a deep copy of o.
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

// over returns o with defaults for the options that it does not set. The result shares no memory with o.
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

// checkCallHeader returns an error for headers that a caller must not set.
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
