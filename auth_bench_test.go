package threatconnect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// BenchmarkSigning holds what a request is signed with against the HMAC alone, of the same bytes,
// with nothing around it: no header, no base64.
func BenchmarkSigning(b *testing.B) {
	const secret = "not a secret"
	now := time.Unix(1_700_000_000, 0)
	newRequest := func() *http.Request {
		return &http.Request{Method: http.MethodGet, Header: make(http.Header, 8), URL: &url.URL{Scheme: "https", Host: "app.example.com",
			Path: "/api/v2/indicators/hosts/node-1.feed.example", RawQuery: "includeAdditional=true&owner=Example%20Source"}}
	}
	signed := appendSigned(nil, http.MethodGet, newRequest().URL.RequestURI(), strconv.FormatInt(now.Unix(), 10))
	b.Run("request", func(b *testing.B) {
		credentials, req := HMAC("12345678901234567890", secret), newRequest()
		b.ReportAllocs()
		for b.Loop() {
			if err := credentials.authorize(context.Background(), req, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new HMAC", func(b *testing.B) {
		var sum []byte
		b.ReportAllocs()
		for b.Loop() {
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write(signed)
			sum = mac.Sum(sum[:0])
		}
	})
	b.Run("kept HMAC", func(b *testing.B) {
		mac, sum := hmac.New(sha256.New, []byte(secret)), []byte(nil)
		b.ReportAllocs()
		for b.Loop() {
			mac.Reset()
			mac.Write(signed)
			sum = mac.Sum(sum[:0])
		}
	})
}
