package threatconnecttest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRateLimitWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithRateLimit(3, 10*time.Second))
		for range 3 {
			r.must(200, "GET", "/v2/owners", "")
			time.Sleep(1500 * time.Millisecond)
		}
		refused := r.must(429, "GET", "/v2/owners", "") // 4.5 s after the first request
		assert.Equal(t, "6", refused.header.Get("Retry-After"), "5.5 s, rounded up")
		assert.Equal(t, "Failure", refused.at("status"))
		logged := r.srv.Requests()[3]
		assert.Equal(t, 429, logged.Status)
		assert.True(t, logged.Verified)
		time.Sleep(5500 * time.Millisecond)
		r.must(200, "GET", "/v2/owners", "")
		assert.Equal(t, "2", r.must(429, "GET", "/v2/owners", "").header.Get("Retry-After"), "refused requests do not count")
		time.Sleep(1500 * time.Millisecond)
		r.must(200, "GET", "/v2/owners", "")
		r.must(429, "GET", "/v2/owners", "")
		time.Sleep(10 * time.Second)
		for range 3 {
			r.must(200, "GET", "/v2/owners", "")
		}
		r.must(429, "GET", "/v2/owners", "")

		r.srv.SetRateLimit(1, time.Hour)
		r.must(200, "GET", "/v2/owners", "")
		assert.Equal(t, "3600", r.must(429, "GET", "/v2/owners", "").header.Get("Retry-After"))
		r.srv.SetRateLimit(0, 0)
		for range 10 {
			r.must(200, "GET", "/v2/owners", "")
		}
	})
}

// Requests that do not arrive because of a fault do not count. All others count, from any client.
func TestRateLimitCountsArrivedRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithRateLimit(1, time.Minute))
		r.inject(Fault{Kind: FaultStatus})
		r.must(503, "GET", "/v2/owners", "")
		stranger := r.request("GET", "/v2/owners", "")
		stranger.Header.Del("Authorization")
		assert.Equal(t, 401, r.send(stranger).status)
		r.must(429, "GET", "/v2/owners", "")
	})
}
