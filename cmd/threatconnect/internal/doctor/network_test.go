package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// authority is a certificate authority for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Hushed Authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-365 * 24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

// issue returns a certificate for a host.
func (a *authority) issue(t *testing.T, host string, from, until time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until)}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serveTLS serves a handler over TLS and returns its host and port.
func serveTLS(t *testing.T, h http.Handler, config *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		done.Wait()
	})
	return l.Addr().String()
}

const day = 24 * time.Hour

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	srv := threatconnecttest.NewT(t)
	for name, tc := range map[string]struct {
		config *tls.Config
		roots  *x509.CertPool
		result result
		want   string
	}{
		"good":              {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", -day, 90*day)}}, ca.pool, passed, "TLS 1.3, with a certificate that this machine trusts for 89 days more"},
		"old TLS":           {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", -day, 90*day)}, MaxVersion: tls.VersionTLS12}, ca.pool, passed, "TLS 1.2, with"},
		"too old TLS":       {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", -day, 90*day)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ca.pool, failed, "the server has no TLS version from 1.2 on"},
		"expires soon":      {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", -day, 3*day)}}, ca.pool, warned, "for 2 days more"},
		"expired":           {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", -9*day, -day)}}, ca.pool, failed, "the certificate has expired"},
		"not valid yet":     {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", day, 9*day)}}, ca.pool, failed, "the certificate is not valid yet"},
		"other host":        {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "hushed.example", -day, 90*day)}}, ca.pool, failed, "the certificate is for another host name"},
		"unknown authority": {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", -day, 90*day)}}, nil, failed, "signed by an authority that this machine does not trust"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serveTLS(t, srv, tc.config)
			c := newClinic("https://"+addr+"/api", srv)
			c.exam.roots = tc.roots
			code, r := c.report(t)
			got := r.named(t, "TLS")
			assert.Equal(t, tc.result, got.Result, got)
			assert.Contains(t, got.Seen, tc.want)
			assert.Equal(t, tc.result == passed, got.Fix == "")
			assert.NotContains(t, strings.ToLower(c.out.String()), "hushed")
			assert.NotContains(t, c.out.String(), addr)
			if tc.result == failed {
				assert.Equal(t, 1, code)
				assert.Equal(t, notChecked, r.named(t, "API").Result)
			} else {
				assert.Equal(t, 0, code)
			}
		})
	}
}

// TestNetwork requires that the doctor names the cause of each problem. The default limits add up to less than 15
// seconds.
func TestNetwork(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	plain := strings.TrimPrefix(strings.TrimSuffix(serve(t, srv), "/api"), "http://")
	silent := listen(t, func(net.Conn) {})
	hangUp := listen(t, func(c net.Conn) { c.Close() })
	waits := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, tc := range map[string]struct {
		base  string
		set   func(*exam)
		check string
		want  string
	}{
		"not a URL":       {"tc.example/api", nil, "base URL", "base URL has no https:// scheme"},
		"http to another": {"http://tc.example/api", nil, "base URL", "base URL is http:// to another machine"},
		"unknown host": {"https://tc.example/api", func(e *exam) {
			e.lookup = func(context.Context, string) ([]netip.Addr, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "tc.example", IsNotFound: true}
			}
		}, "DNS", "the host name does not exist"},
		"silent name server": {"https://tc.example/api", func(e *exam) {
			e.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) { return nil, waits(ctx) }
		}, "DNS", "the name server does not respond within 500ms"},
		"broken name server": {"https://tc.example/api", func(e *exam) {
			e.lookup = func(context.Context, string) ([]netip.Addr, error) {
				return nil, &net.DNSError{Err: "server misbehaving", Name: "tc.example", IsTemporary: true}
			}
		}, "DNS", "the name server reports an error"},
		"no address": {"https://tc.example/api", func(e *exam) {
			e.lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, nil }
		}, "DNS", "the host name has no address"},
		"unroutable host": {"https://203.0.113.1/api", func(e *exam) {
			e.dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, waits(ctx) }
		}, "TCP", "there is no connection within 500ms"},
		"no route": {"https://203.0.113.1/api", func(e *exam) {
			e.dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("network is unreachable")
			}
		}, "TCP", "the connection fails"},
		"closed port":           {"https://" + closedPort(t) + "/api", nil, "TCP", "the connection is refused: nothing listens on the port"},
		"port without TLS":      {"https://" + plain + "/api", nil, "TLS", "the port does not speak TLS"},
		"silent port":           {"https://" + silent + "/api", nil, "TLS", "the server does not finish the TLS handshake within 500ms"},
		"silent port, no TLS":   {"http://" + silent + "/api", nil, "API", "there is no complete response within 500ms"},
		"port that hangs up":    {"https://" + hangUp + "/api", nil, "TLS", "the TLS handshake fails"},
		"port that hangs up, 2": {"http://" + hangUp + "/api", nil, "API", "the server ends the connection without a response"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(tc.base, srv)
			limit := time.Minute // a slow machine does not change the cause
			if strings.Contains(tc.want, "500ms") {
				limit = 500 * time.Millisecond
			}
			c.exam.limits.connect, c.exam.limits.first = limit, limit
			if tc.set != nil {
				tc.set(c.exam)
			}
			code, r := c.report(t)
			assert.Equal(t, 1, code)
			requireCause(t, r, tc.check, tc.want)
			assert.NotContains(t, c.out.String(), "tc.example")
			assert.NotContains(t, c.out.String(), "203.0.113.1")
		})
	}
	l := newExam(newClinic("", srv).exam.env).limits
	assert.Less(t, 2*l.connect+l.first, 15*time.Second)
}

