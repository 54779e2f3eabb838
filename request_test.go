package threatconnect_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// quick makes up to three attempts, almost without delay.
var quick = threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 3, BaseDelay: 1, MaxDelay: 1})

func newClient(t *testing.T, base string, opts ...threatconnect.Option) *threatconnect.Client {
	t.Helper()
	c, err := threatconnect.NewClient(base, threatconnect.HMAC("access", "Sup3rS3cret"), append([]threatconnect.Option{quick}, opts...)...)
	require.NoError(t, err)
	return c
}

// certificate returns a self-signed certificate for name and a pool that contains it.
func certificate(t *testing.T, name string, until time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, DNSNames: []string{name},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLSFailuresAreNotRetried(t *testing.T) {
	t.Parallel()
	good, roots := certificate(t, "localhost", time.Now().Add(time.Hour))
	expired, expiredRoots := certificate(t, "localhost", time.Now().Add(-time.Hour))
	other, otherRoots := certificate(t, "other.example", time.Now().Add(time.Hour))
	for name, tc := range map[string]struct {
		server *tls.Config
		client *tls.Config
		says   string // "" for success
	}{
		"the right authority":   {&tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: roots}, ""},
		"an unknown authority":  {&tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: x509.NewCertPool()}, "unknown authority"},
		"an expired one":        {&tls.Config{Certificates: []tls.Certificate{expired}}, &tls.Config{RootCAs: expiredRoots}, "expired"},
		"another name":          {&tls.Config{Certificates: []tls.Certificate{other}}, &tls.Config{RootCAs: otherRoots}, "not localhost"},
		"TLS 1.0":               {&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, &tls.Config{RootCAs: roots}, "protocol version"},
		"TLS 1.1":               {&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, &tls.Config{RootCAs: roots}, "protocol version"},
		"TLS 1.1 that is asked": {&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}, "protocol version"},
		"a name of its own": {&tls.Config{Certificates: []tls.Certificate{other}}, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			return s.PeerCertificates[0].VerifyHostname("other.example")
		}}, ""},
		"a client certificate": {&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, &tls.Config{RootCAs: roots}, "certificate required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, whoami) }))
			srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
			srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					conns.Add(1)
				}
			}
			srv.TLS = tc.server
			srv.StartTLS()
			defer srv.Close()
			base := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
			_, err := newClient(t, base, threatconnect.WithTLSConfig(tc.client)).Owners.Whoami(t.Context())
			if tc.says == "" {
				require.NoError(t, err)
				return
			}
			var r *threatconnect.RequestError
			require.ErrorAs(t, err, &r)
			assert.ErrorContains(t, err, tc.says)
			assert.Equal(t, 1, r.Attempts)
			assert.Equal(t, int32(1), conns.Load())
		})
	}
}

func TestPlainHTTPBehindHTTPSIsNotRetried(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	_, err := newClient(t, strings.Replace(srv.URL, "http://", "https://", 1)).Owners.Whoami(t.Context())
	require.ErrorIs(t, err, http.ErrSchemeMismatch)
	assert.NotContains(t, err.Error(), "attempts")
}

func TestFailedDialsAreRetriedByEveryMethod(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	for name, call := range calls {
		var r *threatconnect.RequestError
		require.ErrorAs(t, call(t.Context(), newClient(t, "http://"+addr)), &r, name)
		assert.Equal(t, 3, r.Attempts, name)
		assert.ErrorContains(t, r, "connection refused")
		require.ErrorAs(t, call(t.Context(), newClient(t, "https://tc.example", threatconnect.WithProxy("http://user:pr0xyPass@"+addr))), &r, name)
		assert.Equal(t, 3, r.Attempts, name)
		assert.NotContains(t, r.Error(), "pr0xyPass")
		require.ErrorAs(t, call(t.Context(), newClient(t, "https://tc.example", threatconnect.WithProxy("socks5://user:pr0xyPass@"+addr))), &r, name)
		assert.Equal(t, 3, r.Attempts, name)
		assert.NotContains(t, r.Error(), "pr0xyPass")
	}
	// RFC 6761: names in the domain invalid do not exist.
	var r *threatconnect.RequestError
	tr := &http.Transport{DialContext: (&net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "tc.invalid", IsNotFound: true}
	}}}).DialContext}
	_, err = newClient(t, "https://tc.invalid", threatconnect.WithTransport(tr)).Owners.Whoami(t.Context())
	require.ErrorAs(t, err, &r)
}

// proxy sends answer to every request and counts the requests.
func proxy(t *testing.T, answer string) (addr string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	asked = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				asked.Add(1)
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String(), asked
}

