package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// desk is a sandbox and its control API, without a port.
type desk struct {
	*testing.T
	*control
	http.Handler
}

func newDesk(t *testing.T, o options) desk {
	t.Helper()
	srv, setUp, err := newServer(&cli.Env{Stdin: strings.NewReader("")}, o)
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	c := newControl(srv, setUp, "desk.example:8080", done)
	return desk{t, c, c.handler()}
}

// request returns a request that the control API accepts.
func (d desk) request(method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(d.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:50000", "127.0.0.1:8080"
	r.Header.Set(tokenHeader, d.guard.token)
	return r
}

// send returns the response to a request.
func (d desk) send(r *http.Request) (status int, body string) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// call uses the control API and returns the response.
func (d desk) call(method, path, body string) string {
	d.Helper()
	status, answer := d.send(d.request(method, controlPath+path, body))
	require.Equal(d, http.StatusOK, status, "%s %s: %s", method, path, answer)
	return answer
}

// read uses the control API and decodes the response.
func read[T any](d desk, path string) (v T) {
	d.Helper()
	require.NoError(d, json.Unmarshal([]byte(d.call(http.MethodGet, path, "")), &v))
	return v
}

// get sends a signed GET request to the simulated API.
func (d desk) get(path string) *http.Response {
	d.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(d.Context(), http.MethodGet, "/api"+path, nil)
	sign(r, d.srv, "/api"+path)
	d.ServeHTTP(w, r)
	return w.Result()
}

func TestSeedUpdateDelete(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	const host = `{"owner":"Example Source","type":"Host","summary":"www.example.com","confidence":80,"tags":["one"]}`
	assert.JSONEq(t, `{"records":2}`, d.call("POST", "seed", `{"indicators":[`+host+`],"groups":[{"owner":"Example Source","type":"Threat","name":"T"}]}`))
	got := read[threatconnecttest.IndicatorRecord](d, "indicator?owner=Example%20Source&type=Host&summary=www.example.com")
	assert.Equal(t, 80, *got.Confidence)
	assert.Equal(t, []string{"one"}, got.Tags)

	d.call("POST", "update", `{"indicators":[`+strings.Replace(host, "80", "20", 1)+`]}`)
	got = read[threatconnecttest.IndicatorRecord](d, "indicator?owner=Example%20Source&type=Host&summary=www.example.com")
	assert.Equal(t, 20, *got.Confidence)

	found := read[threatconnecttest.SearchResult](d, "search?owner=Example%20Source&text=EXAMPLE")
	assert.Equal(t, 1, found.Total)
	groups := read[threatconnecttest.SearchResult](d, "search?kind=groups&owner=Example%20Source&type=Threat")
	require.Len(t, groups.Groups, 1)
	assert.Equal(t, "T", read[threatconnecttest.GroupRecord](d, "group?xid="+groups.Groups[0].XID).Name)
	assert.Contains(t, d.call("GET", "owners", ""), `"name":"Example Source","type":"Source","readOnly":false,"indicators":1,"groups":1,"tags":1`)

	d.call("POST", "seed", `{"owners":[{"name":"Mine"}]}`)
	assert.Equal(t, 200, d.get("/v2/indicators/bulk/json?owner=Mine").StatusCode, "every owner has bulk reports")

	data := d.call("GET", "data", "")
	other := newDesk(t, options{})
	other.call("POST", "seed", data)
	assert.Equal(t, 1, other.srv.Counts("Example Source").Indicators, "another sandbox can load the data")

	d.call("POST", "delete", `{"indicators":[`+host+`]}`)
	status, answer := d.send(d.request("GET", controlPath+"indicator?owner=Example%20Source&type=Host&summary=www.example.com", ""))
	assert.Equal(t, 404, status, answer)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.call("POST", "faults", `{"kind":"status","status":502,"route":"/v2/owners","method":"GET","times":-1}`)
	d.call("POST", "faults", `{"kind":"delay","delay":"1ms"}`)
	assert.Equal(t, 502, d.get("/v2/owners").StatusCode)
	assert.Equal(t, 502, d.get("/v2/owners").StatusCode)
	list := read[[]map[string]any](d, "faults")
	require.Len(t, list, 2)
	assert.InDelta(t, 2, list[0]["struck"], 0)
	assert.Equal(t, "1ms", list[1]["delay"])

	d.call("DELETE", "faults/1", "")
	assert.Equal(t, 200, d.get("/v2/owners").StatusCode)
	d.call("PUT", "faults", `[{"kind":"status"},{"kind":"empty"}]`)
	assert.Len(t, d.srv.Faults(), 2)
	status, _ := d.send(d.request("PUT", controlPath+"faults", `[{"kind":"status"},{"kind":"empty","probability":2}]`))
	assert.Equal(t, 400, status)
	assert.Len(t, d.srv.Faults(), 2, "a refused list changes nothing")
	d.call("DELETE", "faults", "")
	assert.Empty(t, d.srv.Faults())
}

func TestSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.call("PUT", "oddities", `{"on":["emptyAs404","stringIDs"]}`)
	assert.Equal(t, threatconnecttest.OddityEmptyAs404|threatconnecttest.OddityStringIDs, d.srv.Oddities())
	assert.Contains(t, d.call("GET", "oddities", ""), `{"name":"stringIDs","description":"IDs are strings of digits","on":true}`)
	d.call("PUT", "oddities", `{"on":[]}`)
	assert.Zero(t, d.srv.Oddities())

	assert.JSONEq(t, `{"offset":"10m0s"}`, d.call("PUT", "clock", `{"offset":"10m"}`))
	assert.JSONEq(t, `{"offset":"10m0s"}`, d.call("GET", "clock", ""))
	assert.Equal(t, 401, d.get("/v2/owners").StatusCode)
	d.call("PUT", "clock", `{"offset":"0s"}`)

	d.call("PUT", "settings", `{"rateLimit":{"requests":1,"per":"1h"}}`)
	d.call("PUT", "settings", `{"batchDuration":"2s"}`)
	assert.JSONEq(t, `{"batchDuration":"2s","rateLimit":{"requests":1,"per":"1h0m0s"}}`, d.call("GET", "settings", ""))
	assert.Equal(t, 200, d.get("/v2/owners").StatusCode)
	limited := d.get("/v2/owners")
	assert.Equal(t, 429, limited.StatusCode)
	assert.NotEmpty(t, limited.Header.Get("Retry-After"))
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.call("POST", "faults", `{"kind":"lateStatus","status":502,"route":"/v2/whoami"}`)
	d.get("/v2/owners?resultLimit=1")
	d.get("/v2/whoami")
	late := read[[]requestRow](d, "requests")[1]
	assert.Equal(t, "lateStatus", late.Fault)
	assert.Equal(t, 502, late.Status, "the status that the client got")
	rows := read[[]requestRow](d, "requests?after=1")
	require.Len(t, rows, 1)
	assert.Equal(t, "/v2/whoami", rows[0].Route)
	assert.True(t, rows[0].Verified)
	assert.Len(t, read[[]requestRow](d, "requests?limit=1"), 1)

	one := read[requestView](d, "requests/1")
	assert.Equal(t, "resultLimit=1", one.Query)
	assert.Contains(t, string(one.Answer), `"status":"Success"`)
	d.call("DELETE", "requests", "")
	assert.Empty(t, read[[]requestRow](d, "requests"))
}

