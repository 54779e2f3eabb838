package threatconnect

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/parallel"
)

// LookupOptions configures [IndicatorsService.Lookup]. With nil and the zero value, Lookup recognizes the type
// of each value and searches the client's default owner.
type LookupOptions struct {
	CallOptions
	// Owners are the names of the owners to search, instead of the client's default owner.
	Owners []string
	// AllOwners searches all owners that are visible to the API user. It costs one additional request per
	// value and cannot be combined with Owners.
	AllOwners bool
	// Type, if not empty, is the type of all values. Set it for types whose values cannot be recognized:
	// mutexes, user agents, hashtags and custom types.
	Type IndicatorType
	// Parallel is the maximum number of concurrent requests, 1 to 64. 0 means 16.
	Parallel int
	// Include selects the optional parts of indicators to read.
	Include Include
	// Exclude, if not nil, is called for each recognized value with the type and the canonical value of the
	// indicator. If it returns true, the value is not looked up, and LookupResult.Excluded is the reason. It
	// is called from several goroutines, one call at a time, in any order. A panic in Exclude propagates to
	// the goroutine of the loop.
	Exclude func(typ, value string) (reason string, exclude bool)
}

func (o LookupOptions) check() error {
	for _, owner := range o.Owners {
		if err := checkVerbatim("owner", owner); err != nil {
			return err
		}
	}
	switch {
	case o.AllOwners && len(o.Owners) > 0:
		return &ValidationError{Field: "lookup", Rule: "names owners and asks for all of them", Fix: "set Owners or AllOwners"}
	case o.Parallel < 0 || o.Parallel > maxParallel:
		return &ValidationError{Field: "lookup parallel", Rule: "must be 1 to 64, or 0 for the default"}
	}
	return nil
}

// LookupResult is the result of looking up one value.
type LookupResult struct {
	Index int          // position of the value, from 0
	Value string       // the input value
	Ref   IndicatorRef // the recognized indicator; zero if the value was not recognized
	Found []Indicator  // the indicator in each owner that has it, in the order of the owners; empty if none has it
	// Excluded is the reason from LookupOptions.Exclude, or "no reason given" if that is empty. A reason
	// longer than 300 bytes is truncated and ends with " (cut)". Excluded is empty for values that were not
	// excluded. No request is sent for an excluded value.
	Excluded string
	// Err is the error of this value only: a *ValidationError if the value was not recognized, otherwise
	// the error of a request. Found can then be incomplete.
	Err error
}

// ThreatAssessScore returns the highest ThreatAssess score of the indicators in Found, 0 to 1000. ok is false
// if there is none.
func (r LookupResult) ThreatAssessScore() (score int, ok bool) {
	for _, indicator := range r.Found {
		if s := indicator.Meta().ThreatAssessScore; s != nil {
			score, ok = max(score, *s), true
		}
	}
	return score, ok
}

// Lookup looks up any number of values, defanged or not, and returns an iterator over the results in the order
// of the values. Lookup recognizes their types like [ParseIndicator]. Every value has a result, even if it is
// not found, excluded or not recognized.
//
//	for result, err := range client.Indicators.Lookup(ctx, slices.Values(values), nil) {
//		if err != nil {
//			return err // the rest was not looked up
//		}
//		fmt.Println(result.Value, len(result.Found) > 0, result.Err)
//	}
//
// Lookup sends one request per value and owner, up to [LookupOptions.Parallel] at the same time. It does not
// deduplicate values. Fewer than twice Parallel results are in memory.
//
// After an error that affects only one value, the iterator continues. The error is in [LookupResult.Err]:
//
//   - the value is invalid,
//   - the platform refuses it or fails on it (400, 413, 414, 500),
//   - a firewall in front of the platform forbids it,
//   - the response cannot be read.
//
// If an error would affect further values as well, the iterator yields it together with its value and stops:
//
//   - the context has ended,
//   - the platform cannot be reached or is unavailable,
//   - the platform refuses the credentials or the owner,
//   - the rate limit is exhausted.
//
// Lookup ranges over values in the goroutine of the loop, and takes a value only when there is room for its
// result. While values blocks, for example to read a line from a terminal, ready results wait. With Parallel
// 1, every result is yielded before the next value is taken. When the loop ends, requests in flight are
// canceled and no goroutine is left. A panic in the client's transport propagates to the goroutine of the
// loop.
//
//	API: GET /v2/indicators/{type}/{indicator}
//	API: GET /v2/indicators/{type}/{indicator}/owners
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Lookup(ctx context.Context, values iter.Seq[string], opts *LookupOptions) iter.Seq2[LookupResult, error] {
	o := copyOf(opts)
	o.Owners = slices.Clone(o.Owners)
	return func(yield func(LookupResult, error) bool) {
		l, err := s.newLookup(ctx, values, o)
		if err != nil {
			yield(LookupResult{}, err)
			return
		}
		most := 2*cap(l.slots) - 1 // requests in flight, and results that wait for an earlier one
		for r := range parallel.Map(ctx, most, numbered(values), l.find) {
			if !yield(r.LookupResult, r.err) || r.err != nil {
				return
			}
		}
	}
}

