package export

import (
	"bufio"
	"container/heap"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
)

// chunkBytes is how much of the changes to a block list is held in memory.
const chunkBytes = 16 << 20

// entry is a value and whether it is to be on the list.
type entry struct {
	value  string
	listed bool
}

// sorter sorts any number of entries in bounded memory: full chunks go to temporary files. Of the
// entries with the same value, the last one counts.
type sorter struct {
	limit int
	bytes int
	chunk []entry
	files []*os.File
}

func newSorter(limit int) *sorter { return &sorter{limit: limit} }

func (s *sorter) add(e entry) error {
	const overhead = 40
	s.chunk = append(s.chunk, e)
	if s.bytes += len(e.value) + overhead; s.bytes < s.limit {
		return nil
	}
	return s.spill()
}

// order sorts the chunk and keeps the last entry of every value.
func (s *sorter) order() {
	slices.SortStableFunc(s.chunk, func(a, b entry) int { return strings.Compare(a.value, b.value) })
	kept := s.chunk[:0]
	for i, e := range s.chunk {
		if i+1 == len(s.chunk) || s.chunk[i+1].value != e.value {
			kept = append(kept, e)
		}
	}
	s.chunk = kept
}

// spill writes the chunk to a file, a line an entry, + or - in front.
func (s *sorter) spill() error {
	s.order()
	f, err := os.CreateTemp("", "export-*")
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	w := bufio.NewWriter(f)
	for _, e := range s.chunk {
		mark := "-"
		if e.listed {
			mark = "+"
		}
		if _, err := w.WriteString(mark + e.value + "\n"); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s.chunk, s.bytes = nil, 0
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// sorted yields the entries, each value once. It can be ranged over once.
func (s *sorter) sorted() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		s.order()
		var h runs
		for i, f := range s.files {
			in := bufio.NewScanner(f)
			in.Buffer(nil, maxValue+2)
			h = append(h, &runOf{age: i, in: in})
		}
		h = append(h, &runOf{age: len(s.files), rest: s.chunk})
		for i := len(h) - 1; i >= 0; i-- {
			more, err := h[i].next()
			if err != nil {
				yield(entry{}, err)
				return
			}
			if !more {
				h = slices.Delete(h, i, i+1)
			}
		}
		heap.Init(&h)
		for last, any := "", false; len(h) > 0; {
			e := h[0].head
			if !any || e.value != last {
				if !yield(e, nil) {
					return
				}
				last, any = e.value, true
			}
			more, err := h[0].next()
			switch {
			case err != nil:
				yield(entry{}, err)
				return
			case more:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h)
			}
		}
	}
}

// close removes the temporary files.
func (s *sorter) close() {
	for _, f := range s.files {
		_ = f.Close() // nothing of it is needed any more
		_ = os.Remove(f.Name())
	}
	s.files, s.chunk = nil, nil
}

// runOf is a sorted part: a file, or what is left in memory.
type runOf struct {
	age  int
	in   *bufio.Scanner
	rest []entry
	head entry
}

func (r *runOf) next() (bool, error) {
	if r.in == nil {
		if len(r.rest) == 0 {
			return false, nil
		}
		r.head, r.rest = r.rest[0], r.rest[1:]
		return true, nil
	}
	if !r.in.Scan() {
		return false, r.in.Err()
	}
	line := r.in.Text()
	if line == "" {
		return false, errors.New("a temporary file was changed by somebody else")
	}
	r.head = entry{line[1:], line[0] == '+'}
	return true, nil
}

// runs is a heap of parts: the smallest value first, of equal ones the youngest.
type runs []*runOf

func (h runs) Len() int { return len(h) }
func (h runs) Less(i, j int) bool {
	if c := strings.Compare(h[i].head.value, h[j].head.value); c != 0 {
		return c < 0
	}
	return h[i].age > h[j].age
}
func (h runs) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runs) Push(x any)   { *h = append(*h, x.(*runOf)) }
func (h *runs) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
