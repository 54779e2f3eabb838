package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// release puts the associations that are ready into jobs.
func (w *BatchWriter) release(ctx context.Context, ready func(wait uint64) bool) error {
	if w.held.count == 0 {
		return nil
	}
	return w.held.take(ready, func(e waiting, again bool) error {
		if err := w.halted(); err != nil {
			return err
		}
		if again {
			w.taken[kindOf(inAssociations, e.seq)].Add(-1)
			w.mu.Lock()
			w.again++
			w.mu.Unlock()
			w.spool.released(e.index)
			return nil
		}
		err := w.put(ctx, inAssociations, e.seq, e.item, allBefore)
		if err == nil {
			w.spool.released(e.index)
			w.sendFull(ctx)
		}
		return err
	})
}

// Close sends what is left, waits until the platform has processed everything, and ends the
// writer's goroutines. When ctx ends before that, or has ended, Close stops at once and its error
// names the jobs that it leaves on the platform. What is in a spool stays there until it is in, and
// [BatchService.Resume] goes on with it.
//
// It returns nil if all items that were added are on the platform or were excluded, and a [*BatchError]
// otherwise. The error does not contain the items that Add refused. Closing again returns the same.
func (w *BatchWriter) Close(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	return w.close(ctx, nil)
}

// close closes the writer; source is what ended the items before their end.
func (w *BatchWriter) close(ctx context.Context, source error) error {
	err := w.fill(ctx)
	if err != nil {
		w.halt(err)
		w.stop(err) // so that whoever fills comes to an end
		w.filling <- struct{}{}
	}
	defer w.done()
	if w.closed {
		return w.result
	}
	w.closed = true
	if err == nil {
		// What has ended the import already is known; what was sent before goes on.
		if err = w.release(ctx, func(uint64) bool { return true }); errors.Is(err, ErrBatchHalted) {
			err = nil
		}
	}
	if w.current != nil {
		err = firstError(err, w.send(ctx))
	}
	if j := w.current; j != nil { // it could not be kept
		w.spool.stop(err)
		w.leave(j)
		w.current = nil
	}
	w.keepRest(ctx)
	if err == nil {
		err = w.wait(ctx, w.made)
	}
	if err != nil {
		w.halt(err)
		w.stop(err)
	}
	w.running.Wait()
	if source != nil {
		w.halt(source)
	}
	w.drop()
	w.leaveSpool(ctx)
	w.stop(ErrBatchClosed)
	w.encoder, w.linker, w.free = encoder{}, encoder{}, nil
	w.result = w.finalError()
	return w.result
}

// drop counts the associations that were not sent.
func (w *BatchWriter) drop() {
	err := w.held.each(func(_ []byte, e waiting) {
		w.mu.Lock()
		w.outcome.kinds[kindOf(inAssociations, e.seq)].Unprocessed++
		w.mu.Unlock()
	})
	if err != nil {
		w.halt(err)
	}
	w.held.discard()
}

// Stats says how the import stands.
func (w *BatchWriter) Stats() BatchStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats()
}

// stats is Stats with mu held.
func (w *BatchWriter) stats() BatchStats {
	s := w.standing()
	s.ExclusionReasons = maps.Clone(w.exclusions.reasons)
	return s
}

// standing is stats without the reasons of exclusions.
func (w *BatchWriter) standing() BatchStats {
	o := &w.outcome
	s := BatchStats{
		Indicators: o.kinds[kindOfIndicator], Groups: o.kinds[kindOfGroup], Associations: o.kinds[kindOfAssociation], Links: o.kinds[kindOfLink],
		Contents: o.files, Invalid: w.invalid, Duplicates: w.again, Jobs: o.jobs, Bytes: o.bytes,
	}
	s.Indicators.Added = w.taken[kindOfIndicator].Load()
	s.Groups.Added = w.taken[kindOfGroup].Load()
	s.Associations.Added = w.taken[kindOfAssociation].Load()
	s.Links.Added = w.taken[kindOfLink].Load()
	x := &w.exclusions.kinds
	s.Indicators.Excluded, s.Associations.Excluded, s.Links.Excluded = x[kindOfIndicator], x[kindOfAssociation], x[kindOfLink]
	s.Contents.Added = w.contents.Load()
	return s
}

// halt ends the import: what is not under way is not sent. The first reason stays.
func (w *BatchWriter) halt(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	w.end(err)
}

// jam ends the adding, because no more can be kept; what was added goes on.
func (w *BatchWriter) jam(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(err)
}

// end keeps why the import has ended, with mu held.
func (w *BatchWriter) end(err error) {
	if w.ended == nil {
		w.ended = err
		w.over.Store(true)
	}
}

// stopped reports whether what was added is not sent any more.
func (w *BatchWriter) stopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopping
}

// halted returns what Add says after the import has ended.
func (w *BatchWriter) halted() error {
	if !w.over.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrBatchHalted, w.ended)
}

// refuses reports whether err is about one item only; Import then notes it and goes on.
func (w *BatchWriter) refuses(err error, seq int64) bool {
	if !errors.Is(err, ErrValidation) || errors.Is(err, ErrBatchHalted) {
		return false
	}
	w.note(nil, BatchItemError{Seq: seq, Err: err})
	return true
}

// finalError is what Close returns.
func (w *BatchWriter) finalError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := &w.outcome
	if w.ended == nil && len(o.items) == 0 && len(o.lost) == 0 {
		return nil
	}
	return &BatchError{Stats: w.stats(), Items: slices.Clip(o.items), More: o.more, Jobs: o.lost, Err: w.ended, Kept: w.spool.kept()}
}
