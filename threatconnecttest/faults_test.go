package threatconnecttest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// try sends a request and reads the answer, errors included.
func (r rig) try(req *http.Request) (status int, body string, err error) {
	resp, err := (&http.Client{Transport: r.srv}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const body = `{"name":"x"}`
	for _, tc := range []struct {
		name      string
		fault     Fault
		status    int
		body      string // a part of it
		err       error
		processed bool
	}{
		{"a status instead of an answer", Fault{Kind: FaultStatus, Status: 429, Header: http.Header{"Retry-After": {"7"}}, Body: "slow down"}, 429, "slow down", nil, false},
		{"503 is the default", Fault{Kind: FaultStatus}, 503, "", nil, false},
		{"a status after the request was processed", Fault{Kind: FaultLateStatus, Status: 504}, 504, "", nil, true},
		{"a reset before", Fault{Kind: FaultReset}, 0, "", syscall.ECONNRESET, false},
		{"a reply that is lost", Fault{Kind: FaultLostReply}, 0, "", syscall.ECONNRESET, true},
		{"a body that breaks off", Fault{Kind: FaultCutBody}, 201, `{"status"`, io.ErrUnexpectedEOF, true},
		{"a body that ends early", Fault{Kind: FaultTruncate}, 201, `{"status"`, nil, true},
		{"a login page", Fault{Kind: FaultHTML}, 200, "<form", nil, false},
		{"garbage", Fault{Kind: FaultGarbage}, 200, "{\x00", nil, false},
		{"nothing", Fault{Kind: FaultEmpty}, 200, "", nil, false},
		{"a delay", Fault{Kind: FaultDelay, Delay: time.Millisecond}, 201, "Success", nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.srv.Inject(tc.fault)
			status, got, err := r.try(r.request("POST", "/v2/groups/threats", body))
			assert.Equal(t, tc.status, status)
			if tc.err == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tc.err)
			}
			assert.Contains(t, got, tc.body)
			assert.Equal(t, map[FaultKind]int{tc.fault.Kind: 1}, r.srv.FaultCounts())
			n := 0
			if tc.processed {
				n = 1
			}
			assert.Len(t, r.srv.Groups("Example Organization"), n)
			assert.Equal(t, tc.fault.Kind, r.srv.Requests()[0].Fault)
			r.must(201, "POST", "/v2/groups/threats", body) // once is the default
		})
	}
}

func TestWhichRequestAFaultStrikes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.srv.Inject(Fault{Kind: FaultStatus, Method: "GET", Route: "/v2/owners/{id}", Skip: 1, Times: 2})
	for n, want := range []int{200, 503, 503, 200} {
		assert.Equal(t, want, r.get("/v2/owners/1").status, n)
		r.must(200, "GET", "/v2/owners", "")
	}
	r.srv.Inject(Fault{Kind: FaultStatus, Times: -1})
	for range 3 {
		r.must(503, "GET", "/v2/owners", "")
	}
	r.srv.ClearFaults()
	r.must(200, "GET", "/v2/owners", "")
}

func TestAMixOfFaultsIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (out []int) {
		r := newRig(t)
		r.srv.Inject(FaultMix(seed, 0.3, FaultReset, FaultStatus, FaultHTML))
		for range 200 {
			status, body, err := r.try(r.request("GET", "/v2/owners", ""))
			switch {
			case err != nil:
				status = 0
			case strings.Contains(body, "<form"):
				status = 1
			}
			out = append(out, status)
		}
		n := r.srv.FaultCounts()
		struck := n[FaultReset] + n[FaultStatus] + n[FaultHTML]
		assert.Greater(t, struck, 30)
		assert.Less(t, struck, 90)
		assert.Len(t, n, 3)
		return out
	}
	assert.Equal(t, run(1), run(1))
	assert.NotEqual(t, run(1), run(2))
}

func TestADelayEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.srv.Inject(Fault{Kind: FaultDelay, Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, _, err := r.try(r.request("GET", "/v2/owners", "").WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestAnEndlessBodyEndsWithTheContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.srv.Inject(Fault{Kind: FaultEndless})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := r.srv.RoundTrip(r.request("GET", "/v2/owners", "").WithContext(ctx))
	require.NoError(t, err)
	n, err := io.CopyN(io.Discard, resp.Body, 1<<20)
	require.NoError(t, err)
	assert.Equal(t, int64(1<<20), n)
	cancel()
	_, err = io.Copy(io.Discard, resp.Body)
	require.ErrorIs(t, err, context.Canceled)
}

// closing tells whether a body was closed, and may fail.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk gone") }

func TestARoundTripBehavesLikeNetHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tc := range []struct {
		name   string
		body   io.Reader
		change func(*http.Request)
		says   string
	}{
		{"a body that fails", failing{}, func(*http.Request) {}, "disk gone"},
		{"a length that lies", strings.NewReader("{}"), func(q *http.Request) { q.ContentLength = 5 }, "ContentLength=5 with Body length 2"},
		{"a line break in a header", strings.NewReader("{}"), func(q *http.Request) { q.Header.Set("X", "a\nb") }, "invalid header field value"},
		{"another host", strings.NewReader("{}"), func(q *http.Request) { q.URL.Host = "elsewhere.example" }, "no such host"},
		{"no host", strings.NewReader("{}"), func(q *http.Request) { q.URL.Host = "" }, "no Host"},
		{"another scheme", strings.NewReader("{}"), func(q *http.Request) { q.URL.Scheme = "gopher" }, "unsupported protocol scheme"},
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
	assert.Empty(t, r.srv.Requests(), "none of these arrived")
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

// A request without a method is a GET, as http.Transport sends it.
func TestARequestWithoutAMethod(t *testing.T) {
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

func TestTheServerOnAPort(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	port := httptest.NewServer(r.srv)
	defer port.Close()
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // net/http repeats a GET on a kept connection
	send := func(fault Fault) (*http.Response, error) {
		if fault.Kind != 0 {
			r.srv.Inject(fault)
		}
		req, err := http.NewRequestWithContext(t.Context(), "GET", port.URL+"/api/v2/indicators/urls/http%3A%2F%2Fexample.com%2F?owner=Example+Source", nil)
		require.NoError(t, err)
		r.sign(req)
		return fresh.Do(req)
	}
	_, err := r.srv.AddIndicator(IndicatorRecord{Owner: "Example Source", Type: "URL", Summary: "http://example.com/"})
	require.NoError(t, err)
	resp, err := send(Fault{})
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, 200, resp.StatusCode, string(b))
	assert.NotEmpty(t, resp.Header.Get("Date"))

	_, err = send(Fault{Kind: FaultLostReply})
	require.Error(t, err)
	resp, err = send(Fault{Kind: FaultCutBody})
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, resp.Body.Close())
}
