package threatconnecttest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeTB is a test whose failures are inspected.
type fakeTB struct {
	testing.TB
	cleanups        []func()
	errors          []string
	failed, skipped bool // before the checks of NewT
}

func (*fakeTB) Helper()             {}
func (f *fakeTB) Cleanup(do func()) { f.cleanups = append(f.cleanups, do) }
func (f *fakeTB) Errorf(format string, a ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, a...))
}

func (f *fakeTB) Failed() bool  { return f.failed || len(f.errors) > 0 }
func (f *fakeTB) Skipped() bool { return f.skipped }

// end ends the test as package testing does.
func (f *fakeTB) end() []string {
	for len(f.cleanups) > 0 {
		last := len(f.cleanups) - 1
		f.cleanups[last]()
		f.cleanups = f.cleanups[:last]
	}
	return f.errors
}

func TestNewTReportsLapses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do    func(rig)
		allow Lapse
		says  string // the only failure; empty for none
	}{
		"nothing": {func(r rig) { r.must(200, "GET", "/v2/owners", "") }, 0, ""},
		"a refused signature": {func(r rig) {
			req := r.request("GET", "/v2/owners", "")
			req.URL.RawQuery = "resultLimit=1"
			require.Equal(r, 401, r.send(req).status)
		}, LapseUnverified, "request 1, GET /api/v2/owners, was refused: the signature does not match: the query was not signed; correct its credentials, or pass Allow(LapseUnverified) to NewT"},
		"a refused token": {func(r rig) {
			req := r.request("GET", "/v2/owners", "")
			req.Header.Set("Authorization", "TC-Token old")
			r.send(req)
		}, LapseUnverified, "request 1, GET /api/v2/owners, was refused: the token is another one"},
		"an expired token": {func(r rig) {
			old := r.srv.Token()
			r.srv.ExpireToken()
			req := r.request("GET", "/v2/owners", "")
			req.Header.Set("Authorization", "TC-Token "+old)
			require.Equal(r, 401, r.send(req).status)
		}, 0, ""},
		"a clock that the test has changed": {func(r rig) {
			r.srv.SetClockOffset(3600e9)
			r.must(401, "GET", "/v2/owners", "")
		}, 0, ""},
		"an old timestamp": {func(r rig) {
			req := r.request("GET", "/v2/owners", "")
			req.Header.Set("Timestamp", "1")
			r.send(req)
		}, LapseUnverified, "request 1, GET /api/v2/owners, was refused: the Timestamp header is "},
		"a path of an oddity": {func(r rig) {
			r.must(405, "POST", "/v2/indicators/hosts/www.example.com/indicators/hosts/x.example", "")
		}, 0, ""},
		"an unknown path": {func(r rig) { r.get("/v2/onwers") }, LapseUnknownRoutes,
			"request 1, GET /api/v2/onwers, has no endpoint; correct its method and path (Routes lists all), or pass Allow(LapseUnknownRoutes)"},
		"an unknown method": {func(r rig) { r.do("PATCH", "/v2/owners", "") }, LapseUnknownRoutes, "request 1, PATCH /api/v2/owners, has no endpoint"},
		"a path outside the base URL": {func(r rig) {
			req := r.request("GET", "/v2/owners", "")
			req.URL.Path = "/v2/owners"
			r.send(req)
		}, LapseUnknownRoutes, "request 1, GET /v2/owners, has no endpoint"},
		"a fault that never matches": {func(r rig) {
			r.inject(Fault{Kind: FaultReset, Method: "POST", Route: "/v2/batch"})
		}, LapseUnusedFaults, "fault 1, reset of POST /v2/batch, never struck: it matched 0 requests and Skip is 0; correct its Method, Route or Skip, or remove it, or pass Allow(LapseUnusedFaults)"},
		"a fault that skips too many": {func(r rig) {
			r.inject(Fault{Kind: FaultReset, Skip: 2})
			r.get("/v2/owners")
		}, LapseUnusedFaults, "fault 1, reset of any request, never struck: it matched 1 requests and Skip is 2"},
		"a fault that is cleared": {func(r rig) {
			r.inject(Fault{Kind: FaultReset, Method: "GET"})
			r.srv.ClearFaults()
		}, LapseUnusedFaults, "fault 1, reset of any GET, never struck"},
		"a fault that is removed": {func(r rig) {
			r.inject(Fault{Kind: FaultReset, Route: "/v2/batch"})
			r.srv.RemoveFault(1)
		}, LapseUnusedFaults, "fault 1, reset of /v2/batch, never struck"},
		"a fault before Reset": {func(r rig) {
			r.inject(Fault{Kind: FaultReset})
			r.srv.Reset()
		}, LapseUnusedFaults, "fault 1, reset of any request, never struck"},
		"a fault that struck":      {func(r rig) { r.inject(Fault{Kind: FaultHTML, Times: 3}); r.get("/v2/owners") }, 0, ""},
		"a fault left to chance":   {func(r rig) { r.inject(Fault{Kind: FaultHTML, Probability: 0.5}) }, 0, ""},
		"a mix that never strikes": {func(r rig) { r.inject(FaultMix(1, 0, FaultHTML)) }, 0, ""},
		"a route added with Handle": {func(r rig) {
			require.NoError(r, r.srv.Handle("GET /v3/x", func(http.ResponseWriter, *http.Request, http.HandlerFunc) {}))
			r.get("/v3/x")
		}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := &fakeTB{TB: t}
			tc.do(rig{t, NewT(tb)})
			got := tb.end()
			if tc.says == "" {
				assert.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			assert.Contains(t, got[0], "threatconnecttest: "+tc.says)

			tb = &fakeTB{TB: t}
			tc.do(rig{t, NewT(tb, Allow(tc.allow))})
			assert.Empty(t, tb.end(), "allowed")
		})
	}
}

