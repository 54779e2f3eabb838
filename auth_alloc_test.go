//go:build !race

package threatconnect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file is not built with the race detector, because that makes a sync.Pool drop values at random and so adds
// allocations.
func TestSigningAllocatesLittle(t *testing.T) {
	creds := HMAC("access", "Sup3rS3cret")
	req := &http.Request{Method: "GET", URL: &url.URL{Path: "/api/v2/indicators/hosts/www.example.com", RawQuery: "owner=Example%20Source"}, Header: http.Header{}}
	now := time.Unix(1700000000, 0)
	assert.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		if err := creds.authorize(t.Context(), req, now); err != nil {
			t.Fatal(err)
		}
	}), 4.0)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = PathSegment("www.example.com") }), "most values need no escaping")
}

// constant is a transport that answers every request with the same body.
type constant string

func (c constant) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c))), ContentLength: -1}, nil
}

func TestACallWithoutObserversAllocatesLittle(t *testing.T) {
	c, err := NewClient("https://tc.example/api", HMAC("access", "Sup3rS3cret"), WithTransport(constant(`{"status":"Success"}`)))
	require.NoError(t, err)
	route := at("v2", "indicators", "hosts", value("www.example.com"))
	assert.LessOrEqual(t, testing.AllocsPerRun(500, func() {
		if err := c.remove(t.Context(), route, ""); err != nil {
			t.Fatal(err)
		}
	}), 31.0, "as many as before observers and routes in contexts were added")
}

// BenchmarkSigning compares signing a request with the bare HMAC of the same bytes, without header
// and base64.
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
