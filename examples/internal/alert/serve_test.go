package alert

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// quiet is a writer that several goroutines write to.
type quiet struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (q *quiet) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.Write(p)
}

func (q *quiet) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.String()
}

// newWebhook returns a listener's handler and the server behind it.
func newWebhook(t *testing.T, change func(*config)) (http.Handler, *threatconnecttest.Server) {
	t.Helper()
	srv, _ := newInstance(t)
	e := &command.Env{Args: []string{"-owner", demoOwner}, Stderr: &quiet{}, Getenv: func(string) string { return "" }}
	c, err := parse(e)
	require.NoError(t, err)
	change(c)
	h, err := newHandler(c, srv.Client())
	require.NoError(t, err)
	return h.webhook(t.Context(), e), srv
}

func TestWebhookAnswersEveryAlertWithWhatWasDecided(t *testing.T) {
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
		{"an alert", func(*config) {}, "POST", "application/json", demoAlert, [2]string{}, 200, `"linked": 3`},
		{"with a charset", func(*config) {}, "POST", "application/json; charset=utf-8", `{"id":"1"}`, [2]string{}, 200, `"event": null`},
		{"a browser's form", func(*config) {}, "POST", "text/plain", demoAlert, [2]string{}, 415, "application/json"},
		{"no type", func(*config) {}, "POST", "", demoAlert, [2]string{}, 415, "application/json"},
		{"a GET", func(*config) {}, "GET", "", "", [2]string{}, 405, "POST"},
		{"no JSON", func(*config) {}, "POST", "application/json", "hello", [2]string{}, 400, "not a JSON object"},
		{"too large", func(c *config) { c.maxBody = 20 }, "POST", "application/json", demoAlert, [2]string{}, 413, "larger than 20 bytes"},
		{"as large as allowed", func(c *config) { c.maxBody = int64(len(demoAlert)) }, "POST", "application/json", demoAlert, [2]string{}, 200, `"linked": 3`},
		{"no password", protected, "POST", "application/json", demoAlert, [2]string{}, 401, "wrong"},
		{"a wrong password", protected, "POST", "application/json", demoAlert, [2]string{"siem", "x"}, 401, "wrong"},
		{"the user name of nobody", protected, "POST", "application/json", demoAlert, [2]string{"x", "s3cr3t"}, 401, "wrong"},
		{"the password", protected, "POST", "application/json", demoAlert, [2]string{"siem", "s3cr3t"}, 200, `"linked": 3`},
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

func TestWebhookSaysWhenThePlatformFails(t *testing.T) {
	t.Parallel()
	h, srv := newWebhook(t, func(*config) {})
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 403, Body: "no", Times: -1})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(demoAlert))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Equal(t, http.StatusBadGateway, w.Code)
	assert.NotContains(t, w.Body.String(), "203.0.113.42")
}

func TestWebhookNotifiesOfAnAlertWithAValueThatThePlatformRefuses(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a_b.example", "x.stix2", "1.3.4b1", "OpenSSH_6.4p1", "x@t6.php"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			h, srv := newWebhook(t, func(c *config) { c.storeUnknown = true })
			for range 2 {
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(
					`{"id":"1","title":"C2 beacon","dns":{"question":{"name":"`+value+`"}},"src_ip":"203.0.113.42"}`))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.Equal(t, 200, w.Code, w.Body)
				var out report
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
				assert.Equal(t, refuse, actions(&out)[value])
				assert.Equal(t, 1, out.Event.Linked)
				require.Len(t, srv.Groups(demoOwner), 1)
				assert.Len(t, srv.Groups(demoOwner)[0].Attributes, 1)
				assert.Len(t, srv.Indicators(demoOwner), 1)
				assert.Len(t, srv.Notifications(), 1)
			}
		})
	}
}

