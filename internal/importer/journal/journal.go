// Package journal stores the progress of an import as an append-only sequence of records, so that it survives
// the process. The state of an import is a function of its records.
//
// Records are stored in numbered slots of a Store, which can only create them. The writer of the last slot
// owns the journal. A writer has lost the journal when it finds its next slot taken, or a higher slot that it
// did not write.
package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Errors of a journal.
var (
	ErrStore  = errors.New("threatconnect: batch spool")
	ErrRecord = fmt.Errorf("%w: a record is damaged or of another version", ErrStore)
	ErrLost   = fmt.Errorf("%w: another writer or process has taken over the import", ErrStore)
)

// maxPending is the size in bytes of links or groups in memory above which they move to a record.
const maxPending = 1 << 20

// Journal is the journal of one import with its state. Its methods are safe for concurrent use.
type Journal struct {
	store      Store // nil if the import is not stored
	errors     Errors
	token      string
	busy       chan struct{}  // a lock that a context can interrupt; held while a record is written
	slot       int64          // of the last record
	base       int64          // slot of the oldest record that a replay reads
	maxRecords int            // number of records that triggers a checkpoint
	live       map[int64]bool // slots of the records in the store
	broken     error          // why no more records are written

	mu    sync.Mutex // guards state
	state State
}

// Errors converts errors of items to their stored form and back.
type Errors interface {
	Problem(error) item.Problem
	Error(item.Problem) error
}

// New returns the journal of an import that is not stored.
func New(start Start) *Journal {
	j := &Journal{busy: make(chan struct{}, 1)}
	j.state.apply(0, &record{Start: &start})
	return j
}

// Begin begins a new import. A previous one must have ended.
func (j *Journal) Begin(ctx context.Context, start Start) error {
	return j.write(ctx, &record{Start: &start}, nil)
}

// Add appends an Added record.
func (j *Journal) Add(ctx context.Context, a *Added) error {
	var raw [][]byte
	if j.store != nil {
		var links []byte
		for i := range a.Links {
			links = a.Links[i].Append(links)
		}
		raw = [][]byte{links, numbers(a.Groups), numbers(a.Released)}
		if a.Payload != nil {
			raw = append(raw, a.Payload.Encode()...)
		}
	}
	return j.write(ctx, &record{Added: a}, raw)
}

// Create appends a Created record.
func (j *Journal) Create(ctx context.Context, c Created) error {
	return j.write(ctx, &record{Created: &c}, nil)
}

// Settle appends a Settled record.
func (j *Journal) Settle(ctx context.Context, s *Settled) error {
	return j.write(ctx, &record{Settled: s}, nil)
}

// Attach appends an Attached record.
func (j *Journal) Attach(ctx context.Context, a *Attached) error {
	return j.write(ctx, &record{Attached: a}, nil)
}

// End ends the import and removes its records except the outcome. If only the removal fails, the import has
// ended according to the state, and the next process removes the rest.
func (j *Journal) End(ctx context.Context, e End) error {
	if err := j.lock(ctx); err != nil {
		return err
	}
	defer j.unlock()
	return j.checkpoint(ctx, &e)
}

// View calls use with the state. use must not retain or modify it, or call the journal.
func (j *Journal) View(use func(*State)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	use(&j.state)
}

// Kept reports whether the import is stored.
func (j *Journal) Kept() bool { return j.store != nil }

// lock acquires the right to write, and unlock releases it.
func (j *Journal) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return ContextErr(ctx)
	}
	select {
	case j.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ContextErr(ctx)
	}
}

// ContextErr returns an error that wraps the error of a context and its cause.
func ContextErr(ctx context.Context) error { return WithContextErr(ctx, context.Cause(ctx)) }

// WithContextErr adds the error of a context, if it has ended, to err.
func WithContextErr(ctx context.Context, err error) error {
	if why := ctx.Err(); why != nil && !errors.Is(err, why) {
		return fmt.Errorf("%w: %w", why, err)
	}
	return err
}

func (j *Journal) unlock() { <-j.busy }

// write appends a record and applies it to the state. It calls tidy first, so an error always means that the
// record was not applied.
func (j *Journal) write(ctx context.Context, r *record, raw [][]byte) error {
	if err := j.lock(ctx); err != nil {
		return err
	}
	defer j.unlock()
	if err := j.tidy(ctx); err != nil {
		return err
	}
	return j.append(ctx, r, raw)
}

// append writes a record to the next slot and applies it to the state. It does not write a record that does
// not follow from the state, because no replay could read the journal. The caller holds busy.
func (j *Journal) append(ctx context.Context, r *record, raw [][]byte) error {
	if j.broken != nil {
		return j.broken
	}
	if err := j.state.fits(r); err != nil {
		return fmt.Errorf("%w: a record %w", ErrStore, err)
	}
	if j.store == nil {
		j.apply(0, r)
		return nil
	}
	restore := j.describe(r)
	parts, err := encode(&header{Slot: j.slot + 1, Token: j.token, record: *r}, raw)
	restore()
	if err != nil {
		return fmt.Errorf("%w: encode a record: %w", ErrStore, err)
	}
	if err := j.create(ctx, j.slot+1, parts); err != nil {
		return err
	}
	j.slot++
	j.live[j.slot] = true
	if r.first() {
		j.base = j.slot
	}
	j.apply(j.slot, r)
	return nil
}

func (j *Journal) apply(slot int64, r *record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.apply(slot, r)
}

// describe sets the stored form of the errors in a record. restore removes it.
func (j *Journal) describe(r *record) (restore func()) {
	failures := r.failures()
	for i := range failures {
		if f := &failures[i]; f.Err != nil {
			p := j.errors.Problem(f.Err)
			f.Problem = &p
		}
	}
	return func() {
		for i := range failures {
			failures[i].Problem = nil
		}
	}
}

