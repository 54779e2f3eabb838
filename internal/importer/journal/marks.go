package journal

import (
	"math"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Watermark is the position up to which the outcome of an import is final.
type Watermark struct {
	Seq     int64 // the outcome of all earlier items is final
	Failed  int64 // number of earlier items, with their references and contents, that failed
	Unknown int64 // number of those with an unknown outcome
}

// Marks computes the watermark.
type Marks struct {
	Watermark Watermark
	Held      int64  // smallest sequence number of the links that wait
	Open      []mark `json:",omitempty"` // in the order in which the items were added
}

// mark represents the items of one Added record, and the file in it.
type mark struct {
	To              int64 // sequence number after the last item
	File            int64 `json:",omitzero"` // number of the file until it is settled
	Low             int64 // smallest sequence number in the file; after a merge, of the items that block the watermark
	Failed, Unknown int64
	Stop            bool `json:",omitzero"` // items of the file were not processed
}

func (m *Marks) add(from int64, a *Added) {
	m.Held = a.Held
	if a.File != 0 || a.Totals.Added > from {
		m.Open = append(m.Open, mark{To: a.Totals.Added, File: a.File, Low: a.Low})
	}
	m.advance()
}

func (m *Marks) find(file int64) *mark {
	i := slices.IndexFunc(m.Open, func(k mark) bool { return k.File == file })
	if i < 0 {
		return &mark{}
	}
	return &m.Open[i]
}

// settle adds the outcome of a part of a file, or of a content. Content that is unprocessed because of its
// group is not counted again.
func (m *Marks) settle(file int64, o *item.Outcome) {
	k := m.find(file)
	k.Failed += o.Contents.Failed
	k.Unknown += o.Contents.Unknown
	for i := range o.Kinds {
		k.Failed += o.Kinds[i].Failed
		k.Unknown += o.Kinds[i].Unknown
		k.Stop = k.Stop || o.Kinds[i].Unprocessed > 0
	}
}

// close records that a file is settled.
func (m *Marks) close(file int64) {
	m.find(file).File = 0
	m.advance()
}

// advance moves the watermark past all final items. It stops before the first item that waits, is in an
// unsettled file, or was not processed. A file can contain links of much earlier items. So the watermark
// passes the items of a failed link only together with the file of the link.
func (m *Marks) advance() {
	most := m.Held
	var n int
	for again := true; again; {
		n = 0
		for n < len(m.Open) && m.Open[n].File == 0 && !m.Open[n].Stop && m.Open[n].To <= most {
			n++
		}
		again = false
		for i := n; i < len(m.Open); i++ {
			if low := m.Open[i].low(); low < most {
				most, again = low, true
			}
		}
	}
	for i := range m.Open[:n] {
		k := &m.Open[i]
		m.Watermark.Seq = k.To
		m.Watermark.Failed += k.Failed
		m.Watermark.Unknown += k.Unknown
	}
	m.Open = slices.Delete(m.Open, 0, n)
	if len(m.Open) > maxMarks {
		m.merge()
	}
}

// low returns the smallest sequence number that the watermark must not pass before the mark, or
// math.MaxInt64.
func (k *mark) low() int64 {
	if k.File == 0 && !k.Stop && k.Failed+k.Unknown == 0 {
		return math.MaxInt64
	}
	return k.Low
}

// maxMarks is the number of marks above which settled neighbors are merged. An item that waits for a long
// time blocks all later marks.
const maxMarks = 256

// merge merges pairs of settled neighbors. The watermark passes both or neither.
func (m *Marks) merge() {
	merged := m.Open[:0]
	for i := 0; i < len(m.Open); i++ {
		k := m.Open[i]
		if i+1 < len(m.Open) && k.File == 0 && m.Open[i+1].File == 0 {
			i++
			l := &m.Open[i]
			k = mark{To: l.To, Low: min(k.low(), l.low()), Failed: k.Failed + l.Failed, Unknown: k.Unknown + l.Unknown, Stop: k.Stop || l.Stop}
		}
		merged = append(merged, k)
	}
	m.Open = merged
}
