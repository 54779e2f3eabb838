package threatconnect

import (
	"bytes"
	"hash/maphash"
	"iter"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// matcher finds the items of a part that errors are about. It is made when a job has errors, and
// keeps hashes of names, not the names.
//
// A feed chooses its values, and the platform repeats them in its errors. So the matcher finds an item
// only if an error cannot be about another one: by the source of the error, by the place in the file
// that the platform tells, and by words that only one item holds. An error that may be about several
// items is about none of them.
type matcher struct {
	content *content
	part    part
	seed    maphash.Seed
	first   map[uint64]int32 // hash of kind and name -> index in named of the first item
	named   []namedItem
	taken   []bool   // positions that an error was found for
	failed  int      // how many
	folded  *content // the items of the part, folded, with their positions; nil before words are looked for
	looks   int      // how often they were
}

// namedItem is an item that has a name.
type namedItem struct {
	pos  int32 // from the start of the part
	next int32 // index of the next item with the same name, or -1
}

// nameKind says how an item is called by a name.
type nameKind byte

const (
	nameExact  nameKind = iota // the summary or a hash of an indicator, the xid of a group
	nameFolded                 // the same without letter case and repeated spaces
	nameOther                  // the xid of an indicator, the name of a group
	nameEnd                    // what an association links
	nameBoth                   // both of that, as joined by bothEnds
)

func newMatcher(c *content, p part) *matcher {
	m := &matcher{
		content: c,
		part:    p,
		seed:    maphash.MakeSeed(),
		first:   make(map[uint64]int32, 2*p.len()),
		named:   make([]namedItem, 0, 2*p.len()),
		taken:   make([]bool, p.len()),
	}
	for i := p.len() - 1; i >= 0; i-- { // from the back, so that the first comes first
		s, text, _ := c.item(p.from + i)
		n := nameOf(text)
		for _, name := range append(n.hashes, n.ref) {
			if s == inAssociations {
				m.index(i, nameEnd, name)
			} else {
				m.index(i, nameExact, name)
				m.index(i, nameFolded, folded(name))
			}
		}
		if s == inAssociations && len(n.hashes) == 1 {
			m.index(i, nameBoth, bothEnds(n.ref, n.hashes[0]))
			m.index(i, nameBoth, bothEnds(n.hashes[0], n.ref))
		}
		m.index(i, nameOther, n.xid)
		m.index(i, nameOther, n.name)
	}
	return m
}

// index notes that the item at a position has a name.
func (m *matcher) index(i int, kind nameKind, name string) {
	if name == "" {
		return
	}
	h := m.hash(kind, name)
	next, ok := m.first[h]
	switch {
	case !ok:
		next = -1
	case m.named[next].pos == int32(i):
		return
	}
	m.first[h] = int32(len(m.named))
	m.named = append(m.named, namedItem{int32(i), next})
}

func (m *matcher) hash(kind nameKind, name string) uint64 {
	return maphash.String(m.seed, name) ^ uint64(kind)*0x9E3779B97F4A7C15
}

// folded returns a name without what the platform may change in it: letter case, as in hashes, and
// the number of spaces, as in the summaries of files.
func folded(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// called yields the positions in the content of the items with a name.
func (m *matcher) called(kind nameKind, name string) iter.Seq[int] {
	return func(yield func(int) bool) {
		b, ok := m.first[m.hash(kind, name)]
		for ; ok && b >= 0; b = m.named[b].next {
			if !yield(m.part.from + int(m.named[b].pos)) {
				return
			}
		}
	}
}

// itemName is what an item is called.
type itemName struct {
	typ, ref string
	xid      string   // of an indicator
	name     string   // of a group, whose ref is its xid
	hashes   []string // of a file with several; the other end of an association
	values   []string // of a custom type with several; ref joins them
}

// nameOf reads what an encoded item is called.
func nameOf(item []byte) itemName {
	var n itemName
	values := false // whether the values of a custom type may come
	r := wire.NewReader(item)
	for r.Object(); r.NextKey(); {
		key := string(r.Key())
		switch {
		case key == "type" || key == "type_1":
			n.typ = r.Text()
			values = key == "type" && n.name == ""
			continue
		case key == "summary" || key == "ref_1":
			n.ref = r.Text()
		case key == "xid":
			n.xid = r.Text()
		case key == "name" && n.typ == "":
			n.name = r.Text()
		case key == "ref_2":
			n.hashes = append(n.hashes, r.Text())
		case values && r.Kind() == wire.String && !carriedKey(key):
			n.values = append(n.values, r.Text())
			continue
		default:
			r.Skip()
		}
		values = false // they stand right behind the type
	}
	switch {
	case n.name != "":
		n.ref, n.xid = n.xid, ""
	case len(n.values) > 0:
		n.ref = joinValues([3]string(append(n.values, "", "", "")[:3]))
	case n.typ == string(TypeFile) && strings.Contains(n.ref, canon.ValueSeparator):
		n.hashes = strings.Split(n.ref, canon.ValueSeparator)
	}
	return n
}

// carriedKey reports whether a text under a key is no value of a custom indicator, but what every
// indicator can carry.
func carriedKey(key string) bool {
	switch key {
	case "description", "source", "firstSeen", "lastSeen", "externalDateAdded", "externalDateExpires", "externalLastModified":
		return true
	}
	return false
}

// find returns the position in the content of the item that an error is about, and whether no
// error was found for it before.
func (m *matcher) find(e *jobError) (pos int, fresh, ok bool) {
	if pos, ok = m.told(e); !ok && !e.source.named() {
		pos, ok = m.byWords(e)
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

// told returns the position of the item that an error names as its source or by its place in the
// file.
func (m *matcher) told(e *jobError) (pos int, ok bool) {
	if pos, ok = m.bySource(e); ok {
		return pos, true
	}
	return m.byPath(e)
}

// jsonPath is how the platform says where in a file it gave up. It begins the words, before anything
// that is the feed's.
var jsonPath = regexp.MustCompile(`(?i)^(?:Encountered an unexpected Exception while processing batch job\. )?` +
	`Last known JSON path: '\$(?:\.(group|indicator|association))?\[(\d{1,9})\]`)

// byPath finds the item at the place in the file that the words of a syntax error begin with. The words
// of other errors may begin with a value.
func (m *matcher) byPath(e *jobError) (int, bool) {
	found := jsonPath.FindStringSubmatch(e.reason)
	if found == nil || e.code != CodeSyntax && e.code != "" {
		return 0, false
	}
	s := inIndicators
	for i, key := range sectionKeys {
		if strings.EqualFold(key, found[1]) {
			s = section(i)
		}
	}
	n, _ := strconv.Atoi(found[2]) // one to nine digits
	return m.content.position(s, n, m.part)
}

// bySource finds the item that is the source of an error. A link is found by both of its ends: the
// source is one, and the words name the other.
func (m *matcher) bySource(e *jobError) (int, bool) {
	s := &e.source
	if e.links() {
		names := s.refs
		if s.xid != "" {
			names = append(slices.Clone(names), s.xid)
		}
		if both := m.matching(e, e.pairs(names), nameBoth); len(both) > 0 {
			return m.only(both)
		}
		if ends := m.matching(e, names, nameEnd); len(ends) > 0 {
			return m.only(append(ends, m.matching(e, names, nameExact)...))
		}
	}
	byXID := append(m.matching(e, []string{s.xid}, nameExact), m.matching(e, []string{s.xid}, nameOther)...)
	for _, kind := range []nameKind{nameExact, nameFolded, nameOther, nameEnd} {
		found := m.matching(e, s.refs, kind)
		if len(found) == 0 {
			continue
		}
		if len(byXID) > 0 {
			found = slices.DeleteFunc(found, func(pos int) bool { return !slices.Contains(byXID, pos) })
		}
		return m.only(found)
	}
	return m.only(byXID)
}

// mostAlike is the largest number of items with one name that an error can be told for. More of them
// have an unknown item, because a job that is full of them would take forever.
const mostAlike = 100

// matching returns the positions of the items that have one of the names, of a kind, and the type and
// the list that an error is about. It stops after mostAlike+1 of them. A name may follow a type, as in
// "Host: a.example".
func (m *matcher) matching(e *jobError, names []string, kind nameKind) (found []int) {
	add := func(typ, name string) {
		if kind == nameFolded {
			name = folded(name)
		}
		for pos := range m.called(kind, name) {
			if len(found) > mostAlike {
				return
			}
			s, text, _ := m.content.item(pos)
			if e.about(s) && (typ == "" || s == inAssociations || strings.EqualFold(typ, nameOf(text).typ)) && !slices.Contains(found, pos) {
				found = append(found, pos)
			}
		}
	}
	for _, name := range names {
		add(e.source.typ, name)
		if typ, name, ok := strings.Cut(name, ": "); ok && e.source.typ == "" && typ != "" {
			add(typ, name)
		}
	}
	return found
}

// only returns the position of an item if all that were found are the same item, which may have been
// added several times: the first of them that has no error yet.
func (m *matcher) only(found []int) (pos int, ok bool) {
	if len(found) == 0 || len(found) > mostAlike {
		return 0, false
	}
	key := m.identity(found[0])
	if slices.ContainsFunc(found[1:], func(pos int) bool { return m.identity(pos) != key }) {
		return 0, false
	}
	for _, pos := range found {
		if !m.taken[pos-m.part.from] {
			return pos, true
		}
	}
	return found[0], true
}

// identity returns what items have in common that are the same on the platform.
func (m *matcher) identity(pos int) string {
	s, text, _ := m.content.item(pos)
	n := nameOf(text)
	switch {
	case s == inAssociations:
		return string(linkKey(text))
	case s == inGroups:
		return n.ref
	}
	return n.typ + "\x00" + n.ref + "\x00" + strings.Join(n.values, "\x00")
}

func bothEnds(from, to string) string { return from + "\x00" + to }

// pairs returns what may be the two ends of a link: one of some names, and another one or what the
// words say.
func (e *jobError) pairs(names []string) (pairs []string) {
	for _, from := range names {
		for _, to := range names {
			pairs = append(pairs, bothEnds(from, to))
		}
		for _, words := range [2]string{e.reason, e.cause} {
			for to := range phrases(words) {
				pairs = append(pairs, bothEnds(from, to))
			}
		}
	}
	return pairs
}

// around are the characters that may stand around a name in a sentence.
const around = `'"()[]{}<>,;:.!?`

// byWords finds the item that the words of an error without a source name. The words may repeat
// anything that the item carries, and other items may be called like a part of them. So they count
// only when all names in them are those of one item, and no other item holds these texts.
func (m *matcher) byWords(e *jobError) (int, bool) {
	const mostLooks = 1000 // each can go through the text of the part
	if m.looks++; m.looks > mostLooks || e.cut {
		return 0, false
	}
	var found []int
	for _, words := range [2]string{e.reason, e.cause} {
		for name := range phrases(words) {
			for _, kind := range []nameKind{nameFolded, nameOther, nameEnd} {
				for _, pos := range m.matching(e, []string{name}, kind) {
					if found = append(found, pos); m.identity(pos) != m.identity(found[0]) || !m.holds(pos, name, e) {
						return 0, false
					}
				}
			}
		}
	}
	return m.only(found)
}

// phrases yields the texts in a sentence that begin and end with a word, with and without the
// punctuation around them: none when there are too many of them.
func phrases(words string) iter.Seq[string] {
	const most = 64
	var from, to []int
	for at := 0; at < len(words); {
		if words[at] == ' ' {
			at++
			continue
		}
		end := at + strings.IndexByte(words[at:]+" ", ' ')
		for i := at; i < end; i++ {
			if from = append(from, i); strings.IndexByte(around, words[i]) < 0 {
				break
			}
		}
		for i := end; i > at; i-- {
			if to = append(to, i); strings.IndexByte(around, words[i-1]) < 0 {
				break
			}
		}
		at = end
	}
	return func(yield func(string) bool) {
		if len(from) > most || len(to) > most {
			return
		}
		for _, i := range from {
			for _, j := range to {
				if i < j && !yield(words[i:j]) {
					return
				}
			}
		}
	}
}

// holds reports whether the item at a position is the only one, of those that an error may be about,
// that holds a text, in any letter case, with any spaces, and whatever punctuation is around it.
func (m *matcher) holds(pos int, text string, e *jobError) bool {
	if m.folded == nil {
		m.folded = new(content)
		for pos := m.part.from; pos < m.part.to; pos++ {
			s, item, _ := m.content.item(pos)
			m.folded.add(s, int64(pos), []byte(folded(string(item))))
		}
	}
	var w wire.Writer
	w.Text(strings.Trim(text, around))
	held := []byte(folded(string(w.Buf[1 : len(w.Buf)-1])))
	same, alike := m.identity(pos), 0
	for s := range sections {
		l := &m.folded.lists[s]
		for at := 0; e.about(s); at++ {
			i := bytes.Index(l.text[at:], held)
			if i < 0 {
				break
			}
			at += i
			n := sort.Search(len(l.items), func(n int) bool { return int(l.items[n].end) > at })
			if alike++; alike > mostAlike || m.identity(int(l.items[n].seq)) != same {
				return false
			}
		}
	}
	return true
}
