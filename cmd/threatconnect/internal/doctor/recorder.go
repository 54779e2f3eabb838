package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

// maxRecorded is the number of bytes of a response body to record.
const maxRecorded = 4 << 20

// exchange is a request and its response.
type exchange struct {
	route      string // method and path, with {} in place of every value
	query      url.Values
	signed     string // the string that was signed
	authShape  string // the Authorization header without ID, token and signature
	start, end time.Time
	tunneled   bool // the proxy, if any, has connected to the instance
	secured    bool // the TLS handshake is complete
	tls        tls.ConnectionState
	err        error // the error of the transport; nil if there was a response
	status     int
	header     http.Header
	compressed bool
	body       []byte // the first maxRecorded bytes

	once  sync.Once
	facts []fact
}

// recorder is a transport that records requests and responses, without credentials. It is safe for concurrent
// use.
type recorder struct {
	base http.RoundTripper
	now  func() time.Time

	mu        sync.Mutex
	exchanges []*exchange
}

// newTransport returns a transport that connects through the proxy that proxy returns and trusts roots, or
// the authorities of the system if roots is nil.
func newTransport(proxy func(*url.URL) (*url.URL, error), roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:             func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ForceAttemptHTTP2: true,
		IdleConnTimeout:   time.Minute,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &proxyRefusal{resp.StatusCode}
			}
			return nil
		},
	}
}

// proxyRefusal is the error of a proxy that does not connect to the instance.
type proxyRefusal struct{ status int }

func (e *proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy responds with status %d", e.status)
}

// RoundTrip sends a request and records it.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	route, _ := threatconnect.RouteFrom(req.Context())
	x := &exchange{
		route: req.Method + " " + route, query: req.URL.Query(), authShape: authShape(req.Header), start: r.now(),
		signed: req.URL.RequestURI() + ":" + req.Method + ":" + req.Header.Get("Timestamp"),
	}
	r.change(func() { r.exchanges = append(r.exchanges, x) })
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		TLSHandshakeStart: func() { r.change(func() { x.tunneled = true }) },
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			r.change(func() { x.secured, x.tls = err == nil, state })
		},
		GotConn: func(httptrace.GotConnInfo) { r.change(func() { x.tunneled = true }) },
	})
	resp, err := r.base.RoundTrip(req.WithContext(ctx))
	r.change(func() {
		x.end = r.now()
		if x.err = err; err != nil {
			return
		}
		x.status, x.header = resp.StatusCode, resp.Header.Clone()
		x.compressed = resp.Uncompressed || resp.Header.Get("Content-Encoding") != ""
		resp.Body = &recordedBody{resp.Body, r, x}
	})
	return resp, err
}

// recordedBody is a body that is recorded while it is read.
type recordedBody struct {
	io.ReadCloser
	r *recorder
	x *exchange
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.r.change(func() { b.x.body = append(b.x.body, p[:min(n, maxRecorded-len(b.x.body))]...) })
	return n, err
}

func (r *recorder) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// all returns the exchanges so far, oldest first. The calls that made them have ended.
func (r *recorder) all() []*exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.exchanges)
}

// authShape returns an Authorization header with its values replaced by their lengths.
func authShape(h http.Header) string {
	scheme, rest, _ := strings.Cut(h.Get("Authorization"), " ")
	id, signature, ok := strings.Cut(rest, ":")
	if scheme != "TC" || !ok {
		return scheme + " <token>"
	}
	return fmt.Sprintf("%s <access id, %d characters>:<signature, %d characters>", scheme, len(id), len(signature))
}

// isJSON reports whether the body is a JSON object or array.
func (x *exchange) isJSON() bool {
	b := bytes.TrimSpace(x.body)
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

// isHTML reports whether the body is a page for people.
func (x *exchange) isHTML() bool {
	return !x.isJSON() && (x.mediaType() == "text/html" || bytes.HasPrefix(bytes.TrimSpace(x.body), []byte("<")))
}

// mediaType returns the content type of the response without its parameters.
func (x *exchange) mediaType() string {
	t, _, _ := strings.Cut(x.header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}
