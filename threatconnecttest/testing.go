package threatconnecttest

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Lapse is a probable mistake of a test.
type Lapse int

// The lapses for which [NewT] fails a test.
const (
	LapseUnverified    Lapse = iota + 1 // requests with a refused signature or token
	LapseUnknownRoutes                  // requests to endpoints that do not exist
	LapseUnusedFaults                   // faults that never strike
)

// NewT returns a server like [New], and fails the test at its end for probable mistakes in the test
// or in the code under test:
//
//   - a request with a refused signature or token, unless the test provoked it with [Server.ExpireToken] or [Server.SetClockOffset]
//   - a request whose endpoint does not exist or does not support the method
//   - an injected fault that never struck, unless it has a Probability or a Mix, or the test has failed or been skipped
//   - inconsistent data, which is a defect of this package; see [Server.Check]
//
// [Allow] tolerates the first three.
func NewT(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s := New(opts...)
	tb.Cleanup(func() {
		tb.Helper()
		stopped := tb.Failed() || tb.Skipped()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.check(); err != nil {
			tb.Errorf("threatconnecttest: the server contradicts itself, which is a defect of this package: %v", err)
		}
		for _, l := range s.lapses() {
			if !slices.Contains(s.allowed, l.Lapse) && !(stopped && l.Lapse == LapseUnusedFaults) {
				name := l.Lapse.String()
				tb.Errorf("threatconnecttest: %s, or pass Allow(Lapse%s%s) to NewT", l.text, strings.ToUpper(name[:1]), name[1:])
			}
		}
	})
	return s
}

// Lapses returns the lapses for which [NewT] fails a test, as sentences: the first 10 of each kind
// and the number of further ones.
func (s *Server) Lapses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, l := range s.lapses() {
		all = append(all, l.text)
	}
	return all
}

// lapses returns the lapses so far, including faults that have not struck yet.
func (s *Server) lapses() []lapse {
	w := s.watch
	w.found = slices.Clone(w.found)
	w.unused(s.faults)
	for i, n := range w.count {
		if n > maxLapses {
			w.found = append(w.found, lapse{Lapse(i + 1), fmt.Sprintf("%d more %s", n-maxLapses, lapseTerms[i].about)})
		}
	}
	return w.found
}

// Allow makes [NewT] tolerate lapses. It has no effect on [New] and [Server.Lapses].
func Allow(lapses ...Lapse) Option {
	return func(s *Server) { s.allowed = append(s.allowed, lapses...) }
}

// Listen serves on a free loopback port until the test ends, and returns the base URL for clients,
// "http://127.0.0.1:PORT/api". It cannot be called in a bubble of [testing/synctest].
func (s *Server) Listen(tb testing.TB) (baseURL string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	port := httptest.NewUnstartedServer(s)
	port.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	port.Start()
	tb.Cleanup(func() {
		cancel()                      // ends delays
		port.CloseClientConnections() // Close would wait for endless responses that no client reads
		port.Close()
	})
	return port.URL + basePath
}

// maxLapses is the maximum number of recorded lapses of a kind.
const maxLapses = 10

// lapse is a lapse with its description.
type lapse struct {
	Lapse
	text string
}

// watch collects lapses. The server's lock guards it.
type watch struct {
	found []lapse
	count [len(lapseTerms)]int // by kind
}

func (w *watch) add(kind Lapse, format string, args ...any) {
	w.count[kind-1]++
	if w.count[kind-1] <= maxLapses {
		w.found = append(w.found, lapse{kind, fmt.Sprintf(format, args...)})
	}
}

// request records the lapses of a processed request. known reports whether the request has an
// endpoint, possibly one that requires an oddity.
func (w *watch) request(r *Request, known bool) {
	switch {
	case r.Refusal != nil && r.Refusal.expected:
	case r.Refusal != nil:
		w.add(LapseUnverified, "request %d, %s %s, was refused: %v; correct its credentials",
			r.ID, r.Method, r.Path, r.Refusal)
	case !known:
		w.add(LapseUnknownRoutes, "request %d, %s %s, has no endpoint; correct its method and path (Routes lists all)",
			r.ID, r.Method, r.Path)
	}
}

// unused records removed faults that never struck.
func (w *watch) unused(faults []*injected) {
	for _, f := range faults {
		if f.Struck > 0 || f.Probability > 0 || f.Kind == 0 {
			continue
		}
		w.add(LapseUnusedFaults, "fault %d, %v of %s, never struck: it matched %d requests and Skip is %d; correct its Method, Route or Skip, or remove it",
			f.ID, f.Kind, f.where(), f.Matched, f.Skip)
	}
}

// where describes the requests that the fault matches.
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
