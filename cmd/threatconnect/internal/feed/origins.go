package feed

import (
	"encoding/binary"
	"slices"
	"sort"
)

// origin is where an item comes from.
type origin struct {
	line int    // in the feed, from 1; 0 if unknown
	kind string // row of the table: the type of an indicator, or groupKind
}

// origins maps the position of an item in a sequence to its origin. Consecutive lines of one kind form a run, which takes
// a few bytes, so the lines of a large feed fit into memory.
type origins struct {
	count int64
	last  originRun // with the line of the last item
	size  int       // number of runs
	marks []originRun
	runs  []byte // of each run without a mark: distance from the run before, of the positions and of the lines, and kind
	kinds []string
}

// originRun is the beginning of a run.
type originRun struct {
	seq  int64
	line int
	kind byte // index in kinds
	next int  // index in runs of the run after it
}

// markEvery is the number of runs from one mark to the next.
const markEvery = 256

// add adds the origin of the next item.
func (x *origins) add(o origin) {
	kind := slices.Index(x.kinds, o.kind)
	if kind < 0 {
		kind = min(len(x.kinds), 255) // there are about 20 kinds
		x.kinds = append(x.kinds, o.kind)
	}
	run := &x.last
	follows := x.size > 0 && o.line == run.line+int(x.count-run.seq) && byte(kind) == run.kind
	if !follows {
		if x.size%markEvery != 0 {
			x.runs = binary.AppendUvarint(x.runs, uint64(x.count-run.seq))
			x.runs = binary.AppendVarint(x.runs, int64(o.line-run.line))
			x.runs = append(x.runs, byte(kind))
		}
		*run = originRun{x.count, o.line, byte(kind), len(x.runs)}
		if x.size%markEvery == 0 {
			x.marks = append(x.marks, *run)
		}
		x.size++
	}
	x.count++
}

// at returns the origin of an item, or the zero value if there is no such item.
func (x *origins) at(seq int64) origin {
	if seq < 0 || seq >= x.count {
		return origin{}
	}
	i := sort.Search(len(x.marks), func(i int) bool { return x.marks[i].seq > seq })
	run, end := x.marks[i-1], len(x.runs)
	if i < len(x.marks) {
		end = x.marks[i].next
	}
	for run.next < end {
		distance, n := binary.Uvarint(x.runs[run.next:])
		lines, m := binary.Varint(x.runs[run.next+n:])
		if run.seq+int64(distance) > seq {
			break
		}
		run = originRun{run.seq + int64(distance), run.line + int(lines), x.runs[run.next+n+m], run.next + n + m + 1}
	}
	return origin{run.line + int(seq-run.seq), x.kinds[run.kind]}
}