func TestRejectingProxyIsNamedInError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		times  int32
		says   string
	}{
		"no password":  {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", 1, "407 Proxy Authentication Required: put its user name and password"},
		"a policy":     {"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", 1, "403 Forbidden"},
		"a bad moment": {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", 3, "502 Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, asked := proxy(t, tc.answer)
			// Nothing has reached the platform, so a POST is retried like a GET.
			err := calls["POST"](t.Context(), newClient(t, "https://tc.example/api", threatconnect.WithProxy("http://user:pr0xyPass@"+addr)))
			require.Error(t, err)
			assert.Equal(t, tc.times, asked.Load())
			assert.ErrorContains(t, err, "threatconnect: POST /v2/indicators/hosts: the proxy \""+addr+"\" answered "+tc.says)
			assert.NotContains(t, err.Error(), "pr0xyPass")
		})
	}
	// With the caller's own transport, only the error text has the status.
	addr, asked := proxy(t, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
	u, err := url.Parse("http://" + addr)
	require.NoError(t, err)
	_, err = newClient(t, "https://tc.example", threatconnect.WithTransport(&http.Transport{Proxy: http.ProxyURL(u)})).Owners.Whoami(t.Context())
	require.ErrorContains(t, err, "Proxy Authentication Required")
	assert.Equal(t, int32(1), asked.Load())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	// The redirect target counts connections, so even a connection without a request is noticed.
	var reached atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = conn.Close()
		}
	})
	defer accepting.Wait()
	defer l.Close()
	target := l.Addr().String()
	other := strings.Replace(target, "127.0.0.1", "localhost", 1)
	cert, roots := certificate(t, "localhost", time.Now().Add(time.Hour))
	type redirect struct {
		status int
		to     string
	}
	var answer atomic.Value
	var asked atomic.Int32
	for _, scheme := range []string{"http", "https"} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			r := answer.Load().(redirect)
			if r.to != "" {
				w.Header().Set("Location", r.to)
			}
			w.WriteHeader(r.status)
		}))
		base := ""
		if scheme == "https" {
			srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			srv.StartTLS()
			base = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
		} else {
			srv.Start()
			base = srv.URL
		}
		c := newClient(t, base+"/api", threatconnect.WithTLSConfig(&tls.Config{RootCAs: roots}))
		for _, status := range []int{301, 302, 303, 307, 308, 300, 304} {
			for where, to := range map[string]string{
				"the same host": "/elsewhere", "another port": "http://" + target + "/api/v2/whoami?token=leaked", "another port with TLS": "https://" + target + "/x",
				"another host": "http://" + other + "/x", "another host without a scheme": "//" + other, "another host with a password": "https://user:pass@other.example/evil-value",
				"an invalid port": "https://user:pass@other.example:evil-value/", "not a URL": "://", "nowhere": "",
			} {
				answer.Store(redirect{status, to})
				for name, call := range calls {
					asked.Store(0)
					err := call(t.Context(), c)
					require.ErrorIs(t, err, threatconnect.ErrRedirect, "%s %d %s", name, status, where)
					assert.Equal(t, int32(1), asked.Load(), "%s %d %s", name, status, where)
					for _, leak := range []string{"leaked", "pass@", "evil-value"} {
						assert.NotContains(t, err.Error(), leak)
					}
				}
			}
		}
		srv.Close()
	}
	assert.Zero(t, reached.Load())
}

// echo is an error type that the package does not know.
type echo string

func (e echo) Error() string { return string(e) }

func TestTransportErrorsAreSafeToPrint(t *testing.T) {
	t.Parallel()
	const unknown = "an unrecognized error of type *errors.errorString (unwrap RequestError.Err to read it)"
	evil := errors.New("cannot reach www.example.com")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{errors.New("malformed HTTP response \"\x1b[31m\nwww.example.com\""), "malformed HTTP response"},
		{errors.New("net/http: HTTP/1.x transport connection broken: www.example.com"), "net/http: HTTP/1.x transport connection broken"},
		{fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", io.ErrUnexpectedEOF), "net/http: HTTP/1.x transport connection broken: unexpected EOF"},
		{errors.New("net/http: TLS handshake timeout"), "net/http: TLS handshake timeout"},
		{evil, unknown},
		{echo("www.example.com"), "an unrecognized error of type threatconnect_test.echo (unwrap RequestError.Err to read it)"},
		{errors.New(`proxyconnect to "http://user:pr0xyPass@proxy.example:3128" failed`), unknown},
		{fmt.Errorf("GET www.example.com giving up: %w", syscall.ECONNRESET), "connection reset by peer"},
		{errors.Join(evil, io.ErrUnexpectedEOF), "unexpected EOF"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "read tcp: read: connection reset by peer"},
		{&net.OpError{Op: "read", Net: "tcp", Err: evil}, "read tcp: " + unknown},
		{&os.PathError{Op: "open", Path: "www.example.com", Err: syscall.ENOENT}, "no such file or directory"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{&tls.CertificateVerificationError{Err: evil}, "tls: failed to verify certificate"},
		{&url.Error{Op: "Get", URL: "www.example.com", Err: io.ErrUnexpectedEOF}, "unexpected EOF"},
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Fail(tc.err)}}
		err := calls["GET"](t.Context(), clientOf(t, s, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})))
		if _, ok := tc.err.(*url.Error); !ok {
			require.ErrorIs(t, err, tc.err, "the original error is wrapped")
		}
		assert.EqualError(t, err, "threatconnect: GET /v2/whoami: "+tc.want)
	}
}

