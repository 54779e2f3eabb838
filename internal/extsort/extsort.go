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

// Sorter sorts records by key. The sort is stable: records with equal keys stay in the order in which they
// were added. Create a Sorter with [New], add all records, read them in order, and close the Sorter. It is
// not safe for concurrent use.
//
// Records that do not fit in memory are written to sorted files, called runs. The newest fanIn runs of one
// level are merged into a run of the next level, so each of n records is written O(log n) times.
type Sorter struct {
	dir   string
	limit int
	text  []byte // concatenated keys and values in memory
	items []item
	runs  []*run // oldest first, so levels do not increase
	ended error  // error of all further calls
}

// item is a record in memory.
type item struct {
	prefix           uint64 // of the key; decides most comparisons
	from, key, value uint32
}

const (
	itemBytes = 24
	minLimit  = 64 << 10
	maxLimit  = 1 << 30
	fanIn     = 48      // number of runs that are merged into one
	readBytes = 1 << 20 // total size of the read buffers
)

// New returns a Sorter that uses about limit bytes of memory, from 64 KiB to 1 GiB. Other records are in
// temporary files in dir, or in the system's directory for temporary files if dir is empty. Reading takes up
// to 1 MiB more. If the system allows it, the files have no name.
func New(dir string, limit int) *Sorter {
	return &Sorter{dir: dir, limit: min(max(limit, minLimit), maxLimit)}
}

// errTooLarge is the error for a record above the memory limit.
var errTooLarge = errors.New("a record is larger than the sorter's memory")

// Add adds a record. It does not retain the slices. It returns an error of a temporary file, or one for a
// record larger than the limit. After an error, the Sorter is unusable.
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

// prefixOf returns the first 8 bytes of a key, padded with zeros, as a number. Different prefixes have the
// same order as their keys.
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

// order sorts the records in memory. It breaks ties by position, which is faster than a stable sort.
func (s *Sorter) order() {
	slices.SortFunc(s.items, func(a, b item) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(bytes.Compare(s.keyOf(a), s.keyOf(b)), cmp.Compare(a.from, b.from))
	})
}

// spill moves the records in memory to a run on disk.
func (s *Sorter) spill() error {
	s.order()
	r, err := newRun(s.dir)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, r) // so that Close removes it in any case
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

// join merges the runs from index from on.
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

// SortedUntil is like Sorted but stops when ctx ends, and then yields the cause.
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

// Record is a key with its value. Both are valid until the next record is read.
type Record struct{ Key, Value []byte }

// Sorted returns an iterator over the records in bytewise order of their keys. It can be used several times.
// Add must not be called meanwhile. If an error occurs, the iterator yields it and stops.
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

// memory is the source of the records in memory.
type memory struct {
	s *Sorter
	n int // number of records read
}

func (m *memory) next() (Record, error) {
	if m.n == len(m.s.items) {
		return Record{}, io.EOF
	}
	it := m.s.items[m.n]
	m.n++
	return Record{m.s.keyOf(it), m.s.valueOf(it)}, nil
}

// Close removes the temporary files and frees the memory. It may be called several times.
func (s *Sorter) Close() {
	for _, r := range s.runs {
		r.discard()
	}
	s.runs, s.text, s.items = nil, nil, nil
	s.ended = errors.New("the sorter is closed")
}