// A test that stops early may leave faults unused. Unused faults are reported, however, if the only
// failure is another lapse.
func TestNewTIgnoresUnusedFaultsOfFailedTests(t *testing.T) {
	t.Parallel()
	for _, tb := range []*fakeTB{{TB: t, failed: true}, {TB: t, skipped: true}, {TB: t}} {
		r := rig{t, NewT(tb)}
		r.inject(Fault{Kind: FaultReset, Route: "/v2/batch"})
		r.get("/v2/onwers")
		got := tb.end()
		require.NotEmpty(t, got)
		assert.Contains(t, got[0], "GET /api/v2/onwers, has no endpoint")
		if tb.failed || tb.skipped {
			assert.Len(t, got, 1)
		} else {
			assert.Len(t, got, 2)
		}
	}
}

func TestNewTReportsAtMostTenLapses(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{TB: t}
	r := rig{t, NewT(tb, WithRequestLog(1))}
	for range 13 {
		r.get("/v2/onwers")
	}
	got := tb.end()
	require.Len(t, got, 11)
	assert.Contains(t, got[9], "request 10,")
	assert.Contains(t, got[10], "3 more requests to endpoints that do not exist, or pass Allow(LapseUnknownRoutes)")
	assert.Contains(t, r.srv.Lapses()[0], "request 1, GET /api/v2/onwers")
	assert.Len(t, r.srv.Lapses(), 11)
}

func TestListenEndsWithTheTest(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{TB: t}
	srv := NewT(tb)
	base := srv.Listen(tb)
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/api$`, base)
	require.NoError(t, srv.Inject(Fault{Kind: FaultEndless}))
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/v2/owners", nil)
	require.NoError(t, err)
	rig{t, srv}.sign(req)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Empty(t, tb.end(), "the server must not wait for an endless response")
	_, err = client.Get(strings.TrimSuffix(base, "/api"))
	require.ErrorContains(t, err, "refused")
}

func TestReset(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithOddities(OddityStringIDs))
	const owners = "/v2/owners"
	fresh := r.must(200, "GET", owners, "").raw
	r.must(201, "POST", "/v2/groups/threats", `{"name":"x"}`)
	require.NoError(t, r.srv.Seed(&Owner{Name: "Other"}))
	r.inject(Fault{Kind: FaultStatus, Times: -1})
	r.must(503, "GET", owners, "")
	require.NoError(t, r.srv.Handle("GET "+owners, func(http.ResponseWriter, *http.Request, http.HandlerFunc) {}))
	r.srv.SetOddities(0)
	r.srv.SetClockOffset(3600e9)
	r.srv.SetRateLimit(1, 3600e9)

	r.srv.Reset()
	assert.Empty(t, r.srv.Requests())
	assert.Empty(t, r.srv.Faults())
	assert.Empty(t, r.srv.FaultCounts())
	assert.Zero(t, r.srv.ClockOffset())
	assert.Empty(t, r.srv.Groups("Example Organization"))
	for range 2 {
		assert.Equal(t, fresh, r.must(200, "GET", owners, "").raw)
	}
	assert.Equal(t, int64(4), r.srv.Requests()[0].ID, "IDs must not be reused")
}

// A test can reset the server while clients are created and send requests, without data races.
func TestResetDuringRequests(t *testing.T) {
	t.Parallel()
	srv := NewT(t)
	handler := func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		_, err := srv.Client().Owners.Whoami(r.Context())
		assert.NoError(t, err)
		assert.NoError(t, srv.Seed(&GroupRecord{Type: "Threat", Name: "x"}))
		next(w, r)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				_, err := srv.Client().Owners.Get(t.Context(), 1)
				assert.NoError(t, err)
			}
		})
	}
	all.Go(func() {
		for range 50 {
			srv.Reset()
			assert.NoError(t, srv.Handle("GET /v2/owners/{id}", handler))
			srv.Restore(srv.Snapshot())
		}
	})
	all.Wait()
}
