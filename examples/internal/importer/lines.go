package importer

import "sort"

// lineIndex finds the line of an item by how many items were added before it. It keeps a number
// only where a line is not the next one after the line of the item before, so that a feed without
// gaps costs nothing, however long it is.
type lineIndex struct {
	added int64
	last  int
	gaps  []gap
}

// gap is an item whose line is not the one after that of the item before.
type gap struct {
	seq  int64
	line int
}

// add notes the line of the next item.
func (x *lineIndex) add(line int) {
	if line != x.last+1 {
		x.gaps = append(x.gaps, gap{x.added, line})
	}
	x.last = line
	x.added++
}

// line returns the line of an item, 0 when there is no such item.
func (x *lineIndex) line(seq int64) int {
	if seq < 0 || seq >= x.added {
		return 0
	}
	i := sort.Search(len(x.gaps), func(i int) bool { return x.gaps[i].seq > seq })
	if i == 0 {
		return int(seq) + 1
	}
	g := x.gaps[i-1]
	return g.line + int(seq-g.seq)
}
