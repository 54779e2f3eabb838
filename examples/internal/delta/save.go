package delta

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
)

// Save remembers what is in the owner now. whole says that the feed was read to its end; sure says
// that everything that was sent is known to have gone in, or told to Failed. After an error, the
// next run is a full one.
func (r *Run) Save(ctx context.Context, whole, sure bool) error {
	err := r.settle(sure)
	if err == nil && !whole {
		err = r.carryOver()
	}
	if err != nil {
		return err
	}
	r.forget() // what is open cannot be replaced on every system
	return r.store.save(ctx, r.name, r.foreign, r.write)
}

// settle drops what has not gone in, or all that was sent when that is not sure.
func (r *Run) settle(sure bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	next, stop := iter.Pull2(r.failures.Sorted())
	defer stop()
	failed, err, more := next()
	for sent, bad := range r.sends.Sorted() {
		if err = errors.Join(err, bad); err != nil {
			return err
		}
		refs := sent.Value[:len(id{})]
		if sure && !r.doubt {
			for more && bytes.Compare(failed.Key, sent.Key) < 0 {
				if failed, err, more = next(); err != nil {
					return err
				}
			}
			if !more || !bytes.Equal(failed.Key, sent.Key) {
				continue
			}
			// A group that it refers to may have been removed from the owner: it is sent again too.
			refs = sent.Value
		}
		for ref := range slices.Chunk(refs, len(id{})) {
			if err := r.records.Add(ref, []byte{drop}); err != nil {
				return err
			}
		}
	}
	return err
}

// carryOver remembers what was remembered and what the feed was not read far enough to tell.
func (r *Run) carryOver() error {
	add := func(n int64, xid string) error {
		if r.seen.has(n) {
			return nil
		}
		item, content, err := r.old.record(n)
		if err != nil {
			return err
		}
		return r.records.Add(item[:], append(append([]byte{remember}, content[:]...), xid...))
	}
	for n := range r.old.count {
		if err := add(n, ""); err != nil {
			return err
		}
	}
	for xid, err := range r.old.groups() {
		if err != nil {
			return err
		}
		n, _, err := r.old.find(r.groupID(xid))
		if err == nil && n >= 0 {
			err = add(n, xid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes the state.
func (r *Run) write(to io.Writer) error {
	w, err := newImageWriter(to, r.header)
	if err != nil {
		return err
	}
	for e, err := range r.entries() {
		if err == nil {
			err = w.record(e.item, e.content)
		}
		if err != nil {
			return err
		}
	}
	for e, err := range r.entries() {
		if err == nil && e.xid != "" {
			err = w.group(e.xid)
		}
		if err != nil {
			return err
		}
	}
	return w.end(to)
}

// entry is what is remembered of an item.
type entry struct {
	item, content id
	xid           string
	dropped       bool
}

// entries yields what is remembered, in the order of the items.
func (r *Run) entries() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		var e entry
		any := false
		for rec, err := range r.records.Sorted() {
			if err != nil {
				yield(entry{}, err)
				return
			}
			if any && !bytes.Equal(rec.Key, e.item[:]) {
				if !e.dropped && !yield(e, nil) {
					return
				}
				any = false
			}
			if !any {
				e, any = entry{item: id(rec.Key)}, true
			}
			e.take(rec.Value)
		}
		if any && !e.dropped {
			yield(e, nil)
		}
	}
}

// take adds what the next record says about the item. Of several contents the last one counts: it is
// what the owner has.
func (e *entry) take(value []byte) {
	if value[0] == drop {
		e.dropped = true
		return
	}
	e.content = id(value[1 : 1+len(id{})])
	if xid := value[1+len(id{}):]; len(xid) > 0 {
		e.xid = string(xid)
	}
}
