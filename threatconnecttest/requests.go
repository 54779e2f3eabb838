package threatconnecttest

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The defaults of recording.
const (
	defaultRequests = 10_000
	defaultRecorded = 1 << 10 // bytes
)

// maxHead is the maximum number of recorded bytes of a path, a query and a header.
const maxHead = 32 << 10

// Request is a recorded request with its response.
type Request struct {
	ID             int64 // 1, 2, 3, … in the order of the responses
	Method         string
	Path           string            // escaped, as received, up to 32 KiB
	Query          string            // raw, as received, up to 32 KiB
	Route          string            // matching pattern, such as /v2/owners/{id}; empty if none matches
	Header         http.Header       // as received, without the fields that exceed 32 KiB in total
	BodySize       int64             // bytes read from the body
	BodySHA256     [sha256.Size]byte // hash of the body; zero for a body over 64 KiB with wrong credentials, which is discarded
	Body           []byte            // start of the body, if it was kept; see WithRecordedBodies
	Status         int               // status of the server's own response; 0 if the request was not processed because of a fault or an incomplete body
	ResponseStatus int               // status of the response that was sent, including faults; 0 if none was sent
	ResponseBody   []byte            // start of the response body that was sent, including faults; see WithRecordedBodies
	ResponseSize   int64             // bytes of the response body, without the endless part of FaultEndless
	Verified       bool              // whether the signature or token was correct
	Refusal        *Refusal          // why the credentials were refused; nil if they were accepted or not checked
	Fault          FaultKind         // fault that struck; 0 for none
	Time           time.Time         // server time
	Duration       time.Duration     // from the request header until the response was ready
}

// requestLog is a ring buffer of the newest requests.
type requestLog struct {
	most   int // maximum number of entries
	bodies int // maximum bytes of a request or response body
	last   int64
	first  int64 // ID of ring[0] when the log was empty
	ring   []Request
}

// WithRequestLog sets the number of recorded requests to the newest n. The default is 10,000; 0
// records none.
func WithRequestLog(n int) Option { return func(s *Server) { s.log.most = max(n, 0) } }

// WithRecordedBodies records up to n bytes of each request body and response body. The default is 1
// KiB; 0 records none.
func WithRecordedBodies(n int) Option { return func(s *Server) { s.log.bodies = max(n, 0) } }

// Requests returns the recorded requests, oldest first, including refused ones.
func (s *Server) Requests() []Request { return s.RequestsAfter(0) }

// RequestsAfter returns the recorded requests with an ID greater than id, oldest first. Its cost
// depends only on the number of returned requests.
func (s *Server) RequestsAfter(id int64) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.after(id)
}

// ResetRequests deletes the recorded requests. Their IDs are not reused.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.ring = nil
}

// start creates the log entry of a request whose body has been read. It needs no lock.
func (l *requestLog) start(in *arrival) Request {
	e := Request{Method: in.req.Method, Fault: in.fault.Kind, BodySize: in.size}
	if l.most > 0 {
		e.Header = recordedHeader(in.req.Header)
	}
	if l.most > 0 && !in.discarded {
		e.BodySHA256 = sha256.Sum256(in.body)
		e.Body = slices.Clone(in.body[:min(l.bodies, len(in.body))])
	}
	return e
}

// recordedHeader copies a header up to the size limit.
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

// recordedText truncates a path or a query to the recorded length.
func recordedText(s string) string {
	if len(s) > maxHead {
		return strings.Clone(s[:maxHead])
	}
	return s
}

// add assigns an ID to the entry and records it.
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

// place returns the index of an ID in the ring.
func (l *requestLog) place(id int64) int64 { return (id - l.first) % int64(l.most) }

// after returns copies of the entries with an ID greater than id.
func (l *requestLog) after(id int64) []Request {
	n := min(l.last-id, int64(len(l.ring)))
	if n <= 0 {
		return nil
	}
	all := make([]Request, 0, n)
	for i := l.last - n + 1; i <= l.last; i++ {
		e := l.ring[l.place(i)]
		e.Header, e.Body, e.ResponseBody = e.Header.Clone(), slices.Clone(e.Body), slices.Clone(e.ResponseBody)
		if e.Refusal != nil {
			e.Refusal = new(*e.Refusal)
		}
		all = append(all, e)
	}
	return all
}
