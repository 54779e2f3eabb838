package journal

import (
	"math"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Watermark says up to which item the outcome of an import is final.
type Watermark struct {
	Seq     int64 // the outcome of all items before this one is final
	Failed  int64 // items before it that failed, and their references and contents
	Unknown int64 // the same of those whose outcome is unknown
}

// Marks computes the watermark.
type Marks struct {
	Watermark Watermark
	Held      int64  // smallest sequence number of what waits
	Open      []mark `json:",omitempty"` // in the order in which the items were added
}

// mark stands for the items of one Added record, and for the file that was closed with it.
type mark struct {
	To              int64 // sequence number after the last item
	File            int64 `json:",omitzero"` // number of the file while it is not settled
	Low             int64 // smallest sequence number in the file; of what cannot be passed, if marks were merged
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

// settle takes over what has become of a part of a file, or of a content. Content without a group is not counted again.
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

// close says that a file is settled.
func (m *Marks) close(file int64) {
	m.find(file).File = 0
	m.advance()
}

// advance moves the watermark past all items that are final: those before everything that waits, that is in a file
// that is not settled, or that was not processed. A file can hold links of much earlier items, so the watermark passes
// those items only together with the files in which something of them failed.
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

// low returns the smallest number of what the watermark cannot pass before it passes the mark, or math.MaxInt64.
func (k *mark) low() int64 {
	if k.File == 0 && !k.Stop && k.Failed+k.Unknown == 0 {
		return math.MaxInt64
	}
	return k.Low
}

// maxMarks is how many marks there are before neighbors become one. What waits for long keeps them all.
const maxMarks = 256

// merge makes one mark of each two neighbors that are settled. The watermark passes both or none of them then.
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
