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
	FaultStatus      FaultKind = iota + 1 // Status, Header and Body are answered instead of processing
	FaultReset                            // the connection is reset before the request is processed
	FaultLostReply                        // the request is processed, then the connection is reset
	FaultCutBody                          // the request is processed; the answer's body breaks off with an error
	FaultTruncate                         // the request is processed; the answer's body ends early, without an error
	FaultHTML                             // a login page with status 200, as a proxy answers it
	FaultGarbage                          // random bytes with status 200
	FaultEmpty                            // an empty body with status 200
	FaultEndless                          // the request is processed; the answer's body never ends
	FaultDelay                            // the request is processed after Delay
	FaultLateStatus                       // the request is processed, then Status, Header and Body are answered
	FaultEarlyStatus                      // Status, Header and Body are answered before the request's body is read
	FaultCutUpload                        // half of the request's body is read, then the connection is reset
	FaultSlowUpload                       // half of the request's body is read, the rest after Delay; then it is processed
)

// Fault is something that goes wrong on purpose. The zero values of Method and Route match every
// request. As JSON, Delay is a text such as "2s", kinds are their names, and unknown fields are
// errors.
type Fault struct {
	Kind        FaultKind     `json:"kind,omitzero"`
	Mix         []FaultKind   `json:"mix,omitempty"`        // instead of Kind: each strike is one of them
	Method      string        `json:"method,omitzero"`      // the method; empty for any
	Route       string        `json:"route,omitzero"`       // the pattern as in Routes: /v2/batch/{id}; empty for any
	Skip        int           `json:"skip,omitzero"`        // how many matching requests are let through first
	Times       int           `json:"times,omitzero"`       // how often it strikes; 0 is once, negative is without end
	Probability float64       `json:"probability,omitzero"` // of striking a matching request; 0 is always for Kind, never for Mix
	Seed        uint64        `json:"seed,omitzero"`        // of the generator behind Probability and Mix
	Delay       time.Duration `json:"-"`                    // to wait once the body is read; ends with the request's context
	Status      int           `json:"status,omitzero"`      // of the kinds that answer one; 0 is 503, and 413 for FaultEarlyStatus
	Header      http.Header   `json:"header,omitempty"`     // of the kinds that answer a status, such as Retry-After
	Body        string        `json:"body,omitzero"`        // of the kinds that answer a status
}

// FaultMix returns a fault that strikes any request with the given probability, without end, each
// time as one of kinds. The same seed and the same requests give the same faults. A rate of 0
// never strikes.
func FaultMix(seed uint64, rate float64, kinds ...FaultKind) Fault {
	return Fault{Probability: rate, Seed: seed, Times: -1, Mix: kinds}
}

// InjectedFault is a fault that waits for requests, or has struck.
type InjectedFault struct {
	Fault
	ID      int // 1, 2, 3 … in the order in which they were injected
	Matched int // requests that it matched, those it let through included
	Struck  int // requests that it struck
}

type injected struct {
	InjectedFault
	random *rand.Rand
}

// Inject adds faults, which wait for the requests that they match. Each request is struck by the
// first fault that matches it and has its turn, and by no other.
//
// A fault that could never strike or would do nothing is an error, and then none is added: no Kind
// or an unknown one, a Method and Route that no endpoint has, a Probability outside 0 to 1, a field
// that its kind does not use.
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

// kinds are those as which the fault may strike.
func (f *Fault) kinds() []FaultKind {
	if f.Kind != 0 {
		return []FaultKind{f.Kind}
	}
	return f.Mix
}

// answersStatus reports whether faults of the kind use Status, Header and Body.
func (k FaultKind) answersStatus() bool {
	return k == FaultStatus || k == FaultLateStatus || k == FaultEarlyStatus
}

func (f Fault) clone() Fault {
	f.Header, f.Mix = f.Header.Clone(), slices.Clone(f.Mix)
	return f
}

// Faults returns the faults that are waiting or have struck, in the order in which they were
// injected.
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

// RemoveFault removes the fault with an ID, and reports whether it was there. The counts stay.
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

// ClearFaults removes all faults; the counts stay.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.unused(s.faults)
	s.faults = nil
}

// FaultCounts returns how often each kind of fault has struck.
func (s *Server) FaultCounts() map[FaultKind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fired)
}

// MarshalJSON writes the fault with Delay as a text such as "2s".
func (f Fault) MarshalJSON() ([]byte, error) { return json.Marshal(f.json()) }

// UnmarshalJSON reads the JSON that MarshalJSON writes. Unknown fields are errors.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var in faultJSON
	err := decodeFault(b, &in)
	if err == nil {
		*f, err = in.fault()
	}
	return err
}

// MarshalJSON writes the fields of the fault with id, matched and struck.
func (f InjectedFault) MarshalJSON() ([]byte, error) {
	return json.Marshal(injectedJSON{f.ID, f.Fault.json(), f.Matched, f.Struck})
}

// UnmarshalJSON reads the JSON that MarshalJSON writes. Unknown fields are errors.
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

// faultFields are the fields of Fault without its methods.
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

// strike is a fault that strikes one request; its Kind is 0 when there is none.
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

// before reports whether the request is not processed at all.
func (f *strike) before() bool {
	switch f.Kind {
	case FaultStatus, FaultReset, FaultHTML, FaultGarbage, FaultEmpty, FaultEarlyStatus, FaultCutUpload:
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

// answer is the status that the fault asks for, or the usual one.
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

// spaces is JSON white space without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