func TestDoRejectsInvalidRequests(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, "{}")}}
	c := clientOf(t, s)
	for name, r := range map[string]threatconnect.Request{
		"no method":               {Path: "/v2/owners"},
		"another method":          {Method: "PATCH", Path: "/v2/owners"},
		"a method in small":       {Method: "get", Path: "/v2/owners"},
		"no path":                 {Method: "GET"},
		"a path without a slash":  {Method: "GET", Path: "v2/owners"},
		"a whole URL":             {Method: "GET", Path: "https://other.example/v2"},
		"a query in the path":     {Method: "GET", Path: "/v2/owners?x"},
		"a fragment in the path":  {Method: "GET", Path: "/v2/owners#x"},
		"a step up":               {Method: "GET", Path: "/v2/../owners"},
		"a dot":                   {Method: "GET", Path: "/v2/./owners"},
		"an escaped step up":      {Method: "GET", Path: "/v2/%2e./owners"},
		"a step of PathSegment":   {Method: "GET", Path: "/v2/tags/" + threatconnect.PathSegment("..")},
		"a host":                  {Method: "GET", Path: "/v2/owners", Header: http.Header{"Host": {"other.example"}}},
		"a length":                {Method: "GET", Path: "/v2/owners", Header: http.Header{"content-length": {"1"}}},
		"a user agent":            {Method: "GET", Path: "/v2/owners", Header: http.Header{"User-Agent": {"x"}}},
		"a header twice":          {Method: "GET", Path: "/v2/owners", Header: http.Header{"X-A": {"1"}, "x-a": {"2"}}},
		"a bare percent sign":     {Method: "GET", Path: "/v2/100%"},
		"a space":                 {Method: "GET", Path: "/v2/a b"},
		"a line break":            {Method: "GET", Path: "/v2/a\r\nb"},
		"a letter beyond ASCII":   {Method: "GET", Path: "/v2/\u00e9"},
		"a signature":             {Method: "GET", Path: "/v2/owners", Header: http.Header{"authorization": {"x"}}},
		"a timestamp":             {Method: "GET", Path: "/v2/owners", Header: http.Header{"Timestamp": {"1"}}},
		"a header with a break":   {Method: "GET", Path: "/v2/owners", Header: http.Header{"X-A": {"a\nb"}}},
		"a header with a bad key": {Method: "GET", Path: "/v2/owners", Header: http.Header{"X A": {"a"}}},
		"a header without a key":  {Method: "GET", Path: "/v2/owners", Header: http.Header{"": {"a"}}},
	} {
		_, err := c.Do(t.Context(), r)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
	assert.Zero(t, s.Count())
}

func routeOf(req *http.Request) string {
	route, _ := threatconnect.RouteFrom(req.Context())
	return route
}

func TestDoSendsRequestAsGiven(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, "a,b\n", "Content-Type", "text/csv"), wiretest.Answer(404, `{"status":"Failure","message":"The requested resource was not found"}`)}}
	var log bytes.Buffer
	c := clientOf(t, s, threatconnect.WithOwner("Example Source"), threatconnect.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	req := threatconnect.Request{Method: "POST", Path: "/v2/tags/" + threatconnect.PathSegment("Nation State/.."), Query: url.Values{"x": {"1 2"}},
		Header: http.Header{"accept": {"text/csv"}}, Body: []byte(`{}`)}
	resp, err := c.Do(t.Context(), req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "a,b\n", string(text))
	sent := s.Sent[0]
	assert.NotEmpty(t, sent.Header.Get("Authorization"))
	assert.Equal(t, "/v2/tags/{}", routeOf(resp.Request))
	assert.Equal(t, "text/csv", resp.Request.Header.Get("Accept"))
	assert.Empty(t, resp.Request.Header.Values("Authorization"), "a response that is logged must not show it")
	assert.Empty(t, resp.Request.Header.Values("Timestamp"))
	assert.Equal(t, "https://tc.example/api/v2/tags/Nation%20State%2F..?x=1%202", sent.URL.String())
	assert.Equal(t, "text/csv", sent.Header.Get("Accept"))
	assert.Equal(t, "application/json; charset=utf-8", sent.Header.Get("Content-Type"))
	assert.Equal(t, http.Header{"accept": {"text/csv"}}, req.Header, "the caller's header is not changed")

	_, err = c.Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/tags/Secret", Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte("x")})
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	assert.Equal(t, "text/plain", s.Sent[1].Header.Get("Content-Type"))
	assert.EqualError(t, err, `threatconnect: GET /v2/tags/{}: 404 Not Found: "The requested resource was not found"`)
	assert.NotContains(t, log.String(), "Secret")
	assert.NotContains(t, log.String(), "Nation")
	assert.Contains(t, log.String(), "method=POST route=/v2/tags/{} attempt=1")
}

