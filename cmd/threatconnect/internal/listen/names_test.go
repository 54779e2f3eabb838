package listen

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNames(t *testing.T) {
	t.Parallel()
	n := NewNames(":8080", "siem.example:8080", "Alerts.example.")
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost:8080": true, "localhost.": true, "127.0.0.1:8080": true, "127.0.0.1": true, "[::1]:80": true, "[::1]": true,
		"192.0.2.7:9090": true, "siem.example": true, "siem.example:443": true, "alerts.example:8080": true,
		"": false, ":8080": false, "evil.example": false, "evil.example:8080": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false,
		"xlocalhost": false, "127.1": false, "0x7f000001": false, "siem.example@evil.example": false, "a.siem.example": false,
	} {
		assert.Equal(t, want, n.Has(&http.Request{Host: host}), host)
	}
}

func TestIsSameOrigin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header http.Header
		tls    bool
		want   bool
	}{
		"no browser":           {nil, false, true},
		"own":                  {http.Header{"Origin": {"http://siem.example:8080"}, "Sec-Fetch-Site": {"same-origin"}}, false, true},
		"capitals":             {http.Header{"Origin": {"http://SIEM.example:8080"}}, false, true},
		"own over TLS":         {http.Header{"Origin": {"https://siem.example:8080"}}, true, true},
		"typed by the user":    {http.Header{"Sec-Fetch-Site": {"none"}}, false, true},
		"other scheme":         {http.Header{"Origin": {"https://siem.example:8080"}}, false, false},
		"clear text":           {http.Header{"Origin": {"http://siem.example:8080"}}, true, false},
		"other port":           {http.Header{"Origin": {"http://siem.example:8081"}}, false, false},
		"no port":              {http.Header{"Origin": {"http://siem.example"}}, false, false},
		"other host":           {http.Header{"Origin": {"http://evil.example"}, "Sec-Fetch-Site": {"same-origin"}}, false, false},
		"sandboxed frame":      {http.Header{"Origin": {"null"}}, false, false},
		"empty":                {http.Header{"Origin": {""}}, false, false},
		"two":                  {http.Header{"Origin": {"http://siem.example:8080", "http://evil.example"}}, false, false},
		"other site":           {http.Header{"Sec-Fetch-Site": {"cross-site"}}, false, false},
		"other port by Fetch":  {http.Header{"Sec-Fetch-Site": {"same-site"}}, false, false},
		"unknown kind of site": {http.Header{"Sec-Fetch-Site": {"x"}}, false, false},
	} {
		r := &http.Request{Host: "siem.example:8080", Header: tc.header}
		if tc.tls {
			r.TLS = &tls.ConnectionState{}
		}
		assert.Equal(t, tc.want, IsSameOrigin(r), name)
	}
}