// The request log explains a wrong signature and does not show a token.
func TestRejectedRequestIsExplained(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v2/owners", nil)
	sign(r, d.srv, "/v2/owners")
	d.ServeHTTP(httptest.NewRecorder(), r)
	v := read[requestView](d, "requests/1")
	require.NotNil(t, v.Refusal)
	assert.Contains(t, v.Refusal.StringToSign, "/api/v2/owners:GET:")
	assert.True(t, strings.HasPrefix(v.Refusal.Signed, "/v2/owners:GET:"), v.Refusal.Signed)
	assert.NotEmpty(t, v.Refusal.Mistake)

	r = httptest.NewRequestWithContext(t.Context(), "GET", "/api/v2/owners", nil)
	r.Header.Set("Authorization", "TC-Token APP:secret")
	d.ServeHTTP(httptest.NewRecorder(), r)
	assert.NotContains(t, d.call("GET", "requests/2", ""), "APP:secret")
}

// Info describes the sandbox to the page.
func TestInfo(t *testing.T) {
	t.Parallel()
	base, rest := start(t)
	resp, err := http.Get(strings.TrimSuffix(base, "/api") + controlPath + "info")
	require.NoError(t, err)
	defer resp.Body.Close()
	var a about
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&a))
	assert.Equal(t, base, a.Base)
	assert.Contains(t, rest, a.Environment)
	assert.Contains(t, a.Routes, "/v2/indicators/{type}/{indicator}")
	assert.Contains(t, a.FaultKinds, term{"reset", threatconnecttest.FaultReset.Description()})
	assert.Len(t, a.Oddities, len(threatconnecttest.Oddities()))
}

