package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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

func TestListenerFinishesWhatHasComeInBeforeItStops(t *testing.T) {
	t.Parallel()
	srv, env := newInstance(t)
	env["ALERT_USER"], env["ALERT_PASSWORD"] = "siem", "s3cr3t"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stderr := &quiet{}
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, &command.Env{
			Args:  []string{"-listen", "127.0.0.1:0", "-owner", demoOwner},
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr, Getenv: func(k string) string { return env[k] },
		})
	}()
	var at []string
	require.Eventually(t, func() bool {
		at = regexp.MustCompile(`waiting for alerts on (http://\S+);`).FindStringSubmatch(stderr.String())
		return at != nil
	}, 10*time.Second, time.Millisecond)

	srv.ResetRequests()
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 200 * time.Millisecond})
	answered := make(chan int, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), "POST", at[1], strings.NewReader(demoAlert))
		assert.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth("siem", "s3cr3t")
		resp, err := http.DefaultClient.Do(r)
		if !assert.NoError(t, err) {
			answered <- 0
			return
		}
		assert.NoError(t, resp.Body.Close())
		answered <- resp.StatusCode
	}()
	require.Eventually(t, func() bool { return len(srv.Requests()) > 0 }, 10*time.Second, time.Millisecond)
	stop()
	assert.Equal(t, 200, <-answered)
	assert.Equal(t, command.OK, <-ended)
	assert.Len(t, srv.Groups(demoOwner), 1)
	assert.Contains(t, stderr.String(), "stopping after the alerts that have come in")
	assert.Contains(t, stderr.String(), "3 to store, 0 to keep, 4 ignored, 2 refused")
	assert.NotContains(t, stderr.String(), "s3cr3t")
	assert.NotContains(t, stderr.String(), "203.0.113.42")
}
