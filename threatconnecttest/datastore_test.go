package threatconnecttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDataStoreAndLogValidation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := func(operation, path, body string) int {
		t.Helper()
		req := r.request("POST", path, body)
		req.Header.Set("Authorization", "TC-Token "+r.srv.Token())
		if operation != "" {
			req.Header.Set("DB-Method", operation)
		}
		return r.send(req).status
	}
	for _, tc := range []struct {
		operation, path, body string
		want                  int
	}{
		{"GET", "/v2/exchange/db/global/x/1", "", 404}, {"", "/v2/exchange/db/local/x/1", "", 400}, {"GET", "/v2/exchange/db/local/x/1", "", 404},
		{"PUT", "/v2/exchange/db/local/x/1", "no JSON", 400}, {"PUT", "/v2/exchange/db/local/x/1", "{}", 200}, {"GET", "/v2/exchange/db/local/x/1", "", 200},
		{"GET", "/v2/exchange/db/local/x/", "", 200}, {"GET", "/v2/exchange/db/local/x/_search", `{"query":{"wildcard":{}}}`, 400},
		{"PUT", "/v2/exchange/db/local/x/_search", `{}`, 400}, {"DELETE", "/v2/exchange/db/local/x/", "", 400}, {"DELETE", "/v2/exchange/db/local/x/1", "", 200},
	} {
		assert.Equal(t, tc.want, token(tc.operation, tc.path, tc.body), "%s %s %s", tc.operation, tc.path, tc.body)
	}
	r.must(200, "POST", "/v2/logs/app", `[{"timestamp":1767225600007,"message":"m","level":"INFO"}]`)
	for _, bad := range []string{`{}`, `[{"timestamp":"now","message":"m","level":"INFO"}]`, `[{"message":"m","level":"INFO"}]`, `[{"timestamp":1,"message":"m","level":"LOUD"}]`} {
		r.must(400, "POST", "/v2/logs/app", bad)
	}
	assert.Equal(t, []LogRecord{{Time: time.UnixMilli(1767225600007).UTC(), Level: "INFO", Message: "m"}}, r.srv.Logs())
}
