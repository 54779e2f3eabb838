package sandbox

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestThreatSandboxRejectsForeignOrigins(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	for name, tc := range map[string]struct {
		method, path, remote, host string
		header                     map[string]string
		want                       int
	}{
		"page":                          {path: "/", want: 200},
		"page by name":                  {path: "/", host: "localhost:8080", want: 200},
		"page by name in capitals":      {path: "/", host: "LocalHost:8080", want: 200},
		"page by IPv6":                  {path: "/", host: "[::1]:8080", remote: "[::1]:4711", want: 200},
		"mapped address":                {path: "/", remote: "[::ffff:127.0.0.1]:4711", want: 200},
		"page of a link":                {path: "/", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 200},
		"other machine":                 {path: "/", remote: "192.0.2.1:4711", want: 403},
		"other machine, control":        {path: "/__sandbox/owners", remote: "192.0.2.1:4711", want: 403},
		"by a proxy":                    {path: "/__sandbox/owners", header: map[string]string{"X-Forwarded-For": "192.0.2.1"}, want: 403},
		"page by a proxy":               {path: "/", header: map[string]string{"Forwarded": "for=192.0.2.1"}, want: 403},
		"API by a proxy":                {path: "/api/v2/owners", header: map[string]string{"X-Forwarded-For": "192.0.2.1"}, want: 401},
		"no address":                    {path: "/", remote: "pipe", want: 403},
		"rebound name":                  {path: "/__sandbox/owners", host: "evil.example:8080", want: 403},
		"rebound name, page":            {path: "/", host: "evil.example:8080", want: 403},
		"page by the name of --addr":    {path: "/", host: "desk.example:8080", want: 200},
		"port of a tunnel":              {path: "/__sandbox/owners", host: "127.0.0.1:8081", want: 200},
		"origin with another port":      {path: "/__sandbox/owners", header: map[string]string{"Origin": "http://127.0.0.1:8081"}, want: 403},
		"rebound name and its origin":   {path: "/__sandbox/owners", host: "evil.example:8080", header: map[string]string{"Origin": "http://evil.example:8080", "Sec-Fetch-Site": "same-origin"}, want: 403},
		"rebound name, with the token":  {method: "POST", path: "/__sandbox/reset", host: "evil.example:8080", want: 403},
		"other origin, with the token":  {method: "POST", path: "/__sandbox/reset", header: map[string]string{"Origin": "http://evil.example"}, want: 403},
		"own origin":                    {path: "/__sandbox/owners", header: map[string]string{"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, want: 200},
		"other origin":                  {path: "/__sandbox/owners", header: map[string]string{"Origin": "http://evil.example"}, want: 403},
		"other scheme":                  {path: "/__sandbox/owners", header: map[string]string{"Origin": "https://127.0.0.1:8080"}, want: 403},
		"origin without a name":         {path: "/__sandbox/owners", header: map[string]string{"Origin": "null"}, want: 403},
		"other site":                    {path: "/__sandbox/owners", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		"other port of the same host":   {path: "/__sandbox/owners", header: map[string]string{"Sec-Fetch-Site": "same-site"}, want: 403},
		"events for another site":       {path: "/__sandbox/events", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		"read without the token":        {path: "/__sandbox/owners", header: map[string]string{tokenHeader: ""}, want: 200},
		"write without the token":       {method: "POST", path: "/__sandbox/reset", header: map[string]string{tokenHeader: ""}, want: 401},
		"write with another token":      {method: "POST", path: "/__sandbox/reset", header: map[string]string{tokenHeader: "x"}, want: 401},
		"write with the token":          {method: "POST", path: "/__sandbox/reset", want: 200},
		"unknown write without a token": {method: "POST", path: "/__sandbox/bogus", header: map[string]string{tokenHeader: ""}, want: 401},
		"write to the page":             {method: "POST", path: "/", want: 405},
		"API from elsewhere":            {path: "/api/v2/owners", remote: "192.0.2.1:4711", host: "sandbox.example", want: 401},
	} {
		t.Run(name, func(t *testing.T) {
			method := tc.method
			if method == "" {
				method = "GET"
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // an event stream would never end
			defer cancel()
			r := d.request(method, tc.path, "").WithContext(ctx)
			if tc.remote != "" {
				r.RemoteAddr = tc.remote
			}
			if tc.host != "" {
				r.Host = tc.host
			}
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			status, answer := d.send(r)
			assert.Equal(t, tc.want, status, answer)
		})
	}
}

// Requests that a browser sends on its own do not count as requests of an API client.
func TestBrowserRequests(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	for _, path := range []string{"/favicon.ico", "/.well-known/appspecific/com.chrome.devtools.json"} {
		status, _ := d.send(d.request("GET", path, ""))
		assert.Equal(t, 404, status, path)
	}
	assert.Empty(t, read[[]requestRow](d, "requests"))
	assert.Empty(t, d.srv.Lapses(), "--strict is about clients of the API")
}
