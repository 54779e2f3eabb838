package threatconnecttest

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What is recorded without other options.
const (
	defaultRequests = 10_000
	defaultRecorded = 1 << 10 // bytes
)

// maxHead is how many bytes of a path, of a query and of the fields of a header are recorded.
const maxHead = 32 << 10

// Request is a request that the server has recorded.
type Request struct {
	ID           int64 // 1, 2, 3 … in the order in which the requests were answered
	Method       string
	Path         string            // escaped, as it came in, up to 32 KiB
	Query        string            // raw, as it came in, up to 32 KiB
	Route        string            // the pattern that matched, as in /v2/owners/{id}; empty if none did
	Header       http.Header       // as it came in; over 32 KiB, the fields that have room
	BodySize     int64             // bytes of the body that were read
	BodySHA256   [sha256.Size]byte // of the body; zero for one over 64 KiB of a request with wrong credentials, which is not kept
	Body         []byte            // the start of the body, if it was kept; see WithRecordedBodies
	Status       int               // of the server's own answer; 0 if the request was not processed: a fault struck before, or its body broke off
	AnswerStatus int               // of the answer that was sent, faults included; 0 if none was
	Answer       []byte            // the start of the body that was answered, faults included; see WithRecordedBodies
	AnswerSize   int64             // bytes that were answered; an answer that never ends counts up to there
	Verified     bool              // whether the signature or token was right
	Refusal      *Refusal          // why it was not, if it was checked
	Fault        FaultKind         // the fault that struck; 0 for none
	Time         time.Time         // by the server's clock
	Duration     time.Duration     // from the headers of the request until the answer was ready
}

// requestLog is a ring of the newest requests.
type requestLog struct {
	most   int // entries
	bodies int // bytes of a body and of an answer
	last   int64
	first  int64 // ID of ring[0] when it was empty
	ring   []Request
}

// WithRequestLog records the newest n requests instead of 10,000; 0 records none.
func WithRequestLog(n int) Option { return func(s *Server) { s.log.most = max(n, 0) } }

// WithRecordedBodies records up to n bytes of the body of each request and of its answer instead
// of 1 KiB; 0 records none.
func WithRecordedBodies(n int) Option { return func(s *Server) { s.log.bodies = max(n, 0) } }

// Requests returns the recorded requests, oldest first, including those that were refused.
func (s *Server) Requests() []Request { return s.RequestsAfter(0) }

// RequestsAfter returns the recorded requests with a larger ID, oldest first. It costs nothing for
// the others.
func (s *Server) RequestsAfter(id int64) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.after(id)
}

// ResetRequests forgets the requests so far. Their IDs are not given again.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.ring = nil
}

// start begins the entry of a request whose body has been read. It needs no lock.
func (l *requestLog) start(in *arrival) Request {
	e := Request{Method: in.req.Method, Fault: in.fault.Kind, BodySize: in.size}
	if l.most > 0 {
		e.Header = recordedHeader(in.req.Header)
	}
	if l.most > 0 && !in.unkept {
		e.BodySHA256 = sha256.Sum256(in.body)
		e.Body = slices.Clone(in.body[:min(l.bodies, len(in.body))])
	}
	return e
}

// recordedHeader copies a header, without the fields for which there is no room.
func recordedHeader(h http.Header) http.Header {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size <= maxHead {
		return h.Clone()
	}
	kept, room := http.Header{}, maxHead
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			if n := len(name) + len(v); n <= room {
				kept[name] = append(kept[name], v)
				room -= n
			}
		}
	}
	return kept
}

// recordedText returns a path or a query, up to the length that is recorded.
func recordedText(s string) string {
	if len(s) > maxHead {
		return strings.Clone(s[:maxHead])
	}
	return s
}

// add gives the entry its ID and records it.
func (l *requestLog) add(e *Request) {
	l.last++
	e.ID = l.last
	switch {
	case l.most == 0:
	case len(l.ring) < l.most:
		if len(l.ring) == 0 {
			l.first = e.ID
		}
		l.ring = append(l.ring, *e)
	default:
		l.ring[l.place(e.ID)] = *e
	}
}

// place is where the ring holds an ID.
func (l *requestLog) place(id int64) int64 { return (id - l.first) % int64(l.most) }

// after returns copies of the entries with larger IDs.
func (l *requestLog) after(id int64) []Request {
	n := min(l.last-id, int64(len(l.ring)))
	if n <= 0 {
		return nil
	}
	all := make([]Request, 0, n)
	for i := l.last - n + 1; i <= l.last; i++ {
		e := l.ring[l.place(i)]
		e.Header, e.Body, e.Answer = e.Header.Clone(), slices.Clone(e.Body), slices.Clone(e.Answer)
		if e.Refusal != nil {
			e.Refusal = new(*e.Refusal)
		}
		all = append(all, e)
	}
	return all
}
