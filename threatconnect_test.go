package threatconnect_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestMain(m *testing.M) {
	if os.Getenv(killedDir) != "" {
		os.Exit(beKilled())
	}
	debug.SetGCPercent(400) // the live heap is small and its garbage large: the default costs a fifth of the time
	goleak.VerifyTestMain(m)
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	creds := threatconnect.HMAC("id", "key")
	for in, want := range map[string]string{
		"https://app.threatconnect.com/api":         "https://app.threatconnect.com/api",
		" https://app.threatconnect.com/api\n":      "https://app.threatconnect.com/api",
		"https://app.threatconnect.com/api///":      "https://app.threatconnect.com/api",
		"https://app.threatconnect.com/api/v2":      "https://app.threatconnect.com/api",
		"https://app.threatconnect.com/api//v2//":   "https://app.threatconnect.com/api",
		"https://api.threatconnect.com":             "https://api.threatconnect.com",
		"https://api.threatconnect.com/":            "https://api.threatconnect.com",
		"https://api.threatconnect.com/v2/":         "https://api.threatconnect.com",
		"HTTPS://TC.Example/Api":                    "https://tc.example/Api",
		"https://tc.example:8443/a/b%2Fc":           "https://tc.example:8443/a/b%2Fc",
		"https://[2001:db8::1]:443/api":             "https://[2001:db8::1]:443/api",
		"https://[2001:db8::1]/api":                 "https://[2001:db8::1]/api",
		"https://b\u00fccher.example/api":           "https://b%C3%BCcher.example/api",
		"http://localhost:8080/api":                 "http://localhost:8080/api",
		"http://127.0.0.1/api":                      "http://127.0.0.1/api",
		"http://[::1]:8080":                         "http://[::1]:8080",
		"https://tc.example/api/v20":                "https://tc.example/api/v20",
		"https://tc.example/some/proxy/path/api/v2": "https://tc.example/some/proxy/path/api",
	} {
		c, err := threatconnect.NewClient(in, creds)
		require.NoError(t, err, in)
		assert.Equal(t, want, c.BaseURL(), in)
	}
	for in, rule := range map[string]string{
		"":                               "is empty",
		" \t ":                           "is empty",
		"tc.example/api":                 "has no https:// scheme",
		"tc.example:443/api":             "has no https:// scheme",
		"ftp://tc.example/api":           "has no https:// scheme",
		"https:tc.example":               "has no host",
		"https:///api":                   "has no host",
		"https://:443/api":               "has no host",
		"https://user@tc.example/api":    "holds a user name",
		"https://u:hunter2@tc.example":   "holds a user name",
		"https://tc.example/api?x=1":     "holds a query",
		"https://tc.example/api?":        "holds a query",
		"https://tc.example/api#x":       "holds a fragment",
		"https://tc.example/api#":        "holds a fragment",
		"https://tc.example:99999/api":   "has a port",
		"https://tc.example:0/api":       "has a port",
		"https://tc.example:/api":        "has a port",
		"https://tc.example:-1/api":      "is not a URL",
		"https://tc.ex ample/api":        "is not a URL",
		"https://tc.example/a\npi":       "is not a URL",
		"https://tc.example/a/../api":    "has a . or ..",
		"https://tc.example/a/%2e%2E/b":  "has a . or ..",
		"https://tc.example/./api":       "has a . or ..",
		"https://tc.example/%zz":         "is not a URL",
		"https://[2001:db8::1/api":       "is not a URL",
		"http://tc.example/api":          "is http:// to another machine",
		"http://127.0.0.1.example/api":   "is http:// to another machine",
		"http://localhost.example.org/x": "is http:// to another machine",
	} {
		_, err := threatconnect.NewClient(in, creds)
		var v *threatconnect.ValidationError
		require.ErrorAs(t, err, &v, in)
		assert.Equal(t, "base URL", v.Field)
		assert.Contains(t, v.Rule, rule, in)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	c, err := threatconnect.NewClient("http://tc.example/api", creds, threatconnect.WithPlainHTTP())
	require.NoError(t, err)
	assert.Equal(t, "http://tc.example/api", c.BaseURL())
}

func TestClientFromEnv(t *testing.T) {
	set := func(t *testing.T, pairs ...string) {
		for _, name := range []string{"TC_BASE_URL", "TC_ACCESS_ID", "TC_SECRET_KEY", "TC_SECRET_KEY_FILE", "TC_TOKEN", "TC_TOKEN_FILE", "TC_OWNER"} {
			t.Setenv(name, "")
		}
		for i := 0; i < len(pairs); i += 2 {
			t.Setenv(pairs[i], pairs[i+1])
		}
	}
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("s3cret\n"), 0o600))
	for name, tc := range map[string]struct {
		env   []string
		field string // of the error
		owner string
	}{
		"a file with the key":       {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_ACCESS_ID", "1", "TC_SECRET_KEY_FILE", file}, "", ""},
		"a file with the token":     {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_TOKEN_FILE", file}, "", ""},
		"a key and a file":          {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_ACCESS_ID", "1", "TC_SECRET_KEY", "s3cret", "TC_SECRET_KEY_FILE", file}, "TC_SECRET_KEY_FILE", ""},
		"a token and a key's file":  {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_TOKEN", "t", "TC_SECRET_KEY_FILE", file}, "TC_TOKEN", ""},
		"a missing file":            {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_TOKEN_FILE", file + ".s3cret"}, "TC_TOKEN_FILE", ""},
		"access id and secret key":  {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_ACCESS_ID", "1", "TC_SECRET_KEY", "s"}, "", ""},
		"a token":                   {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_TOKEN", "t"}, "", ""},
		"an owner":                  {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_TOKEN", "t", "TC_OWNER", "Example Source"}, "", "Example Source"},
		"a blank owner":             {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_TOKEN", "t", "TC_OWNER", " "}, "owner", ""},
		"no base URL":               {[]string{"TC_TOKEN", "t"}, "TC_BASE_URL", ""},
		"a bad base URL":            {[]string{"TC_BASE_URL", "tc.example", "TC_TOKEN", "t"}, "base URL", ""},
		"no credentials":            {[]string{"TC_BASE_URL", "https://tc.example/api"}, "TC_ACCESS_ID", ""},
		"no secret key":             {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_ACCESS_ID", "1"}, "TC_SECRET_KEY", ""},
		"no access id":              {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_SECRET_KEY", "s3cret"}, "TC_ACCESS_ID", ""},
		"both kinds of credentials": {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_ACCESS_ID", "1", "TC_TOKEN", "t"}, "TC_TOKEN", ""},
		"a damaged secret":          {[]string{"TC_BASE_URL", "https://tc.example/api", "TC_ACCESS_ID", "1", "TC_SECRET_KEY", "s3cret\n"}, "secret key", ""},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, tc.env...)
			c, err := threatconnect.NewClientFromEnv()
			if tc.field == "" {
				require.NoError(t, err)
				assert.Equal(t, tc.owner, c.Owner())
				return
			}
			var v *threatconnect.ValidationError
			require.ErrorAs(t, err, &v)
			assert.Equal(t, tc.field, v.Field)
			assert.NotContains(t, err.Error(), "s3cret")
		})
	}
	set(t, "TC_BASE_URL", "https://tc.example/api", "TC_TOKEN_FILE", file, "TC_OWNER", "Example Source")
	c, err := threatconnect.NewClientFromEnv(threatconnect.WithOwner("Another Source"))
	require.NoError(t, err)
	assert.Equal(t, "Another Source", c.Owner(), "options override the environment")
}

// shown returns v as fmt, JSON and slog print it.
func shown(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	text, err := json.Marshal(v)
	fmt.Fprintf(&b, "%s %v\n", text, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	b.Write(log.Bytes())
	return b.String()
}

func TestClientsAndErrorsShowNoSecret(t *testing.T) {
	t.Parallel()
	const (
		secret   = "Sup3rS3cret"
		token    = "APIV2:tok3n"
		password = "pr0xyPassw0rd"
		value    = "very-evil.example"
	)
	hmac, tok := threatconnect.HMAC("access", secret), threatconnect.Token(token)
	proxied, err := threatconnect.NewClient("https://tc.example/api", hmac, threatconnect.WithProxy("http://user:"+password+"@proxy.example:3128"))
	require.NoError(t, err)
	var signatures []string
	var log bytes.Buffer
	failing := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
		signatures = append(signatures, strings.TrimPrefix(req.Header.Get("Authorization"), "TC access:"))
		if strings.HasSuffix(req.URL.Path, "/tags/reset") {
			return nil, fmt.Errorf("cannot send %s", req.URL)
		}
		return wiretest.Reply(400, `{"status":"Failure","message":"The host VERY-EVIL.example is refused"}`), nil
	}), threatconnect.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	_, refused := failing.Indicators.Hosts.Get(t.Context(), value, nil)
	require.Error(t, refused)
	_, filtered := failing.Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.Is(value)}})
	require.Error(t, filtered)
	broken := failing.Tags.Add(t.Context(), threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: value}, "reset")
	require.Error(t, broken)
	_, own := failing.Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/indicators/hosts/" + value})
	require.Error(t, own)
	_, invalid := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("access", secret+"\n"))
	require.Error(t, invalid)
	type holder struct {
		C threatconnect.Credentials
		c threatconnect.Credentials
		p *threatconnect.Client
	}
	var out string
	for _, v := range []any{hmac, tok, proxied, failing, refused, filtered, broken, own, invalid, holder{hmac, tok, proxied}, &holder{tok, hmac, proxied},
		threatconnect.WithProxy("http://user:" + password + "@proxy.example:3128"), []any{hmac, proxied}, map[string]any{"c": tok}} {
		out += shown(v)
	}
	out += log.String()
	require.Len(t, signatures, 4)
	assert.Contains(t, log.String(), "/v2/indicators/hosts/{}")
	for _, s := range append(signatures, secret, token, password, value, strings.ToUpper(value), "VERY-EVIL") {
		assert.NotEmpty(t, s)
		assert.NotContains(t, out, s)
		assert.NotContains(t, out, fmt.Sprintf("%x", s), s)
	}
}

func TestClientString(t *testing.T) {
	t.Parallel()
	c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("id", "key"), threatconnect.WithOwner("Example Source"))
	require.NoError(t, err)
	const want = `threatconnect.Client(https://tc.example/api, owner "Example Source")`
	assert.Equal(t, want, fmt.Sprint(c))
	assert.Equal(t, want, fmt.Sprintf("%#v", c))
	text, err := json.Marshal(map[string]any{"client": c})
	require.NoError(t, err)
	var back map[string]string
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, want, back["client"])
	var none *threatconnect.Client
	assert.Equal(t, "threatconnect.Client(unusable)", fmt.Sprint(none))
}

