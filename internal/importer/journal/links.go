package journal

import (
	"encoding/binary"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Deferred is a link or an association that waits for what it refers to.
type Deferred struct {
	Index int64     // how many were deferred before it
	Seq   int64     // sequence number of the association; ^seq for a link of the item
	Wait  [2]uint64 // hashes of the groups that it waits for; 0 for none
	Key   string    // equal for those that link the same
	JSON  []byte
}

// Append appends the text of d.
func (d *Deferred) Append(b []byte) []byte {
	b = binary.AppendVarint(b, d.Index)
	b = binary.AppendVarint(b, d.Seq)
	b = binary.LittleEndian.AppendUint64(b, d.Wait[0])
	b = binary.LittleEndian.AppendUint64(b, d.Wait[1])
	b = binary.AppendUvarint(b, uint64(len(d.Key)))
	b = append(b, d.Key...)
	b = binary.AppendUvarint(b, uint64(len(d.JSON)))
	return append(b, d.JSON...)
}

// ReadDeferred reads one link. Its JSON is a part of the text.
func ReadDeferred(r *item.Reader) (d Deferred, ok bool) {
	d.Index, d.Seq = r.Int(), r.Int()
	if b := r.Bytes(16); b != nil {
		d.Wait = [2]uint64{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
	}
	d.Key = string(r.Bytes(r.Size()))
	d.JSON = r.Bytes(r.Size())
	return d, !r.Failed()
}

// links yields the links in a text. It reports false if the text holds something else.
func links(text []byte, use func(Deferred)) bool {
	r := item.Reader{B: text}
	for len(r.B) > 0 {
		d, ok := ReadDeferred(&r)
		if !ok {
			return false
		}
		use(d)
	}
	return true
}

// linkChunk is a sequence of deferred links.
type linkChunk struct {
	Slot     int64  `json:",omitzero"` // of the record that holds them; 0 while they are in memory
	Count    int64  // how many of them wait
	From, To int64  // indexes
	Released ranges `json:",omitempty"` // indexes of those that no longer wait
	data     []byte
}

// groupChunk is a sequence of hashes of groups.
type groupChunk struct {
	Slot int64 `json:",omitzero"`
	Runs []run // of the same file
	data []byte
}

// run says that the next Count groups are in a file.
type run struct{ File, Count int64 }

func (g *groupChunk) add(file int64, hashes []uint64) {
	g.Runs = append(g.Runs, run{file, int64(len(hashes))})
	for _, h := range hashes {
		g.data = binary.LittleEndian.AppendUint64(g.data, h)
	}
}

// each yields the groups.
func (g *groupChunk) each(use func(hash uint64, file int64)) bool {
	r := item.Reader{B: g.data}
	for _, run := range g.Runs {
		for range run.Count {
			b := r.Bytes(8)
			if b == nil {
				return false
			}
			use(binary.LittleEndian.Uint64(b), run.File)
		}
	}
	return len(r.B) == 0
}

// ranges is a sorted list of ranges [from, to), as pairs.
type ranges []int64

// add adds a number.
func (s *ranges) add(n int64) {
	r := *s
	i, _ := slices.BinarySearch(r, n+1) // i bounds are at most n
	before := i > 0 && r[i-1] == n      // a range ends in front of n
	after := i < len(r) && r[i] == n+1  // a range begins behind n
	switch {
	case i%2 == 1: // n is in a range
	case before && after:
		*s = slices.Delete(r, i-1, i+1)
	case before:
		r[i-1] = n + 1
	case after:
		r[i] = n
	default:
		*s = slices.Insert(r, i, n, n+1)
	}
}

// has reports whether a number is in the ranges.
func (s ranges) has(n int64) bool {
	i, _ := slices.BinarySearch(s, n+1)
	return i%2 == 1
}
