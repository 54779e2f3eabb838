package feeds

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

// ErrNotModified is returned by [Fetcher.Fetch] if the feed has not changed since the cursor.
var ErrNotModified = errors.New("feeds: the feed has not changed")

// Fetcher downloads feeds over HTTP. Client is required, and the zero values of the other fields mean their defaults.
// A Fetcher is safe for concurrent use if its fields are not modified and its Transport is safe for concurrent use.
type Fetcher struct {
	// Client provides the User-Agent and the proxy. It must be made with threatconnect.WithUserAgent, which tells
	// the provider of the feed which integration polls it. The credentials of Client are never sent to the feed.
	Client *threatconnect.Client
	// Transport sends the requests. Nil means a new transport for each call, with the proxy of Client.
	Transport http.RoundTripper
	// Header is added to each request to the host of the feed, for example an API key. After a redirect to another
	// host, it is not sent.
	Header http.Header
	// MaxBytes limits the size of a feed, before and after decompression; 0 means 1 GiB.
	MaxBytes int64
}

// Download is a feed that [Fetcher.Fetch] downloads.
type Download struct {
	// Body is the decompressed feed. The caller must close it. Read returns an error if the download ends early (an
	// error that matches io.ErrUnexpectedEOF), transfers no data for 2 minutes, or exceeds the size limit.
	Body io.ReadCloser
	Size int64 // bytes of Body; -1 if unknown
	// Cursor makes the next Fetch of the URL conditional. Source is the scheme and host with a hash of the path and
	// query, Position is the ETag or else Last-Modified, and Time is the time of the request. Save the cursor after
	// the feed is imported.
	Cursor threatconnect.Cursor
}

const (
	defaultMaxBytes = 1 << 30
	maxAttempts     = 5
	maxRedirects    = 10
	stallTimeout    = 2 * time.Minute
	maxRetryAfter   = 2 * time.Minute
	baseDelay       = time.Second // doubles with each attempt
)

// Fetch requests the feed at an http or https URL, and returns when the first bytes of the response have arrived. An
// invalid URL or field of f returns a [*threatconnect.ValidationError] before anything is sent. If cursor comes from
// an earlier Fetch of the URL and the feed has not changed since, the error is [ErrNotModified]. With the zero Cursor,
// Fetch always downloads.
//
// Fetch decompresses gzip, both as an encoding of the response and as the format of the feed. It follows up to 10
// redirects, but none from https to http. Connection errors and the statuses 429, 502, 503 and 504 are retried with
// exponential backoff and jitter, or after the time in Retry-After, up to 5 attempts in total. All other statuses, and
// a Retry-After of more than 2 minutes, are errors.
//
// A user and password in the URL are sent as basic authentication, only to the host of the feed. Errors and the cursor
// contain neither them nor the path and query of the URL. Errors do not contain the paths and queries of redirects
// either.
func (f *Fetcher) Fetch(ctx context.Context, feedURL string, cursor threatconnect.Cursor) (*Download, error) {
	if ctx == nil {
		return nil, &threatconnect.ValidationError{Field: "context", Rule: "is nil"}
	}
	u, err := f.check(feedURL)
	if err != nil {
		return nil, err
	}
	r := &fetch{Fetcher: f, user: u.User, max: cmp.Or(f.MaxBytes, defaultMaxBytes), transport: f.Transport, release: func() {}}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	r.url, r.source = u, sourceOf(u)
	if cursor.Source == r.source {
		r.position = cursor.Position
	}
	if r.transport == nil {
		own := newTransport(f.Client)
		r.transport, r.release = own, own.CloseIdleConnections
	}
	d, err := r.retry(ctx)
	if err != nil {
		r.release()
		return nil, err
	}
	return d, nil
}

