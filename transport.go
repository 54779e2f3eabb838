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
	"time"
)

// buildHTTPClient returns the client to send with: a copy that never follows a redirect and that, without
// plainHTTP, sends in clear to this machine only.
func (c *config) buildHTTPClient() (*http.Client, error) {
	clash := func(a, b string) error {
		return &ValidationError{Field: a, Rule: "cannot be combined with " + b, Fix: "set it on the transport that you give"}
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
		h.Transport = newTransport(c.proxy, c.tls)
	}
	t, ok := cmp.Or(h.Transport, http.DefaultTransport).(*http.Transport)
	if ok {
		if err := checkTransportTLS(t); err != nil {
			return nil, err
		}
	}
	if ok && c.base.Scheme == "http" && !c.plainHTTP {
		local, err := loopbackOnly(t, c.base)
		if err != nil {
			return nil, err
		}
		h.Transport = local
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return h, nil
}

// newTransport returns the transport of a client that was given none.
func newTransport(proxy *url.URL, t *tls.Config) *http.Transport {
	if t == nil {
		t = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	tr := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        t,
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
	if proxy != nil {
		tr.Proxy = http.ProxyURL(proxy)
	}
	return tr
}

// checkTransportTLS refuses a transport of the caller's own that accepts any certificate or a TLS version
// below 1.2. A dialer for TLS takes the place of the configuration and decides for itself.
func checkTransportTLS(t *http.Transport) error {
	const field = "TLS config of the transport"
	c := t.TLSClientConfig
	switch {
	case c == nil:
		return nil
	case c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12:
		return &ValidationError{Field: field, Rule: "has a MinVersion below TLS 1.2", Fix: "leave it 0"}
	}
	return checkTLS(field, c)
}

// checkTLS refuses a configuration that accepts any certificate, or no version from TLS 1.2 on.
func checkTLS(field string, c *tls.Config) error {
	if c.InsecureSkipVerify && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil {
		return &ValidationError{Field: field, Rule: "has InsecureSkipVerify set", Fix: "set RootCAs to trust a private certificate authority, or VerifyConnection to verify in another way"}
	}
	if c.MaxVersion != 0 && c.MaxVersion < tls.VersionTLS12 {
		return &ValidationError{Field: field, Rule: "has a MaxVersion below TLS 1.2", Fix: "leave it 0"}
	}
	return nil
}

// errNotLoopback is a connection in clear to another machine, or one that would be.
var errNotLoopback = &ValidationError{
	Field: "base URL",
	Rule:  "is http:// and leads to another machine, through a proxy or because of the address that localhost has, so that every request could be read on the way",
	Fix:   "use https://, leave out the proxy, or allow it with WithPlainHTTP (PlainHTTP for a trigger)",
}

// loopbackOnly returns a copy of t that connects to this machine only, to its proxy as to anything else.
// It refuses a proxy that is known to be on another machine.
func loopbackOnly(t *http.Transport, base *url.URL) (*http.Transport, error) {
	t = t.Clone()
	if find := t.Proxy; find != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			proxy, err := find(r)
			if err == nil && proxy != nil && !isLoopback(proxy.Hostname()) && r.URL.Host == base.Host {
				return nil, errNotLoopback
			}
			return proxy, err
		}
		if _, err := t.Proxy(&http.Request{Method: http.MethodGet, URL: base, Host: base.Host, Header: http.Header{}}); err == errNotLoopback {
			return nil, err
		}
	}
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t.DialContext = onlyLoopback(dial)
	return t, nil
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// onlyLoopback closes a connection of dial that leads to another machine. A connection without an IP
// address, as to a Unix socket, stays on this one.
func onlyLoopback(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if remote := conn.RemoteAddr(); remote != nil {
			if to, err := netip.ParseAddrPort(remote.String()); err == nil && !to.Addr().Unmap().IsLoopback() {
				_ = conn.Close()
				return nil, errNotLoopback
			}
		}
		return conn, nil
	}
}

// isLoopback reports whether host names this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
