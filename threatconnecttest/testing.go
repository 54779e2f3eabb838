package threatconnecttest

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"testing"
)

// Lapse is something that a test probably does by mistake.
type Lapse int

// The lapses for which [NewT] fails a test.
const (
	AllowUnverified    Lapse = iota + 1 // requests whose signature or token is refused
	AllowUnknownRoutes                  // requests for which there is no endpoint
	AllowUnusedFaults                   // faults that never strike
)

// NewT returns a server as [New] does, and fails the test at its end for what probably is a
// mistake of the test or of the code under test:
//
//   - a request whose signature or token was refused, unless the test asked for it with
//     [Server.ExpireToken] or [Server.SetClockOffset],
//   - a request for which there is no endpoint, or whose method the endpoint does not have,
//   - an injected fault that never struck, unless that was left to chance by a Probability or a Mix,
//   - data that contradicts itself, which is a mistake of this package; see [Server.Check].
//
// [Allow] tolerates the first three.
func NewT(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s := New(opts...)
	w := &watch{allowed: s.allowed}
	s.watch = w
	tb.Cleanup(func() {
		tb.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		w.unused(s.faults)
		if err := s.check(); err != nil {
			tb.Errorf("threatconnecttest: the server contradicts itself, which is a defect of this package: %v", err)
		}
		for _, lapse := range w.lapses {
			tb.Errorf("threatconnecttest: %s", lapse)
		}
		if w.more > 0 {
			tb.Errorf("threatconnecttest: %d more lapses", w.more)
		}
	})
	return s
}

// Allow lets a test with [NewT] do what it otherwise fails for.
func Allow(lapses ...Lapse) Option {
	return func(s *Server) { s.allowed = append(s.allowed, lapses...) }
}

// Listen serves on a free port of the loopback interface until the test ends, and returns the base
// URL of its clients, "http://127.0.0.1:PORT/api". It cannot be called in a bubble of
// [testing/synctest].
func (s *Server) Listen(tb testing.TB) (baseURL string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	port := httptest.NewUnstartedServer(s)
	port.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	port.Start()
	tb.Cleanup(func() {
		cancel()                      // ends delays, and
		port.CloseClientConnections() // answers without end that nobody reads: Close waits for both
		port.Close()
	})
	return port.URL + basePath
}

// maxLapses is how many lapses are told one by one.
const maxLapses = 10

// watch collects the lapses of a test. The server's lock guards it. A nil one collects nothing.
type watch struct {
	allowed []Lapse
	lapses  []string
	more    int
}

func (w *watch) add(l Lapse, format string, args ...any) {
	switch {
	case slices.Contains(w.allowed, l):
	case len(w.lapses) == maxLapses:
		w.more++
	default:
		w.lapses = append(w.lapses, fmt.Sprintf(format, args...))
	}
}

// request looks at a request that was answered. known is whether it has an endpoint, be it with an
// oddity.
func (w *watch) request(r *Request, known bool) {
	switch {
	case r.Refusal != nil && r.Refusal.expected:
	case r.Refusal != nil:
		w.add(AllowUnverified, "request %d, %s %s, was refused: %v; correct its credentials, or pass Allow(AllowUnverified) to NewT",
			r.ID, r.Method, r.Path, r.Refusal)
	case !known:
		w.add(AllowUnknownRoutes, "request %d, %s %s, has no endpoint; correct its method and path (Routes lists all), or pass Allow(AllowUnknownRoutes) to NewT",
			r.ID, r.Method, r.Path)
	}
}

// unused looks at faults that are removed.
func (w *watch) unused(faults []*injected) {
	if w == nil {
		return
	}
	for _, f := range faults {
		if f.Struck > 0 || f.Probability > 0 || f.Kind == 0 {
			continue
		}
		w.add(AllowUnusedFaults, "fault %d, %v of %s, never struck: it matched %d requests and Skip is %d; correct its Method, Route or Skip, remove it, or pass Allow(AllowUnusedFaults) to NewT",
			f.ID, f.Kind, f.where(), f.Matched, f.Skip)
	}
}

// where says which requests the fault matches.
func (f *Fault) where() string {
	switch {
	case f.Method == "" && f.Route == "":
		return "any request"
	case f.Method == "":
		return f.Route
	case f.Route == "":
		return "any " + f.Method
	}
	return f.Method + " " + f.Route
}
