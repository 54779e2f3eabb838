package pack

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// writeInline writes references into items, each once: an item and a group may both contain the same one.
func (p *Packer) writeInline() {
	order := func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.section, b.section), cmp.Compare(a.index, b.index), cmp.Compare(a.xid, b.xid))
	}
	slices.SortFunc(p.inline, order)
	p.inline = slices.CompactFunc(p.inline, func(a, b ref) bool { return order(a, b) == 0 })
	p.writeInlineIn(item.Groups)
	p.writeInlineIn(item.Indicators)
}

func (p *Packer) writeInlineIn(s item.Section) {
	refs := p.inline
	refs = refs[sectionStart(refs, s):]
	if len(refs) == 0 || refs[0].section != s {
		return
	}
	p.scratch = p.file.Rewrite(s, slices.Grow(p.scratch[:0], p.size), func(buf []byte, index int, json []byte) []byte {
		if len(refs) == 0 || refs[0].section != s || refs[0].index != index {
			return append(buf, json...)
		}
		carried := s == item.Indicators && p.inlined[index]
		first, end := !carried, len(json)-1
		if carried {
			end = len(json) - len("]}")
		}
		buf = append(buf, json[:end]...)
		for ; len(refs) > 0 && refs[0].section == s && refs[0].index == index; first = false {
			begin := len(buf)
			buf = p.reference(append(buf, separator(s, first)...), s, refs[0].xid)
			if refs = refs[1:]; carried && bytes.Contains(json, buf[begin+1:]) {
				buf = buf[:begin]
			}
		}
		return append(buf, "]}"...)
	})
}

// separator returns the text before a reference in an item.
func separator(s item.Section, first bool) string {
	switch {
	case !first:
		return ","
	case s == item.Groups:
		return `,"associatedGroupXid":[`
	}
	return `,"associatedGroups":[`
}

// reference appends a reference to a group.
func (p *Packer) reference(buf []byte, s item.Section, xid string) []byte {
	json := p.name(xid).json
	if s == item.Groups {
		return append(buf, json...)
	}
	return append(append(append(buf, `{"groupXid":`...), json...), '}')
}

func sectionStart(refs []ref, s item.Section) int {
	i, _ := slices.BinarySearchFunc(refs, s, func(r ref, s item.Section) int { return int(r.section) - int(s) })
	return i
}