const (
	defaultParallel = 16
	maxParallel     = 64
)

// lookup is one loop over values.
type lookup struct {
	ownersReader
	typ       IndicatorType
	names     []string // of the owners to search
	allOwners bool
	exclude   func(typ, value string) (reason string, exclude bool)
	asking    chan struct{} // a lock for exclude, which a caller can stop waiting for
}

func (s IndicatorsService) newLookup(ctx context.Context, values iter.Seq[string], o LookupOptions) (*lookup, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	c := s.c.with(o.CallOptions)
	if err := c.usable(); err != nil {
		return nil, err
	}
	if values == nil {
		return nil, &ValidationError{Field: "values", Rule: "are nil"}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Type != "" {
		if _, err := c.definition(ctx, o.Type); err != nil {
			return nil, err
		}
	}
	if o.Parallel == 0 {
		o.Parallel = defaultParallel
	}
	if len(o.Owners) == 0 {
		o.Owners = []string{c.Owner()}
	}
	return &lookup{
		ownersReader: ownersReader{c: c, get: IndicatorGetOptions{Include: o.Include}, slots: make(chan struct{}, o.Parallel)},
		typ:          o.Type, names: o.Owners, allOwners: o.AllOwners,
		exclude: o.Exclude, asking: make(chan struct{}, 1),
	}, nil
}

type numberedValue struct {
	index int
	value string
}

func numbered(values iter.Seq[string]) iter.Seq[numberedValue] {
	return func(yield func(numberedValue) bool) {
		n := numberedValue{index: -1}
		for n.value = range values {
			n.index++
			if !yield(n) {
				return
			}
		}
	}
}

// lookedUp is a result, or the error that ends the lookup.
type lookedUp struct {
	LookupResult
	err error
}

// find looks up one value.
func (l *lookup) find(ctx context.Context, v numberedValue) lookedUp {
	r := lookedUp{LookupResult: LookupResult{Index: v.index, Value: v.value}}
	err := l.findIn(ctx, &r.LookupResult)
	switch {
	case ctx.Err() != nil:
		r.err = contextErr(ctx)
	case err != nil && concernsOneValue(err):
		r.Err = err
	default:
		r.err = err
	}
	return r
}

func (l *lookup) findIn(ctx context.Context, r *LookupResult) error {
	ref := IndicatorRef{Type: l.typ, Value: r.Value}
	if l.typ == "" {
		ind, err := ParseIndicator(r.Value)
		if err != nil {
			return err
		}
		ref = ind.Ref()
	}
	t, def, err := l.c.indicatorAt(ctx, ref)
	if err != nil {
		return err
	}
	r.Ref = ref
	if l.exclude != nil {
		if r.Excluded, err = l.exclusion(ctx, def, ref.Value); err != nil || r.Excluded != "" {
			return err
		}
	}
	names := l.names
	if l.allOwners {
		if names, err = l.owners(ctx, ref); err != nil {
			return err
		}
	}
	r.Found, err = Collect(l.read(ctx, def, t.route, names))
	return err
}

// exclusion returns the reason why a value is excluded, or "" if it is not.
func (l *lookup) exclusion(ctx context.Context, def *indicatorDef, value string) (string, error) {
	summary, err := def.summaryOf(value)
	if err != nil {
		return "", err
	}
	select {
	case l.asking <- struct{}{}:
		defer func() { <-l.asking }()
	case <-ctx.Done():
		return "", contextErr(ctx)
	}
	return exclusion(l.exclude, def.typ, summary), nil
}

// concernsOneValue reports whether err affects only one value.
func concernsOneValue(err error) bool {
	switch e := err.(type) {
	case *ValidationError:
		return true
	case *RequestError:
		return errors.Is(e.Err, ErrBadResponse) || errors.Is(e.Err, ErrResponseTooLarge)
	case *APIError:
		if slices.ContainsFunc([]error{ErrOwnerRefused, ErrSignature, ErrClockSkew, ErrTokenRefused, ErrNotLicensed}, e.Is) {
			return false
		}
		switch e.StatusCode {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusInternalServerError:
			return true
		case http.StatusForbidden:
			return e.Message == "" // not a message of the platform: a firewall forbids the value, for example a URL with an attack in it
		}
	}
	return false
}
