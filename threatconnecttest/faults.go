package threatconnecttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// FaultKind is a way in which a request fails.
type FaultKind int

// The kinds of faults.
const (
	FaultStatus      FaultKind = iota + 1 // respond with Status, Header and Body instead of processing the request
	FaultReset                            // reset the connection before processing the request
	FaultLostReply                        // process the request, then reset the connection
	FaultCutBody                          // process the request, then break off the response body with an error
	FaultTruncate                         // process the request, then end the response body early without an error
	FaultHTML                             // respond with a login page and status 200, as a proxy does
	FaultGarbage                          // respond with random bytes and status 200
	FaultEmpty                            // respond with an empty body and status 200
	FaultEndless                          // process the request, then send a response body that never ends
	FaultDelay                            // wait for Delay, then process the request
	FaultLateStatus                       // process the request, then respond with Status, Header and Body
	FaultEarlyStatus                      // respond with Status, Header and Body before reading the request body
	FaultCutUpload                        // read half of the request body, then reset the connection
	FaultSlowUpload                       // read half of the request body, wait for Delay, read the rest and process the request
)

// Fault is a deliberate failure of requests. Empty Method and Route match every request. In JSON,
// Delay is a string such as "2s", and kinds are written as their names.
type Fault struct {
	Kind        FaultKind     `json:"kind,omitzero"`
	Mix         []FaultKind   `json:"mix,omitempty"`        // instead of Kind: each strike picks one of these at random
	Method      string        `json:"method,omitzero"`      // HTTP method; empty matches any
	Route       string        `json:"route,omitzero"`       // pattern as in Routes, such as /v2/batch/{id}; empty matches any
	Skip        int           `json:"skip,omitzero"`        // number of matching requests to let through first
	Times       int           `json:"times,omitzero"`       // number of strikes; 0 means one, negative means unlimited
	Probability float64       `json:"probability,omitzero"` // probability of striking a matching request; 0 means always with Kind, and never with Mix
	Seed        uint64        `json:"seed,omitzero"`        // seed of the random generator for Probability and Mix
	Delay       time.Duration `json:"-"`                    // delay after the body is read; ends early with the request's context
	Status      int           `json:"status,omitzero"`      // response status for the kinds that use it; 0 means 503, or 413 for FaultEarlyStatus
	Header      http.Header   `json:"header,omitempty"`     // response header for the kinds with a Status, such as Retry-After
	Body        string        `json:"body,omitzero"`        // response body for the kinds with a Status
}

// FaultMix returns a fault that strikes any request with probability rate, an unlimited number of
// times, each time with one of kinds. The same seed and the same sequence of requests produce the
// same faults. A rate of 0 never strikes.
func FaultMix(seed uint64, rate float64, kinds ...FaultKind) Fault {
	return Fault{Probability: rate, Seed: seed, Times: -1, Mix: kinds}
}

// InjectedFault is a fault that has been injected into a [Server].
type InjectedFault struct {
	Fault
	ID      int // 1, 2, 3, … in injection order
	Matched int // number of matching requests, including those let through
	Struck  int // number of requests struck
}

type injected struct {
	InjectedFault
	random *rand.Rand
}

// Inject adds faults. A request is struck by at most one fault: the first that matches it and is
// not skipping, spent or left out by its Probability.
//
// Inject returns an error and adds no fault if one of them can never strike or has no effect:
//
//   - its Kind is missing or unknown,
//   - no endpoint has its Method and Route,
//   - its Probability is not between 0 and 1,
//   - it sets a field that its Kind does not use.
func (s *Server) Inject(faults ...Fault) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range faults {
		if err := s.checkFault(&faults[i]); err != nil {
			return fmt.Errorf("threatconnecttest: fault %d of Inject: %w", i, err)
		}
	}
	for _, f := range faults {
		s.lastFault++
		s.faults = append(s.faults, &injected{
			InjectedFault: InjectedFault{Fault: f.clone(), ID: s.lastFault},
			random:        rand.New(rand.NewPCG(f.Seed, 0x7463)),
		})
	}
	return nil
}

