package wiretest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// failures counts the errors of a test.
type failures struct {
	testing.TB
	n    int
	ends []func()
}

func (*failures) Helper()                 {}
func (f *failures) Errorf(string, ...any) { f.n++ }
func (f *failures) Cleanup(end func())    { f.ends = append(f.ends, end) }

func TestScriptFailsOnUnexpectedRequests(t *testing.T) {
	t.Parallel()
	const path, body = "/v2/tags?owner=Example", `{"name":"a"}`
	send := func(method, target, body, contentType string, times int) int {
		f := &failures{TB: t}
		script := Script(f, Want{Method: "POST", Target: path, Body: `{"name":"a"}`})
		for range times {
			req, err := http.NewRequestWithContext(t.Context(), method, "https://tc.example/api"+target, strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set("Authorization", "TC id:signature")
			req.Header.Set("Content-Type", contentType)
			resp, err := script.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
		for _, end := range f.ends {
			end()
		}
		return f.n
	}
	const json = "application/json; charset=utf-8"
	assert.Zero(t, send("POST", path, body, json, 1))
	assert.Equal(t, 1, send("PUT", path, body, json, 1), "another method")
	assert.Equal(t, 1, send("POST", path+"&a=b", body, json, 1), "another query")
	assert.Equal(t, 1, send("POST", path, body+" ", json, 1), "another body")
	assert.Equal(t, 1, send("POST", path, body, "text/plain", 1), "another type")
	assert.Equal(t, 1, send("POST", path, body, json, 0), "a missing request")
	assert.Equal(t, 1, send("POST", path, body, json, 2), "an extra request")
}
