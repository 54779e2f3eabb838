package threatconnecttest

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// try sends a request and returns the response or the error.
func try(client *http.Client, req *http.Request) (resp *http.Response, body string, err error) {
	resp, err = client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// try sends a request in process.
func (r rig) try(req *http.Request) (status int, body string, err error) {
	resp, body, err := try(&http.Client{Transport: r.srv}, req)
	if err != nil {
		return 0, body, err
	}
	return resp.StatusCode, body, nil
}

// inject adds valid faults.
func (r rig) inject(faults ...Fault) {
	r.Helper()
	require.NoError(r, r.srv.Inject(faults...))
}

// overPort serves the rig's server on a port. The returned client uses a new connection for each
// request because net/http retries some requests on reused connections.
func (r rig) overPort() (base string, client *http.Client) {
	return r.srv.Listen(r), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const body = `{"name":"x"}`
	for _, tc := range []struct {
		name      string
		fault     Fault
		status    int
		body      string // substring
		err       error
		processed bool
	}{
		{
			name:   "a status instead of a response",
			fault:  Fault{Kind: FaultStatus, Status: 429, Header: http.Header{"Retry-After": {"7"}}, Body: "slow down"},
			status: 429,
			body:   "slow down",
		},
		{name: "503 is the default", fault: Fault{Kind: FaultStatus}, status: 503},
		{name: "a status after the request was processed", fault: Fault{Kind: FaultLateStatus, Status: 504}, status: 504, processed: true},
		{name: "a status before the body was read", fault: Fault{Kind: FaultEarlyStatus, Body: "too large"}, status: 413, body: "too large"},
		{name: "a reset before", fault: Fault{Kind: FaultReset}, err: syscall.ECONNRESET},
		{name: "a reset while the body is read", fault: Fault{Kind: FaultCutUpload}, err: syscall.ECONNRESET},
		{
			name:      "a body that is read slowly",
			fault:     Fault{Kind: FaultSlowUpload, Delay: time.Millisecond},
			status:    201,
			body:      "Success",
			processed: true,
		},
		{name: "a lost reply", fault: Fault{Kind: FaultLostReply}, err: syscall.ECONNRESET, processed: true},
		{
			name:      "a body that is cut off",
			fault:     Fault{Kind: FaultCutBody},
			status:    201,
			body:      `{"status"`,
			err:       io.ErrUnexpectedEOF,
			processed: true,
		},
		{name: "a body that ends early", fault: Fault{Kind: FaultTruncate}, status: 201, body: `{"status"`, processed: true},
		{name: "a login page", fault: Fault{Kind: FaultHTML}, status: 200, body: "<form"},
		{name: "garbage", fault: Fault{Kind: FaultGarbage}, status: 200, body: "{\x00"},
		{name: "nothing", fault: Fault{Kind: FaultEmpty}, status: 200},
		{name: "a delay", fault: Fault{Kind: FaultDelay, Delay: time.Millisecond}, status: 201, body: "Success", processed: true},
	} {
		for _, way := range []string{"in process", "over a port"} {
			t.Run(tc.name+" "+way, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				req, client := r.request("POST", "/v2/groups/threats", body), &http.Client{Transport: r.srv}
				if way == "over a port" {
					var base string
					base, client = r.overPort()
					var err error
					req, err = http.NewRequestWithContext(t.Context(), "POST", base+"/v2/groups/threats", strings.NewReader(body))
					require.NoError(t, err)
					req.Header.Set("Content-Type", "application/json")
					r.sign(req)
				}
				r.srv.SetClockOffset(time.Minute)
				r.inject(tc.fault)
				resp, got, err := try(client, req)
				if tc.err == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tc.err)
				}
				assert.Contains(t, got, tc.body)
				if tc.status != 0 {
					require.Equal(t, tc.status, resp.StatusCode)
					assert.Equal(t, tc.fault.Header.Get("Retry-After"), resp.Header.Get("Retry-After"))
					date, err := http.ParseTime(resp.Header.Get("Date"))
					require.NoError(t, err)
					assert.WithinDuration(t, time.Now().Add(time.Minute), date, 10*time.Second, "Date must follow the server's clock")
				}
				assert.Equal(t, map[FaultKind]int{tc.fault.Kind: 1}, r.srv.FaultCounts())
				n := 0
				if tc.processed {
					n = 1
				}
				assert.Len(t, r.srv.Groups("Example Organization"), n)
				logged := r.srv.Requests()[0]
				assert.Equal(t, tc.fault.Kind, logged.Fault)
				assert.Equal(t, map[bool]int{true: 201}[tc.processed], logged.Status)
				assert.True(t, logged.Verified)
				assert.Contains(t, string(logged.ResponseBody), tc.body)
				r.must(201, "POST", "/v2/groups/threats", body) // a fault strikes once by default
			})
		}
	}
}

