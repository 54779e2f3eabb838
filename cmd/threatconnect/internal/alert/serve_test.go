package alert

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (q *buffer) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.Write(p)
}

func (q *buffer) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.String()
}

// newWebhook returns the handler of --listen and the instance.
func newWebhook(t *testing.T, change func(*config)) (http.Handler, *threatconnecttest.Server) {
	t.Helper()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, fillSample(srv))
	srv.ResetRequests()
	h := newTestHandler(t, srv.Client())
	change(h.config)
	return h.webhook(t.Context()), srv
}

// post sends an alert to the handler.
func post(t *testing.T, h http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	protected := func(c *config) { c.user, c.password = "siem", "s3cr3t" }
	for _, tc := range []struct {
		name   string
		change func(*config)
		method string
		typ    string
		body   string
		auth   [2]string
		status int
		answer string
	}{
		{"alert", func(*config) {}, "POST", "application/json", sampleAlert, [2]string{}, 200, `"linked": 3`},
		{"charset", func(*config) {}, "POST", "application/json; charset=utf-8", `{"id":"1"}`, [2]string{}, 200, `"event": null`},
		{"form of a browser", func(*config) {}, "POST", "text/plain", sampleAlert, [2]string{}, 415, "application/json"},
		{"no type", func(*config) {}, "POST", "", sampleAlert, [2]string{}, 415, "application/json"},
		{"GET", func(*config) {}, "GET", "", "", [2]string{}, 405, "POST"},
		{"no JSON", func(*config) {}, "POST", "application/json", "hello", [2]string{}, 400, "not a JSON object"},
		{"large", func(c *config) { c.maxBody = 20 }, "POST", "application/json", sampleAlert, [2]string{}, 413, "more bytes than --max-body"},
		{"largest", func(c *config) { c.maxBody = int64(len(sampleAlert)) }, "POST", "application/json", sampleAlert, [2]string{}, 200, `"linked": 3`},
		{"no password", protected, "POST", "application/json", sampleAlert, [2]string{}, 401, "wrong"},
		{"wrong password", protected, "POST", "application/json", sampleAlert, [2]string{"siem", "x"}, 401, "wrong"},
		{"wrong user name", protected, "POST", "application/json", sampleAlert, [2]string{"x", "s3cr3t"}, 401, "wrong"},
		{"password", protected, "POST", "application/json", sampleAlert, [2]string{"siem", "s3cr3t"}, 200, `"linked": 3`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, srv := newWebhook(t, tc.change)
			r := httptest.NewRequestWithContext(t.Context(), tc.method, "/", strings.NewReader(tc.body))
			r.Header.Set("Content-Type", tc.typ)
			if tc.auth[0] != "" {
				r.SetBasicAuth(tc.auth[0], tc.auth[1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, tc.status, w.Code, w.Body)
			assert.Contains(t, w.Body.String(), tc.answer)
			assert.True(t, json.Valid(w.Body.Bytes()))
			if tc.status != 200 {
				assert.Empty(t, srv.Requests(), "nothing was asked")
			}
		})
	}
}

func TestWebhookDuringAnOutage(t *testing.T) {
	t.Parallel()
	h, srv := newWebhook(t, func(*config) {})
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 403, Body: "no", Times: -1}))
	w := post(t, h, sampleAlert)
	assert.Equal(t, http.StatusBadGateway, w.Code)
	assert.NotContains(t, w.Body.String(), "203.0.113.42")
}

func TestWebhookWithValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a_b.example", "x.stix2", "1.3.4b1", "OpenSSH_6.4p1", "x@t6.php"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			h, srv := newWebhook(t, func(c *config) { c.storeUnknown = true })
			for range 2 {
				w := post(t, h, `{"id":"1","title":"C2 beacon","dns":{"question":{"name":"`+value+`"}},"src_ip":"203.0.113.42"}`)
				require.Equal(t, 200, w.Code, w.Body)
				var out report
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
				assert.Equal(t, refuse, decisions(&out)[value])
				assert.Equal(t, 1, out.Event.Linked)
				require.Len(t, srv.Groups(sampleOwner), 1)
				assert.Len(t, srv.Groups(sampleOwner)[0].Attributes, 1)
				assert.Len(t, srv.Indicators(sampleOwner), 1)
				assert.Len(t, srv.Notifications(), 1)
			}
		})
	}
}