// check returns the URL of the feed.
func (f *Fetcher) check(feedURL string) (*url.URL, error) {
	bad := func(field, rule, fix string) error {
		return &threatconnect.ValidationError{Field: field, Rule: rule, Fix: fix}
	}
	const fix = "write it as in https://feed.example/list.txt"
	u, err := url.Parse(strings.TrimSpace(feedURL))
	switch {
	case err != nil:
		return nil, bad("feed URL", "is not a URL", fix)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, bad("feed URL", "is not an http or https URL", fix)
	case u.Hostname() == "":
		return nil, bad("feed URL", "has no host", fix)
	case f.MaxBytes < 0:
		return nil, bad("feed size limit", "is negative", "leave it 0 for 1 GiB")
	}
	switch agent := f.Client.UserAgent(); {
	case agent == "":
		return nil, bad("client", "is missing or was not made with NewClient", "set Fetcher.Client")
	case strings.HasPrefix(agent, "threatconnect-go/"):
		return nil, bad("user agent", "does not name the integration", `make the client with WithUserAgent, as in "acme-feed/1.4.2"`)
	}
	for name, values := range f.Header {
		if !isToken(name) {
			return nil, bad("header name", "is empty or has a character that is not allowed", "write it as in X-Api-Key")
		}
		if strings.ContainsFunc(strings.Join(values, ""), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, bad("header "+strconv.Quote(name), "has a line break or another control character", "remove it, for example from the end of a key that was read from a file")
		}
	}
	return u, nil
}

// isToken reports whether a header can have the name.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// sourceOf returns an identifier of a feed without its path and query, which can contain a key.
func sourceOf(u *url.URL) string {
	sum := sha256.Sum256([]byte(u.EscapedPath() + "?" + u.RawQuery))
	return u.Scheme + "://" + strings.ToLower(u.Host) + "/#" + hex.EncodeToString(sum[:16])
}

// newTransport returns a transport that uses the proxy of a client.
func newTransport(client *threatconnect.Client) *http.Transport {
	return &http.Transport{
		Proxy:                  client.Proxy,
		DialContext:            (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    15 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 1 << 20,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &fetchError{text: "the proxy answered " + statusText(resp.StatusCode) + ": check the proxy and its password"}
			}
			return nil
		},
	}
}

// fetch is one call of Fetch.
type fetch struct {
	*Fetcher
	url       *url.URL   // without user, password and fragment
	redirects []*url.URL // of the last attempt
	user      *url.Userinfo
	source    string
	position  string // makes the request conditional
	max       int64
	transport http.RoundTripper
	release   func()
}

// fetchError is an error whose text contains only the host of the URL.
type fetchError struct {
	text  string
	err   error // may be nil
	again bool  // another attempt may succeed
	wait  time.Duration
}

func (e *fetchError) Error() string { return e.text }
func (e *fetchError) Unwrap() error { return e.err }

// retry makes attempts until one succeeds or has a permanent error.
func (r *fetch) retry(ctx context.Context) (*Download, error) {
	for attempt := 1; ; attempt++ {
		d, err := r.attempt(ctx)
		if err == nil || errors.Is(err, ErrNotModified) {
			return d, err
		}
		e, ok := errors.AsType[*fetchError](err)
		if ctx.Err() != nil || !ok || !e.again || e.wait > maxRetryAfter || attempt == maxAttempts {
			return nil, fmt.Errorf("feeds: fetch the feed from %q: %w", r.url.Host, err)
		}
		longest := baseDelay << (attempt - 1)
		timer := time.NewTimer(max(e.wait, longest/2+rand.N(longest/2)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("feeds: fetch the feed from %q: %w, after: %w", r.url.Host, context.Cause(ctx), err)
		}
	}
}

// attempt sends a request and follows redirects.
func (r *fetch) attempt(ctx context.Context) (*Download, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &transfer{ctx: ctx, cancel: cancel, timer: time.AfterFunc(stallTimeout, func() { cancel(errStalled) }), fetch: r}
	u, began := r.url, time.Now().UTC()
	r.redirects = nil
	for range maxRedirects + 1 {
		b.timer.Reset(stallTimeout)
		resp, err := r.transport.RoundTrip(r.request(ctx, u))
		if err != nil {
			err = r.broken(b.cause(err))
			b.end()
			return nil, err
		}
		b.body = resp.Body
		location := resp.Header.Get("Location")
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			if u, err = redirect(u, location); err != nil {
				b.end()
				return nil, err
			}
			r.redirects = append(r.redirects, u)
			_ = resp.Body.Close()
			continue
		}
		d, err := r.accept(b, resp)
		if err != nil {
			b.end()
			return nil, err
		}
		d.Cursor = threatconnect.Cursor{Source: r.source, Position: positionOf(resp.Header), Time: began}
		return d, nil
	}
	b.end()
	return nil, &fetchError{text: "it redirects more than 10 times: check the URL"}
}

