package threatconnecttest

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

const (
	basePath      = "/api"
	inProcessHost = "threatconnect.example"
	inProcessBase = "https://" + inProcessHost + basePath
	accessID      = "20260101000000000001"
	secretKey     = "not-a-real-secret/$&+=' !"
	token         = "APP:1:threatconnecttest:0123456789abcdef"
)

// Server is a ThreatConnect instance that lives in the memory of the test.
//
// It is an [http.RoundTripper], which needs no listener and starts no goroutine, and an
// [http.Handler] for tests and tools that need a port. All methods are safe for concurrent use.
// The zero value is not usable: call [New].
type Server struct {
	opts    []Option
	allowed []Lapse // for NewT

	mu    sync.Mutex
	log   requestLog
	watch watch
	state
}

// state is what Reset sets back.
type state struct {
	settings
	*world
	handlers  map[string]Handler // by method and pattern
	limit     rateLimit
	faults    []*injected
	lastFault int
	fired     map[FaultKind]int
}

// settings are how the instance is set up. Requests do not change them, except for the renewals of the
// token.
type settings struct {
	router                     *router
	accessID, secretKey, token string // the token is the first one
	renewals                   renewals
	oddities                   Oddity
	offset                     time.Duration // how far the server's clock is ahead of the machine's
	unlicensed                 bool
	batchOff                   bool
	batch                      batchSettings
	indicatorLimit             int
	presenceOnly               bool
	plainDataStore             bool
	putOnly                    bool // updateIfExists is overlooked
}

// Option changes how a [Server] is set up.
type Option func(*Server)

// New returns a server with three owners ("Example Organization", which is the API user's own,
// "Example Community" and "Example Source"), the usual indicator and attribute types, the TLP
// labels and nothing else in it.
func New(opts ...Option) *Server {
	s := &Server{
		opts: opts,
		log:  requestLog{most: defaultRequests, bodies: defaultRecorded},
		state: state{
			settings: settings{
				router:   routes(),
				accessID: accessID, secretKey: secretKey, token: token,
				batch: batchSettings{limit: defaultBatchLimit, indicators: defaultBatchIndicators},
			},
			world:    newWorld(),
			handlers: map[string]Handler{},
			fired:    map[FaultKind]int{},
		},
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Reset sets the server back to its state after [New]: data, faults and their counts, oddities, the
// clock, tokens, handlers, the rate limit and the request log. Requests that are being answered are
// answered from the old data. IDs in the request log keep growing, and the lapses stay.
func (s *Server) Reset() {
	fresh := New(s.opts...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.unused(s.faults)
	s.state = fresh.state
	s.log.ring = nil
}

// WithCredentials sets the access id, the secret key and the API token that the server accepts. An
// empty one keeps its default.
func WithCredentials(accessID, secretKey, token string) Option {
	return func(s *Server) {
		for _, c := range []struct {
			to   *string
			from string
		}{{&s.accessID, accessID}, {&s.secretKey, secretKey}, {&s.token, token}} {
			if c.from != "" {
				*c.to = c.from
			}
		}
		s.owners[0].Members[0].UserName = s.accessID // of an API user they are the same
	}
}

// WithoutLicense makes every call answer 503, as an instance without a license for the API does.
func WithoutLicense() Option { return func(s *Server) { s.unlicensed = true } }

// WithBatchOff makes the creation of batch jobs answer 503, as an instance does on which the batch
// API or the document storage is switched off.
func WithBatchOff() Option { return func(s *Server) { s.batchOff = true } }

// WithIndicatorLimit lets an owner hold at most n indicators; 0 means no limit, the default.
func WithIndicatorLimit(n int) Option { return func(s *Server) { s.indicatorLimit = n } }

// BaseURL returns the base URL for clients of the server in the process.
func (s *Server) BaseURL() string { return inProcessBase }

// AccessID returns the access id that the server accepts.
func (s *Server) AccessID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accessID
}

// SecretKey returns the secret key that belongs to [Server.AccessID].
func (s *Server) SecretKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secretKey
}

// SetClockOffset moves the server's clock: a positive offset is ahead of the machine's clock. It
// moves the five-minute window of signatures, the Date header and every date that is stored.
func (s *Server) SetClockOffset(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = d
}

// ClockOffset returns how far the server's clock is ahead of the machine's.
func (s *Server) ClockOffset() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

// now is the server's clock.
func (s *settings) now() time.Time { return time.Now().Add(s.offset) }

// newCall makes the call of a request.
func (s *Server) newCall(r *http.Request, body []byte) *call {
	return &call{world: s.world, settings: &s.settings, req: r, body: body, now: s.now()}
}

// answer runs a request whose body has been read: the checks, the handler, the fault, the log.
func (s *Server) answer(in *arrival) (*answer, error) {
	entry := s.log.start(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.newCall(in.req, in.body)
	s.runDueJobs(&s.settings, c.now)
	a := c.parse(in.target)
	if a == nil {
		a = c.verify(in.target)
		c.verified = a == nil
	}
	if a == nil && in.unkept { // the server has changed since the request came
		a, c.verified = fail(http.StatusUnauthorized, msgAccessDenied), false
	}
	var err error
	switch {
	case in.fault.before():
		a = nil
	case in.plain:
		a = fail(http.StatusForbidden, msgHTTPS)
	default:
		if wait := s.limit.take(time.Now()); wait > 0 {
			a = tooMany(wait)
		}
	}
	switch h := s.handlerOf(c); {
	case a != nil:
		a.distort(s.oddities)
	case in.fault.before():
	case h != nil:
		a, err = s.runHandler(h, c)
	default:
		a = c.answer()
		a.distort(s.oddities)
	}
	if a != nil {
		entry.Status = a.status
	}
	if err == nil {
		a, err = in.fault.strike(a)
	}
	if a != nil && a.header.Get("Date") == "" {
		a.header.Set("Date", c.now.UTC().Format(http.TimeFormat))
	}
	s.finish(&entry, c, a, in)
	return a, err
}

// recordUnread records a request that ended before its body was read.
func (s *Server) recordUnread(in *arrival) {
	entry := s.log.start(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.newCall(in.req, in.body)
	c.parse(in.target)
	s.finish(&entry, c, nil, in)
}

// finish completes the entry of a call in the log. sent is nil if no answer is sent.
func (s *Server) finish(e *Request, c *call, sent *answer, in *arrival) {
	e.Path, e.Query = recordedText(c.path), recordedText(c.rawQuery)
	e.Verified, e.Refusal, e.Time = c.verified, c.refusal, c.now
	if r := e.Refusal; r != nil {
		r.StringToSign, r.Signed = recordedText(r.StringToSign), recordedText(r.Signed)
	}
	if c.route != nil {
		e.Route = c.route.pattern
	}
	if sent != nil {
		e.AnswerStatus = sent.status
	}
	if sent != nil && s.log.most > 0 {
		e.AnswerSize = int64(len(sent.body))
		e.Answer = bytes.Clone(sent.body[:min(s.log.bodies, len(sent.body))])
	}
	e.Duration = time.Since(in.start)
	s.log.add(e)
	s.watch.request(e, c.route != nil || s.patternOf(OddityAll, e.Method, in.target) != "")
}
