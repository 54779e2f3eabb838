package pack

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// held stores links and associations that wait, partly in memory and partly in temporary files. They are
// sorted by key, so that equal links are adjacent.
type held struct {
	sorter *extsort.Sorter // nil if empty
	min    int64           // smallest sequence number
	buf    []byte
}

// heldInMemory is the memory limit in bytes.
const heldInMemory = 1 << 20

var errHeld = errors.New("a temporary file was changed by another process")

func (h *held) add(d journal.Deferred) error {
	if h.sorter == nil {
		h.sorter, h.min = extsort.New("", heldInMemory), math.MaxInt64
	}
	key := d.Key
	d.Key = ""
	h.buf = d.Append(h.buf[:0])
	if err := h.sorter.Add([]byte(key), h.buf); err != nil {
		return fmt.Errorf("threatconnect: store associations that wait for their groups: %w", err)
	}
	h.min = min(h.min, max(d.Seq, ^d.Seq))
	return nil
}

// minSeq returns the smallest sequence number, or math.MaxInt64 if empty.
func (h *held) minSeq() int64 {
	if h.sorter == nil {
		return math.MaxInt64
	}
	return h.min
}

// each calls visit for each held link.
func (h *held) each(visit func(key []byte, d journal.Deferred)) error {
	if h.sorter == nil {
		return nil
	}
	for rec, err := range h.sorter.Sorted() {
		var d journal.Deferred
		if err == nil {
			ok := false
			if d, ok = journal.ReadDeferred(&item.Reader{B: rec.Value}); !ok {
				err = errHeld
			}
		}
		if err != nil {
			return fmt.Errorf("threatconnect: read associations that wait for their groups: %w", err)
		}
		visit(rec.Key, d)
	}
	return nil
}

func (h *held) discard() {
	if h.sorter != nil {
		h.sorter.Close()
	}
	*h = held{}
}

// Hold restores a link that an earlier process held back.
func (p *Packer) Hold(d journal.Deferred) error { return p.held.add(d) }

// Discard forgets the held links and associations, and returns their numbers.
func (p *Packer) Discard() (counts [item.Kinds]int64, err error) {
	err = p.held.each(func(_ []byte, d journal.Deferred) { counts[item.KindOf(item.Associations, d.Seq)]++ })
	p.held.discard()
	return counts, err
}

// Ready reports whether all groups of a link were added or are in the owner.
func (p *Packer) Ready(d journal.Deferred) bool {
	for _, h := range d.Wait {
		if _, known := p.groups[h]; h != 0 && !known {
			return false
		}
	}
	return true
}

// Release calls use for each held link that is ready, and keeps the others. use calls Link or Drop. again
// reports that the link equals the previous one. After an error of use, Release keeps the remaining links.
// Err returns other errors.
func (p *Packer) Release(ready func(journal.Deferred) bool, use func(d journal.Deferred, again bool) error) error {
	if p.held.sorter == nil {
		return nil
	}
	old := p.held
	p.held = held{}
	defer old.discard()
	p.releasing = old.minSeq()
	defer func() { p.releasing = math.MaxInt64 }()
	var first error
	var last []byte
	err := old.each(func(key []byte, d journal.Deferred) {
		if first == nil && p.err == nil && ready(d) {
			if first = use(d, last != nil && bytes.Equal(last, key)); first == nil {
				last = append(last[:0], key...)
				return
			}
		}
		d.Key = string(key)
		p.fail(p.held.add(d))
	})
	p.fail(err)
	return errors.Join(first, p.err)
}
