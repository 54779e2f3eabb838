package threatconnect_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// peopleCall is a request that a test expects, to the byte, and what it is answered.
type peopleCall struct {
	method string
	target string // escaped path below /api, and query
	body   string // empty means that no body is sent
	status int    // 0 means 200
	answer string // empty means a bare success
}

// peopleWire returns a client that has to send just these requests, in this order.
func peopleWire(t *testing.T, calls ...peopleCall) *threatconnect.Client {
	t.Helper()
	mock := httpmock.NewMockTransport()
	n := 0
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		if !assert.Less(t, n, len(calls), "unexpected: %s %s", r.Method, r.URL.RequestURI()) {
			return httpmock.NewStringResponse(http.StatusTeapot, ""), nil
		}
		want := calls[n]
		n++
		assert.Equal(t, want.method+" /api"+want.target, r.Method+" "+r.URL.RequestURI())
		var body []byte
		if r.Body != nil {
			var err error
			body, err = io.ReadAll(r.Body)
			assert.NoError(t, err)
		}
		assert.Equal(t, want.body, string(body))
		contentType := ""
		if want.body != "" {
			contentType = "application/json; charset=utf-8"
		}
		assert.Equal(t, contentType, r.Header.Get("Content-Type"))
		assert.NotEmpty(t, r.Header.Get("Authorization"))
		if want.status == 0 {
			want.status = http.StatusOK
		}
		if want.answer == "" {
			want.answer = `{"status":"Success"}`
		}
		resp := httpmock.NewStringResponse(want.status, want.answer)
		resp.Header.Set("Content-Type", "application/json;charset=utf-8")
		return resp, nil
	})
	t.Cleanup(func() { assert.Equal(t, len(calls), n, "requests sent") })
	client, err := threatconnect.NewClient("https://tc.example.com/api", threatconnect.HMAC("20260101000000000001", "secret"),
		threatconnect.WithTransport(mock))
	require.NoError(t, err)
	return client
}

// peopleRefused checks that an error is a refusal before sending, of a field, that does not hold the value.
func peopleRefused(t *testing.T, err error, field, value string) {
	t.Helper()
	var v *threatconnect.ValidationError
	require.ErrorAs(t, err, &v)
	assert.Equal(t, field, v.Field)
	if value != "" {
		assert.NotContains(t, err.Error(), value)
	}
}
