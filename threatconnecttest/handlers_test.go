package threatconnecttest

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCustomHandler(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const pattern = "GET /v2/owners/{id}"
	require.NoError(t, r.srv.Handle(pattern, func(w http.ResponseWriter, q *http.Request, next http.HandlerFunc) {
		if strings.HasSuffix(q.URL.Path, "/2") {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "no coffee")
			return
		}
		_ = r.srv.Owners() // deadlocks if the server is locked
		next(w, q)
		w.Header().Set("X-Extra", "too late")
	}))
	own := r.must(418, "GET", "/v2/owners/2", "")
	assert.Equal(t, "no coffee", own.raw)
	assert.NotEmpty(t, own.header.Get("Date"))
	server := r.must(200, "GET", "/v2/owners/1", "")
	assert.Equal(t, "Example Organization", server.at("data", "owner", "name"))
	assert.Empty(t, server.header.Get("X-Extra"))
	r.must(200, "GET", "/v2/owners", "")

	logged := r.srv.Requests()
	assert.Equal(t, 418, logged[0].Status)
	assert.Equal(t, "no coffee", string(logged[0].ResponseBody))
	assert.Equal(t, "/v2/owners/{id}", logged[0].Route)

	refused := r.request("GET", "/v2/owners/2", "")
	refused.Header.Set("Authorization", "TC-Token old")
	assert.Equal(t, 401, r.send(refused).status, "the signature must be checked first")
	r.inject(Fault{Kind: FaultStatus, Route: "/v2/owners/{id}"}, Fault{Kind: FaultLostReply, Route: "/v2/owners/{id}"})
	r.must(503, "GET", "/v2/owners/2", "")
	_, _, err := r.try(r.request("GET", "/v2/owners/2", ""))
	require.ErrorIs(t, err, syscall.ECONNRESET)

	require.NoError(t, r.srv.Handle(pattern, nil))
	r.must(200, "GET", "/v2/owners/2", "")
}

// A handler can read the body and pass on another request.
func TestHandlerChangesRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.srv.Handle("POST /v2/groups/{type}", func(w http.ResponseWriter, q *http.Request, next http.HandlerFunc) {
		b, err := io.ReadAll(q.Body)
		assert.NoError(t, err)
		q.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(b), "x", "y")))
		q.URL.Path, q.URL.RawQuery = "/api/v2/groups/adversaries", "owner=Example%20Source"
		next(w, q)
	}))
	r.must(201, "POST", "/v2/groups/threats", `{"name":"x"}`)
	got := r.srv.Groups("Example Source")
	require.Len(t, got, 1)
	assert.Equal(t, "y", got[0].Name)
	assert.Equal(t, "Adversary", got[0].Type)
}

func TestHandlerForNewRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	echo := func(w http.ResponseWriter, q *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, q.Method)
	}
	onward := func(w http.ResponseWriter, q *http.Request, next http.HandlerFunc) { next(w, q) }
	require.NoError(t, r.srv.Handle("GET /v3/{things}/count", echo))
	require.NoError(t, r.srv.Handle("PATCH /v2/owners/special", echo))
	require.NoError(t, r.srv.Handle("GET /v3/nothing", onward))
	assert.Equal(t, "GET", r.must(200, "GET", "/v3/x/count", "").raw)
	assert.Equal(t, "PATCH", r.must(200, "PATCH", "/v2/owners/special", "").raw)
	assert.Contains(t, r.must(500, "GET", "/v3/nothing", "").raw, "Could not find resource for relative : /v3/nothing")
	r.must(200, "GET", "/v2/owners/1", "")
	assert.Equal(t, "/v3/{things}/count", r.srv.Requests()[0].Route)
	r.inject(Fault{Kind: FaultStatus, Route: "/v3/{things}/count"})
	r.must(503, "GET", "/v3/x/count", "")
	require.NoError(t, r.srv.Handle("GET /v3/{things}/count", nil))
	r.must(500, "GET", "/v3/x/count", "")
	assert.NotContains(t, Routes(), "GET /v3/nothing")
	newRig(t).must(500, "GET", "/v3/nothing", "") // other servers are not affected
}

func TestHandlerAborts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.srv.Handle("GET /v2/owners", func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }))
	_, _, err := r.try(r.request("GET", "/v2/owners", ""))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.NoError(t, r.srv.Handle("GET /v2/owners", func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic("mine") }))
	assert.PanicsWithValue(t, "mine", func() { _, _, _ = r.try(r.request("GET", "/v2/owners", "")) })
	require.NoError(t, r.srv.Handle("GET /v2/owners", nil))
	r.must(200, "GET", "/v2/owners", "") // deadlocks if the server is locked
}

// Each of these patterns would wait for requests that never arrive.
func TestInvalidHandlerPatterns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	handler := func(http.ResponseWriter, *http.Request, http.HandlerFunc) {}
	for _, pattern := range []string{"", "/v2/owners", "GET", "GET ", "GET v2/owners", "get /v2/owners", " /v2/owners",
		"GET /v2/owners x", "GET /v2/owners?x=y", "* /v2/owners", "GET /v2/owners/{id", "GET /v2/owners/id}", "GET /v2/owners/{}",
		"GET /v2/owners/{{id}}", "GET /v2/owners/x{id}", "GET /v3/{id}/{id}", "GET /v2//owners", "GET /"} {
		require.ErrorContains(t, r.srv.Handle(pattern, handler), "is not a method and a path", "%q", pattern)
	}
	require.EqualError(t, r.srv.Handle("GET /api/v2/owners", handler),
		`threatconnecttest: Handle: "GET /api/v2/owners" begins with the path of the base URL; leave out /api`)
	require.EqualError(t, r.srv.Handle("GET /v2/owners/{owner}", handler),
		`threatconnecttest: Handle: "GET /v2/owners/{owner}" is another spelling of a route that the server has; write it as "GET /v2/owners/{id}"`)
	require.ErrorContains(t, r.srv.Handle("GET /v2/owners/", handler), `write it as "GET /v2/owners"`)
	require.NoError(t, r.srv.Handle("GET /v3/{things}", handler))
	require.ErrorContains(t, r.srv.Handle("GET /v3/{other}", handler), `write it as "GET /v3/{things}"`)
	require.NoError(t, r.srv.Handle("PATCH /v2/owners/{owner}", handler), "no route has this method")
	require.NoError(t, r.srv.Handle("GET /v3/{things}", nil))
	require.NoError(t, r.srv.Handle("GET /v3/{other}", handler))
}

// All routes can be handled, and path values work as with a ServeMux.
func TestHandlersReadPathValues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, pattern := range Routes() {
		require.NoError(t, r.srv.Handle(pattern, func(w http.ResponseWriter, q *http.Request, next http.HandlerFunc) { next(w, q) }))
	}
	var values []string
	require.NoError(t, r.srv.Handle("GET /v3/{kind}/{name}", func(_ http.ResponseWriter, q *http.Request, _ http.HandlerFunc) {
		values = append(values, q.PathValue("kind"), q.PathValue("name"), q.PathValue("other"))
	}))
	r.must(200, "GET", "/v3/things/a%2Fb", "")
	assert.Equal(t, []string{"things", "a/b", ""}, values)
}