func TestExpireToken(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	token := d.srv.Token()
	status := func() int {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v2/owners", nil)
		r.Header.Set("Authorization", "TC-Token "+token)
		code, _ := d.send(r)
		return code
	}
	assert.Equal(t, 200, status())
	d.call("POST", "expire-token", "")
	assert.Equal(t, 401, status())
}

func TestJobs(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	upload(t, d.srv, `{"indicator":[{"type":"Host","summary":"www.example.com"},{"type":"Address","summary":"not an address"}]}`)
	rows := read[[]jobRow](d, "jobs")
	require.Len(t, rows, 1)
	assert.Equal(t, 1, rows[0].Success)
	assert.Equal(t, 1, rows[0].Errors)
	v := read[jobView](d, "jobs/1")
	require.Len(t, v.Problems, 1)
	assert.Contains(t, v.Problems[0].Source, "not an address")
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.call("POST", "snapshots", `{"name":"empty"}`)
	d.call("POST", "seed", `{"indicators":[{"owner":"Example Source","type":"Host","summary":"www.example.com"}]}`)
	assert.Contains(t, d.call("POST", "snapshots", `{}`), `"name":"snapshot-1"`)
	d.call("POST", "snapshots/empty/restore", "")
	assert.False(t, d.srv.Has("Example Source", "Host", "www.example.com"))
	d.call("POST", "snapshots/snapshot-1/restore", "")
	assert.True(t, d.srv.Has("Example Source", "Host", "www.example.com"))
	d.call("POST", "snapshots", `{"name":"empty"}`) // replaces it
	assert.Len(t, read[[]snapshot](d, "snapshots"), 2)
	d.call("DELETE", "snapshots/snapshot-1", "")
	assert.Len(t, *d.newFollower("").next().Snapshots, 1)
	for range mostSnapshots - 1 {
		d.call("POST", "snapshots", `{}`)
	}
	status, answer := d.send(d.request("POST", controlPath+"snapshots", `{}`))
	assert.Equal(t, 400, status, answer)
	d.call("POST", "snapshots", `{"name":"empty"}`)
}

// A generated name replaces no snapshot, and every valid name works in a path.
func TestSnapshotNames(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	d.call("POST", "snapshots", `{"name":"snapshot-2"}`)
	assert.Contains(t, d.call("POST", "snapshots", `{}`), `"name":"snapshot-1"`)
	assert.Contains(t, d.call("POST", "snapshots", `{}`), `"name":"snapshot-3"`)
	for _, name := range []string{".", "..", strings.Repeat("x", 101), `a\nb`, `\u202eb`} {
		status, answer := d.send(d.request("POST", controlPath+"snapshots", `{"name":"`+name+`"}`))
		assert.Equal(t, 400, status, answer)
		assert.Contains(t, answer, "name: ")
	}
	d.call("POST", "snapshots", `{"name":"a/b c?"}`)
	d.call("POST", "snapshots/a%2Fb%20c%3F/restore", "")
	d.call("DELETE", "snapshots/a%2Fb%20c%3F", "")
	assert.Len(t, read[[]snapshot](d, "snapshots"), 3)
}

// A reset restores the state that the flags set up.
func TestReset(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{readOnly: []string{"Feed"}, faults: 100})
	d.call("DELETE", "faults", "")
	d.call("PUT", "settings", `{"batchDuration":"2s"}`)
	d.call("POST", "seed", `{"owners":[{"name":"Mine"}]}`)
	d.call("POST", "reset", "")
	owners := d.call("GET", "owners", "")
	assert.Contains(t, owners, `"name":"Feed","type":"Source","readOnly":true`)
	assert.NotContains(t, owners, "Mine")
	assert.Len(t, d.srv.Faults(), 1)
	assert.Contains(t, d.call("GET", "settings", ""), `"batchDuration":"0s"`)
}

