package threatconnecttest

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind int

// The kinds of faults.
const (
	FaultStatus     FaultKind = iota + 1 // Status, Header and Body are answered instead of processing
	FaultReset                           // the connection is reset before the request is processed
	FaultLostReply                       // the request is processed, then the connection is reset
	FaultCutBody                         // the request is processed; the answer's body breaks off with an error
	FaultTruncate                        // the request is processed; the answer's body ends early, without an error
	FaultHTML                            // a login page with status 200, as a proxy answers it
	FaultGarbage                         // random bytes with status 200
	FaultEmpty                           // an empty body with status 200
	FaultEndless                         // the request is processed; the answer's body never ends
	FaultDelay                           // the request is processed after Delay
	FaultLateStatus                      // the request is processed, then Status, Header and Body are answered
)

// Fault is something that goes wrong on purpose. The zero values of Method and Route match
// everything.
type Fault struct {
	Kind        FaultKind
	Method      string        // the method; empty for any
	Route       string        // the pattern as the documentation spells it: /v2/batch/{id}; empty for any
	Skip        int           // how many matching requests are let through first
	Times       int           // how often it strikes; 0 is once, negative is without end
	Probability float64       // of striking a matching request; 0 is always
	Seed        uint64        // of the generator behind Probability
	Delay       time.Duration // to wait before anything else; ends with the request's context
	Status      int           // for FaultStatus and FaultLateStatus; 0 is 503
	Header      http.Header   // for FaultStatus and FaultLateStatus, such as Retry-After
	Body        string        // for FaultStatus and FaultLateStatus

	mix []FaultKind
}

// FaultMix returns a fault that strikes any request with the given probability, without end, each
// time as one of kinds. The same seed and the same requests give the same faults.
func FaultMix(seed uint64, rate float64, kinds ...FaultKind) Fault {
	return Fault{Probability: rate, Seed: seed, Times: -1, mix: kinds}
}

type injected struct {
	Fault
	random  *rand.Rand
	matched int
	struck  int
}

// Inject makes a fault wait for the requests that it matches. The first fault that strikes a
// request is the only one that does.
func (s *Server) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.faults = append(s.faults, &injected{Fault: f, random: rand.New(rand.NewPCG(f.Seed, 0x7463))})
	}
}

// ClearFaults removes all faults; the counts stay.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// FaultCounts returns how often each kind of fault has struck.
func (s *Server) FaultCounts() map[FaultKind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fired)
}

// strike is a fault that strikes one request.
type strike struct {
	Fault
	noise [32]byte
}

// faultFor picks the fault that strikes a request; its kind is 0 when there is none.
func (s *Server) faultFor(method, target string) strike {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return strike{}
	}
	pattern := s.patternOf(method, target)
	for _, f := range s.faults {
		if f.Method != "" && f.Method != method || f.Route != "" && f.Route != pattern {
			continue
		}
		if most := max(f.Times, 1); f.Times >= 0 && f.struck >= most {
			continue
		}
		f.matched++
		if f.matched <= f.Skip || f.Probability > 0 && f.random.Float64() >= f.Probability {
			continue
		}
		f.struck++
		hit := strike{Fault: f.Fault}
		if len(f.mix) > 0 {
			hit.Kind = f.mix[f.random.IntN(len(f.mix))]
		}
		for i := range hit.noise {
			hit.noise[i] = byte(f.random.Uint32())
		}
		s.fired[hit.Kind]++
		return hit
	}
	return strike{}
}

// before reports whether the request is not processed at all.
func (f *strike) before() bool {
	switch f.Kind {
	case FaultStatus, FaultReset, FaultHTML, FaultGarbage, FaultEmpty:
		return true
	}
	return false
}

const loginPage = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form method=\"post\">" +
	"<input name=\"user\"><input name=\"password\" type=\"password\"></form></body></html>\n"

// strike turns the real answer, which is nil when there is none, into the faulty one.
func (f *strike) strike(a *answer) (*answer, error) {
	switch f.Kind {
	case FaultStatus, FaultLateStatus:
		status := f.Status
		if status == 0 {
			status = http.StatusServiceUnavailable
		}
		bad := &answer{status: status, header: f.Header.Clone(), body: []byte(f.Body)}
		if bad.header == nil {
			bad.header = http.Header{}
		}
		return bad, nil
	case FaultReset, FaultLostReply:
		return nil, errReset("read")
	case FaultHTML:
		return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html;charset=utf-8"}}, body: []byte(loginPage)}, nil
	case FaultGarbage:
		return jsonAnswer(http.StatusOK, append([]byte{'{', 0}, f.noise[:]...)), nil
	case FaultEmpty:
		return jsonAnswer(http.StatusOK, nil), nil
	case FaultCutBody:
		a.stream = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), brokenReader{})
	case FaultTruncate:
		a.stream = bytes.NewReader(a.body[:len(a.body)*2/3])
	case FaultEndless:
		a.stream = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), spaces{})
	}
	return a, nil
}

// brokenReader is a connection that breaks.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// spaces is JSON white space without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
