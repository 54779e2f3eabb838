package threatconnect

import (
	"hash/maphash"
	"regexp"
	"slices"
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
	first   map[uint64]int32 // name -> index in bearers of the first item that has it
	bearers []bearer
	taken   []bool // positions that an error was found for
	failed  int    // how many
	links   int    // position of the first association
}

// bearer is an item that has a name.
type bearer struct {
	pos  int32 // from the start of the part
	next int32 // index of the next item with the same name, or -1
}

func newMatcher(c *content, p part) *matcher {
	m := &matcher{
		content: c,
		part:    p,
		seed:    maphash.MakeSeed(),
		first:   make(map[uint64]int32, p.len()),
		bearers: make([]bearer, 0, p.len()),
		taken:   make([]bool, p.len()),
	}
	m.links = p.to
	if pos, ok := c.position(inAssociations, 0, p); ok {
		m.links = pos
	}
	for i := p.len() - 1; i >= 0; i-- {
		_, text, _ := c.item(p.from + i)
		name := nameOf(text)
		all := name.all()
		for _, s := range all {
			m.bear(i, m.hash(s))
		}
		if p.from+i >= m.links && len(all) == 2 {
			m.bear(i, m.hash(all[0])+m.hash(all[1]))
		}
	}
	return m
}

// bear notes that the item at a position has a name. They come from the last to the first. What an
// association links are both names of it, and so is their sum: it is the only one that others seldom
// have.
func (m *matcher) bear(i int, name uint64) {
	next, ok := m.first[name]
	switch {
	case !ok:
		next = -1
	case m.bearers[next].pos == int32(i):
		return
	}
	m.first[name] = int32(len(m.bearers))
	m.bearers = append(m.bearers, bearer{int32(i), next})
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
// or a single word. An association is found by both of its ends before it is by one.
func (m *matcher) named(e *jobError) (int, bool) {
	links := e.code == CodeAssociation || e.code == CodeNotFound
	const most = 8
	var known []uint64
	for name := range e.mentions {
		h := m.hash(name)
		if _, ok := m.first[h]; !ok || name == "" || slices.Contains(known, h) {
			continue
		}
		if !links {
			return m.byName(h, false), true
		}
		for _, other := range known {
			if b, ok := m.first[h+other]; ok {
				if pos, ok := m.free(b, true); ok {
					return pos, true
				}
			}
		}
		if known = append(known, h); len(known) == most {
			break
		}
	}
	if len(known) == 0 {
		return 0, false
	}
	return m.byName(known[0], links), true
}

// mentions yields what may be the name of an item, the likeliest first.
func (e *jobError) mentions(yield func(string) bool) {
	if !yield(e.source.xid) {
		return
	}
	for _, ref := range e.source.refs {
		_, value, _ := strings.Cut(ref, ": ")
		if !yield(ref) || !yield(value) {
			return
		}
	}
	for _, words := range [2]string{e.reason, e.cause} {
		for _, quote := range [2]string{"'", "\""} {
			for i, quoted := range strings.Split(words, quote) {
				if i%2 == 1 && !yield(quoted) {
					return
				}
			}
		}
		for word := range strings.FieldsSeq(words) {
			if !yield(strings.Trim(word, `'"()[]{}<>,;:.!?`)) {
				return
			}
		}
	}
}

// byName returns the position of an item with a name that there is, of several the first that has no
// error yet. An association has the name of what it links: it is meant where links is true, and
// only then, as long as there is another one.
func (m *matcher) byName(name uint64, links bool) int {
	first := m.first[name]
	for _, which := range [2]bool{links, !links} {
		if pos, ok := m.free(first, which); ok {
			return pos
		}
	}
	return m.part.from + int(m.bearers[first].pos)
}

// free returns the position of the first item from a bearer of a name on that no error was found for
// yet: of an association if links is true, else of another item.
func (m *matcher) free(b int32, links bool) (int, bool) {
	for ; b >= 0; b = m.bearers[b].next {
		pos := m.part.from + int(m.bearers[b].pos)
		if !m.taken[m.bearers[b].pos] && pos >= m.links == links {
			return pos, true
		}
	}
	return 0, false
}
