package threatconnecttest

import (
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
	mu sync.Mutex
	settings
	*world
	log    requestLog
	faults []*injected
	fired  map[FaultKind]int
}

// settings are how the instance is set up. Requests do not change them, except for the renewals of the
// token.
type settings struct {
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
		settings: settings{
			accessID: accessID, secretKey: secretKey, token: token,
			batch: batchSettings{limit: defaultBatchLimit, indicators: defaultBatchIndicators},
		},
		world: newWorld(),
		fired: map[FaultKind]int{},
		log:   requestLog{most: -1},
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// WithCredentials sets the access id, the secret key and the API token that the server takes. An
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

// WithOwner adds an owner, as [Server.AddOwner] does. An owner whose name is taken is left out.
func WithOwner(o Owner) Option {
	return func(s *Server) { _, _ = s.addOwner(o) }
}

// WithIndicatorLimit lets an owner hold at most n indicators; 0 means no limit, the default.
func WithIndicatorLimit(n int) Option { return func(s *Server) { s.indicatorLimit = n } }

// WithoutContents keeps indicators only as 16 bytes each: what came in is checked, counted and can
// be asked for with [Server.Has], but not read back. It is for imports of millions of items in the
// process whose memory is measured. Groups are kept whole.
func WithoutContents() Option { return func(s *Server) { s.presenceOnly = true } }

// BaseURL returns the URL that clients of the in-process server are set up with.
func (s *Server) BaseURL() string { return inProcessBase }

// AccessID returns the access id that the server takes.
func (s *Server) AccessID() string { return s.accessID }

// SecretKey returns the secret key that belongs to [Server.AccessID].
func (s *Server) SecretKey() string { return s.secretKey }

// SetClockOffset moves the server's clock: a positive offset is ahead of the machine's clock. It
// moves the five-minute window of signatures, the Date header and every date that is stored.
func (s *Server) SetClockOffset(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = d
}

// now is the server's clock.
func (s *settings) now() time.Time { return time.Now().Add(s.offset) }

// handle runs one request whose body has been read. target is the request target as it came in.
func (s *Server) handle(r *http.Request, target string, body []byte, f strike) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{world: s.world, settings: &s.settings, req: r, body: body, now: s.now()}
	s.runDueJobs(&s.settings, c.now)
	a := c.parse(target)
	if a == nil {
		a = c.verify(target)
		c.verified = a == nil
	}
	if a == nil {
		a = c.answer()
	}
	a.distort(s.oddities)
	a.header.Set("Date", c.now.UTC().Format(http.TimeFormat))
	s.log.add(c.entry(a, f), body)
	return a
}

// record remembers a request that a fault kept from being processed.
func (s *Server) record(r *http.Request, target string, body []byte, a *answer, f strike) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{world: s.world, settings: &s.settings, req: r, now: s.now()}
	if a != nil {
		a.header.Set("Date", c.now.UTC().Format(http.TimeFormat))
	}
	if bad := c.parse(target); bad == nil {
		c.verified = c.verify(target) == nil
	}
	s.log.add(c.entry(nil, f), body)
}

// entry is what is remembered of a call.
func (c *call) entry(a *answer, f strike) Request {
	e := Request{
		Method: c.req.Method, Path: c.path, Query: c.rawQuery, Header: c.req.Header.Clone(),
		Verified: c.verified, Fault: f.Kind, Time: c.now,
	}
	if c.route != nil {
		e.Route = c.route.pattern
	}
	if a != nil {
		e.Status = a.status
	}
	return e
}
