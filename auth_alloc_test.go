//go:build !race

package threatconnect

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// The race detector makes a sync.Pool forget at random, so that it counts what is not there otherwise.
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