func TestNewClientRejectsInvalidArguments(t *testing.T) {
	t.Parallel()
	creds := threatconnect.HMAC("id", "key")
	_, err := threatconnect.NewClient("https://tc.example", nil)
	assert.EqualError(t, err, "threatconnect: credentials are missing; make them with HMAC, Token or TokenFunc")
	_, err = threatconnect.NewClient("https://tc.example", creds, nil)
	assert.EqualError(t, err, "threatconnect: option is nil")
	_, err = threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(nil))
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	var v *threatconnect.ValidationError
	assert.ErrorAs(t, err, &v)
}

func TestInvalidOptionsAreRejected(t *testing.T) {
	t.Parallel()
	h, rt := &http.Client{}, wiretest.Func(nil)
	for name, opts := range map[string][]threatconnect.Option{
		"an empty owner":                 {threatconnect.WithOwner("")},
		"an owner with a line break":     {threatconnect.WithOwner("Example\r\nX-Evil: 1")},
		"an owner that is not UTF-8":     {threatconnect.WithOwner("\xff")},
		"a user agent with a break":      {threatconnect.WithUserAgent("acme/1\nX-Evil: 1")},
		"a user agent with a delete":     {threatconnect.WithUserAgent("acme\x7f")},
		"a blank user agent":             {threatconnect.WithUserAgent(" ")},
		"a user agent that is not UTF-8": {threatconnect.WithUserAgent("acme\xff")},
		"an invisible user agent":        {threatconnect.WithUserAgent("acme\u202e")},
		"a nil HTTP client":              {threatconnect.WithHTTPClient(nil)},
		"a nil transport":                {threatconnect.WithTransport(nil)},
		"a nil TLS config":               {threatconnect.WithTLSConfig(nil)},
		"TLS without verification":       {threatconnect.WithTLSConfig(&tls.Config{InsecureSkipVerify: true})},
		"TLS 1.1 at most":                {threatconnect.WithTLSConfig(&tls.Config{MaxVersion: tls.VersionTLS11})},
		"a nil clock":                    {threatconnect.WithClock(nil)},
		"a proxy without a scheme":       {threatconnect.WithProxy("proxy.example:3128")},
		"a proxy without a host":         {threatconnect.WithProxy("http://")},
		"a proxy of another kind":        {threatconnect.WithProxy("ftp://proxy.example")},
		"a proxy with a raw password":    {threatconnect.WithProxy("http://user:pa%ss@proxy.example")},
		"negative attempts":              {threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: -1})},
		"a negative wait":                {threatconnect.WithRetry(threatconnect.RetryPolicy{MaxWait: -1})},
		"a cap of nothing":               {threatconnect.WithMaxResponseBytes(0)},
		"a negative stall timeout":       {threatconnect.WithStallTimeout(-1)},
		"a negative attempt timeout":     {threatconnect.WithAttemptTimeout(-1)},
		"an HTTP client and a timeout":   {threatconnect.WithHTTPClient(h), threatconnect.WithAttemptTimeout(1)},
		"an HTTP client and transport":   {threatconnect.WithHTTPClient(h), threatconnect.WithTransport(rt)},
		"an HTTP client and a proxy":     {threatconnect.WithHTTPClient(h), threatconnect.WithProxy("http://proxy.example")},
		"an HTTP client and TLS config":  {threatconnect.WithHTTPClient(h), threatconnect.WithTLSConfig(&tls.Config{})},
		"a transport and a proxy":        {threatconnect.WithTransport(rt), threatconnect.WithProxy("http://proxy.example")},
		"a transport and a TLS config":   {threatconnect.WithTransport(rt), threatconnect.WithTLSConfig(&tls.Config{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("id", "key"), opts...)
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			assert.NotContains(t, err.Error(), "X-Evil")
			assert.NotContains(t, err.Error(), "pa%ss")
		})
	}
}

