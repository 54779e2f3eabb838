package merge

import (
	"encoding/binary"
	"errors"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// ErrMalformed is the error for text that is not an encoded item.
var ErrMalformed = errors.New("a stored batch item is malformed")

// refusedMark is the first byte of a refused item, in place of a section.
const refusedMark = byte(item.Sections)

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendItem appends an item without its content. typ is its type, which e lacks for a group.
func AppendItem(b []byte, typ string, e *item.Encoded) []byte {
	b = append(b, byte(e.Section))
	b = appendText(appendText(appendText(b, typ), e.Name), e.Key)
	b = binary.AppendUvarint(b, uint64(len(e.Refs)))
	for _, xid := range e.Refs {
		b = appendText(b, xid)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Listed)))
	for i := range e.Listed {
		b = appendText(appendText(b, e.Listed[i].Type), e.Listed[i].Name)
	}
	return append(b, e.JSON...)
}

// AppendRefused appends an item that breaks a rule.
func AppendRefused(b []byte, section item.Section, typ, name string, p item.Problem) []byte {
	b = append(b, refusedMark, byte(section))
	for _, s := range [...]string{typ, name, p.Field, p.Rule, p.Fix} {
		b = appendText(b, s)
	}
	return b
}

// textReader reads encoded text. After the first error, rest is empty and all values are zero.
type textReader struct {
	rest string
	bad  bool
}

// size reads the number of elements that follow, each of at least one byte.
func (t *textReader) size() int {
	n := uint64(0)
	for i := range min(len(t.rest), binary.MaxVarintLen64) {
		b := t.rest[i]
		if n |= uint64(b&0x7f) << (7 * i); b < 0x80 {
			if t.rest = t.rest[i+1:]; n <= uint64(len(t.rest)) {
				return int(n)
			}
			break
		}
	}
	t.rest, t.bad = "", true
	return 0
}

func (t *textReader) text() (s string) {
	n := t.size()
	s, t.rest = t.rest[:n], t.rest[n:]
	return s
}

// IsRefused reports whether text is a refused item.
func IsRefused(text string) bool { return text != "" && text[0] == refusedMark }

// SectionOf returns the section of an item.
func SectionOf(text string) item.Section {
	if IsRefused(text) {
		return item.Section(text[1])
	}
	return item.Section(text[0])
}

// ReadItem reads an item from AppendItem. It sets all fields of e except JSON and Content, and reuses the memory of
// its slices.
func ReadItem(text string, e *item.Encoded) (typ, json string, err error) {
	if text == "" || text[0] >= refusedMark {
		return "", "", ErrMalformed
	}
	t := textReader{rest: text[1:]}
	*e = item.Encoded{Section: item.Section(text[0]), Refs: e.Refs[:0], Listed: e.Listed[:0]}
	typ, e.Name, e.Key = t.text(), t.text(), t.text()
	if e.Section == item.Indicators {
		e.Type = typ
	}
	for range t.size() {
		e.Refs = append(e.Refs, t.text())
	}
	for range t.size() {
		e.Listed = append(e.Listed, item.Listed{End: item.End{Type: t.text(), Name: t.text()}})
	}
	if t.bad || t.rest == "" {
		return "", "", ErrMalformed
	}
	return typ, t.rest, nil
}

// ReadRefused reads an item from AppendRefused.
func ReadRefused(text string) (typ, name string, p item.Problem, err error) {
	t := textReader{rest: text[min(len(text), 2):]}
	typ, name, p.Field, p.Rule, p.Fix = t.text(), t.text(), t.text(), t.text(), t.text()
	if t.bad || t.rest != "" {
		return "", "", item.Problem{}, ErrMalformed
	}
	return typ, name, p, nil
}
