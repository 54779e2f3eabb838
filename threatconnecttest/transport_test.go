package threatconnecttest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// closing records whether a body was closed. Its reader can fail.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk gone") }

func TestRoundTripMatchesNetHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tc := range []struct {
		name   string
		body   io.Reader
		change func(*http.Request)
		says   string
	}{
		{name: "a body that fails", body: failing{}, change: func(*http.Request) {}, says: "disk gone"},
		{
			name:   "a wrong length",
			body:   strings.NewReader("{}"),
			change: func(q *http.Request) { q.ContentLength = 5 },
			says:   "ContentLength=5 with Body length 2",
		},
		{
			name:   "a line break in a header",
			body:   strings.NewReader("{}"),
			change: func(q *http.Request) { q.Header.Set("X", "a\nb") },
			says:   "invalid header field value",
		},
		{
			name:   "another host",
			body:   strings.NewReader("{}"),
			change: func(q *http.Request) { q.URL.Host = "elsewhere.example" },
			says:   "no such host",
		},
		{name: "no host", body: strings.NewReader("{}"), change: func(q *http.Request) { q.URL.Host = "" }, says: "no Host"},
		{
			name:   "another scheme",
			body:   strings.NewReader("{}"),
			change: func(q *http.Request) { q.URL.Scheme = "gopher" },
			says:   "unsupported protocol scheme",
		},
	} {
		body := &closing{Reader: tc.body}
		req := r.request("POST", "/v2/groups/threats", "{}")
		req.Body, req.ContentLength = body, -1
		tc.change(req)
		_, err := r.srv.RoundTrip(req)
		require.ErrorContains(t, err, tc.says, tc.name)
		assert.True(t, body.closed, tc.name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.srv.RoundTrip(r.request("GET", "/v2/owners", "").WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, r.srv.Requests(), 2, "broken requests")
	for _, sent := range r.srv.Requests() {
		assert.Zero(t, sent.Status, "not processed")
	}
	var dial *net.OpError
	req := r.request("GET", "/v2/owners", "")
	req.URL.Host = "elsewhere.example"
	_, err = r.srv.RoundTrip(req)
	require.ErrorAs(t, err, &dial)

	resp, err := r.srv.RoundTrip(r.request("GET", "/v2/owners", ""))
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(len(b)), resp.ContentLength)
	assert.Equal(t, "200 OK", resp.Status)
}

// A request without a method is a GET, as in http.Transport.
func TestRequestWithoutMethod(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := r.request("GET", "/v2/owners", "")
	req.Method = ""
	resp, err := r.srv.RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, "GET", lastRequest(r.srv).Method)
	assert.Same(t, req, resp.Request)
	assert.Empty(t, req.Method)
}

func TestServerOverPort(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	base, client := r.overPort()
	r.seed(&IndicatorRecord{Owner: "Example Source", Type: "URL", Summary: "http://example.com/"})
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/v2/indicators/urls/http%3A%2F%2Fexample.com%2F?owner=Example+Source", nil)
	require.NoError(t, err)
	r.sign(req)
	resp, body, err := try(client, req)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode, body)
	assert.NotEmpty(t, resp.Header.Get("Date"))
}