func TestCallersHTTPClientIsNotModified(t *testing.T) {
	t.Parallel()
	redirects := errors.New("mine")
	s := &wiretest.Steps{Do: steps{wiretest.Answer(302, "", "Location", "https://other.example/")}}
	h := &http.Client{Transport: s, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return redirects }}
	c, err := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("id", "key"), threatconnect.WithHTTPClient(h))
	require.NoError(t, err)
	_, err = c.Owners.Whoami(t.Context())
	require.ErrorIs(t, err, threatconnect.ErrRedirect)
	require.NotErrorIs(t, err, redirects)
	assert.Equal(t, redirects, h.CheckRedirect(nil, nil))
	assert.Equal(t, time.Minute, h.Timeout)
	_, hasDeadline := s.Sent[0].Context().Deadline()
	assert.True(t, hasDeadline, "the caller's timeout is kept")

	config := &tls.Config{MinVersion: tls.VersionTLS10, ServerName: "tc.example"}
	_, err = threatconnect.NewClient("https://tc.example", threatconnect.HMAC("id", "key"), threatconnect.WithTLSConfig(config))
	require.NoError(t, err)
	assert.Equal(t, uint16(tls.VersionTLS10), config.MinVersion)
}

func TestHTTPClientWithoutTransport(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, whoami) }))
	defer srv.Close()
	h := &http.Client{}
	c, err := threatconnect.NewClient(srv.URL, threatconnect.HMAC("id", "key"), threatconnect.WithHTTPClient(h))
	require.NoError(t, err)
	_, err = c.Owners.Whoami(t.Context())
	require.NoError(t, err)
	assert.Equal(t, http.Client{}, *h, "it is not changed")
}

