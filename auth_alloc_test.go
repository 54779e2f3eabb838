//go:build !race

package threatconnect

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// constant is a transport that answers every request alike.
type constant string

func (c constant) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c))), ContentLength: -1}, nil
}

func TestACallWithoutObserversAllocatesLittle(t *testing.T) {
	c, err := NewClient("https://tc.example/api", HMAC("access", "Sup3rS3cret"), WithTransport(constant(`{"status":"Success"}`)))
	require.NoError(t, err)
	route := at("v2", "indicators", "hosts", value("www.example.com"))
	assert.LessOrEqual(t, testing.AllocsPerRun(500, func() {
		if err := c.write(t.Context(), http.MethodDelete, route, ""); err != nil {
			t.Fatal(err)
		}
	}), 31.0, "as many as before there were observers, and routes in contexts")
}
