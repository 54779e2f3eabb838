// Package item defines the data of an import: items encoded as JSON for a batch file, the files that contain
// them, and their outcomes. It does not depend on HTTP or on the types of indicators and groups.
package item

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Section is one of the lists of a batch file. Their order is that in the file.
type Section uint8

// The sections.
const (
	Groups Section = iota
	Indicators
	Associations
	Sections // number of sections
)

// Keys are the JSON keys of the sections.
var Keys = [Sections]string{"group", "indicator", "association"}

// Kind is the kind as which an item is counted.
type Kind uint8

// The kinds. A link is a reference that is sent as a separate association, because its group was added later
// and is in another file.
const (
	Indicator Kind = iota
	Group
	Association
	Link
	Kinds // number of kinds
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

// Encoded is an item as it was added. The encoder reuses its memory for the next item.
type Encoded struct {
	Section Section
	JSON    []byte   // an object without references to groups
	Type    string   // type of an indicator; empty for a group
	Name    string   // summary of an indicator, xid of a group
	Refs    []string // xids of the groups that the item refers to
	Listed  []Listed // indicators that a group lists
	Key     string   // key of an association, from LinkKey
	Content *Content // content of a group, uploaded after the file; or nil
}

// End is one end of an association: an indicator by type and summary, or a group by xid and an empty type.
type End struct{ Type, Name string }

// Listed is an indicator that a group refers to. An excluded one is counted and not sent.
type Listed struct {
	End
	Excluded string // reason of the exclusion; empty if not excluded
}

// Content is the content of a document or report.
type Content struct {
	Type, XID string
	Malware   bool  `json:",omitempty"`
	Size      int64 // in bytes; -1 if unknown
	// Open is the caller's value for reading the content. The journal does not store it, so it is nil after a
	// resume.
	Open any `json:"-"`
}

// LinkKey returns a key that is equal for associations with the same two ends and the same type, in either
// direction.
func LinkKey(a, b End, kind string) string {
	if a.Type > b.Type || a.Type == b.Type && a.Name > b.Name {
		a, b = b, a
	}
	return strings.Join([]string{a.Type, a.Name, b.Type, b.Name, kind}, "\x00")
}

// LinkEnds returns the ends in a key from LinkKey.
func LinkEnds(key string) [2]End {
	parts := append(strings.Split(key, "\x00"), "", "", "", "")
	return [2]End{{parts[0], parts[1]}, {parts[2], parts[3]}}
}

// Sum is a checksum of a sequence of items. It depends on the items as they were added, not on how they were
// sent. It detects accidental differences only, not crafted ones.
type Sum [8]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Summer computes sums. The zero value is ready to use.
type Summer struct {
	a, b uint32 // CRC-32 with two polynomials
	buf  []byte
}

// Next returns the checksum of a sequence followed by one more item. nil means a refused item.
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

// text adds a text with its length, so that different sequences of texts differ.
func (s *Summer) text(t string) {
	s.buf = append(binary.AppendUvarint(s.buf, uint64(len(t))), t...)
}
