package threatconnect_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// proxyAt returns a Proxy function for a transport.
func proxyAt(proxy string) func(*http.Request) (*url.URL, error) {
	return func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
}

// TestThreatPlainHTTP checks each way in which a request over plain HTTP could reach another machine.
func TestThreatPlainHTTP(t *testing.T) {
	t.Parallel()
	const local, remote = "http://localhost:9/api", "http://203.0.113.5:3128"
	client := func(p string) threatconnect.Option {
		return threatconnect.WithHTTPClient(&http.Client{Transport: &http.Transport{Proxy: proxyAt(p)}})
	}
	transport := func(p string) threatconnect.Option {
		return threatconnect.WithTransport(&http.Transport{Proxy: proxyAt(p)})
	}
	plain := threatconnect.WithPlainHTTP()
	for name, tc := range map[string]struct {
		base    string
		options []threatconnect.Option
		refused bool
	}{
		"loopback":                              {local, nil, false},
		"loopback by address":                   {"http://127.8.9.10/api", nil, false},
		"loopback by address of IPv6":           {"http://[::1]:8080/api", nil, false},
		"another machine":                       {"http://tc.example/api", nil, true},
		"another machine, allowed":              {"http://tc.example/api", []threatconnect.Option{plain}, false},
		"a name below localhost":                {"http://localhost.example/api", nil, true},
		"localhost with a dot":                  {"http://localhost./api", nil, true},
		"a short address":                       {"http://127.1/api", nil, true},
		"no address":                            {"http://0.0.0.0/api", nil, true},
		"no address of IPv6":                    {"http://[::]/api", nil, true},
		"a proxy":                               {local, []threatconnect.Option{threatconnect.WithProxy(remote)}, true},
		"a proxy with TLS":                      {local, []threatconnect.Option{threatconnect.WithProxy("https://proxy.example")}, true},
		"a SOCKS proxy":                         {local, []threatconnect.Option{threatconnect.WithProxy("socks5://proxy.example:1080")}, true},
		"a proxy, allowed":                      {local, []threatconnect.Option{threatconnect.WithProxy(remote), plain}, false},
		"a proxy on loopback":                   {local, []threatconnect.Option{threatconnect.WithProxy("http://user:x@127.0.0.1:3128")}, false},
		"a proxy for https":                     {"https://localhost:9/api", []threatconnect.Option{threatconnect.WithProxy(remote)}, false},
		"a proxy of a transport":                {local, []threatconnect.Option{transport(remote)}, true},
		"a proxy of a transport, allowed":       {local, []threatconnect.Option{transport(remote), plain}, false},
		"a proxy of a transport, on loopback":   {local, []threatconnect.Option{transport("http://[::1]:3128")}, false},
		"a proxy of an HTTP client":             {local, []threatconnect.Option{client(remote)}, true},
		"a proxy of an HTTP client for https":   {"https://localhost:9/api", []threatconnect.Option{client(remote)}, false},
		"a proxy of an HTTP client on loopback": {local, []threatconnect.Option{client("http://localhost:3128")}, false},
	} {
		_, err := threatconnect.NewClient(tc.base, threatconnect.Token("APIV2:t0k3n"), tc.options...)
		assert.Equal(t, tc.refused, errors.Is(err, threatconnect.ErrValidation), "%s: %v", name, err)
		assert.Equal(t, tc.refused, err != nil, name)
	}
	for _, base := range []string{local, "http://tc.example/api"} {
		for _, allowed := range []bool{false, true} {
			_, err := threatconnect.NewPlaybookTrigger(base+"/playbook/x", &threatconnect.PlaybookTriggerOptions{PlainHTTP: allowed, HTTPClient: &http.Client{Transport: &http.Transport{Proxy: proxyAt(remote)}}})
			assert.Equal(t, allowed, err == nil, "trigger %s %v", base, err)
		}
	}

	// A Proxy function may change its result.
	var asked atomic.Int32
	h := &http.Client{Transport: &http.Transport{
		Proxy: func(*http.Request) (*url.URL, error) {
			if asked.Add(1) <= 2 { // while the client and the trigger are created
				return nil, nil
			}
			return url.Parse(remote)
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("something is dialed")
			return nil, errors.New("no")
		},
	}}
	c := newClient(t, local, threatconnect.WithHTTPClient(h))
	trigger, err := threatconnect.NewPlaybookTrigger(local+"/playbook/x", &threatconnect.PlaybookTriggerOptions{HTTPClient: h})
	require.NoError(t, err)
	_, err = c.Owners.Whoami(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	_, err = trigger.Fire(t.Context(), nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	require.ErrorIs(t, calls["POST"](t.Context(), c), threatconnect.ErrValidation)
	require.EqualValues(t, 5, asked.Load(), "no retries")
}

// Package net/http reads the environment once per process, so the test starts a process.
func TestLoopbackIgnoresEnvironmentProxy(t *testing.T) {
	t.Parallel()
	if base := os.Getenv("TEST_LOOPBACK_BASE"); base != "" {
		proxy, err := newClient(t, base).Proxy(httptest.NewRequest(http.MethodGet, base, nil))
		require.NoError(t, err)
		require.Nil(t, proxy)
		proxy, err = newClient(t, "http://tc.example/api", threatconnect.WithPlainHTTP()).Proxy(httptest.NewRequest(http.MethodGet, "http://tc.example/api", nil))
		require.NoError(t, err)
		require.NotNil(t, proxy)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestLoopbackIgnoresEnvironmentProxy$")
	cmd.Env = append(os.Environ(), "TEST_LOOPBACK_BASE=http://127.0.0.1:9/api", "HTTP_PROXY=http://203.0.113.5:3128", "http_proxy=", "REQUEST_METHOD=", "NO_PROXY=", "no_proxy=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestThreatTLS checks each way to set a TLS configuration, with unsafe configurations and unsafe servers.
func TestThreatTLS(t *testing.T) {
	t.Parallel()
	verify := func(tls.ConnectionState) error { return nil }
	doors := map[string]func(base string, c *tls.Config) (func(context.Context) error, error){
		"WithTLSConfig": func(base string, c *tls.Config) (func(context.Context) error, error) {
			return whoamiOf(base, threatconnect.WithTLSConfig(c))
		},
		"WithTransport": func(base string, c *tls.Config) (func(context.Context) error, error) {
			return whoamiOf(base, threatconnect.WithTransport(&http.Transport{TLSClientConfig: c}))
		},
		"WithHTTPClient": func(base string, c *tls.Config) (func(context.Context) error, error) {
			return whoamiOf(base, threatconnect.WithHTTPClient(&http.Client{Transport: &http.Transport{TLSClientConfig: c}}))
		},
		"a trigger": func(base string, c *tls.Config) (func(context.Context) error, error) {
			trigger, err := threatconnect.NewPlaybookTrigger(base+"/playbook/x", &threatconnect.PlaybookTriggerOptions{HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: c}}, Retry: threatconnect.RetryPolicy{MaxAttempts: 1}})
			return func(ctx context.Context) error { _, err := trigger.Fire(ctx, nil); return err }, err
		},
	}
	good, roots := certificate(t, "localhost", time.Now().Add(time.Hour))
	var asked atomic.Int32
	serve := func(most uint16) string {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_, _ = io.WriteString(w, whoami)
		}))
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: most}
		srv.StartTLS()
		t.Cleanup(srv.Close)
		return strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/api"
	}
	modern, old := serve(tls.VersionTLS13), serve(tls.VersionTLS11)
	for name, door := range doors {
		for _, c := range []*tls.Config{
			{InsecureSkipVerify: true}, {InsecureSkipVerify: true, RootCAs: roots, ServerName: "localhost"}, {MaxVersion: tls.VersionTLS11}, {MaxVersion: tls.VersionTLS10, RootCAs: roots},
		} {
			_, err := door(modern, c)
			require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		}
		low := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}
		call, err := door(old, low)
		if name == "WithTLSConfig" { // which raises the version in a copy
			require.NoError(t, err)
			require.ErrorContains(t, call(t.Context()), "protocol version")
		} else {
			require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		}
		for _, c := range []*tls.Config{{}, {MinVersion: tls.VersionTLS12}} {
			call, err := door(modern, c)
			require.NoError(t, err, name)
			require.ErrorContains(t, call(t.Context()), "unknown authority", name)
		}
		call, err = door(old, &tls.Config{RootCAs: roots})
		require.NoError(t, err, name)
		require.ErrorContains(t, call(t.Context()), "protocol version", name)
		require.Zero(t, asked.Load(), "no request was sent")
		for _, c := range []*tls.Config{{RootCAs: roots}, {InsecureSkipVerify: true, VerifyConnection: verify}} {
			call, err := door(modern, c)
			require.NoError(t, err, name)
			require.NoError(t, call(t.Context()), name)
		}
		require.EqualValues(t, 2, asked.Swap(0), name)
	}
}