// TestErrorOfAnotherCallIsNotTreatedAsResponse checks that the error of another client's call is not taken for a
// response if the caller's code returns it.
func TestErrorOfAnotherCallIsNotTreatedAsResponse(t *testing.T) {
	t.Parallel()
	_, others := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(404, `{"status":"Failure","message":"The requested resource was not found"}`)}}).Owners.Whoami(t.Context())
	require.ErrorIs(t, others, threatconnect.ErrNotFound)
	whoami := func(ctx context.Context, c *threatconnect.Client) error {
		_, err := c.Owners.Whoami(ctx)
		return err
	}
	const document = 1
	for name, tc := range map[string]struct {
		transport http.RoundTripper
		option    threatconnect.Option
		call      func(context.Context, *threatconnect.Client) error
	}{
		"a transport": {transport: wiretest.Func(func(*http.Request) (*http.Response, error) { return nil, others }), call: whoami},
		"a transport that wraps it": {
			transport: wiretest.Func(func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("gateway: %w", others) }),
			call:      whoami,
		},
		"a limiter": {option: threatconnect.WithLimiter(limiter(func(context.Context) error { return others })), call: whoami},
		"the cause of a context": {call: func(ctx context.Context, c *threatconnect.Client) error {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(others)
			return whoami(ctx, c)
		}},
		"a list": {
			transport: wiretest.Func(func(*http.Request) (*http.Response, error) { return nil, others }),
			call: func(ctx context.Context, c *threatconnect.Client) error {
				_, err := threatconnect.Collect(c.Indicators.All(ctx, nil))
				return err
			},
		},
		"content that cannot be opened again": {
			transport: &wiretest.Steps{Do: steps{wiretest.Answer(503, "busy", "Retry-After", "0")}},
			call: func(ctx context.Context, c *threatconnect.Client) error {
				opened := 0
				return c.Groups.Documents.Upload(ctx, document, threatconnect.Content{Open: func() (io.ReadCloser, error) {
					if opened++; opened > 1 {
						return nil, others
					}
					return io.NopCloser(strings.NewReader("content")), nil
				}, Size: -1}, nil)
			},
		},
		"a writer": {
			transport: &wiretest.Steps{Do: steps{wiretest.Answer(200, "content", "Content-Type", "application/octet-stream")}},
			call: func(ctx context.Context, c *threatconnect.Client) error {
				_, err := c.Groups.Documents.Download(ctx, document, writerFunc(func([]byte) (int, error) { return 0, others }))
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := tc.transport
			if rt == nil {
				rt = &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Success","data":{"user":{}}}`)}}
			}
			opts := []threatconnect.Option{quick}
			if tc.option != nil {
				opts = append(opts, tc.option)
			}
			err := tc.call(t.Context(), clientOf(t, rt, opts...))
			var call *threatconnect.RequestError
			require.ErrorAs(t, err, &call)
			assert.ErrorIs(t, err, others, "the original error is wrapped")
			assert.NotErrorIs(t, err, threatconnect.ErrNotFound)
			if api, ok := errors.AsType[*threatconnect.APIError](err); ok { // the 503 of the first attempt
				assert.Equal(t, 503, api.StatusCode)
			}
			assert.ErrorContains(t, err, "The requested resource was not found")
		})
	}
	t.Run("a token source", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{401, 404, 503} {
			other := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(status, "no")}}, quick)
			s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Success","data":{"user":{}}}`)}}
			var asked error
			c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.TokenFunc(func(ctx context.Context) (string, time.Time, error) {
				_, asked = other.Owners.Whoami(ctx)
				return "", time.Time{}, asked
			}), threatconnect.WithTransport(s))
			require.NoError(t, err)
			err = whoami(t.Context(), c)
			var call *threatconnect.RequestError
			require.ErrorAs(t, err, &call)
			assert.Equal(t, 1, call.Attempts)
			var api *threatconnect.APIError
			require.NotErrorAs(t, err, &api)
			require.ErrorAs(t, asked, &api)
			assert.Equal(t, map[int]int{401: 1, 404: 1, 503: 3}[status], api.Attempts, "the attempts of the other call")
			assert.Zero(t, s.Count())
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