func TestInvalidControlCalls(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "seed", `{"indicator":[]}`, 400, `body: \"indicator\" is not a field`},
		{"POST", "seed", `{"indicators":{}}`, 400, "indicators: a JSON object is not expected here"},
		{"POST", "seed", `{"indicators":[{"owner":"Example Source","type":"Host","summary":"www.example.com","confidence":200}]}`, 400, "Confidence"},
		{"POST", "seed", `{`, 400, "ends early"},
		{"POST", "seed", ``, 400, "missing"},
		{"POST", "seed", `{"x`, 400, "ends early"},
		{"POST", "seed", `{]`, 400, "body: not JSON"},
		{"POST", "seed", `{} {}`, 400, "text after the JSON value"},
		{"POST", "update", `{"indicators":[{"owner":"Example Source","type":"Host","summary":"www.example.com"}]}`, 400, "www.example.com"},
		{"POST", "delete", `{"groups":[{"xid":"nobody"}]}`, 400, "there is no such group"},
		{"POST", "faults", `{}`, 400, "Kind"},
		{"POST", "faults", `{"kind":"resett"}`, 400, "resett"},
		{"POST", "faults", `{"kind":"reset","route":"/v2/bogus"}`, 400, "/v2/bogus"},
		{"POST", "faults", `{"kind":"delay","delay":"2"}`, 400, "delay"},
		{"DELETE", "faults/7", "", 404, "faults/7"},
		{"DELETE", "faults/x", "", 404, "faults/x"},
		{"PUT", "oddities", `{"on":["odd"]}`, 400, "odd"},
		{"PUT", "clock", `{"offset":"6"}`, 400, "6m"},
		{"PUT", "clock", `{}`, 400, "offset is missing"},
		{"PUT", "settings", `{"batchDuration":"-1s"}`, 400, "batchDuration"},
		{"PUT", "settings", `{"rateLimit":{"requests":1}}`, 400, "rateLimit"},
		{"GET", "search?kind=tasks", "", 400, "kind"},
		{"GET", "search?kind=groups&start=x", "", 400, "start"},
		{"GET", "search?kind=groups&limit=-1", "", 400, "limit"},
		{"GET", "requests?after=x", "", 400, "after"},
		{"GET", "requests?limit=x", "", 400, "limit"},
		{"GET", "requests/9", "", 404, "requests/9"},
		{"GET", "requests/x", "", 404, "requests/x"},
		{"GET", "jobs/9", "", 404, "jobs/9"},
		{"POST", "snapshots/none/restore", "", 404, "snapshots/none"},
		{"DELETE", "snapshots/none", "", 404, "snapshots/none"},
		{"GET", "group?xid=none", "", 404, "none"},
		{"GET", "bogus", "", 404, "lists them"},
		{"POST", "data", "", 404, "lists them"},
		{"OPTIONS", "data", "", 404, "lists them"},
	} {
		status, answer := d.send(d.request(tc.method, controlPath+tc.path, tc.body))
		assert.Equal(t, tc.status, status, "%s %s %s: %s", tc.method, tc.path, tc.body, answer)
		var v struct{ Error string }
		require.NoError(t, json.Unmarshal([]byte(answer), &v), answer)
		assert.Contains(t, answer, tc.want, "%s %s %s", tc.method, tc.path, tc.body)
	}
	r := d.request("POST", controlPath+"seed", "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"owners":[`), blank(largestBody)))
	status, answer := d.send(r)
	assert.Equal(t, 413, status, answer)
	assert.Contains(t, answer, "--seed")
}

// blank returns a reader of n spaces.
func blank(n int64) io.Reader { return io.LimitReader(spaces{}, n) }

type spaces struct{}

var someSpaces = strings.Repeat(" ", 64<<10)

func (spaces) Read(p []byte) (int, error) {
	return copy(p, someSpaces), nil
}