func TestOptionsOnTheWire(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	c := clientOf(t, s, threatconnect.WithUserAgent("acme-feed/1.4.2"), threatconnect.WithActivityLog(false), threatconnect.WithOwner("Example Source"))
	_, err := c.Owners.Whoami(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "acme-feed/1.4.2 threatconnect-go/"+threatconnect.Version, s.Sent[0].Header.Get("User-Agent"))
	assert.Equal(t, c.UserAgent(), s.Sent[0].Header.Get("User-Agent"))
	assert.Equal(t, "createActivityLog=false", s.Sent[0].URL.RawQuery)
	assert.Equal(t, "application/json", s.Sent[0].Header.Get("Accept"))

	// An owner is encoded like any other query value.
	_, err = c.InOwner("A & owner=B").Indicators.Hosts.List(t.Context(), &threatconnect.IndicatorListOptions{Include: threatconnect.Include{OmitAdditional: true}})
	require.NoError(t, err)
	assert.Equal(t, "createActivityLog=false&owner=A%20%26%20owner%3DB&resultLimit=500", s.Sent[1].URL.RawQuery)
	q, err := url.ParseQuery(s.Sent[1].URL.RawQuery)
	require.NoError(t, err)
	assert.Equal(t, []string{"A & owner=B"}, q["owner"])
}