// TestNewClientWithTransportInUse creates clients while their transport sends its first request, for the race detector.
func TestNewClientWithTransportInUse(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	var tr http.Transport
	t.Cleanup(tr.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		if resp, err := tr.RoundTrip(req); assert.NoError(t, err) {
			assert.NoError(t, resp.Body.Close())
		}
	})
	for range 100 {
		_, err := threatconnect.NewClient("https://tc.example/api", threatconnect.Token("APIV2:t0k3n"), threatconnect.WithTransport(&tr))
		require.NoError(t, err)
	}
	wg.Wait()
}

// whoamiOf returns a Whoami call of a client with the option.
func whoamiOf(base string, option threatconnect.Option) (func(context.Context) error, error) {
	c, err := threatconnect.NewClient(base, threatconnect.Token("APIV2:t0k3n"), option, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	return func(ctx context.Context) error { _, err := c.Owners.Whoami(ctx); return err }, err
}

// TestThreatCredentialsStayAtTheBaseURL checks that no response can direct credentials elsewhere. The platform
// points elsewhere in all ways that HTTP and the API have.
func TestThreatCredentialsStayAtTheBaseURL(t *testing.T) {
	t.Parallel()
	places := []string{"https://evil.example/api/v2/whoami", "//evil.example/api/", "https://tc.example:8443/api/", "http://tc.example/api/", "https://tc.example/other", "/other", "../../other", "https://tc.example.evil.example/api/"}
	sentTo := func(t *testing.T, reqs []*http.Request) {
		t.Helper()
		for _, req := range reqs {
			require.NotEmpty(t, req.Header.Get("Authorization"))
			assert.Equal(t, "https tc.example tc.example", req.URL.Scheme+" "+req.URL.Host+" "+req.Host)
			line := req.URL.RequestURI()
			assert.True(t, strings.HasPrefix(line, "/api/v2/") || strings.HasPrefix(line, "/api//"), line)
			raw, _, _ := strings.Cut(line, "?")
			assert.True(t, strings.HasPrefix(path.Clean(raw), "/api/"), line)
			decoded, err := url.PathUnescape(strings.ReplaceAll(strings.ReplaceAll(raw, "%2F", "-"), "%2f", "-"))
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(path.Clean(decoded), "/api/"), "%s after a server decodes all but slashes", line)
		}
	}
	total := 0
	for i, place := range places {
		header := []string{"Location", place, "Content-Location", place, "Link", "<" + place + `>; rel="next"`, "Refresh", "0; url=" + place, "Alt-Svc", `h2="evil.example:443"`, "Set-Cookie", "a=b; Domain=evil.example"}
		thing := `{"id":1,"webLink":"` + place + `","href":"` + place + `","next":"` + place + `","summary":"a.example","type":"Host","name":"x"}`
		for _, status := range []int{200, 201, 301, 302, 303, 307, 308} {
			s := &wiretest.Steps{Do: steps{wiretest.Answer(status, `{"status":"Success","next":"`+place+`","data":{"next":"`+place+`","resultCount":3,"host":`+thing+`,"indicator":[`+thing+`],"group":[`+thing+`]}}`, header...)}}
			c := clientOf(t, s, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1}))
			if i == 0 {
				for _, call := range shapeCalls {
					_, _ = call(t.Context(), c)
				}
			}
			for _, call := range calls {
				_ = call(t.Context(), c)
			}
			for n := range c.Indicators.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 1}}) {
				if n == nil || s.Count() > 1000 {
					break
				}
			}
			sentTo(t, s.Sent)
			total += s.Count()
		}
	}
	require.Greater(t, total, 500)

	// Do sends requests below the base URL, or refuses them.
	refused := []string{"", "v2/whoami", "https://evil.example/", "http:/evil", "/v2/../../other", "/../x", "/v2/%2e%2e/%2E%2E/x", "/v2/.%2e/x", "/v2/./x", "/v2/..", "/v2/whoami?a=b", "/v2/whoami#x", `/v2\..\x`, "/v2/a b", "/v2/%", "/v2/%zz", "/v2/\r\nHost: evil.example", "/v2/é", "/v2/@evil.example:443 HTTP/1.1"}
	sent := []string{"/v2/whoami", "//evil.example/x", "///x", "//", "/v2/@evil.example", "/@evil.example/", "/:443/", "/v2/https:%2F%2Fevil.example", "/v2/%2f..%2f..%2fx", "/v2/..x/...", "/v2/;/x"}
	for _, p := range append(slices.Clone(refused), sent...) {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, "{}")}}
		resp, err := clientOf(t, s).Do(t.Context(), threatconnect.Request{Method: "GET", Path: p})
		if err == nil {
			_ = resp.Body.Close()
		}
		if slices.Contains(refused, p) {
			require.ErrorIs(t, err, threatconnect.ErrValidation, p)
			require.Zero(t, s.Count(), p)
			continue
		}
		require.NoError(t, err, p)
		require.Equal(t, 1, s.Count())
		req := s.Sent[0]
		assert.Equal(t, "https tc.example tc.example", req.URL.Scheme+" "+req.URL.Host+" "+req.Host, p)
		assert.Equal(t, "/api"+p, req.URL.RequestURI())
		again, err := url.Parse(req.URL.String())
		require.NoError(t, err)
		assert.Equal(t, "tc.example", again.Host, p)
	}
	for _, name := range []string{"Authorization", "Host", "Timestamp", "authorization"} {
		_, err := clientOf(t, &wiretest.Steps{}).Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/whoami", Header: http.Header{name: {"evil.example"}}})
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}

	// The address of a trigger is a credential, and so is its password.
	var asked []string
	rt := wiretest.Func(func(req *http.Request) (*http.Response, error) {
		asked = append(asked, req.URL.String())
		return wiretest.Reply(307, "", "Location", "https://evil.example/", "Refresh", "0; url=https://evil.example/"), nil
	})
	const address = "https://tc.example/api/playbook/" + secretTrigger
	trigger, err := threatconnect.NewPlaybookTrigger(address, &threatconnect.PlaybookTriggerOptions{Username: "user", Password: proxyPassword, HTTPClient: &http.Client{Transport: rt}})
	require.NoError(t, err)
	_, err = trigger.Fire(t.Context(), nil)
	require.Error(t, err)
	assert.Equal(t, []string{address}, asked)
}