func TestWebhookStoresSimultaneousCopiesOnce(t *testing.T) {
	t.Parallel()
	h, srv := newWebhook(t, func(*config) {})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w := post(t, h, sampleAlert)
			assert.Equal(t, 200, w.Code)
		})
	}
	all.Wait()
	assert.Len(t, srv.Groups(sampleOwner), 1)
	assert.Len(t, srv.Notifications(), 1)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	h, _ := newWebhook(t, func(c *config) { c.user, c.password = "siem", "s3cr3t" })
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil))
	assert.Equal(t, http.StatusOK, w.Code, "a probe has no password")
}

// In a burst, a bounded number of alerts waits, and their time is limited. The others have to be sent again.
func TestWebhookBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, srv := newWebhook(t, func(*config) {})
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: time.Second}))
		burst := func(n int) map[int]int {
			var mu sync.Mutex
			codes := map[int]int{}
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					w := post(t, h, sampleAlert)
					mu.Lock()
					defer mu.Unlock()
					codes[w.Code]++
					assert.Equal(t, w.Code == http.StatusServiceUnavailable, w.Header().Get("Retry-After") != "")
				})
			}
			all.Wait()
			return codes
		}
		assert.Equal(t, map[int]int{200: maxWaiting, 503: 20}, burst(maxWaiting+20))

		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: time.Hour, Times: -1}))
		start := time.Now()
		codes := burst(10)
		assert.Equal(t, 10, codes[502]+codes[503])
		assert.Positive(t, codes[503], "those that waited until the end")
		assert.Equal(t, handleTimeout, time.Since(start))
		srv.ClearFaults()
		assert.Equal(t, map[int]int{200: 10}, burst(10))
	})
}

// listener is a command that listens.
type listener struct {
	url    string
	stderr *buffer
	stop   func()
	ended  chan int
}

func listen(t *testing.T, env map[string]string, args ...string) *listener {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	l := &listener{stderr: &buffer{}, stop: stop, ended: make(chan int, 1)}
	go func() {
		e := &cli.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: l.stderr, Getenv: func(k string) string { return env[k] }}
		l.ended <- runCommand(ctx, e, append(owner("--listen", "127.0.0.1:0"), args...)...)
	}()
	require.Eventually(t, func() bool {
		at := regexp.MustCompile(`Waiting for alerts on (https?://\S+)\. `).FindStringSubmatch(l.stderr.String())
		if at != nil {
			l.url = at[1]
		}
		return at != nil
	}, 10*time.Second, time.Millisecond, "%s", l.stderr)
	return l
}

// send posts an alert and returns the status of the answer.
func (l *listener) send(t *testing.T, client *http.Client) int {
	r, err := http.NewRequestWithContext(t.Context(), "POST", l.url, strings.NewReader(sampleAlert))
	if !assert.NoError(t, err) {
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("siem", "s3cr3t")
	resp, err := client.Do(r)
	if !assert.NoError(t, err) {
		return 0
	}
	assert.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestListenEndsAfterReceivedAlerts(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	env["ALERT_USER"], env["ALERT_PASSWORD"] = "siem", "s3cr3t"
	l := listen(t, env)
	srv.ResetRequests()
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 200 * time.Millisecond}))
	answered := make(chan int, 1)
	go func() { answered <- l.send(t, http.DefaultClient) }()
	require.Eventually(t, func() bool { return len(srv.Requests()) > 0 }, 10*time.Second, time.Millisecond)
	l.stop()
	assert.Equal(t, 200, <-answered)
	assert.Equal(t, cli.Success, <-l.ended)
	assert.Len(t, srv.Groups(sampleOwner), 1)
	assert.Contains(t, l.stderr.String(), "Stopping after the alerts that were received.")
	assert.Contains(t, l.stderr.String(), "store=3 keep=0 ignore=4 refuse=2 failed=0")
	assert.NotContains(t, l.stderr.String(), "s3cr3t")
	assert.NotContains(t, l.stderr.String(), "203.0.113.42")
}

func TestListenHTTPS(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	tlsServer := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	defer tlsServer.Close()
	pair := tlsServer.TLS.Certificates[0]
	keyDER, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	}
	l := listen(t, env, "--tls-cert", certificate, "--tls-key", key)
	assert.True(t, strings.HasPrefix(l.url, "https://"))
	assert.Equal(t, 200, l.send(t, tlsServer.Client()))
	l.stop()
	assert.Equal(t, cli.Success, <-l.ended)

	r := run(t, env, "", owner("--listen", "127.0.0.1:0", "--tls-cert", key, "--tls-key", certificate)...)
	assert.Equal(t, cli.Failure, r.code)
}
