package threatconnect_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
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

const proxyPassword = "pr0xy-Passw0rd"

// tunnel is a proxy that connects clients with its password to one address, whatever they ask for.
type tunnel struct {
	to      string
	mu      sync.Mutex
	asked   []*http.Request
	refused atomic.Int32
}

func (p *tunnel) serve(conn *net.TCPConn) {
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, req)
	p.mu.Unlock()
	if req.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+proxyPassword)) {
		p.refused.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\""+proxyPassword+"\"\r\nContent-Length: 0\r\n\r\n")
		return
	}
	out, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	var copying sync.WaitGroup
	copying.Go(func() {
		_, _ = io.Copy(out, r)
		_ = out.Close()
	})
	_, _ = io.Copy(conn, out)
	_ = conn.Close()
	copying.Wait()
}

func TestProxyGetsOnlyItsOwnPassword(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t, "tc.example", time.Now().Add(time.Hour))
	var header http.Header
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		header = req.Header.Clone()
		_, _ = io.WriteString(w, whoami)
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	defer srv.Close()
	p := &tunnel{to: srv.Listener.Addr().String()}
	base, _ := rawServer(t, p.serve)
	addr := strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api")
	trust := threatconnect.WithTLSConfig(&tls.Config{RootCAs: roots})

	_, err := newClient(t, "https://tc.example/api", trust, threatconnect.WithProxy("http://user:"+proxyPassword+"@"+addr)).Owners.Whoami(soon(t))
	require.NoError(t, err)
	assert.Empty(t, header.Get("Proxy-Authorization"), "the platform does not learn the proxy's password")
	require.Len(t, p.asked, 1)
	assert.Equal(t, "CONNECT", p.asked[0].Method)
	assert.Equal(t, "tc.example:443", p.asked[0].Host)
	for _, name := range []string{"Authorization", "Timestamp"} {
		assert.Empty(t, p.asked[0].Header.Get(name), "nor does the proxy learn a signature")
	}

	_, err = newClient(t, "https://tc.example/api", trust, threatconnect.WithProxy("http://user:wrong-"+proxyPassword+"@"+addr)).Owners.Whoami(soon(t))
	require.ErrorContains(t, err, `the proxy "`+addr+`" answered 407 Proxy Authentication Required`)
	assert.NotContains(t, err.Error(), proxyPassword)
	assert.EqualValues(t, 1, p.refused.Load())
}

func TestProxyAnsweringForPlatform(t *testing.T) {
	t.Parallel()
	const page = "<html><title>Blocked by policy</title></html>"
	answers := func(text string) func(*net.TCPConn) {
		return func(conn *net.TCPConn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, text)
			}
		}
	}
	for name, tc := range map[string]struct {
		base  string
		serve func(*net.TCPConn)
		says  string
		is    error
		conns int32
	}{
		"a page behind a connection": {"https://tc.example/api", answers("HTTP/1.1 200 OK\r\n\r\n" + page), "EOF", nil, 3},
		"a page in place of TLS": {"https://tc.example/api", func(conn *net.TCPConn) {
			answers("HTTP/1.1 200 OK\r\n\r\n")(conn)
			_, _ = conn.Read(make([]byte, 1)) // TLS begins
			_, _ = io.WriteString(conn, page)
		}, "does not look like a TLS handshake", nil, 1},
		"a page in place of one": {"https://tc.example/api", answers("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 46\r\n\r\n" + page),
			"answered 403 Forbidden", nil, 1},
		"words of another protocol": {"https://tc.example/api", answers("SSH-2.0-OpenSSH_9.6\r\n"), "malformed HTTP response", nil, 3},
		"nothing":                   {"https://tc.example/api", answers(""), "EOF", nil, 3},
		"headers without end":       {"https://tc.example/api", answers("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 4<<20)), "", nil, 0},
		"a page over plain HTTP": {"http://tc.example/api", answers("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + page),
			"an HTML page came instead of the API's answer", threatconnect.ErrBadResponse, 3},
		"407 over plain HTTP": {"http://tc.example/api", answers("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + page),
			"407 Proxy Authentication Required", threatconnect.ErrBadResponse, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, conns := rawServer(t, tc.serve)
			addr := strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api")
			_, err := newClient(t, tc.base, threatconnect.WithPlainHTTP(), threatconnect.WithProxy("http://user:"+proxyPassword+"@"+addr)).Owners.Whoami(soon(t))
			require.Error(t, err)
			assert.ErrorContains(t, err, tc.says)
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			}
			if tc.conns > 0 {
				assert.Equal(t, tc.conns, conns.Load(), "%v", err)
			}
			assert.NotContains(t, err.Error(), proxyPassword)
			checkShown(t, err)
		})
	}
}

func TestRejectingSOCKSProxy(t *testing.T) {
	t.Parallel()
	base, conns := rawServer(t, func(conn *net.TCPConn) {
		buf := make([]byte, 512)
		if _, err := conn.Read(buf); err != nil {
			return
		}
		_, _ = conn.Write([]byte{5, 2}) // requires a password
		if _, err := conn.Read(buf); err != nil {
			return
		}
		_, _ = conn.Write([]byte{1, 1}) // refuses the password
	})
	addr := strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api")
	_, err := newClient(t, "https://tc.example/api", threatconnect.WithProxy("socks5://user:"+proxyPassword+"@"+addr)).Owners.Whoami(soon(t))
	require.ErrorContains(t, err, "authentication failed")
	assert.NotContains(t, err.Error(), proxyPassword)
	assert.EqualValues(t, 1, conns.Load(), "another attempt would be refused as well")
}

func TestProxyWithUnknownCertificate(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, "localhost", time.Now().Add(time.Hour))
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	defer srv.Close()
	_, err := newClient(t, "https://tc.example/api", threatconnect.WithProxy("https://user:"+proxyPassword+"@"+strings.Replace(srv.Listener.Addr().String(), "127.0.0.1", "localhost", 1))).Owners.Whoami(soon(t))
	var r *threatconnect.RequestError
	require.ErrorAs(t, err, &r)
	assert.ErrorContains(t, err, "unknown authority")
	assert.Equal(t, 1, r.Attempts)
	assert.NotContains(t, err.Error(), proxyPassword)
}

