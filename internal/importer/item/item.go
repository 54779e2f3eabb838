// Package item holds what an import works on: items encoded as the JSON of a batch file, the files that
// hold them, and what has become of them. It knows neither HTTP nor the types of indicators and groups.
package item

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Section is one of the lists of a batch file, in the order in which they stand in it.
type Section uint8

// The sections.
const (
	Groups Section = iota
	Indicators
	Associations
	Sections // how many there are
)

// Keys are the keys of the sections.
var Keys = [Sections]string{"group", "indicator", "association"}

// Kind says what an item is counted as.
type Kind uint8

// The kinds. A link is a reference that is sent as an association of its own, because its ends are in
// different files and the group came later.
const (
	Indicator Kind = iota
	Group
	Association
	Link
	Kinds // how many there are
)

// KindOf returns the kind of an entry of a section. The sequence number of a link is negative.
func KindOf(s Section, seq int64) Kind {
	switch {
	case s == Groups:
		return Group
	case s == Indicators:
		return Indicator
	case seq < 0:
		return Link
	}
	return Association
}

// Encoded is an item as it was added. Its memory belongs to the encoder and is reused for the next item.
type Encoded struct {
	Section Section
	JSON    []byte   // one object, without the groups that the item refers to
	Type    string   // type of an indicator; empty for a group
	Name    string   // summary of an indicator, xid of a group
	Refs    []string // xids of the groups that the item refers to
	Listed  []Listed // indicators that a group lists
	Key     string   // of an association, from LinkKey
	Content *Content // of a group, to be uploaded after the file; nil if it has none
}

// End is one end of an association: an indicator by type and summary, or a group by its xid and no type.
type End struct{ Type, Name string }

// Listed is an indicator that a group lists. One that is excluded is only counted.
type Listed struct {
	End
	Excluded string // the reason; empty if it is not
}

// Content is the content of a document or report.
type Content struct {
	Type, XID string
	Malware   bool  `json:",omitempty"`
	Size      int64 // in bytes; -1 if it is not known
	// Open is what the caller needs to read the content. It is not kept by a journal, so it is nil after
	// a resume.
	Open any `json:"-"`
}

// LinkKey returns a text that is equal for associations that link the same two ends in the same way, in either
// direction.
func LinkKey(a, b End, kind string) string {
	if a.Type > b.Type || a.Type == b.Type && a.Name > b.Name {
		a, b = b, a
	}
	return strings.Join([]string{a.Type, a.Name, b.Type, b.Name, kind}, "\x00")
}

// LinkEnds returns the ends of a key from LinkKey.
func LinkEnds(key string) [2]End {
	parts := append(strings.Split(key, "\x00"), "", "", "", "")
	return [2]End{{parts[0], parts[1]}, {parts[2], parts[3]}}
}

// Sum is a checksum over a sequence of items. It depends on what was added, and not on how the items were
// sent. It detects accidental differences, but not those that were constructed to keep the checksum.
type Sum [8]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Summer computes sums. The zero value is ready to use.
type Summer struct {
	a, b uint32 // checksums with two polynomials
	buf  []byte
}

// Next returns the sum of a sequence and one more item; nil stands for an item that was refused.
func (s *Summer) Next(sum Sum, e *Encoded) Sum {
	s.a, s.b = binary.LittleEndian.Uint32(sum[:]), binary.LittleEndian.Uint32(sum[4:])
	if e == nil {
		s.buf = append(s.buf[:0], 0)
	} else {
		s.buf = binary.AppendUvarint(append(s.buf[:0], byte(e.Section)+1), uint64(len(e.JSON)))
		s.write(e.JSON)
		s.buf = binary.AppendUvarint(s.buf, uint64(len(e.Refs)))
		for _, xid := range e.Refs {
			s.text(xid)
		}
		for i := range e.Listed {
			s.text(e.Listed[i].Type)
			s.text(e.Listed[i].Name)
		}
	}
	s.write(s.buf)
	binary.LittleEndian.PutUint32(sum[:], s.a)
	binary.LittleEndian.PutUint32(sum[4:], s.b)
	return sum
}

func (s *Summer) write(b []byte) {
	s.a, s.b = crc32.Update(s.a, castagnoli, b), crc32.Update(s.b, crc32.IEEETable, b)
}

// text adds a text with its length, so that no two sequences of texts are equal.
func (s *Summer) text(t string) {
	s.buf = append(binary.AppendUvarint(s.buf, uint64(len(t))), t...)
}
