package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	for _, owner := range []string{"Example Source", "Example Community"} {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{
			Owner: owner, Type: "Address", Summary: "203.0.113.42",
			Assessed: &threatconnecttest.ThreatAssess{Rating: 4, Confidence: 80, Score: 812},
		}))
	}
	h := newWebhook(srv.Client(), "secret")
	post := func(token, body string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const alert = `{"indicators":["203[.]0[.]113[.]42","unknown.example","10.0.0.1","hello world"]}`
	code, answer := post("secret", alert)
	assert.Equal(t, http.StatusOK, code)
	assert.JSONEq(t, `[
		{"value":"203[.]0[.]113[.]42","type":"Address","owners":["Example Community","Example Source"],"score":812,"malicious":true},
		{"value":"unknown.example","type":"Host","owners":[],"score":null,"malicious":false},
		{"value":"10.0.0.1","type":"Address","owners":[],"score":null,"malicious":false,"skipped":"not a public address (private, RFC 1918)"},
		{"value":"hello world","owners":[],"score":null,"malicious":false,"skipped":"not an indicator"}
	]`, answer)

	requests := len(srv.Requests())
	code, _ = post("wrong", alert)
	assert.Equal(t, http.StatusUnauthorized, code)
	code, _ = post("secret", `["203.0.113.42"]`)
	assert.Equal(t, http.StatusBadRequest, code)
	code, _ = post("secret", `{"indicators":["x"`+strings.Repeat(`,"x"`, maxValues)+`]}`)
	assert.Equal(t, http.StatusBadRequest, code)
	assert.Len(t, srv.Requests(), requests)

	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusUnauthorized, Times: -1}))
	code, answer = post("secret", alert)
	assert.Equal(t, http.StatusBadGateway, code)
	assert.Contains(t, answer, "send the alert again")
}
