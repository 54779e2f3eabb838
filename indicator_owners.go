package threatconnect

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/parallel"
)

// AcrossOwners returns an iterator that yields an indicator once for every owner that has it and is visible to
// the API user. The owners are in the order of the platform's list. If no owner has it, the iterator yields
// nothing. The owner of the argument and the client's owner are ignored.
//
// It costs one request plus one request per owner; up to 16 requests are sent concurrently, ahead of the loop.
// Owners that lose the indicator in the meantime are skipped. If a request fails, the iterator yields the error
// in the place of its owner and stops. When the loop ends, no goroutine is left running.
//
//	API: GET /v2/indicators/{type}/{indicator}/owners
//	API: GET /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) AcrossOwners(ctx context.Context, indicator Resource, opts *IndicatorGetOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return deferred(func() iter.Seq2[Indicator, error] {
		t, def, err := s.c.indicatorAt(ctx, indicator)
		if err != nil {
			return failing[Indicator](err)
		}
		r := ownersReader{c: s.c.with(o.CallOptions), get: IndicatorGetOptions{Include: o.Include}, slots: make(chan struct{}, defaultParallel)}
		owners, err := r.owners(ctx, indicator)
		if err != nil {
			return failing[Indicator](err)
		}
		return r.read(ctx, def, t.route, owners)
	})
}

// ownersReader reads indicators from several owners. The number of slots limits its concurrent requests.
type ownersReader struct {
	c     *Client
	get   IndicatorGetOptions
	slots chan struct{}
}

// slot waits for a free slot. The caller sends one request and calls free.
func (r *ownersReader) slot(ctx context.Context) (free func(), err error) {
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-ctx.Done():
		return nil, contextErr(ctx)
	}
}

// owners returns the names of the owners that have an indicator.
func (r *ownersReader) owners(ctx context.Context, indicator Resource) ([]string, error) {
	free, err := r.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	owners, err := IndicatorsService{service: service{r.c}}.Owners(ctx, indicator)
	if err != nil && !isGone(err) {
		return nil, err
	}
	names := make([]string, len(owners))
	for i, owner := range owners {
		names[i] = owner.Name
	}
	return names, nil
}

// read returns an iterator over the indicator at a route in each of the owners, in their order, up to the first
// error.
func (r *ownersReader) read(ctx context.Context, def *indicatorDef, at route, owners []string) iter.Seq2[Indicator, error] {
	type answer struct {
		indicator Indicator
		err       error
	}
	get := func(ctx context.Context, owner string) (a answer) {
		free, err := r.slot(ctx)
		if err != nil {
			return answer{err: err}
		}
		defer free()
		a.indicator, a.err = getIndicator[Indicator](ctx, r.c, def, at, owner, &r.get)
		return a
	}
	return func(yield func(Indicator, error) bool) {
		answers := parallel.Map(ctx, cap(r.slots), slices.Values(owners), get)
		if len(owners) == 1 { // the most common case needs no goroutine
			answers = func(yield func(answer) bool) { yield(get(ctx, owners[0])) }
		}
		for a := range answers {
			if isGone(a.err) {
				continue
			}
			if !yield(a.indicator, a.err) || a.err != nil {
				return
			}
		}
	}
}

// isGone reports whether the platform itself reports that something does not exist. A 404 from another server
// has no known message.
func isGone(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Message != "" && errors.Is(api, ErrNotFound)
}
