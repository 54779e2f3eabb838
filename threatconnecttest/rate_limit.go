package threatconnecttest

import (
	"net/http"
	"strconv"
	"time"
)

// rateLimit allows n requests in any period of length per.
type rateLimit struct {
	n      int
	per    time.Duration
	taken  []time.Time // times of the last n allowed requests, as a ring buffer
	oldest int
}

// WithRateLimit sets the initial rate limit; see [Server.SetRateLimit].
func WithRateLimit(n int, per time.Duration) Option {
	return func(s *Server) { s.limit = rateLimit{n: n, per: per} }
}

// SetRateLimit allows n requests in any period of length per. A request beyond the limit returns
// status 429 with Retry-After in whole seconds, rounded up, and does not count. If n or per is not
// positive, there is no limit, which is the default. The limit uses the machine's clock and ignores
// [Server.SetClockOffset].
func (s *Server) SetRateLimit(n int, per time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = rateLimit{n: n, per: per}
}

// take admits a request and returns 0, or returns the time until the next one is allowed.
func (l *rateLimit) take(now time.Time) time.Duration {
	switch {
	case l.n <= 0 || l.per <= 0:
		return 0
	case len(l.taken) < l.n:
		l.taken = append(l.taken, now)
		return 0
	}
	if wait := l.taken[l.oldest].Add(l.per).Sub(now); wait > 0 {
		return wait
	}
	l.taken[l.oldest] = now
	l.oldest = (l.oldest + 1) % l.n
	return 0
}

// tooMany refuses a request over the limit.
func tooMany(wait time.Duration) *answer {
	a := fail(http.StatusTooManyRequests, "Too many requests")
	a.header.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	return a
}
