package item

import (
	"encoding/binary"
	"errors"
)

var errPayload = errors.New("it does not contain the items of a file")

// Encode returns the file in a form that Decode reads. The parts share the memory of the file.
func (f *File) Encode() [][]byte {
	parts := make([][]byte, 0, 2*Sections)
	for s := range f.lists {
		l := &f.lists[s]
		b := binary.AppendUvarint(nil, uint64(len(l.items)))
		last := placed{}
		for _, it := range l.items {
			b = binary.AppendVarint(b, it.seq-last.seq)
			b = binary.AppendUvarint(b, uint64(it.end-last.end))
			last = it
		}
		parts = append(parts, binary.AppendUvarint(b, uint64(len(l.text))), l.text)
	}
	return parts
}

// Decode sets the file to the one in text, which it copies.
func (f *File) Decode(text []byte) error {
	f.Reset()
	r := Reader{B: text}
	for s := range f.lists {
		l := &f.lists[s]
		last := placed{}
		for range r.Size() {
			seq, size := last.seq+r.Int(), r.Uint()
			least := uint64(1)
			if last.end > 0 {
				least++ // the comma
			}
			if size < least || size > uint64(len(text))-uint64(last.end) {
				return errPayload
			}
			last = placed{seq, last.end + uint32(size)}
			l.items = append(l.items, last)
		}
		l.text = append(l.text, r.Bytes(int(min(r.Uint(), uint64(len(text)+1))))...)
		if int(last.end) != len(l.text) {
			return errPayload
		}
	}
	if r.Failed() || len(r.B) > 0 {
		return errPayload
	}
	return nil
}

// Reader reads numbers and byte slices from the front of B. After the first error, all values are zero and
// Failed reports true.
type Reader struct {
	B   []byte
	bad bool
}

func (r *Reader) fail() { r.B, r.bad = nil, true }

// Failed reports whether B was malformed.
func (r *Reader) Failed() bool { return r.bad }

// Int reads a signed number.
func (r *Reader) Int() int64 { return number(r, binary.Varint) }

// Uint reads an unsigned number.
func (r *Reader) Uint() uint64 { return number(r, binary.Uvarint) }

func number[T int64 | uint64](r *Reader, decode func([]byte) (T, int)) T {
	v, n := decode(r.B)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Size reads the number of elements that follow, each of at least one byte.
func (r *Reader) Size() int {
	n := r.Uint()
	if n > uint64(len(r.B)) {
		r.fail()
		return 0
	}
	return int(n)
}

// Bytes reads n bytes. They share the memory of B.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.B) {
		r.fail()
		return nil
	}
	b := r.B[:n:n]
	r.B = r.B[n:]
	return b
}
