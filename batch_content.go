package threatconnect

import (
	"bytes"
	"io"
)

// content is what a job carries: encoded items, in the order in which they stand in the file. It
// is written to only until the job is under way.
type content struct {
	lists [sections]itemList
	size  int // bytes of all items with the commas between them
}

// itemList is one list of a file.
type itemList struct {
	text  []byte // the items with commas between them
	items []placed
}

// placed says where an item is and whose it is.
type placed struct {
	seq int64  // how many items were added before it; of a link the complement of that of its item
	end uint32 // offset in the text after the item
}

// part is a range of the items of a content, counted in the order of the file.
type part struct{ from, to int }

func (p part) len() int { return p.to - p.from }

// fileFrame is more than the bytes around the lists of any file.
const fileFrame = 64

// add adds an item to one of the lists.
func (c *content) add(s section, seq int64, item []byte) {
	l := &c.lists[s]
	had := len(l.text)
	if had > 0 {
		l.text = append(l.text, ',')
	}
	l.text = append(l.text, item...)
	l.items = append(l.items, placed{seq, uint32(len(l.text))})
	c.size += len(l.text) - had
}

// reserve makes room for n bytes in one of the lists. It doubles a small list, and makes a larger one
// as large as it gets when maxItems items have the size of those that are there: 2 to 4 times as large,
// because each copy leaves one behind, and at most most bytes.
func (c *content) reserve(s section, n, most, maxItems int) {
	const small = 128 << 10
	l := &c.lists[s]
	have := len(l.text)
	if cap(l.text)-have >= n {
		return
	}
	room := 2 * cap(l.text)
	if cap(l.text) >= small {
		mean := (have+n)/(len(l.items)+1) + 1
		room = min(max(mean*maxItems, room), 2*room)
	}
	text := make([]byte, have, max(have+n, min(room, most))) // unlike slices.Grow, this leaves the room untouched
	copy(text, l.text)
	l.text = text
}

// reset empties the content and keeps its memory.
func (c *content) reset() {
	for i := range c.lists {
		c.lists[i].text, c.lists[i].items = c.lists[i].text[:0], c.lists[i].items[:0]
	}
	c.size = 0
}

// count returns how many items there are.
func (c *content) count() int {
	n := 0
	for i := range c.lists {
		n += len(c.lists[i].items)
	}
	return n
}

// kinds counts the items of a part by what they are counted as.
func (c *content) kinds(p part) (n [itemKinds]int64) {
	for s := range sections {
		from, to := c.in(s, p)
		for _, it := range c.lists[s].items[from:to] {
			n[kindOf(s, it.seq)]++
		}
	}
	return n
}

func (c *content) all() part { return part{0, c.count()} }

// in returns the items of a list that are in a part.
func (c *content) in(s section, p part) (from, to int) {
	before := 0
	for i := range s {
		before += len(c.lists[i].items)
	}
	n := len(c.lists[s].items)
	return min(max(p.from-before, 0), n), min(max(p.to-before, 0), n)
}

// place returns the list and the index in it of the item at a position.
func (c *content) place(pos int) (section, int) {
	for s := range sections {
		if n := len(c.lists[s].items); pos >= n {
			pos -= n
		} else {
			return s, pos
		}
	}
	return sections, 0
}

// position returns the position of the item at an index of a list within a part.
func (c *content) position(s section, index int, p part) (pos int, ok bool) {
	from, to := c.in(s, p)
	if index < 0 || index >= to-from {
		return 0, false
	}
	for i := range s {
		from += len(c.lists[i].items)
	}
	return from + index, true
}

// slice returns the items from one index of a list to another.
func (l *itemList) slice(from, to int) []byte {
	if from >= to {
		return nil
	}
	begin := 0
	if from > 0 {
		begin = int(l.items[from-1].end) + 1
	}
	return l.text[begin:l.items[to-1].end]
}

// item returns the item at a position, and whose it is.
func (c *content) item(pos int) (s section, text []byte, seq int64) {
	s, i := c.place(pos)
	l := &c.lists[s]
	return s, l.slice(i, i+1), l.items[i].seq
}

// chunks returns the text of the file that holds a part.
func (c *content) chunks(p part, v BatchVersion) [][]byte {
	if v == BatchV1 {
		from, to := c.in(inIndicators, p)
		return [][]byte{[]byte("["), c.lists[inIndicators].slice(from, to), []byte("]")}
	}
	chunks := make([][]byte, 0, 3*sections+1)
	open := "{\""
	for s := range sections {
		if from, to := c.in(s, p); from < to {
			chunks = append(chunks, []byte(open+sectionKeys[s]+"\":["), c.lists[s].slice(from, to), []byte("]"))
			open = ",\""
		}
	}
	return append(chunks, []byte("}"))
}

// bytes returns the size of the file that holds a part.
func (c *content) bytes(p part, v BatchVersion) int64 {
	n := int64(0)
	for _, chunk := range c.chunks(p, v) {
		n += int64(len(chunk))
	}
	return n
}

// payload returns the file that holds a part as the body of a request. It copies nothing.
func (c *content) payload(p part, v BatchVersion) payload {
	return payload{
		contentType: octetStream,
		size:        c.bytes(p, v),
		oneShot:     true, // whether an upload is sent again is decided by the state of the job
		open: func() (io.ReadCloser, error) {
			var readers []io.Reader
			for _, chunk := range c.chunks(p, v) {
				readers = append(readers, bytes.NewReader(chunk))
			}
			return io.NopCloser(io.MultiReader(readers...)), nil
		},
	}
}

// split cuts a part into parts of at most most bytes each, or of one item.
func (c *content) split(p part, v BatchVersion, most int64) []part {
	var parts []part
	from, size := p.from, int64(fileFrame)
	for pos := p.from; pos < p.to; pos++ {
		_, item, _ := c.item(pos)
		if size += int64(len(item)) + 1; size > most && pos > from {
			parts = append(parts, part{from, pos})
			from, size = pos, fileFrame+int64(len(item))+1
		}
	}
	return append(parts, part{from, p.to})
}