// requireCause requires that a check failed, that those before it passed, and that those after it did not run.
func requireCause(t *testing.T, r report, name, want string) {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c check) bool { return c.Name == name })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, failed, r.Checks[i].Result, r.Checks[i])
	assert.Contains(t, r.Checks[i].Seen, want)
	assert.NotEmpty(t, r.Checks[i].Fix)
	for _, before := range r.Checks[:i] {
		assert.Equal(t, passed, before.Result, before)
	}
	for _, after := range r.Checks[i+1 : len(r.Checks)-1] { // the last one lists checks that need --write
		assert.Equal(t, notChecked, after.Result, after)
	}
}

// listen returns an address, calls handle for each connection to it, and closes the connections when the test ends.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			handle(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		done.Wait()
	})
	return l.Addr().String()
}

// closedPort returns an address on which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func TestProxy(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	srv := threatconnecttest.NewT(t)
	instance := serveTLS(t, srv, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "tc.example", -day, 90*day)}})
	proxy := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodConnect || status != http.StatusOK {
				w.WriteHeader(status)
				return
			}
			tunnel(w, instance)
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	for name, tc := range map[string]struct{ proxy, check, want string }{
		"tunnel":      {proxy(200), "", ""},
		"password":    {proxy(407), "proxy", "the proxy wants a user name and a password (status 407)"},
		"refusal":     {proxy(403), "proxy", "the proxy does not connect to the instance: it responds with status 403"},
		"hangs up":    {listen(t, func(c net.Conn) { c.Close() }), "proxy", "the proxy does not connect to the instance"},
		"closed port": {closedPort(t), "TCP", "the connection is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic("https://tc.example/api", srv)
			c.vars["HTTPS_PROXY"] = "http://user:hushed@" + tc.proxy
			c.exam.roots = ca.pool
			code, r := c.report(t)
			assert.NotContains(t, c.out.String(), "hushed")
			if tc.check != "" {
				assert.Equal(t, 1, code)
				requireCause(t, r, tc.check, tc.want)
				return
			}
			assert.Equal(t, 0, code)
			assert.Equal(t, "a proxy of the environment is used (http)", r.named(t, "proxy").Seen)
			assert.Equal(t, passed, r.named(t, "TLS").Result)
		})
	}
}

// TestProxyVariable uses a proxy variable that the client refuses.
func TestProxyVariable(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "ftp://hushed.example")
	srv := threatconnecttest.NewT(t)
	c := newClinic("https://tc.example/api", srv)
	code, r := c.report(t)
	assert.Equal(t, 1, code)
	requireCause(t, r, "base URL", "HTTPS_PROXY has a scheme other than http, https and socks5")
	u, err := proxyOf(newClinic("", srv).exam.env)(&url.URL{Scheme: "https", Host: "tc.example"})
	require.NoError(t, err)
	assert.Nil(t, u, "a command sees only the variables of its Env")
}

// tunnel copies bytes between a client of a proxy and an address.
func tunnel(w http.ResponseWriter, addr string) {
	up, err := net.Dial("tcp", addr)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer up.Close()
	w.WriteHeader(http.StatusOK)
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	var copies sync.WaitGroup
	copies.Go(func() {
		_, _ = io.Copy(up, buffered)
		up.Close()
	})
	_, _ = io.Copy(down, up)
	down.Close()
	copies.Wait()
}
