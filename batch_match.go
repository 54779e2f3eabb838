package threatconnect

import (
	"hash/maphash"
	"regexp"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// matcher finds the items of a part that errors are about. It is made when a job has errors, and
// keeps hashes of what the items are called, not the names.
type matcher struct {
	content *content
	part    part
	seed    maphash.Seed
	first   map[uint64]int32 // name -> position of the first item with it, from the start of the part
	next    []int32          // position -> that of the next item with the same first name, or -1
	taken   []bool           // positions that an error was found for
	failed  int              // how many
	links   int              // position of the first association
}

func newMatcher(c *content, p part) *matcher {
	m := &matcher{
		content: c,
		part:    p,
		seed:    maphash.MakeSeed(),
		first:   make(map[uint64]int32, p.len()),
		next:    make([]int32, p.len()),
		taken:   make([]bool, p.len()),
	}
	m.links = p.to
	if pos, ok := c.position(inAssociations, 0, p); ok {
		m.links = pos
	}
	for i := p.len() - 1; i >= 0; i-- {
		m.next[i] = -1
		_, text, _ := c.item(p.from + i)
		name := nameOf(text)
		for n, s := range name.all() {
			h := m.hash(s)
			if have, ok := m.first[h]; ok && n == 0 {
				m.next[i] = have
			}
			m.first[h] = int32(i)
		}
	}
	return m
}

// hash makes one of what names that mean the same look like: letter case and the number of spaces
// play no part.
func (m *matcher) hash(name string) uint64 {
	return maphash.String(m.seed, strings.ToLower(strings.Join(strings.Fields(name), " ")))
}

// itemName is what an item is called.
type itemName struct {
	typ, ref, xid string
	hashes        []string // of a file with several; the other end of an association
}

// all returns the names that an item can be found by, the one that it is known by first.
func (n *itemName) all() []string {
	all := make([]string, 0, 5)
	if n.ref != "" {
		all = append(all, n.ref)
	}
	if n.xid != "" {
		all = append(all, n.xid)
	}
	return append(all, n.hashes...)
}

// nameOf reads what an encoded item is called.
func nameOf(item []byte) itemName {
	var n itemName
	group := false
	r := wire.NewReader(item)
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "type", "type_1":
			n.typ = r.Text()
		case "summary", "ref_1":
			n.ref = r.Text()
		case "xid":
			n.xid = r.Text()
		case "name":
			group = true
			r.Skip()
		case "value1":
			n.ref = r.Text()
		case "ref_2":
			n.hashes = append(n.hashes, r.Text())
		default:
			r.Skip()
		}
	}
	if group {
		n.ref, n.xid = n.xid, ""
	}
	if n.typ == string(TypeFile) && strings.Contains(n.ref, valueSeparator) {
		n.hashes = strings.Split(n.ref, valueSeparator)
	}
	return n
}

// jsonPath is how the platform says where in a file it was.
var jsonPath = regexp.MustCompile(`\$(?:\.(group|indicator|association))?\[(\d{1,9})\]`)

// find returns the position in the content of the item that an error is about, and whether no
// error was found for it before.
func (m *matcher) find(e *jobError) (pos int, fresh, ok bool) {
	if pos, ok = m.path(e); !ok {
		pos, ok = m.named(e)
	}
	if !ok {
		return 0, false, false
	}
	fresh = !m.taken[pos-m.part.from]
	if fresh {
		m.taken[pos-m.part.from] = true
		m.failed++
	}
	return pos, fresh, true
}

// path finds the item that a JSON path in the words names.
func (m *matcher) path(e *jobError) (int, bool) {
	found := jsonPath.FindStringSubmatch(e.reason)
	if found == nil {
		if found = jsonPath.FindStringSubmatch(e.cause); found == nil {
			return 0, false
		}
	}
	s := inIndicators
	for i, key := range sectionKeys {
		if key == found[1] {
			s = section(i)
		}
	}
	n, _ := strconv.Atoi(found[2]) // one to nine digits
	return m.content.position(s, n, m.part)
}

// named finds the item that has one of the names in the error: the source, what stands in quotes,
// or a single word.
func (m *matcher) named(e *jobError) (int, bool) {
	links := e.code == CodeAssociation || e.code == CodeNotFound
	if pos, ok := m.byName(e.source.xid, links); ok {
		return pos, true
	}
	for _, ref := range e.source.refs {
		if pos, ok := m.byName(ref, links); ok {
			return pos, true
		}
		if _, value, cut := strings.Cut(ref, ": "); cut {
			if pos, ok := m.byName(value, links); ok {
				return pos, true
			}
		}
	}
	for _, words := range [2]string{e.reason, e.cause} {
		for _, quote := range [2]string{"'", "\""} {
			for i, quoted := range strings.Split(words, quote) {
				if i%2 == 1 {
					if pos, ok := m.byName(quoted, links); ok {
						return pos, true
					}
				}
			}
		}
		for word := range strings.FieldsSeq(words) {
			if pos, ok := m.byName(strings.Trim(word, `'"()[]{}<>,;:.!?`), links); ok {
				return pos, true
			}
		}
	}
	return 0, false
}

// byName returns the position of an item, of several with the same name the first that has no
// error yet. An association has the name of what it links: it is meant where links is true, and
// only then, as long as there is another one.
func (m *matcher) byName(name string, links bool) (int, bool) {
	if name == "" {
		return 0, false
	}
	first, ok := m.first[m.hash(name)]
	if !ok {
		return 0, false
	}
	free := -1
	for i := first; i >= 0; i = m.next[i] {
		if m.taken[i] {
			continue
		}
		pos := m.part.from + int(i)
		if pos >= m.links == links {
			return pos, true
		}
		if free < 0 {
			free = pos
		}
	}
	if free < 0 {
		free = m.part.from + int(first)
	}
	return free, true
}