// TestBreakClosesStreamAndKeepsListConnection counts the connections to a real server.
func TestBreakClosesStreamAndKeepsListConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	conns := map[string]bool{}
	ended := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		conns[req.RemoteAddr] = true
		mu.Unlock()
		if strings.Contains(req.URL.Path, "/bulk/") {
			_, _ = io.WriteString(w, `{"indicator":[`)
			for {
				if _, err := io.WriteString(w, strings.Repeat(`{"type":"Host","summary":"a.example"},`, 1000)); err != nil {
					ended <- struct{}{}
					return
				}
			}
		}
		_, _ = io.WriteString(w, `{"status":"Success","data":{"resultCount":500,"host":[{"id":1,"hostName":"a.example"},{"id":2,"hostName":"b.example"}]}}`)
	}))
	defer srv.Close()
	c := newClient(t, srv.URL+"/api")
	for range 10 {
		for _, err := range c.Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}) {
			require.NoError(t, err)
			break
		}
	}
	assert.Len(t, conns, 1, "a page is read completely, so its connection is reused")
	for _, err := range c.InOwner("Example Source").Bulk.JSON(t.Context()) {
		require.NoError(t, err)
		break
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the server kept sending")
	}
	func() {
		defer func() { assert.Equal(t, "mine", recover()) }()
		for range c.InOwner("Example Source").Bulk.JSON(t.Context()) {
			panic("mine")
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the server kept sending after a panic")
	}
}
