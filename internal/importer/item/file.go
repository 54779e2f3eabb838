package item

import (
	"math"
)

// File is the content of one batch file: encoded items in their order in the file. It is written until it is
// closed, and only read after that.
type File struct{ lists [Sections]list }

// list is one list of a file.
type list struct {
	text  []byte // the items, separated by commas
	items []placed
}

// placed is the position and the number of an item.
type placed struct {
	seq int64  // number of items added before it; ^seq for a link of that item
	end uint32 // offset of its end in the text
}

// Part is a range of the items of a file.
type Part struct{ From, To int }

// Len returns the number of items in a part.
func (p Part) Len() int { return p.To - p.From }

// Frame is an upper bound for the bytes around the lists of a file.
const Frame = 64

// Add adds an item, the concatenation of parts, to a list.
func (f *File) Add(s Section, seq int64, parts ...[]byte) {
	l := &f.lists[s]
	if len(l.text) > 0 {
		l.text = append(l.text, ',')
	}
	for _, part := range parts {
		l.text = append(l.text, part...)
	}
	l.items = append(l.items, placed{seq, uint32(len(l.text))})
}

// Reserve makes room for n more bytes in a list. A small list doubles. A larger list grows to the size of
// maxItems items of the present mean size, because each copy wastes the memory of the old one. It grows at
// most fourfold, and to at most most bytes.
func (f *File) Reserve(s Section, n, most, maxItems int) {
	const small = 128 << 10
	l := &f.lists[s]
	have := len(l.text)
	if cap(l.text)-have >= n {
		return
	}
	room := 2 * cap(l.text)
	if cap(l.text) >= small {
		mean := (have+n)/(len(l.items)+1) + 1
		room = min(max(mean*maxItems, room), 2*room)
	}
	text := make([]byte, have, max(have+n, min(room, most))) // unlike slices.Grow, this does not touch the new memory
	copy(text, l.text)
	l.text = text
}

// Reset empties the file and retains its memory.
func (f *File) Reset() {
	for s := range f.lists {
		f.lists[s].text, f.lists[s].items = f.lists[s].text[:0], f.lists[s].items[:0]
	}
}

// Count returns the number of items.
func (f *File) Count() int {
	n := 0
	for s := range f.lists {
		n += len(f.lists[s].items)
	}
	return n
}

// Len returns the number of items in a list.
func (f *File) Len(s Section) int { return len(f.lists[s].items) }

// All returns the part with all items.
func (f *File) All() Part { return Part{0, f.Count()} }

// Kinds counts the items of a part by kind.
func (f *File) Kinds(p Part) (n [Kinds]int64) {
	for s := range Sections {
		from, to := f.indexes(s, p)
		for _, it := range f.lists[s].items[from:to] {
			n[KindOf(s, it.seq)]++
		}
	}
	return n
}

// indexes returns the range of a list that is in a part.
func (f *File) indexes(s Section, p Part) (from, to int) {
	before := 0
	for i := range s {
		before += len(f.lists[i].items)
	}
	n := len(f.lists[s].items)
	return min(max(p.From-before, 0), n), min(max(p.To-before, 0), n)
}

// Position returns the position in the file of the item at an index of a list. Index 0 is the first item of
// the list in p.
func (f *File) Position(s Section, index int, p Part) (pos int, ok bool) {
	from, to := f.indexes(s, p)
	if index < 0 || index >= to-from {
		return 0, false
	}
	for i := range s {
		from += len(f.lists[i].items)
	}
	return from + index, true
}

// At returns the item at a position, and the number of items added before it, or ^seq for a link of item seq.
func (f *File) At(pos int) (s Section, json []byte, seq int64) {
	for s := range Sections {
		l := &f.lists[s]
		if pos < len(l.items) {
			return s, l.slice(pos, pos+1), l.items[pos].seq
		}
		pos -= len(l.items)
	}
	panic("item: there is no item at this position")
}

// Entry returns the item at an index of a list.
func (f *File) Entry(s Section, index int) []byte { return f.lists[s].slice(index, index+1) }

// KindAt returns the kind of the item at a position.
func (f *File) KindAt(pos int) Kind {
	s, _, seq := f.At(pos)
	return KindOf(s, seq)
}

// slice returns the text of a range of items.
func (l *list) slice(from, to int) []byte {
	if from >= to {
		return nil
	}
	begin := 0
	if from > 0 {
		begin = int(l.items[from-1].end) + 1
	}
	return l.text[begin:l.items[to-1].end]
}

// Body returns the batch file with the items of a part, in pieces that share the memory of the file.
func (f *File) Body(p Part) [][]byte {
	body := append(make([][]byte, 0, 3*Sections+2), []byte("{"))
	open := "\""
	for s := range Sections {
		if from, to := f.indexes(s, p); from < to {
			body = append(body, []byte(open+Keys[s]+"\":["), f.lists[s].slice(from, to), []byte("]"))
			open = ",\""
		}
	}
	return append(body, []byte("}"))
}

// Bytes returns the size of the batch file with the items of a part.
func (f *File) Bytes(p Part) int64 {
	n := int64(0)
	for _, b := range f.Body(p) {
		n += int64(len(b))
	}
	return n
}

// Split divides a part into parts of at most limit bytes each, or of one item.
func (f *File) Split(p Part, limit int64) []Part {
	var parts []Part
	from, size := p.From, int64(Frame)
	for pos := p.From; pos < p.To; pos++ {
		_, json, _ := f.At(pos)
		if size += int64(len(json)) + 1; size > limit && pos > from {
			parts = append(parts, Part{from, pos})
			from, size = pos, Frame+int64(len(json))+1
		}
	}
	return append(parts, Part{from, p.To})
}

// MinSeq returns the smallest sequence number of the items, or math.MaxInt64 if there are none. A link has
// the number of its item.
func (f *File) MinSeq() int64 {
	low := int64(math.MaxInt64)
	for s := range Sections {
		for _, it := range f.lists[s].items {
			low = min(low, max(it.seq, ^it.seq))
		}
	}
	return low
}

// Rewrite replaces the text of a list. edit appends the new text of each item to buf. Rewrite returns the
// memory of the old text.
func (f *File) Rewrite(s Section, buf []byte, edit func(buf []byte, index int, json []byte) []byte) (old []byte) {
	l := &f.lists[s]
	begin := uint32(0)
	for i := range l.items {
		if i > 0 {
			buf = append(buf, ',')
		}
		end := l.items[i].end
		buf = edit(buf, i, l.text[begin:end])
		l.items[i].end = uint32(len(buf))
		begin = end + 1
	}
	old, l.text = l.text, buf
	return old[:0]
}