// request returns the request for a URL. Only the host of the feed gets the credentials.
func (r *fetch) request(ctx context.Context, u *url.URL) *http.Request {
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if sameHost(r.url, u) {
		for name, values := range r.Header {
			for _, value := range values {
				req.Header.Add(name, value) // in one spelling, so that none is sent twice
			}
		}
		if password, _ := r.user.Password(); r.user != nil && req.Header.Get("Authorization") == "" {
			req.SetBasicAuth(r.user.Username(), password)
		}
	}
	req.Header.Set("User-Agent", r.Client.UserAgent())
	req.Header.Set("Accept-Encoding", "gzip")
	if etag, ok := strings.CutPrefix(r.position, etagPosition); ok {
		req.Header.Set("If-None-Match", etag)
	} else if date, ok := strings.CutPrefix(r.position, datePosition); ok {
		req.Header.Set("If-Modified-Since", date)
	}
	return req
}

// sameHost reports whether credentials for one URL may be sent to the other.
func sameHost(first, next *url.URL) bool {
	port := func(u *url.URL) string {
		return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	upgrade := first.Scheme == "http" && port(first) == "80" && next.Scheme == "https" && port(next) == "443"
	return strings.EqualFold(first.Hostname(), next.Hostname()) && (upgrade || port(first) == port(next) && first.Scheme == next.Scheme)
}

// redirect returns the URL that a response redirects to.
func redirect(from *url.URL, location string) (*url.URL, error) {
	u, err := from.Parse(location)
	switch {
	case err != nil || location == "":
		return nil, &fetchError{text: "it redirects to something that is not a URL: check the URL"}
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, &fetchError{text: "it redirects to something other than an http or https URL: check the URL"}
	case from.Scheme == "https" && u.Scheme == "http":
		return nil, &fetchError{text: "it redirects from https to http, which others can read and change: use a URL that stays on https"}
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u, nil
}

// accept turns a response into a download.
func (r *fetch) accept(b *transfer, resp *http.Response) (*Download, error) {
	switch {
	case resp.StatusCode == http.StatusNotModified && r.position != "":
		return nil, ErrNotModified
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(resp)
	case resp.ContentLength > r.max:
		return nil, r.tooLarge()
	}
	encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
	switch encoding {
	case "", "identity", "gzip", "x-gzip":
	default:
		return nil, &fetchError{text: "the response has a content encoding other than gzip"}
	}
	gzipped := strings.HasSuffix(encoding, "gzip")
	body, unpacked, err := r.unpack(b, gzipped)
	if err != nil {
		return nil, r.broken(err)
	}
	size := resp.ContentLength
	if gzipped || unpacked {
		size = -1
	}
	return &Download{Body: body, Size: size}, nil
}

// statusError returns the error of a status that is not a success.
func statusError(resp *http.Response) error {
	e := &fetchError{text: "it answered " + statusText(resp.StatusCode)}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.text += ": check the key or password, and whether the account may read the feed"
	case http.StatusNotFound, http.StatusGone:
		e.text += ": check the URL"
	case http.StatusProxyAuthRequired:
		e.text += ": check the proxy and its password"
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.again, e.wait = true, retryAfter(resp.Header)
		if e.wait > maxRetryAfter {
			e.text += fmt.Sprintf(" and asks to wait for %s: run again after that", e.wait.Round(time.Second))
		} else {
			e.text += ": run again later"
		}
	}
	return e
}

func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// retryAfter returns the time in a Retry-After header, or 0.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(0, at.Sub(now))
}

// The forms of Cursor.Position.
const (
	etagPosition = "ETag: "
	datePosition = "Last-Modified: "
)

// positionOf returns the position of a cursor, or "" if the response has none that fits.
func positionOf(h http.Header) string {
	position := etagPosition + h.Get("ETag")
	if position == etagPosition {
		position = datePosition + h.Get("Last-Modified")
	}
	if _, err := (threatconnect.Cursor{Position: position}).MarshalJSON(); err != nil || position == datePosition {
		return "" // it is too long, not UTF-8, or missing
	}
	return position
}
