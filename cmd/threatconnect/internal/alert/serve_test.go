package alert

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
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

// buffer is a bytes.Buffer that is safe for concurrent use.
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

// newTestWebhook returns the handler of --listen, which writes its log to log, and its instance.
func newTestWebhook(t *testing.T, log io.Writer, change func(*config)) (http.Handler, *threatconnecttest.Server) {
	t.Helper()
	srv := newSampleServer(t)
	srv.ResetRequests()
	h := newTestHandler(t, srv.Client())
	h.log = slog.New(slog.NewTextHandler(log, nil))
	h.user, h.password = "siem", "s3cr3t"
	change(h.config)
	w := newWebhook(t.Context(), h)
	t.Cleanup(w.refused.close)
	return w.mux(), srv
}

// newRequest returns the request of a sender, with the right password.
func newRequest(t *testing.T, body string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("siem", "s3cr3t")
	return r
}

func send(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(t *testing.T, h http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	return send(h, newRequest(t, body))
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	as := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	typed := func(typ string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Content-Type", typ) }
	}
	for name, tc := range map[string]struct {
		change func(*config)
		edit   func(*http.Request)
		body   string
		status int
		answer string
	}{
		"alert":               {body: sampleAlert, status: 200, answer: `"linked": 3`},
		"charset":             {edit: typed("application/json; charset=utf-8"), body: `{"id":"1"}`, status: 200, answer: `"event": null`},
		"form of a browser":   {edit: typed("text/plain"), body: sampleAlert, status: 415, answer: "application/json"},
		"no type":             {edit: typed(""), body: sampleAlert, status: 415, answer: "application/json"},
		"GET":                 {edit: func(r *http.Request) { r.Method = "GET" }, status: 405, answer: "POST"},
		"no JSON":             {body: "hello", status: 400, answer: "not a JSON object"},
		"large":               {change: func(c *config) { c.maxBody = 20 }, body: sampleAlert, status: 413, answer: "more bytes than --max-body"},
		"largest":             {change: func(c *config) { c.maxBody = int64(len(sampleAlert)) }, body: sampleAlert, status: 200, answer: `"linked": 3`},
		"no password":         {edit: func(r *http.Request) { r.Header.Del("Authorization") }, body: sampleAlert, status: 401, answer: "send the user name and the password"},
		"wrong password":      {edit: as("siem", "x"), body: sampleAlert, status: 401, answer: "wrong"},
		"wrong user name":     {edit: as("x", "s3cr3t"), body: sampleAlert, status: 401, answer: "wrong"},
		"empty password":      {edit: as("", ""), body: sampleAlert, status: 401, answer: "wrong"},
		"no password set":     {change: func(c *config) { c.user, c.password = "", "" }, edit: as("", ""), body: sampleAlert, status: 401, answer: "wrong"},
		"no password wanted":  {change: func(c *config) { c.noAuth = true }, edit: as("", ""), body: sampleAlert, status: 200, answer: `"handled": true`},
		"other scheme":        {edit: func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cr3t") }, body: sampleAlert, status: 401, answer: "wrong"},
		"password and POST":   {edit: func(r *http.Request) { r.URL.Path = "/healthz" }, body: sampleAlert, status: 200, answer: `"linked": 3`},
		"password after name": {edit: as("siem\x00s3cr3t", ""), body: sampleAlert, status: 401, answer: "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.change == nil {
				tc.change = func(*config) {}
			}
			h, srv := newTestWebhook(t, io.Discard, tc.change)
			r := newRequest(t, tc.body)
			if tc.edit != nil {
				tc.edit(r)
			}
			w := send(h, r)
			assert.Equal(t, tc.status, w.Code, w.Body)
			assert.Contains(t, w.Body.String(), tc.answer)
			assert.True(t, json.Valid(w.Body.Bytes()))
			if tc.status != 200 {
				assert.Empty(t, srv.Requests(), "the platform gets no request")
			}
		})
	}
}

func TestWebhookDuringAnOutage(t *testing.T) {
	t.Parallel()
	h, srv := newTestWebhook(t, io.Discard, func(*config) {})
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 403, Body: "no", Times: -1}))
	w := post(t, h, sampleAlert)
	assert.Equal(t, http.StatusBadGateway, w.Code)
	assert.NotContains(t, w.Body.String(), "203.0.113.42")
}

func TestWebhookSkipsRejectedValues(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a_b.example", "x.stix2", "1.3.4b1", "OpenSSH_6.4p1", "x@t6.php"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			h, srv := newTestWebhook(t, io.Discard, func(c *config) { c.storeUnknown = true })
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
	h, srv := newTestWebhook(t, io.Discard, func(*config) {})
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
	h, _ := newTestWebhook(t, io.Discard, func(*config) {})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
	r.Host = "balancer.example"
	assert.Equal(t, http.StatusOK, send(h, r).Code, "probes need no password and no name of the listener")
}

// In a burst, a limited number of alerts waits for a limited time. The others are refused and must be sent again.
func TestWebhookBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, srv := newTestWebhook(t, io.Discard, func(*config) {})
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
		assert.Positive(t, codes[503], "alerts that waited until the timeout")
		assert.Equal(t, handleTimeout, time.Since(start))
		srv.ClearFaults()
		assert.Equal(t, map[int]int{200: 10}, burst(10))
	})
}

// listener is a running command with --listen.
type listener struct {
	url    string
	stderr *buffer
	stop   func()
	ended  chan int
}

func startListener(t *testing.T, env map[string]string, args ...string) *listener {
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

// send posts an alert and returns the status of the response.
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

func TestListenShutdownFinishesReceivedAlerts(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	env["ALERT_USER"], env["ALERT_PASSWORD"] = "siem", "s3cr3t"
	l := startListener(t, env)
	srv.ResetRequests()
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 200 * time.Millisecond}))
	answered := make(chan int, 1)
	go func() { answered <- l.send(t, http.DefaultClient) }()
	require.Eventually(t, func() bool { return len(srv.Requests()) > 0 }, 10*time.Second, time.Millisecond)
	l.stop()
	assert.Equal(t, 200, <-answered)
	assert.Equal(t, cli.Success, <-l.ended)
	assert.Len(t, srv.Groups(sampleOwner), 1)
	assert.Contains(t, l.stderr.String(), "Stopping after the received alerts are handled.")
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
	env["ALERT_USER"], env["ALERT_PASSWORD"] = "siem", "s3cr3t"
	l := startListener(t, env, "--tls-cert", certificate, "--tls-key", key)
	assert.True(t, strings.HasPrefix(l.url, "https://"))
	assert.Equal(t, 200, l.send(t, tlsServer.Client()))
	l.stop()
	assert.Equal(t, cli.Success, <-l.ended)

	r := run(t, env, "", owner("--listen", "127.0.0.1:0", "--tls-cert", key, "--tls-key", certificate)...)
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stderr, "--tls-cert and --tls-key: ")
	assert.NotContains(t, r.stderr, "Waiting for alerts", "it does not listen")
}
