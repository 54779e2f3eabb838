package threatconnecttest

import (
	"net/http"
	"strconv"
	"time"
)

// rateLimit lets n requests through in any span of per.
type rateLimit struct {
	n      int
	per    time.Duration
	taken  []time.Time // of the last n requests that were let through, as a ring
	oldest int
}

// WithRateLimit sets the rate limit of a new server, as [Server.SetRateLimit] does.
func WithRateLimit(n int, per time.Duration) Option {
	return func(s *Server) { s.limit = rateLimit{n: n, per: per} }
}

// SetRateLimit allows n requests in any period of the length per. It answers the next one with 429 and
// Retry-After, in whole seconds rounded up, and does not count it. There is no limit if n or per is not
// positive, which is the default. The limit reads the machine's clock, without the offset of the
// server's.
func (s *Server) SetRateLimit(n int, per time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = rateLimit{n: n, per: per}
}

// take lets a request through and returns 0, or returns how long it has to wait.
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

// tooMany refuses a request that has to wait.
func tooMany(wait time.Duration) *answer {
	a := fail(http.StatusTooManyRequests, "Too many requests")
	a.header.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	return a
}
