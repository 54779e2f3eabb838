package threatconnecttest

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"time"
)

// Request is what the server remembers of a request.
type Request struct {
	Method     string
	Path       string            // escaped, as it came in
	Query      string            // raw, as it came in
	Route      string            // the pattern that matched, as in /v2/owners/{id}; empty when none did
	Header     http.Header       // a copy
	BodySize   int64             // bytes
	BodySHA256 [sha256.Size]byte // of the body
	Body       []byte            // the start of the body, when WithRecordedBodies asks for it
	Status     int               // of the answer; 0 when a fault kept the request from being processed
	Verified   bool              // whether the signature or token was right
	Fault      FaultKind         // what went wrong on purpose; 0 for nothing
	Time       time.Time         // the server's clock
}

type requestLog struct {
	most    int // how many are kept; -1 is all
	bodies  int // how many bytes of a body are kept
	entries []Request
}

// WithRequestLog keeps only the newest n requests; 0 keeps none. All are kept without it.
func WithRequestLog(n int) Option { return func(s *Server) { s.log.most = max(n, 0) } }

// WithRecordedBodies keeps up to n bytes of every request's body. None are kept without it.
func WithRecordedBodies(n int) Option { return func(s *Server) { s.log.bodies = max(n, 0) } }

// Requests returns what came in, oldest first, including what was refused.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log.entries)
}

// ResetRequests forgets the requests so far.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.entries = nil
}

func (l *requestLog) add(e Request, body []byte) {
	if l.most == 0 {
		return
	}
	e.BodySize = int64(len(body))
	e.BodySHA256 = sha256.Sum256(body)
	e.Body = slices.Clone(body[:min(l.bodies, len(body))])
	if l.most > 0 && len(l.entries) >= l.most {
		l.entries = slices.Delete(l.entries, 0, len(l.entries)-l.most+1)
	}
	l.entries = append(l.entries, e)
}