func (s *Server) checkFault(f *Fault) error {
	kinds := f.kinds()
	if len(kinds) == 0 {
		return errors.New("it has neither a Kind nor a Mix and would do nothing; set one of them")
	}
	if f.Kind != 0 && len(f.Mix) > 0 {
		return errors.New("it has both a Kind and a Mix; set one of them")
	}
	status, delay := false, false
	for _, k := range kinds {
		if !k.known() {
			return fmt.Errorf("%v is unknown; use one of the constants", k)
		}
		status = status || k.answersStatus()
		delay = delay || k == FaultDelay || k == FaultSlowUpload
	}
	switch {
	case !status && (f.Status != 0 || f.Header != nil || f.Body != ""):
		return fmt.Errorf("%v does not answer Status, Header and Body; leave them out, or use FaultStatus", kinds)
	case f.Status != 0 && (f.Status < 200 || f.Status > 999):
		return fmt.Errorf("the Status %d must be from 200 to 999, or 0 for the usual one", f.Status)
	case f.Delay < 0 || delay && f.Delay == 0:
		return fmt.Errorf("the Delay %v must be positive for %v", f.Delay, kinds)
	case !(f.Probability >= 0 && f.Probability <= 1):
		return fmt.Errorf("the Probability %v must be from 0 to 1", f.Probability)
	case f.Skip < 0:
		return fmt.Errorf("the Skip %d must not be negative", f.Skip)
	case !s.router.has(f.Method, f.Route):
		return fmt.Errorf("no endpoint has method %q and route %q; spell both as in Routes, or leave them empty", f.Method, f.Route)
	}
	return nil
}

// kinds returns the possible kinds of the fault.
func (f *Fault) kinds() []FaultKind {
	if f.Kind != 0 {
		return []FaultKind{f.Kind}
	}
	return f.Mix
}

// answersStatus reports whether the kind uses Status, Header and Body.
func (k FaultKind) answersStatus() bool {
	return k == FaultStatus || k == FaultLateStatus || k == FaultEarlyStatus
}

func (f Fault) clone() Fault {
	f.Header, f.Mix = f.Header.Clone(), slices.Clone(f.Mix)
	return f
}

// Faults returns the injected faults that have not been removed, in injection order.
func (s *Server) Faults() []InjectedFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]InjectedFault, 0, len(s.faults))
	for _, f := range s.faults {
		one := f.InjectedFault
		one.Fault = one.clone()
		all = append(all, one)
	}
	return all
}

// RemoveFault removes the fault with the given ID and reports whether it existed.
// [Server.FaultCounts] does not change.
func (s *Server) RemoveFault(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *injected) bool { return f.ID == id })
	if i < 0 {
		return false
	}
	s.watch.unused(s.faults[i : i+1])
	s.faults = slices.Delete(s.faults, i, i+1)
	return true
}

// ClearFaults removes all faults. [Server.FaultCounts] does not change.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.unused(s.faults)
	s.faults = nil
}

// FaultCounts returns the number of strikes by kind.
func (s *Server) FaultCounts() map[FaultKind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fired)
}

// MarshalJSON encodes the fault. Delay becomes a string such as "2s".
func (f Fault) MarshalJSON() ([]byte, error) { return json.Marshal(f.json()) }

// UnmarshalJSON decodes the output of MarshalJSON. Unknown fields are errors.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var in faultJSON
	err := decodeFault(b, &in)
	if err == nil {
		*f, err = in.fault()
	}
	return err
}

// MarshalJSON encodes the fields of the fault with id, matched and struck.
func (f InjectedFault) MarshalJSON() ([]byte, error) {
	return json.Marshal(injectedJSON{f.ID, f.Fault.json(), f.Matched, f.Struck})
}

// UnmarshalJSON decodes the output of MarshalJSON. Unknown fields are errors.
func (f *InjectedFault) UnmarshalJSON(b []byte) error {
	var in injectedJSON
	err := decodeFault(b, &in)
	if err == nil {
		f.ID, f.Matched, f.Struck = in.ID, in.Matched, in.Struck
		f.Fault, err = in.fault()
	}
	return err
}

