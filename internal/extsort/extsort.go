// Package extsort sorts any number of records in bounded memory, with temporary files.
package extsort

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"slices"
)

// Sorter sorts records by their keys. The sort is stable: records with equal keys stay in the order
// in which they were added, and callers rely on that. Make a Sorter with [New], add everything, read
// it sorted, and close it. It is not safe for concurrent use.
//
// Records that do not fit in memory are written to sorted files, called runs. The newest fanIn runs
// of one level are merged into a run of the next, so n records are written O(log n) times each.
type Sorter struct {
	dir   string
	limit int
	text  []byte // keys and values in memory, one behind the other
	items []item
	runs  []*run // the oldest first, so their levels never rise
	ended error  // what made it unusable
}

// item is a record in memory.
type item struct {
	prefix           uint64 // of the key, which decides most comparisons
	from, key, value uint32
}

const (
	itemBytes = 24
	minLimit  = 64 << 10
	maxLimit  = 1 << 30
	fanIn     = 48      // runs that are merged into one
	readBytes = 1 << 20 // of the buffers of all runs that are read
)

// New returns a sorter that keeps at most about limit bytes in memory, 64 KiB to 1 GiB, and the rest
// in temporary files in dir, or in the system's directory for them if dir is empty. Reading takes up
// to 1 MiB more. The files have no name while they are open, where the system allows that.
func New(dir string, limit int) *Sorter {
	return &Sorter{dir: dir, limit: min(max(limit, minLimit), maxLimit)}
}

// errTooLarge is a record that no memory was meant for.
var errTooLarge = errors.New("a record is larger than the sorter's memory")

// Add takes a record. It keeps neither slice. An error is that of a temporary file, or a record
// that is larger than the limit; the sorter is of no use after it.
func (s *Sorter) Add(key, value []byte) error {
	if s.ended != nil {
		return s.ended
	}
	size := len(key) + len(value)
	if size > s.limit {
		s.ended = errTooLarge
		return s.ended
	}
	if len(s.text)+size+(len(s.items)+1)*itemBytes > s.limit && len(s.items) > 0 {
		if s.ended = s.spill(); s.ended != nil {
			return s.ended
		}
	}
	s.items = append(s.items, item{prefixOf(key), uint32(len(s.text)), uint32(len(key)), uint32(len(value))})
	s.text = append(append(s.text, key...), value...)
	return nil
}

// prefixOf returns the first 8 bytes of a key as a number, padded with zeros. Where two differ, the
// keys are in the same order.
func prefixOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func (s *Sorter) keyOf(it item) []byte   { return s.text[it.from : it.from+it.key] }
func (s *Sorter) valueOf(it item) []byte { return s.text[it.from+it.key:][:it.value] }

// order sorts what is in memory. Positions in text keep equal keys in order, which is faster than a
// stable sort.
func (s *Sorter) order() {
	slices.SortFunc(s.items, func(a, b item) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(bytes.Compare(s.keyOf(a), s.keyOf(b)), cmp.Compare(a.from, b.from))
	})
}

// spill moves what is in memory to a run on disk.
func (s *Sorter) spill() error {
	s.order()
	r, err := newRun(s.dir)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, r) // so that Close removes it whatever comes
	for _, it := range s.items {
		if err := r.add(s.keyOf(it), s.valueOf(it)); err != nil {
			return err
		}
	}
	if err := r.flush(); err != nil {
		return err
	}
	s.text, s.items = s.text[:0], s.items[:0]
	for n := len(s.runs); n >= fanIn && s.runs[n-fanIn].level == s.runs[n-1].level; n = len(s.runs) {
		if err := s.join(n - fanIn); err != nil {
			return err
		}
	}
	return nil
}

// join merges the runs from the given one to the newest.
func (s *Sorter) join(from int) error {
	joined, err := newRun(s.dir)
	if err != nil {
		return err
	}
	old := s.runs[from:]
	joined.level = old[0].level + 1
	s.runs = append(s.runs, joined)
	for rec, err := range merge(sources(old)) {
		if err == nil {
			err = joined.add(rec.Key, rec.Value)
		}
		if err != nil {
			return err
		}
	}
	if err := joined.flush(); err != nil {
		return err
	}
	for _, r := range old {
		r.discard()
	}
	s.runs = append(s.runs[:from], joined)
	return nil
}

// SortedUntil returns the records as Sorted does until ctx ends; the cause of that is the last element.
func (s *Sorter) SortedUntil(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for rec, err := range s.Sorted() {
			if err == nil && ctx.Err() != nil {
				rec, err = Record{}, context.Cause(ctx)
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Record is a key with its value. Both are good until the next record is asked for.
type Record struct{ Key, Value []byte }

// Sorted returns the records in the order of their keys, bytewise. It can be ranged over again.
// Nothing can be added between its begin and its end. An error is the last element.
func (s *Sorter) Sorted() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if s.ended != nil {
			yield(Record{}, s.ended)
			return
		}
		s.order()
		for rec, err := range merge(append(sources(s.runs), &memory{s: s})) {
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

func sources(runs []*run) []source {
	all := make([]source, len(runs), len(runs)+1)
	for i, r := range runs {
		all[i] = r.reader(min(runBuffer, readBytes/len(runs)))
	}
	return all
}

// memory reads what a sorter has in memory.
type memory struct {
	s *Sorter
	n int // how many records were read
}

func (m *memory) next() (Record, error) {
	if m.n == len(m.s.items) {
		return Record{}, io.EOF
	}
	it := m.s.items[m.n]
	m.n++
	return Record{m.s.keyOf(it), m.s.valueOf(it)}, nil
}

// Close removes the temporary files and frees the memory. It may be called twice.
func (s *Sorter) Close() {
	for _, r := range s.runs {
		r.discard()
	}
	s.runs, s.text, s.items = nil, nil, nil
	s.ended = errors.New("the sorter is closed")
}
