package feeds

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// Save saves which items are in the owner after the import. stats and imported are the results of
// [threatconnect.BatchService.Import], or of Stats and Close of a [threatconnect.BatchWriter]. After Save, only Counts and
// Close can be called.
//
// Save records only items that the platform confirmed, and no item of this run if an outcome is unknown or OnError was not
// called for all failures. If the feed was not read to its end, the rest of the old state is kept. The cursor is saved
// only if all items are in the owner; otherwise, the next run downloads the feed again.
//
// If the rest of the import is in a spool ([threatconnect.BatchError].Kept), the old state is kept for the next run of the
// same name. If Changed was not used, for example because the feed has not changed, the store is restored to its content
// before OpenState.
//
// After an error of Save, the next run sends everything. If ctx has ended, Save continues for up to 2 minutes.
func (s *State) Save(ctx context.Context, stats threatconnect.BatchStats, imported error) error {
	batch, _ := errors.AsType[*threatconnect.BatchError](imported)
	if s.passes == 0 {
		return s.giveBack()
	}
	s.done = true
	if batch != nil && batch.Kept || s.restart && !s.complete {
		return nil
	}
	records := extsort.New(s.options.Dir, recordsBytes)
	defer records.Close()
	all, err := s.settle(records, stats, batch)
	if err != nil {
		return err
	}
	h := header{Instance: s.options.Instance, Owner: s.options.Owner, Settings: s.options.Settings}
	if all && s.complete {
		h.Cursor = s.next
	}
	ctx, cancel := graceful(ctx)
	defer cancel()
	err = s.store.replace(ctx, s.token, func(to io.Writer) error {
		defer s.forget() // an open file cannot be replaced on every system
		return s.write(to, h, records)
	})
	switch err {
	case errDisputed:
		return nil // the mark stays: the next run sends everything
	case ErrConcurrentRun:
		return errors.Join(fmt.Errorf("%w, so the state was not saved: the next run sends everything", err), s.store.swap(ctx, s.dispute))
	}
	return err
}

// dispute returns the mark for a run that was taken over. Its items may have arrived after those of the other run.
func (s *State) dispute(now *mark) *mark {
	if now == nil {
		return &mark{Run: s.options.Run, Token: s.token, Disputed: true}
	}
	disputed := *now
	disputed.Disputed = true
	return &disputed
}

// graceful returns a context that ends some time after ctx.
func graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		limited, stop := context.WithTimeout(out, saveGrace)
		defer stop()
		<-limited.Done()
		cancel()
	})
	return out, func() {
		stop()
		cancel()
	}
}

// Outcomes of an item in the records of a run.
const (
	drop     = 'd'
	remember = 'r' // followed by the content
)

// settle determines which of the sent items are in the owner, and reports whether all are.
func (s *State) settle(records *extsort.Sorter, stats threatconnect.BatchStats, batch *threatconnect.BatchError) (all bool, err error) {
	if batch != nil {
		for _, e := range batch.Items { // after a restart, OnError was not called for earlier ones
			s.OnError(e)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, s.err
	}
	told, err := s.told()
	if err != nil {
		return false, err
	}
	total := stats.Total()
	doubt := s.doubt || told < total.Failed+total.Unprocessed || total.Added+stats.Invalid+stats.Duplicates < s.accepted ||
		total.Unknown+stats.Links.Unknown+stats.Links.Unprocessed+stats.Associations.Unprocessed > 0 || s.restart && batch != nil && batch.More > 0
	all = (!s.mixed || s.unchanged == 0) && (!doubt || s.yielded == 0)
	next, stop := iter.Pull2(s.failures.Sorted())
	defer stop()
	failed, err, more := next()
	for sent, bad := range s.sends.All() {
		if err = errors.Join(err, bad); err != nil {
			return false, err
		}
		for more && bytes.Compare(failed.Key, sent[:8]) < 0 {
			if failed, err, more = next(); err != nil {
				return false, err
			}
		}
		item, content, groups := sent[8:24], sent[24:40], sent[40:]
		if !doubt && !(more && bytes.Equal(failed.Key, sent[:8])) {
			err = records.Add(item, append([]byte{remember}, content...))
			continue
		}
		all = false
		err = records.Add(item, []byte{drop})
		for ; err == nil && len(groups) > 0; groups = groups[16:] {
			err = records.Add(groups[:16], []byte{drop})
		}
	}
	return all, err
}

// told returns the number of items for which OnError was called and that the import counts as failed or unprocessed.
func (s *State) told() (n int64, err error) {
	last := int64(-1)
	for f, err := range s.failures.Sorted() {
		if err != nil {
			return 0, err
		}
		if seq := int64(binary.BigEndian.Uint64(f.Key)); f.Value[0] == 1 && seq != last {
			n, last = n+1, seq
		}
	}
	return n, nil
}

// write writes the new state.
func (s *State) write(to io.Writer, h header, records *extsort.Sorter) error {
	w, err := newImageWriter(to, h)
	if err != nil {
		return err
	}
	n := int64(0) // of the old state
	for item, err := range latest(records) {
		if err == nil {
			n, err = s.copyOld(w, n, &item.item)
		}
		if err != nil {
			return err
		}
		if !item.dropped {
			w.record(item.record)
		}
	}
	if _, err := s.copyOld(w, n, nil); err != nil {
		return err
	}
	return w.end(to)
}

// copyOld writes the old records from the nth one up to, but not including, that of an item that was sent; if to is nil,
// up to the last one. It returns the number of the next record.
func (s *State) copyOld(w *imageWriter, n int64, to *id) (int64, error) {
	for ; n < s.old.count; n++ {
		r, err := s.old.record(n)
		if err != nil {
			return n, err
		}
		order := -1
		if to != nil {
			order = bytes.Compare(r.item[:], to[:])
		}
		if order > 0 {
			break
		}
		if order < 0 && s.keeps(n) {
			w.record(r)
		}
	}
	return n, nil
}

// keeps reports whether an old record of an item that was not sent is still valid. Another version of the feed may have
// changed the item.
func (s *State) keeps(n int64) bool { return !s.mixed && (s.seen.has(n) || !s.complete) }

// settled is an item that was sent.
type settled struct {
	record
	dropped bool
}

// latest yields the items that were sent in order, each with its content.
func latest(records *extsort.Sorter) iter.Seq2[settled, error] {
	return func(yield func(settled, error) bool) {
		var last settled
		started, again := false, false // again reports whether the item has a content
		for r, err := range records.Sorted() {
			if err != nil {
				yield(settled{}, err)
				return
			}
			if item := id(r.Key); !started || item != last.item {
				if started && !yield(last, nil) {
					return
				}
				last, started, again = settled{record: record{item: item}}, true, false
			}
			if r.Value[0] == drop {
				last.dropped = true
				continue
			}
			content := id(r.Value[1:])
			// Jobs can overtake each other, so it is unknown which of several contents is in the owner.
			last.dropped = last.dropped || again && content != last.content
			last.content, again = content, true
		}
		if started {
			yield(last, nil)
		}
	}
}
