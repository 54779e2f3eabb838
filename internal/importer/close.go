package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// Close sends the remaining items, waits until all are settled, and ends the import. If ctx ends first, Close
// stops at once. source is the error that ended the sequence of items early, or nil.
func (e *Engine) Close(ctx context.Context, source error) {
	last, err := e.flush(ctx, func(journal.Deferred) bool { return true })
	if errors.Is(err, ErrEnded) {
		err = nil // Cause returns it, and files sent before continue
	}
	if e.packer.File() != nil || e.pending != nil {
		if serr := e.send(ctx); serr != nil && err == nil && !errors.Is(serr, ErrEnded) {
			err = serr
		}
	}
	if err == nil {
		err = e.Wait(ctx, last)
	}
	if err != nil {
		e.Stop(err)
	}
	e.running.Wait()
	if source != nil {
		e.halt(source)
	}
	if err := e.countUnsent(); err != nil {
		e.halt(err)
	}
	e.finish(ctx)
	e.stop(ErrEnded)
	e.free = nil
}

// countUnsent counts added items that are not sent.
func (e *Engine) countUnsent() error {
	var left item.Outcome
	if a := e.pending; a != nil && a.File != 0 {
		left = e.deliverer.Leave(fileOf(a))
	}
	held, err := e.packer.Discard()
	for k, n := range held {
		left.Kinds[k].Unprocessed += n
	}
	var settled [item.Kinds]item.Counts
	e.journal.View(func(s *journal.State) { settled = s.Outcome.Kinds })
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left.Plus(&left)
	for k := range settled { // held items that cannot be read back were not sent
		missing := e.totals.Kinds[k] - e.totals.Excluded[k] - settled[k].Total() - e.left.Kinds[k].Total()
		e.left.Kinds[k].Unprocessed += max(missing, 0)
	}
	return err
}

// finish ends the journal unless the import can be resumed.
func (e *Engine) finish(ctx context.Context) {
	ended := e.Cause()
	if !e.journal.Kept() || ended != nil && !errors.Is(ended, deliver.ErrHalted) {
		return
	}
	if err := e.journal.End(ctx, journal.End{Remember: ended == nil && !e.forget}); err != nil {
		e.end(err, false)
	}
}

// Forget makes a later import of the same run start again instead of returning the outcome of this one.
func (e *Engine) Forget() { e.forget = true }

// halt ends the import. Deliveries finish their current piece and send no other.
func (e *Engine) halt(err error) { e.end(err, true) }

// end ends the import; the first error is kept. If stopping is false, items that were added are still sent.
func (e *Engine) end(err error, stopping bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopping = e.stopping || stopping
	if e.ended == nil {
		e.ended = err
		e.closed.Store(true)
	}
}

func (e *Engine) stopped() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stopping
}

// Ended returns an error that matches ErrEnded if the import has ended.
func (e *Engine) Ended() error {
	if !e.closed.Load() {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrEnded, e.Cause())
}

// Cause returns the error that ended the import early, or nil.
func (e *Engine) Cause() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended
}

// Stats are the counts of an import.
type Stats struct {
	Totals    item.Totals
	Outcome   item.Outcome
	Watermark journal.Watermark
	Elapsed   time.Duration // since the first item of this process
	Before    int64         // items that earlier processes settled
}

// Stats returns the counts of the import without the reasons of exclusions. The caller must not modify its
// slices.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	s := Stats{Totals: e.totals, Before: e.before}
	s.Totals.Reasons = nil
	if !e.began.IsZero() {
		s.Elapsed = time.Since(e.began)
	}
	left, refused := e.left, e.refused
	e.mu.Unlock()
	e.journal.View(func(state *journal.State) {
		s.Outcome = state.Outcome
		s.Outcome.Failures, s.Outcome.Lost = slices.Clip(s.Outcome.Failures), slices.Clip(s.Outcome.Lost)
		s.Watermark = state.Marks.Watermark
	})
	s.Outcome.Plus(&refused)
	s.Outcome.Plus(&left)
	return s
}

// Reasons returns the number of exclusions by reason.
func (e *Engine) Reasons() map[string]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.totals.Reasons)
}

// Resumed returns the totals of the items that earlier processes added.
func (e *Engine) Resumed() item.Totals { return e.resumed }

// Note records and reports the failure of a refused item.
func (e *Engine) Note(f item.Failure) {
	e.mu.Lock()
	e.refused.Note(f)
	e.mu.Unlock()
	e.opts.Failed(f)
}

// Kept reports whether the store contains an import that can be resumed.
func (e *Engine) Kept() (kept bool) {
	e.journal.View(func(s *journal.State) { kept = e.journal.Kept() && s.End == nil })
	return kept
}

// Context returns the context of deliveries, which ends with the import.
func (e *Engine) Context() context.Context { return e.work }

// Stop ends the import. Another goroutine may be adding items.
func (e *Engine) Stop(err error) {
	e.halt(err)
	e.stop(err)
}
