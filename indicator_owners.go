package threatconnect

import (
	"context"
	"errors"
	"iter"
)

// AcrossOwners reads an indicator in every owner that has it and that the API user can see, one
// after the other. No owner having it is an empty sequence. It costs one request, and one an owner
// when it is that one's turn. An owner that has lost the indicator in between is left out. The
// owners that the indicator and the options name play no part: options that name one are refused.
//
//	API: GET /v2/indicators/{type}/{indicator}/owners
//	API: GET /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) AcrossOwners(ctx context.Context, indicator Resource, opts *IndicatorGetOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return func(yield func(Indicator, error) bool) {
		if err := s.acrossOwners(ctx, indicator, o, yield); err != nil {
			yield(nil, err)
		}
	}
}

// acrossOwners returns the error that ends the sequence, or nil when it is over.
func (s IndicatorsService) acrossOwners(ctx context.Context, indicator Resource, o IndicatorGetOptions, yield func(Indicator, error) bool) error {
	t, def, err := s.c.indicatorAt(ctx, indicator)
	if err != nil {
		return err
	}
	owners, err := s.Owners(ctx, indicator)
	if err != nil && !isGone(err) {
		return err
	}
	for _, owner := range owners {
		ind, err := getIndicator[Indicator](ctx, s.c, def, t.route, owner.Name, &o)
		switch {
		case isGone(err):
			continue
		case err != nil:
			return err
		}
		if !yield(ind, nil) {
			return nil
		}
	}
	return nil
}

// isGone reports whether the platform itself says that something is not there. A 404 of something
// else has no known sentence.
func isGone(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Message != "" && errors.Is(api, ErrNotFound)
}