func TestWebhookStoresAnAlertThatComesTwiceAtOnceOnce(t *testing.T) {
	t.Parallel()
	h, srv := newWebhook(t, func(*config) {})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(demoAlert))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, 200, w.Code)
		})
	}
	all.Wait()
	assert.Len(t, srv.Groups(demoOwner), 1)
	assert.Len(t, srv.Notifications(), 1)
}

func TestWebhookTurnsAwayWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	h, srv := newWebhook(t, func(*config) {})
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 300 * time.Millisecond})
	var mu sync.Mutex
	codes := map[int]int{}
	var all sync.WaitGroup
	for range 3 * waiting {
		all.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(demoAlert))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
			if w.Code == http.StatusServiceUnavailable {
				assert.NotEmpty(t, w.Header().Get("Retry-After"))
			}
		})
	}
	all.Wait()
	assert.GreaterOrEqual(t, codes[200], waiting)
	assert.Equal(t, 3*waiting, codes[200]+codes[503])
	assert.Positive(t, codes[503])
}

// listener is a command that listens.
type listener struct {
	url    string
	stderr *quiet
	stop   func()
	ended  chan int
}

func listen(t *testing.T, env map[string]string, args ...string) *listener {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	l := &listener{stderr: &quiet{}, stop: stop, ended: make(chan int, 1)}
	go func() {
		l.ended <- Run(ctx, &command.Env{
			Args:  append([]string{"-listen", "127.0.0.1:0", "-owner", demoOwner}, args...),
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: l.stderr, Getenv: func(k string) string { return env[k] },
		})
	}()
	require.Eventually(t, func() bool {
		at := regexp.MustCompile(`waiting for alerts on (https?://\S+);`).FindStringSubmatch(l.stderr.String())
		if at != nil {
			l.url = at[1]
		}
		return at != nil
	}, 10*time.Second, time.Millisecond, "%s", l.stderr)
	return l
}

// send posts an alert and returns the status of the answer.
func (l *listener) send(t *testing.T, client *http.Client) int {
	r, err := http.NewRequestWithContext(t.Context(), "POST", l.url, strings.NewReader(demoAlert))
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

func TestListenerFinishesWhatHasComeInBeforeItStops(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	env["ALERT_USER"], env["ALERT_PASSWORD"] = "siem", "s3cr3t"
	l := listen(t, env)
	srv.ResetRequests()
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 200 * time.Millisecond})
	answered := make(chan int, 1)
	go func() { answered <- l.send(t, http.DefaultClient) }()
	require.Eventually(t, func() bool { return len(srv.Requests()) > 0 }, 10*time.Second, time.Millisecond)
	l.stop()
	assert.Equal(t, 200, <-answered)
	assert.Equal(t, command.OK, <-l.ended)
	assert.Len(t, srv.Groups(demoOwner), 1)
	assert.Contains(t, l.stderr.String(), "stopping after the alerts that have come in")
	assert.Contains(t, l.stderr.String(), "3 to store, 0 to keep, 4 ignored, 2 refused")
	assert.NotContains(t, l.stderr.String(), "s3cr3t")
	assert.NotContains(t, l.stderr.String(), "203.0.113.42")
}

func TestListenerServesHTTPS(t *testing.T) {
	t.Parallel()
	_, env := newInstance(t)
	certificate, key, roots := selfSigned(t)
	l := listen(t, env, "-tls-cert", certificate, "-tls-key", key)
	assert.True(t, strings.HasPrefix(l.url, "https://"))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	assert.Equal(t, 200, l.send(t, &http.Client{Transport: transport}))
	l.stop()
	assert.Equal(t, command.OK, <-l.ended)

	r := run(t, env, "", "-owner", demoOwner, "-listen", "127.0.0.1:0", "-tls-cert", key, "-tls-key", certificate)
	assert.Equal(t, command.Error, r.code)
}

// selfSigned writes a certificate for 127.0.0.1 and its key, and returns what trusts it.
func selfSigned(t *testing.T) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(certificate, text, 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	roots = x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(text))
	return certificate, key, roots
}