// create creates the record of a slot and makes sure that it is the last one. After an error, the record is
// absent or the journal is broken.
func (j *Journal) create(ctx context.Context, slot int64, parts [][]byte) error {
	name := slotName(slot)
	for again := false; ; again = true {
		err := j.store.Create(ctx, name, parts)
		if err == nil {
			break
		}
		err = fmt.Errorf("%w: keep the record %s: %w", ErrStore, name, err)
		found, ours, rerr := j.find(ctx, slot, parts)
		if found {
			break
		}
		absent := errors.Is(rerr, fs.ErrNotExist)
		switch {
		case absent && errors.Is(err, fs.ErrExist), rerr == nil && !ours:
			err = ErrLost // another process used the slot, and may have removed the record
		case absent && again:
			return err
		case absent:
			continue
		case rerr != nil:
			err = fmt.Errorf("%w; read it: %w", err, rerr)
		}
		j.broken = err // the record may exist, or an abandoned one does
		return err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	j.broken = j.newer(ctx, slot) // nothing may be written while this is unknown
	return j.broken
}

// newer returns ErrLost if a higher slot is taken.
func (j *Journal) newer(ctx context.Context, slot int64) error {
	names, err := j.store.Names(ctx)
	if err != nil {
		return fmt.Errorf("%w: list the records: %w", ErrStore, err)
	}
	for _, n := range names {
		if other, ok := slotOf(n); ok && other > slot {
			return ErrLost
		}
	}
	return nil
}

// find reports whether a slot contains a record with these parts, and otherwise whether this process wrote
// the record.
func (j *Journal) find(ctx context.Context, slot int64, parts [][]byte) (found, ours bool, err error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	text, err := j.store.Read(ctx, slotName(slot))
	if err != nil {
		return false, false, err
	}
	if bytes.Equal(text, slices.Concat(parts...)) {
		return true, true, nil
	}
	h, _, err := decode(slot, text)
	return false, err == nil && h.Token == j.token, nil
}

// detached returns a context for reading the fate of a record after ctx has ended.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), findTime)
}

// findTime is the timeout of that.
const findTime = 10 * time.Second

// read reads the record of a slot.
func (j *Journal) read(ctx context.Context, slot int64) (header, [][]byte, error) {
	text, err := j.store.Read(ctx, slotName(slot))
	if errors.Is(err, fs.ErrNotExist) {
		return header{}, nil, damaged(slot, errMissing)
	}
	if err != nil {
		return header{}, nil, fmt.Errorf("%w: read the record %s: %w", ErrStore, slotName(slot), err)
	}
	h, raw, err := decode(slot, text)
	if err != nil {
		err = damaged(slot, err)
	}
	return h, raw, err
}

// tidy removes obsolete records, moves large links and groups from memory to a record, and writes a
// checkpoint if there are many records. The caller holds busy.
func (j *Journal) tidy(ctx context.Context) error {
	if err := j.sweep(ctx); err != nil {
		return err
	}
	if err := j.moveLinks(ctx); err != nil {
		return err
	}
	if c := j.state.lastGroups(); c != nil && len(c.data) >= maxPending {
		if err := j.append(ctx, &record{Moved: &moved{Groups: c}}, [][]byte{c.data}); err != nil {
			return err
		}
	}
	if len(j.live)-len(j.state.live()) < j.maxRecords {
		return nil
	}
	return j.checkpoint(ctx, nil)
}

// moveLinks drops the links in memory that no longer wait, and moves the others to a record if they are
// large.
func (j *Journal) moveLinks(ctx context.Context) error {
	c := j.state.lastLinks()
	if c == nil || len(c.data) < maxPending {
		return nil
	}
	out := c.compact()
	if len(out.data) < maxPending/2 {
		j.mu.Lock()
		defer j.mu.Unlock()
		*c = out
		return nil
	}
	return j.append(ctx, &record{Moved: &moved{Links: &out}}, [][]byte{out.data})
}

// checkpoint writes a checkpoint and removes the records that it replaces. If end is not nil, the checkpoint
// ends the import. The caller holds busy.
func (j *Journal) checkpoint(ctx context.Context, end *End) error {
	s := j.state
	s.Links, s.Outcome.Failures = slices.Clone(s.Links), slices.Clone(s.Outcome.Failures)
	if end != nil {
		s = State{Start: s.Start, Totals: s.Totals, Outcome: s.Outcome, Made: s.Made, Marks: Marks{Watermark: s.Marks.Watermark}, End: end, keep: s.keep}
	}
	var raw [2][]byte
	if c := s.lastLinks(); c != nil {
		out := c.compact()
		raw[0], s.Links[len(s.Links)-1] = out.data, &out
	}
	if c := s.lastGroups(); c != nil {
		raw[1] = c.data
	}
	if err := j.append(ctx, &record{Checkpoint: &checkpoint{&s}}, raw[:]); err != nil {
		return err
	}
	return j.sweep(ctx)
}

// sweep removes the records that no replay reads and the state does not refer to.
func (j *Journal) sweep(ctx context.Context) error {
	if j.broken != nil {
		return j.broken
	}
	live := j.state.live()
	for _, slot := range slices.Sorted(maps.Keys(j.live)) {
		if slot >= j.base || live[slot] {
			continue
		}
		if err := j.store.Remove(ctx, slotName(slot)); err != nil {
			return fmt.Errorf("%w: remove the record %s: %w", ErrStore, slotName(slot), err)
		}
		delete(j.live, slot)
	}
	return nil
}
