package lookup

import (
	"context"
	"errors"
	"iter"

	"github.com/threatconnect-go/threatconnect"
)

// finding is what was found out about one value.
type finding struct {
	given   string                     // empty when line is not 0
	line    int                        // of a value that is too long to be held; else 0
	ref     threatconnect.IndicatorRef // zero when the value was refused
	found   []threatconnect.Indicator  // one an owner that has it
	refused error                      // why this value, and only this one, cannot be looked up
	err     error                      // why nothing can
}

// finder looks values up.
type finder struct {
	client   *threatconnect.Client
	owners   []string // empty means all
	parallel int
}

// find looks up the values, several at a time, and hands the findings over in the order of the
// values. It stops at the first error that is not about one value alone, also while it waits for the
// next value. Only so many values are in memory as are looked up at a time.
func (f *finder) find(ctx context.Context, read reading, values iter.Seq2[string, error], give func(*finding) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan chan *finding, f.parallel-1)
	go f.begin(ctx, read, values, queue)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case answer, more := <-queue:
			if !more {
				return ctx.Err()
			}
			r := <-answer
			if r.err != nil {
				return r.err
			}
			if err := give(r); err != nil {
				return err
			}
		}
	}
}

// begin begins to look a value up whenever the queue has room for its answer. It may be waiting for
// a value when nobody waits for it any more.
func (f *finder) begin(ctx context.Context, read reading, values iter.Seq2[string, error], queue chan<- chan *finding) {
	defer close(queue)
	for v, err := range values {
		answer := make(chan *finding, 1)
		select {
		case queue <- answer:
		case <-ctx.Done():
			return
		}
		if long, ok := errors.AsType[longLine](err); ok {
			answer <- &finding{line: int(long), refused: long}
			continue
		}
		if err != nil {
			answer <- &finding{err: err}
			return
		}
		go func() { answer <- f.one(ctx, read, v) }()
	}
}

// one looks up one value.
func (f *finder) one(ctx context.Context, read reading, v string) *finding {
	r := &finding{given: v}
	if r.ref, r.refused = read(v); r.refused != nil {
		return r
	}
	opts := &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{Tags: true}}
	var err error
	if len(f.owners) == 0 {
		r.found, err = threatconnect.Collect(f.client.Indicators.AcrossOwners(ctx, r.ref, opts))
	}
	for _, owner := range f.owners {
		var ind threatconnect.Indicator
		if ind, err = f.client.InOwner(owner).Indicators.Get(ctx, r.ref, opts); err == nil {
			r.found = append(r.found, ind)
		} else if isGone(err) {
			err = nil
		} else {
			break
		}
	}
	switch {
	case errors.Is(err, threatconnect.ErrValidation) || errors.Is(err, threatconnect.ErrBadRequest):
		r.refused = err
	default:
		r.err = err
	}
	return r
}

// isGone reports whether the platform says that an indicator is not there. A page that is not the
// platform's can be a 404 as well, and has no message.
func isGone(err error) bool {
	api, ok := errors.AsType[*threatconnect.APIError](err)
	return ok && api.Message != "" && errors.Is(api, threatconnect.ErrNotFound)
}