func TestEndlessResponseOverPort(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	base, client := r.overPort()
	r.inject(Fault{Kind: FaultEndless})
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/v2/owners", nil)
	require.NoError(t, err)
	r.sign(req)
	resp, err := client.Do(req)
	require.NoError(t, err)
	n, err := io.CopyN(io.Discard, resp.Body, 8<<20)
	require.NoError(t, err)
	assert.Equal(t, int64(8<<20), n)
	require.NoError(t, resp.Body.Close())
}

func TestInvalidFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault Fault
		says  string
	}{
		{Fault{}, "neither a Kind nor a Mix"},
		{FaultMix(1, 0.5), "neither a Kind nor a Mix"},
		{Fault{Kind: FaultReset, Mix: []FaultKind{FaultReset}}, "both a Kind and a Mix"},
		{Fault{Kind: 99}, "FaultKind(99) is unknown"},
		{Fault{Kind: -1}, "FaultKind(-1) is unknown"},
		{FaultMix(1, 0.5, FaultReset, 0), "none is unknown"},
		{Fault{Kind: FaultReset, Probability: 1.5}, "the Probability 1.5"},
		{Fault{Kind: FaultReset, Probability: -0.5}, "the Probability -0.5"},
		{Fault{Kind: FaultReset, Probability: math.NaN()}, "the Probability NaN"},
		{Fault{Kind: FaultReset, Skip: -1}, "the Skip -1"},
		{Fault{Kind: FaultReset, Status: 500}, "[reset] does not answer Status"},
		{Fault{Kind: FaultReset, Body: "x"}, "[reset] does not answer Status"},
		{mixOf(Fault{Header: http.Header{}}), "[reset lostReply] does not answer Status"},
		{Fault{Kind: FaultStatus, Status: 101}, "the Status 101"},
		{Fault{Kind: FaultStatus, Status: 1000}, "the Status 1000"},
		{Fault{Kind: FaultDelay}, "the Delay 0s must be positive for [delay]"},
		{Fault{Kind: FaultSlowUpload}, "the Delay 0s must be positive"},
		{Fault{Kind: FaultReset, Delay: -1}, "the Delay -1ns"},
		{Fault{Kind: FaultReset, Method: "GTE"}, `no endpoint has method "GTE" and route ""`},
		{Fault{Kind: FaultReset, Route: "/v2/onwers"}, `route "/v2/onwers"; spell both as in Routes`},
		{Fault{Kind: FaultReset, Method: "DELETE", Route: "/v2/owners"}, `method "DELETE" and route "/v2/owners"`},
	} {
		r := newRig(t)
		err := r.srv.Inject(Fault{Kind: FaultReset}, tc.fault)
		require.ErrorContains(t, err, tc.says, "%+v", tc.fault)
		require.ErrorContains(t, err, "fault 1 of Inject", "%+v", tc.fault)
		assert.Empty(t, r.srv.Faults(), "a refused fault must not add others")
	}
	for _, fine := range []Fault{
		{Kind: FaultStatus, Status: 200, Body: "{}", Method: "GET", Route: "/v2/owners/{id}"},
		{Kind: FaultReset, Delay: time.Second, Probability: 1, Times: -1},
		FaultMix(1, 0, FaultReset),
	} {
		newRig(t).inject(fine)
	}
}

// mixOf turns a fault into a mix.
func mixOf(f Fault) Fault {
	f.Mix = []FaultKind{FaultReset, FaultLostReply}
	return f
}

// The faults of a server can be stored as JSON and restored.
func TestInjectedFaultsAsJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inject(Fault{Kind: FaultDelay, Delay: 90 * time.Second, Skip: 1}, FaultMix(1, 0.5, FaultHTML))
	r.get("/v2/owners")
	want := r.srv.Faults()
	b, err := json.Marshal(want)
	require.NoError(t, err)
	var got []InjectedFault
	require.NoError(t, json.Unmarshal(b, &got))
	assert.Equal(t, want, got)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"id":1,"kid":"reset"}`), new(InjectedFault)), `unknown field "kid"`)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"id":1,"delay":"soon"}`), new(InjectedFault)), `delay "soon" is not a duration`)
}

func TestPendingFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	header := http.Header{"Retry-After": {"1"}}
	r.inject(Fault{Kind: FaultStatus, Header: header, Skip: 1}, Fault{Kind: FaultReset, Route: "/v2/whoami"})
	header.Set("Retry-After", "2")
	r.get("/v2/owners")
	r.must(503, "GET", "/v2/owners", "")
	got := r.srv.Faults()
	require.Len(t, got, 2)
	assert.Equal(t, InjectedFault{ID: 1, Matched: 2, Struck: 1, Fault: Fault{
		Kind: FaultStatus, Header: http.Header{"Retry-After": {"1"}}, Skip: 1}}, got[0])
	assert.Equal(t, 2, got[1].ID)
	got[0].Header.Set("Retry-After", "3")
	assert.Equal(t, "1", r.srv.Faults()[0].Header.Get("Retry-After"), "Faults must return a copy")

	assert.True(t, r.srv.RemoveFault(1))
	assert.False(t, r.srv.RemoveFault(1))
	r.inject(Fault{Kind: FaultReset})
	got = r.srv.Faults()
	require.Len(t, got, 2)
	assert.Equal(t, []int{2, 3}, []int{got[0].ID, got[1].ID})
	r.srv.ClearFaults()
	assert.Empty(t, r.srv.Faults())
	assert.Equal(t, map[FaultKind]int{FaultStatus: 1}, r.srv.FaultCounts())
}

func TestFaultsAsJSON(t *testing.T) {
	t.Parallel()
	faults := []Fault{
		{Kind: FaultDelay, Delay: 90 * time.Second, Method: "POST", Route: "/v2/batch/{id}", Skip: 1, Times: -1},
		{Kind: FaultStatus, Status: 429, Header: http.Header{"Retry-After": {"7"}}, Body: "slow down"},
		FaultMix(7, 0.25, FaultReset, FaultLostReply),
	}
	b, err := json.Marshal(faults)
	require.NoError(t, err)
	assert.JSONEq(t, `[
		{"kind":"delay","method":"POST","route":"/v2/batch/{id}","skip":1,"times":-1,"delay":"1m30s"},
		{"kind":"status","status":429,"header":{"Retry-After":["7"]},"body":"slow down"},
		{"mix":["reset","lostReply"],"times":-1,"probability":0.25,"seed":7}]`, string(b))
	var back []Fault
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, faults, back)

	r := newRig(t)
	r.inject(back...)
	r.get("/v2/owners")
	b, err = json.Marshal(r.srv.Faults()[1])
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":2,"kind":"status","status":429,"header":{"Retry-After":["7"]},"body":"slow down","matched":1,"struck":1}`, string(b))

	for in, says := range map[string]string{
		`{"kind":"rest"}`:              `unknown kind of fault "rest"; use one of status, reset,`,
		`{"kind":"reset","time":1}`:    `unknown field "time"`,
		`{"kind":"delay","delay":2}`:   "delay",
		`{"kind":"delay","delay":"2"}`: `delay "2" is not a duration; write it as in "2s"`,
	} {
		require.ErrorContains(t, json.Unmarshal([]byte(in), new(Fault)), says, in)
	}
}

func TestZeroProbabilityNeverStrikes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inject(FaultMix(1, 0, FaultReset, FaultStatus))
	for range 50 {
		r.must(200, "GET", "/v2/owners", "")
	}
	assert.Empty(t, r.srv.FaultCounts())
	r.inject(FaultMix(1, 1, FaultStatus))
	for range 50 {
		r.must(503, "GET", "/v2/owners", "")
	}
}

func TestFaultMatching(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inject(Fault{Kind: FaultStatus, Method: "GET", Route: "/v2/owners/{id}", Skip: 1, Times: 2})
	for n, want := range []int{200, 503, 503, 200} {
		assert.Equal(t, want, r.get("/v2/owners/1").status, n)
		r.must(200, "GET", "/v2/owners", "")
	}
	r.inject(Fault{Kind: FaultStatus, Times: -1})
	for range 3 {
		r.must(503, "GET", "/v2/owners", "")
	}
	r.srv.ClearFaults()
	r.must(200, "GET", "/v2/owners", "")
}

func TestFaultMixIsDeterministic(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (out []int) {
		r := newRig(t)
		r.inject(FaultMix(seed, 0.3, FaultReset, FaultStatus, FaultHTML))
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

func TestDelayEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.inject(Fault{Kind: FaultDelay, Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, _, err := r.try(r.request("GET", "/v2/owners", "").WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestEndlessBodyEndsWithContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inject(Fault{Kind: FaultEndless})
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