func TestInvalidEnvironmentProxyIsRejected(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		refused     bool
	}{
		{"HTTPS_PROXY", `corp\jdoe:` + proxyPassword + `@proxy.example:3128`, true},
		{"https_proxy", "http://user:" + proxyPassword + "%@proxy.example", true},
		{"HTTPS_PROXY", "http://", true},
		{"HTTPS_PROXY", "proxy.example:3128", false},
		{"https_proxy", "socks5://user:" + proxyPassword + "@proxy.example", false},
		{"NO_PROXY", "*", false},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			t.Setenv("HTTPS_PROXY", "")
			t.Setenv("https_proxy", "")
			t.Setenv(tc.name, tc.value)
			creds := threatconnect.HMAC("id", "key")
			_, err := threatconnect.NewClient("https://tc.example", creds)
			_, ofTrigger := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/x", nil)
			assert.Equal(t, err, ofTrigger)
			if !tc.refused {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			assert.ErrorContains(t, err, tc.name)
			assert.NotContains(t, err.Error(), proxyPassword)
			_, err = threatconnect.NewClient("https://tc.example", creds, threatconnect.WithProxy("http://proxy.example"))
			require.NoError(t, err)
			_, err = threatconnect.NewClient("https://tc.example", creds, threatconnect.WithTransport(&wiretest.Steps{}))
			require.NoError(t, err)
		})
	}
}

func TestClientProxy(t *testing.T) {
	t.Parallel()
	const proxy = "http://user:" + proxyPassword + "@proxy.example:3128"
	fixed := func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
	feed := httptest.NewRequest(http.MethodGet, "https://feed.example/list.txt", nil)
	for name, tc := range map[string]struct {
		option threatconnect.Option
		want   string
	}{
		"of WithProxy":               {threatconnect.WithProxy(proxy), proxy},
		"of a transport":             {threatconnect.WithTransport(&http.Transport{Proxy: fixed}), proxy},
		"of a transport without one": {threatconnect.WithTransport(&http.Transport{}), ""},
		"of an HTTP client":          {threatconnect.WithHTTPClient(&http.Client{Transport: &http.Transport{Proxy: fixed}}), proxy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, "https://tc.example/api", tc.option)
			for _, c := range []*threatconnect.Client{client, client.InOwner("Example Source")} {
				got, err := c.Proxy(feed)
				require.NoError(t, err)
				if tc.want == "" {
					assert.Nil(t, got)
				} else {
					assert.Equal(t, tc.want, got.String())
				}
			}
		})
	}
	failing := newClient(t, "https://tc.example/api", threatconnect.WithTransport(&http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		return nil, errors.New("invalid proxy address " + proxy)
	}}))
	for _, r := range []*http.Request{feed, nil, {}} {
		_, err := failing.Proxy(r)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		assert.NotContains(t, err.Error(), proxyPassword)
	}
	for _, unusable := range []*threatconnect.Client{nil, {}, (*threatconnect.Client)(nil).InOwner("x")} {
		_, err := unusable.Proxy(feed)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
}

// Package net/http reads the environment once per process, so each case is a process. It refuses HTTP_PROXY in CGI
// programs, where a client could set it.
func TestClientProxyFromEnvironment(t *testing.T) {
	t.Parallel()
	if os.Getenv("TEST_PROXY_OF") != "" {
		for name, client := range map[string]*threatconnect.Client{
			"default": newClient(t, "https://tc.example/api"),
			"another": newClient(t, "https://tc.example/api", threatconnect.WithTransport(&wiretest.Steps{})),
			"empty":   newClient(t, "https://tc.example/api", threatconnect.WithHTTPClient(&http.Client{})),
		} {
			u, err := client.Proxy(httptest.NewRequest(http.MethodGet, os.Getenv("TEST_PROXY_OF"), nil))
			t.Logf("%s: proxy %v error %v", name, u, err)
		}
		return
	}
	for feed, want := range map[string]string{
		"https://feed.example/x": "proxy http://proxy.example:3128 error <nil>",
		"https://free.example/x": "proxy <nil> error <nil>",
		"http://feed.example/x":  "proxy <nil> error threatconnect: proxy cannot be determined",
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestClientProxyFromEnvironment$", "-test.v")
		cmd.Env = append(os.Environ(), "TEST_PROXY_OF="+feed, "HTTPS_PROXY=proxy.example:3128", "NO_PROXY=free.example", "HTTP_PROXY=http://user:"+proxyPassword+"@proxy.example", "REQUEST_METHOD=GET")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Equal(t, 3, strings.Count(string(out), want), "%s: %s", feed, out)
		assert.NotContains(t, string(out), proxyPassword)
	}
}
