package journal

import (
	"encoding/binary"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Deferred is a link or an association that is held back until its groups are added.
type Deferred struct {
	Index int64     // number of links deferred before it
	Seq   int64     // sequence number of the association, or ^seq of a link's item
	Wait  [2]uint64 // hashes of the groups that it waits for; 0 means none
	Key   string    // equal for equal links
	JSON  []byte
}

// Append appends the encoded form of d.
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

// ReadDeferred reads a link. Its JSON shares the memory of r.
func ReadDeferred(r *item.Reader) (d Deferred, ok bool) {
	d.Index, d.Seq = r.Int(), r.Int()
	if b := r.Bytes(16); b != nil {
		d.Wait = [2]uint64{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
	}
	d.Key = string(r.Bytes(r.Size()))
	d.JSON = r.Bytes(r.Size())
	return d, !r.Failed()
}

// links calls use for each link in text. It returns false if text is malformed.
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
	Slot     int64  `json:",omitzero"` // of the record with the links; 0 while they are in memory
	Count    int64  // number of links that wait
	From, To int64  // range of indexes
	Released ranges `json:",omitempty"` // indexes of links that no longer wait
	data     []byte
}

// groupChunk is a sequence of hashes of groups.
type groupChunk struct {
	Slot int64 `json:",omitzero"`
	Runs []run // one for each sequence of groups in the same file
	data []byte
}

// run assigns the next Count groups to a file.
type run struct{ File, Count int64 }

func (g *groupChunk) add(file int64, hashes []uint64) {
	g.Runs = append(g.Runs, run{file, int64(len(hashes))})
	for _, h := range hashes {
		g.data = binary.LittleEndian.AppendUint64(g.data, h)
	}
}

// each calls use for each group. It returns false if the data is malformed.
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

// ranges is a sorted list of half-open ranges [from, to), as pairs of numbers.
type ranges []int64

// add adds a number.
func (s *ranges) add(n int64) {
	r := *s
	i, _ := slices.BinarySearch(r, n+1) // number of bounds up to n
	before := i > 0 && r[i-1] == n      // a range ends at n
	after := i < len(r) && r[i] == n+1  // a range begins at n+1
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
