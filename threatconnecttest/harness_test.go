package threatconnecttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rig is a separate signing client because the tests of the SDK's client rely on the server.
type rig struct {
	*testing.T
	srv *Server
}

// newRig returns a rig whose server must be consistent at the end of the test.
func newRig(t *testing.T, opts ...Option) rig {
	t.Helper()
	return rig{t, NewT(t, append([]Option{Allow(LapseUnverified, LapseUnknownRoutes, LapseUnusedFaults)}, opts...)...)}
}

// seed adds records.
func (r rig) seed(records ...Record) {
	r.Helper()
	require.NoError(r, r.srv.Seed(records...))
}

// reply is a response of the server.
type reply struct {
	status int
	header http.Header
	raw    string
	json   any // nil if the body is not JSON
}

// request returns a signed request. path starts with /v2.
func (r rig) request(method, path, body string) *http.Request {
	r.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(r.Context(), method, r.srv.BaseURL()+path, in)
	require.NoError(r, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	r.sign(req)
	return req
}

func (r rig) sign(req *http.Request) {
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(r.srv.SecretKey()))
	_, _ = io.WriteString(mac, req.URL.RequestURI()+":"+req.Method+":"+stamp)
	req.Header.Set("Timestamp", stamp)
	req.Header.Set("Authorization", "TC "+r.srv.AccessID()+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func (r rig) send(req *http.Request) reply {
	r.Helper()
	resp, err := (&http.Client{Transport: r.srv}).Do(req)
	require.NoError(r, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(r, err)
	require.NotRegexp(r, `^(application/json|text/plain|text/csv).`, resp.Header.Get("Content-Type"), "%s %s", req.Method, req.URL.Path)
	out := reply{status: resp.StatusCode, header: resp.Header, raw: string(b)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		require.NoError(r, json.Unmarshal(b, &out.json), out.raw)
	}
	return out
}

func (r rig) do(method, path, body string) reply {
	r.Helper()
	return r.send(r.request(method, path, body))
}

func (r rig) get(path string) reply { r.Helper(); return r.do("GET", path, "") }

// must makes a request and requires a status.
func (r rig) must(status int, method, path, body string) reply {
	r.Helper()
	out := r.do(method, path, body)
	require.Equal(r, status, out.status, "%s %s: %s", method, path, out.raw)
	return out
}

// at returns the value at a path in the response, such as "data", "group", 0, "id".
func (p reply) at(path ...any) any {
	v := p.json
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

// keysOf returns the keys of the object at a path, in the order of the raw response.
func keysOf(t *testing.T, raw string, path ...string) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(raw))
	for _, want := range path {
		for {
			tok, err := d.Token()
			require.NoError(t, err, "no %q in %s", want, raw)
			if tok == want {
				break
			}
		}
	}
	for { // skip to the object
		tok, err := d.Token()
		require.NoError(t, err)
		if tok == json.Delim('{') {
			break
		}
	}
	var keys []string
	for d.More() {
		k, err := d.Token()
		require.NoError(t, err)
		keys = append(keys, k.(string))
		var skip json.RawMessage
		require.NoError(t, d.Decode(&skip))
	}
	return keys
}

func message(p reply) any { return p.at("message") }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
