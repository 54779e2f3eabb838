package threatconnect

import (
	"context"
	"fmt"
	"iter"
)

// Import brings items into an owner and returns the counts. It makes a writer, adds the items,
// closes the writer, and so costs three requests a job of about 5,000 indicators, and more while
// the platform works.
//
// An item that breaks a rule is left out and the rest goes on; an error of the sequence ends the
// import after what came before it. When items or the import failed, the error is a [*BatchError].
//
// With a spool in the configuration, Import goes on with what [BatchService.Resume] finds there. The sequence must
// then begin with the same items as that of the process before: they are compared by a checksum and
// passed over. When they are others, what is in the spool is brought to its end, nothing of the
// sequence is added, and the error matches [ErrSpoolOther]: the spool is empty then, and the next
// Import begins anew.
func (s BatchService) Import(ctx context.Context, config BatchConfig, items iter.Seq2[BatchItem, error]) (BatchStats, error) {
	if err := checkContext(ctx); err != nil {
		return BatchStats{}, err
	}
	open := s.NewWriter
	if config.Spool != nil {
		open = func(config BatchConfig) (*BatchWriter, error) { return s.Resume(ctx, config) }
	}
	w, err := open(config)
	if err != nil {
		return BatchStats{}, err
	}
	if w.closed { // an import of this name has ended before
		return w.Stats(), w.result
	}
	var source error
	through := false
	defer func() {
		if !through { // the sequence panicked: nothing goes on behind the caller's back
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_ = w.Close(ended)
		}
	}()
	past := w.replay()
	for item, err := range items {
		if source = err; err != nil {
			break
		}
		if past.left > 0 {
			if err := past.add(item); err != nil {
				w.refuses(err, past.count-1)
			}
			if past.left == 0 && !past.same() {
				source = errOtherItems
				break
			}
			continue
		}
		if err := w.Add(ctx, item); err != nil && !w.refuses(err, w.added-1) {
			break // Close says why
		}
	}
	if source == nil && past.left > 0 {
		source = errOtherItems
	}
	through = true
	err = w.close(ctx, source)
	return w.Stats(), err
}

var errOtherItems = fmt.Errorf("%w: the first items are not those of the process before; what it has added is in", ErrSpoolOther)

// replay goes through the items again that an earlier process has added.
type replay struct {
	encoder encoder
	known   knownGroups
	left    int64 // items that are still to come
	count   int64 // items that came
	sum     uint32
	want    uint32
}

func (w *BatchWriter) replay() *replay {
	if w.spool == nil {
		return &replay{}
	}
	r := &replay{left: w.spool.from, want: w.spool.fromSum, known: newKnownGroups(w.cfg.GroupsInOwner)}
	r.encoder = encoder{version: w.cfg.Version, action: w.cfg.Action, known: &r.known, carry: w.cfg.GroupsCarryIndicators}
	if r.encoder.carry {
		r.encoder.exclude = w.cfg.Exclude // what a group carries is in the checksum
	}
	return r
}

// add takes the next item. The error is that of one that breaks a rule.
func (r *replay) add(item BatchItem) error {
	r.left--
	r.count++
	list, err := r.encoder.encode(item)
	if err != nil {
		r.sum = nextSum(r.sum, nil)
		return err
	}
	r.sum = nextSum(r.sum, r.encoder.Buf)
	if list == inGroups {
		r.known.jobs[r.known.hash(r.encoder.xid)] = 0
	}
	return nil
}

// same reports whether the items are those that were added before.
func (r *replay) same() bool { return r.sum == r.want }
