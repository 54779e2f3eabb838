package journal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// maxTakeovers limits the attempts of Open to take over a journal to which another process appends.
const maxTakeovers = 8

// Open replays the journal in a store and takes it over, unless refuse is not nil and returns an error for
// the state. files is the largest number of open files. The state of an empty store has no Start.
func Open(ctx context.Context, store Store, files int, errs Errors, refuse func(*State) error) (*Journal, error) {
	j := &Journal{store: retryStore{store}, errors: errs, token: rand.Text(), busy: make(chan struct{}, 1), maxRecords: 2*files + 16}
	j.state.keep = true
	j.state.Marks.Held = math.MaxInt64
	for range maxTakeovers {
		j.broken = nil
		err := j.replay(ctx)
		if err == nil && refuse != nil {
			err = refuse(&j.state) // before the owner loses the journal
		}
		if err == nil {
			err = j.claim(ctx)
		}
		if errors.Is(err, ErrLost) {
			continue // another process has appended: read only its records
		}
		if err != nil {
			return nil, err
		}
		return j, nil
	}
	return nil, ErrLost
}

// claim takes over the journal and removes obsolete records that earlier writers left.
func (j *Journal) claim(ctx context.Context) error {
	if j.state.End != nil {
		return j.checkpoint(ctx, j.state.End)
	}
	if err := j.append(ctx, &record{Owner: &owner{}}, nil); err != nil {
		return err
	}
	return j.tidy(ctx)
}

// replay applies the records above j.slot to the state.
func (j *Journal) replay(ctx context.Context) error {
	names, err := j.store.Names(ctx)
	if err != nil {
		return fmt.Errorf("%w: list the records: %w", ErrStore, err)
	}
	top := int64(0)
	j.live = map[int64]bool{}
	for _, name := range names {
		if slot, ok := slotOf(name); ok {
			j.live[slot] = true
			top = max(top, slot)
		}
	}
	type entry struct {
		header
		raw [][]byte
	}
	var entries []entry
	for slot := top; slot > j.slot; slot-- {
		h, raw, err := j.read(ctx, slot)
		if errors.Is(err, errMissing) {
			return cmp.Or(j.newer(ctx, top), err) // its owner may have replaced it
		}
		if err != nil {
			return err
		}
		if h.Added != nil && len(raw) > addedParts {
			var small [][]byte // without the items, which Payload reads later
			for _, part := range raw[:addedParts] {
				small = append(small, bytes.Clone(part))
			}
			raw = small
		}
		entries = append(entries, entry{h, raw})
		if h.first() {
			break
		}
		if slot == 1 && h.Owner == nil {
			return damaged(slot, errOrder)
		}
	}
	for _, e := range slices.Backward(entries) {
		err := j.restore(&e.record, e.raw)
		if err == nil {
			err = j.state.fits(&e.record)
		}
		if err != nil {
			return damaged(e.Slot, err)
		}
		if j.slot = e.Slot; j.slot == 1 || e.first() {
			j.base = j.slot
		}
		j.apply(e.Slot, &e.record)
	}
	return nil
}

// addedParts is the number of raw parts of an Added record before its items: links, groups, and released
// links.
const addedParts = 3

// restore adds the raw parts to a record.
func (j *Journal) restore(r *record, raw [][]byte) error {
	switch {
	case r.Added != nil:
		if len(raw) < addedParts || slices.ContainsFunc(raw, isNil) {
			return errDamaged
		}
		a, ok := r.Added, false
		if !links(raw[0], func(d Deferred) { a.Links = append(a.Links, d) }) {
			return errContent
		}
		if a.Groups, ok = readNumbers[uint64](raw[1]); !ok {
			return errContent
		}
		if a.Released, ok = readNumbers[int64](raw[2]); !ok {
			return errContent
		}
	case r.Checkpoint != nil:
		s := r.Checkpoint.State
		if s == nil || len(raw) != 2 || slices.ContainsFunc(raw, isNil) {
			return errDamaged
		}
		if slices.Contains(s.Files, nil) || slices.Contains(s.Links, nil) || slices.Contains(s.Groups, nil) {
			return errContent
		}
		if c := s.lastLinks(); c != nil {
			if c.data = raw[0]; !links(c.data, func(Deferred) {}) {
				return errContent
			}
		}
		if c := s.lastGroups(); c != nil {
			if c.data = raw[1]; !c.each(func(uint64, int64) {}) {
				return errContent
			}
		}
	}
	failures := r.failures()
	for i := range failures {
		if f := &failures[i]; f.Problem != nil {
			f.Err, f.Problem = j.errors.Error(*f.Problem), nil
		}
	}
	return nil
}

func isNil(part []byte) bool { return part == nil }

// Payload reads the items of an unsettled file.
func (j *Journal) Payload(ctx context.Context, f *File, into *item.File) error {
	h, raw, err := j.read(ctx, f.Slot)
	if err != nil {
		return err
	}
	if h.Added == nil || len(raw) <= addedParts {
		return damaged(f.Slot, errContent)
	}
	if slices.ContainsFunc(raw[addedParts:], isNil) {
		return damaged(f.Slot, errDamaged)
	}
	if into.Decode(slices.Concat(raw[addedParts:]...)) != nil {
		return damaged(f.Slot, errContent)
	}
	n := into.Count()
	for _, p := range f.Pieces {
		if p.From < 0 || p.From > p.To || p.To > n {
			return damaged(f.Slot, errContent)
		}
	}
	return nil
}

// moved reads the links or groups in the record of a slot.
func (j *Journal) moved(ctx context.Context, slot int64) ([]byte, error) {
	h, raw, err := j.read(ctx, slot)
	switch {
	case err != nil:
		return nil, err
	case h.Moved == nil || len(raw) != 1:
		return nil, damaged(slot, errContent)
	case raw[0] == nil:
		return nil, damaged(slot, errDamaged)
	}
	return raw[0], nil
}

// Waiting calls use for each link that waits. The journal must not be written meanwhile.
func (j *Journal) Waiting(ctx context.Context, use func(Deferred) error) error {
	for _, c := range j.state.Links {
		data := c.data
		if c.Slot != 0 {
			var err error
			if data, err = j.moved(ctx, c.Slot); err != nil {
				return err
			}
		}
		var err error
		ok := links(data, func(d Deferred) {
			if err == nil && !c.Released.has(d.Index) {
				err = use(d)
			}
		})
		if !ok {
			return damaged(c.Slot, errContent)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Known calls use for the hash of each added group, with the number of its file. The journal must not be
// written meanwhile.
func (j *Journal) Known(ctx context.Context, use func(hash uint64, file int64)) error {
	for _, c := range j.state.Groups {
		whole := *c
		if c.Slot != 0 {
			var err error
			if whole.data, err = j.moved(ctx, c.Slot); err != nil {
				return err
			}
		}
		if !whole.each(use) {
			return damaged(c.Slot, errContent)
		}
	}
	return nil
}
