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

// held keeps what waits: a part in memory, the rest in temporary files. It is sorted by key, so that links that
// say the same are neighbors.
type held struct {
	sorter *extsort.Sorter // nil if nothing is held
	min    int64           // smallest sequence number
	buf    []byte
}

// heldInMemory is how many bytes are kept in memory.
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
		return fmt.Errorf("threatconnect: keep associations that wait for their groups: %w", err)
	}
	h.min = min(h.min, max(d.Seq, ^d.Seq))
	return nil
}

// low returns the smallest sequence number, or math.MaxInt64 if nothing is held.
func (h *held) low() int64 {
	if h.sorter == nil {
		return math.MaxInt64
	}
	return h.min
}

// each yields everything that is held.
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
			return fmt.Errorf("threatconnect: read associations that waited for their groups: %w", err)
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

// Hold puts a link aside that an earlier process has put aside.
func (p *Packer) Hold(d journal.Deferred) error { return p.held.add(d) }

// Discard forgets what waits. It returns the number of associations and links.
func (p *Packer) Discard() (counts [item.Kinds]int64, err error) {
	err = p.held.each(func(_ []byte, d journal.Deferred) { counts[item.KindOf(item.Associations, d.Seq)]++ })
	p.held.discard()
	return counts, err
}

// Ready reports whether everything that a link waits for was added, or was in the owner before.
func (p *Packer) Ready(d journal.Deferred) bool {
	for _, h := range d.Wait {
		if _, known := p.groups[h]; h != 0 && !known {
			return false
		}
	}
	return true
}

// Release gives what is ready to use, which calls Link or Drop for it, and keeps the rest. After an error of use it keeps
// what use has not taken; another error stays in Err. again says that the link says the same as the one before.
func (p *Packer) Release(ready func(journal.Deferred) bool, use func(d journal.Deferred, again bool) error) error {
	if p.held.sorter == nil {
		return nil
	}
	old := p.held
	p.held = held{}
	defer old.discard()
	p.releasing = old.low()
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
