package threatconnect

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// buildHTTPClient returns an HTTP client that never follows a redirect and that, without plainHTTP, sends
// cleartext requests only to this machine.
func (c *config) buildHTTPClient() (*http.Client, error) {
	clash := func(a, b string) error {
		return &ValidationError{Field: a, Rule: "cannot be combined with " + b, Fix: "set it on your transport"}
	}
	h := &http.Client{Timeout: c.timeout}
	switch {
	case c.httpClient != nil:
		switch {
		case c.transport != nil:
			return nil, clash("WithHTTPClient", "WithTransport")
		case c.proxy != nil:
			return nil, clash("WithHTTPClient", "WithProxy")
		case c.tls != nil:
			return nil, clash("WithHTTPClient", "WithTLSConfig")
		case c.timeout != 0:
			return nil, clash("WithHTTPClient", "WithAttemptTimeout")
		}
		*h = *c.httpClient
	case c.transport != nil:
		switch {
		case c.proxy != nil:
			return nil, clash("WithTransport", "WithProxy")
		case c.tls != nil:
			return nil, clash("WithTransport", "WithTLSConfig")
		}
		h.Transport = c.transport
	default:
		if c.proxy == nil {
			if err := checkProxyEnv(); err != nil {
				return nil, err
			}
		}
		h.Transport = c.newTransport()
	}
	if t, ok := cmp.Or(h.Transport, http.DefaultTransport).(*http.Transport); ok {
		if err := checkTransportTLS(t); err != nil {
			return nil, err
		}
		if c.inClear() {
			local := loopbackTransport{t}
			if err := local.check(&http.Request{Method: http.MethodGet, URL: c.base, Host: c.base.Host, Header: http.Header{}}); err != nil {
				return nil, err
			}
			h.Transport = local
		}
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return h, nil
}

// inClear reports whether requests are in cleartext and must not leave this machine.
func (c *config) inClear() bool { return c.base.Scheme == "http" && !c.plainHTTP }

// newTransport returns the default transport.
func (c *config) newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	if c.inClear() {
		dialer.Control = dialLoopback
	}
	tr := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        cmp.Or(c.tls, &tls.Config{MinVersion: tls.VersionTLS12}),
		TLSHandshakeTimeout:    15 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		WriteBufferSize:        32 << 10,
		ReadBufferSize:         32 << 10,
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			return &proxyError{host: proxy.Host, status: resp.StatusCode}
		},
	}
	if c.proxy != nil {
		tr.Proxy = http.ProxyURL(c.proxy)
	}
	return tr
}

// checkTransportTLS returns an error for a custom transport that accepts any certificate or a TLS version
// below 1.2. DialTLSContext replaces the configuration and is not checked.
func checkTransportTLS(t *http.Transport) error {
	const field = "TLS config of the transport"
	c := t.Clone().TLSClientConfig // Clone, because the first request of a transport sets the field
	switch {
	case c == nil:
		return nil
	case c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12:
		return &ValidationError{Field: field, Rule: "has a MinVersion below TLS 1.2", Fix: "leave it 0"}
	}
	return checkTLS(field, c)
}

// checkTLS returns an error for a configuration that accepts any certificate or excludes TLS 1.2 and later.
func checkTLS(field string, c *tls.Config) error {
	if c.InsecureSkipVerify && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil {
		return &ValidationError{Field: field, Rule: "has InsecureSkipVerify set", Fix: "set RootCAs to trust a private certificate authority, or VerifyConnection to verify in another way"}
	}
	if c.MaxVersion != 0 && c.MaxVersion < tls.VersionTLS12 {
		return &ValidationError{Field: field, Rule: "has a MaxVersion below TLS 1.2", Fix: "leave it 0"}
	}
	return nil
}

// errNotLoopback is the error of a cleartext connection to another machine.
var errNotLoopback = &ValidationError{
	Field: "base URL",
	Rule:  "is http:// and leads to another machine, through a proxy or because of the address that localhost has, so that every request could be read on the way",
	Fix:   "use https://, leave out the proxy, or allow it with WithPlainHTTP (PlainHTTP for a trigger)",
}

// loopbackTransport sends requests only to this machine: it returns an error for a proxy on another one.
// The default transport also checks the address of each connection; custom dialers are not checked.
type loopbackTransport struct{ *http.Transport }

func (t loopbackTransport) check(r *http.Request) error {
	if t.Proxy == nil {
		return nil
	}
	proxy, err := t.Proxy(r)
	if err == nil && proxy != nil && !isLoopback(proxy.Hostname()) {
		return errNotLoopback
	}
	return nil // the transport returns the error of Proxy
}

func (t loopbackTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.check(r); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return t.Transport.RoundTrip(r)
}

// dialLoopback is the Control function of a dialer that connects only to loopback addresses.
func dialLoopback(_, address string, _ syscall.RawConn) error {
	if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().Unmap().IsLoopback() {
		return errNotLoopback
	}
	return nil
}

// isLoopback reports whether host names this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
