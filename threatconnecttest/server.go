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

// Server is an in-memory ThreatConnect instance.
//
// It is an [http.RoundTripper], which needs no listener and starts no goroutines, and an
// [http.Handler] for tests and tools that need a port. All methods are safe for concurrent use. The
// zero value is not usable; call [New] or [NewT]. Methods that take the name of an owner return no
// records if the owner does not exist.
type Server struct {
	opts    []Option
	allowed []Lapse // by NewT

	mu    sync.Mutex
	log   requestLog
	watch watch
	state
}

// state is the part of the server that Reset replaces.
type state struct {
	settings
	*world
	handlers  map[string]Handler // by method and pattern
	limit     rateLimit
	faults    []*injected
	lastFault int
	fired     map[FaultKind]int
}

// settings is the configuration of the instance. The only requests that change it are token
// renewals.
type settings struct {
	router                     *router
	accessID, secretKey, token string // token is the initial one
	renewals                   renewals
	oddities                   Oddity
	offset                     time.Duration // server's clock minus the machine's
	unlicensed                 bool
	batchOff                   bool
	batch                      batchSettings
	indicatorLimit             int
	presenceOnly               bool
	plainDataStore             bool
	putOnly                    bool // ignore updateIfExists
}

// Option configures a [Server].
type Option func(*Server)

// New returns a server with three owners, the usual indicator and attribute types, and the TLP
// labels. The owners are "Example Organization", which is the API user's own, "Example Community"
// and "Example Source".
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

// Reset restores the state after [New]: data, faults and their counts, oddities, the clock, tokens,
// handlers, the rate limit and the request log. Requests in progress complete with the old data.
// IDs in the request log keep increasing, and lapses are kept.
func (s *Server) Reset() {
	fresh := New(s.opts...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.unused(s.faults)
	s.state = fresh.state
	s.log.ring = nil
}

// WithCredentials sets the access ID, the secret key and the API token that the server accepts. An
// empty argument keeps the default.
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
		s.owners[0].Members[0].UserName = s.accessID // an API user's name is its access ID
	}
}

// WithoutLicense makes every call return status 503, as an instance without an API license does.
func WithoutLicense() Option { return func(s *Server) { s.unlicensed = true } }

// WithBatchOff makes the creation of batch jobs return status 503, as an instance does if its batch
// API or document storage is disabled.
func WithBatchOff() Option { return func(s *Server) { s.batchOff = true } }

// WithIndicatorLimit limits the number of indicators per owner. 0 means no limit, which is the
// default.
func WithIndicatorLimit(n int) Option { return func(s *Server) { s.indicatorLimit = n } }

// BaseURL returns the base URL for in-process clients.
func (s *Server) BaseURL() string { return inProcessBase }

// AccessID returns the access ID that the server accepts.
func (s *Server) AccessID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accessID
}

// SecretKey returns the secret key of [Server.AccessID].
func (s *Server) SecretKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secretKey
}

// SetClockOffset sets the server's clock ahead of the machine's by d, which may be negative. It
// affects the five-minute window of signatures, the Date header and all stored dates.
func (s *Server) SetClockOffset(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = d
}

// ClockOffset returns the difference between the server's clock and the machine's.
func (s *Server) ClockOffset() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

func (s *settings) now() time.Time { return time.Now().Add(s.offset) }

// newCall returns the call of a request.
func (s *Server) newCall(r *http.Request, body []byte) *call {
	return &call{world: s.world, settings: &s.settings, req: r, body: body, now: s.now()}
}

// answer responds to a request whose body has been read: it runs the checks, the handler and the
// fault, and records the request.
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
	if a == nil && in.discarded { // the server has changed since the request arrived
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
		a.applyOddities(s.oddities)
	case in.fault.before():
	case h != nil:
		a, err = s.runHandler(h, c)
	default:
		a = c.answer()
		a.applyOddities(s.oddities)
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

// finish completes the log entry of a call. sent is nil if no response is sent.
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
		e.ResponseStatus = sent.status
	}
	if sent != nil && s.log.most > 0 {
		e.ResponseSize = int64(len(sent.body))
		e.ResponseBody = bytes.Clone(sent.body[:min(s.log.bodies, len(sent.body))])
	}
	e.Duration = time.Since(in.start)
	s.log.add(e)
	s.watch.request(e, c.route != nil || s.patternOf(OddityAll, e.Method, in.target) != "")
}