func decodeFault(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("threatconnecttest: reading a fault: %w", err)
	}
	return nil
}

// faultFields is Fault without its methods.
type faultFields Fault

type faultJSON struct {
	faultFields
	Delay string `json:"delay,omitzero"`
}

type injectedJSON struct {
	ID int `json:"id"`
	faultJSON
	Matched int `json:"matched"`
	Struck  int `json:"struck"`
}

func (in *faultJSON) fault() (Fault, error) {
	f := Fault(in.faultFields)
	if in.Delay == "" {
		return f, nil
	}
	var err error
	if f.Delay, err = time.ParseDuration(in.Delay); err != nil {
		return f, fmt.Errorf(`threatconnecttest: reading a fault: delay %q is not a duration; write it as in "2s" or "1m30s"`, in.Delay)
	}
	return f, nil
}

func (f Fault) json() faultJSON {
	out := faultJSON{faultFields: faultFields(f)}
	if f.Delay != 0 {
		out.Delay = f.Delay.String()
	}
	return out
}

// strike is the effect of a fault on one request. Its Kind is 0 if no fault strikes.
type strike struct {
	Fault
	noise [32]byte
}

// faultFor picks the fault that strikes a request.
func (s *Server) faultFor(method, target string) strike {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return strike{}
	}
	pattern := s.patternOf(s.oddities, method, target)
	for _, f := range s.faults {
		if f.Method != "" && f.Method != method || f.Route != "" && f.Route != pattern {
			continue
		}
		if most := max(f.Times, 1); f.Times >= 0 && f.Struck >= most {
			continue
		}
		f.Matched++
		if f.Matched <= f.Skip || (f.Probability > 0 || f.Kind == 0) && f.random.Float64() >= f.Probability {
			continue
		}
		f.Struck++
		hit := strike{Fault: f.Fault}
		if f.Kind == 0 {
			hit.Kind = f.Mix[f.random.IntN(len(f.Mix))]
		}
		for i := range hit.noise {
			hit.noise[i] = byte(f.random.Uint32())
		}
		s.fired[hit.Kind]++
		return hit
	}
	return strike{}
}

// before reports whether the fault prevents processing.
func (f *strike) before() bool {
	switch f.Kind {
	case FaultStatus, FaultReset, FaultHTML, FaultGarbage, FaultEmpty, FaultEarlyStatus, FaultCutUpload:
		return true
	}
	return false
}

const loginPage = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form method=\"post\">" +
	"<input name=\"user\"><input name=\"password\" type=\"password\"></form></body></html>\n"

// strike turns the real response, or nil without one, into the faulty one.
func (f *strike) strike(a *answer) (*answer, error) {
	switch f.Kind {
	case FaultStatus, FaultLateStatus:
		return f.answer(http.StatusServiceUnavailable), nil
	case FaultEarlyStatus:
		return f.answer(http.StatusRequestEntityTooLarge), nil
	case FaultReset, FaultLostReply:
		return nil, errReset("read")
	case FaultCutUpload:
		return nil, errReset("write")
	case FaultHTML:
		return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html;charset=utf-8"}}, body: []byte(loginPage)}, nil
	case FaultGarbage:
		return jsonAnswer(http.StatusOK, append([]byte{'{', 0}, f.noise[:]...)), nil
	case FaultEmpty:
		return jsonAnswer(http.StatusOK, nil), nil
	case FaultCutBody:
		a.body, a.rest = a.body[:len(a.body)/2], brokenReader{}
	case FaultTruncate:
		a.body, a.rest = a.body[:len(a.body)*2/3], http.NoBody
	case FaultEndless:
		a.body, a.rest = a.body[:len(a.body)/2], spaces{}
	}
	return a, nil
}

// answer returns the response with the fault's status, or with the usual one if it is 0.
func (f *strike) answer(usual int) *answer {
	a := &answer{status: usual, header: f.Header.Clone(), body: []byte(f.Body)}
	if f.Status != 0 {
		a.status = f.Status
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return a
}

// brokenReader is a connection that breaks.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// spaces is an endless stream of JSON white space.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
