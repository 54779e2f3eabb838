package attribute

import (
	"bytes"
	"hash/maphash"
	"iter"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Matcher finds the items that errors are about. It keeps hashes of names and not the names.
//
// A feed chooses its values, and the platform repeats them in its errors. A Matcher therefore finds an item
// only if an error cannot be about another one: by the source of the error, by the place in the file that the
// platform tells, and by words that only one item holds. An error that may be about several items is about
// none of them.
type Matcher struct {
	file   *item.File
	part   item.Part
	seed   maphash.Seed
	first  map[uint64]int32 // hash of kind and name -> index in named of the first item
	named  []namedItem
	taken  []bool    // positions that an error was found for
	folded []folding // of the sections; nil before words are looked for
	looks  int       // how often they were
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

// New returns a matcher for the items of a part of a file.
func New(f *item.File, p item.Part) *Matcher {
	m := &Matcher{
		file:  f,
		part:  p,
		seed:  maphash.MakeSeed(),
		first: make(map[uint64]int32, 2*p.Len()),
		named: make([]namedItem, 0, 2*p.Len()),
		taken: make([]bool, p.Len()),
	}
	for i := p.Len() - 1; i >= 0; i-- { // from the back, so that the first comes first
		s, text, _ := f.At(p.From + i)
		n := item.NameOf(text)
		for _, name := range append(n.Hashes, n.Ref) {
			if s == item.Associations {
				m.index(i, nameEnd, name)
			} else {
				m.index(i, nameExact, name)
				m.index(i, nameFolded, folded(name))
			}
		}
		if s == item.Associations && len(n.Hashes) == 1 {
			m.index(i, nameBoth, bothEnds(n.Ref, n.Hashes[0]))
			m.index(i, nameBoth, bothEnds(n.Hashes[0], n.Ref))
		}
		m.index(i, nameOther, n.XID)
		m.index(i, nameOther, n.Title)
	}
	return m
}

// index notes that the item at a position has a name.
func (m *Matcher) index(i int, kind nameKind, name string) {
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

func (m *Matcher) hash(kind nameKind, name string) uint64 {
	return maphash.String(m.seed, name) ^ uint64(kind)*0x9E3779B97F4A7C15
}

// folded returns a name without what the platform may change in it: letter case, as in hashes, and
// the number of spaces, as in the summaries of files.
func folded(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// called yields the positions in the file of the items with a name.
func (m *Matcher) called(kind nameKind, name string) iter.Seq[int] {
	return func(yield func(int) bool) {
		b, ok := m.first[m.hash(kind, name)]
		for ; ok && b >= 0; b = m.named[b].next {
			if !yield(m.part.From + int(m.named[b].pos)) {
				return
			}
		}
	}
}

// Find returns the position in the file of the item that an error is about.
func (m *Matcher) Find(e *Entry) (pos int, ok bool) {
	if pos, ok = m.Told(e); !ok && !e.Source.named() {
		pos, ok = m.byWords(e)
	}
	if ok {
		m.taken[pos-m.part.From] = true
	}
	return pos, ok
}

// Told returns the position of the item that an error names as its source or by its place in the file.
func (m *Matcher) Told(e *Entry) (pos int, ok bool) {
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
func (m *Matcher) byPath(e *Entry) (int, bool) {
	found := jsonPath.FindStringSubmatch(e.Reason)
	if found == nil || e.Code != CodeSyntax && e.Code != "" {
		return 0, false
	}
	s := item.Indicators
	for i, key := range item.Keys {
		if strings.EqualFold(key, found[1]) {
			s = item.Section(i)
		}
	}
	n, _ := strconv.Atoi(found[2]) // one to nine digits
	return m.file.Position(s, n, m.part)
}

// bySource finds the item that is the source of an error. A link is found by both of its ends: the
// source is one, and the words name the other.
func (m *Matcher) bySource(e *Entry) (int, bool) {
	s := &e.Source
	if e.links() {
		names := s.Refs
		if s.XID != "" {
			names = append(slices.Clone(names), s.XID)
		}
		if both := m.matching(e, e.pairs(names), nameBoth); len(both) > 0 {
			return m.only(both)
		}
		if ends := m.matching(e, names, nameEnd); len(ends) > 0 {
			return m.only(append(ends, m.matching(e, names, nameExact)...))
		}
	}
	byXID := append(m.matching(e, []string{s.XID}, nameExact), m.matching(e, []string{s.XID}, nameOther)...)
	for _, kind := range []nameKind{nameExact, nameFolded, nameOther, nameEnd} {
		found := m.matching(e, s.Refs, kind)
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
func (m *Matcher) matching(e *Entry, names []string, kind nameKind) (found []int) {
	add := func(typ, name string) {
		if kind == nameFolded {
			name = folded(name)
		}
		for pos := range m.called(kind, name) {
			if len(found) > mostAlike {
				return
			}
			s, text, _ := m.file.At(pos)
			if e.about(s) && (typ == "" || s == item.Associations || strings.EqualFold(typ, item.NameOf(text).Type)) && !slices.Contains(found, pos) {
				found = append(found, pos)
			}
		}
	}
	for _, name := range names {
		add(e.Source.Type, name)
		if typ, name, ok := strings.Cut(name, ": "); ok && e.Source.Type == "" && typ != "" {
			add(typ, name)
		}
	}
	return found
}

// only returns the position of an item if all that were found are the same item, which may have been
// added several times: the first of them that has no error yet.
func (m *Matcher) only(found []int) (pos int, ok bool) {
	if len(found) == 0 || len(found) > mostAlike {
		return 0, false
	}
	key := m.identity(found[0])
	if slices.ContainsFunc(found[1:], func(pos int) bool { return m.identity(pos) != key }) {
		return 0, false
	}
	for _, pos := range found {
		if !m.taken[pos-m.part.From] {
			return pos, true
		}
	}
	return found[0], true
}

// identity returns what items have in common that are the same on the platform.
func (m *Matcher) identity(pos int) string {
	s, text, _ := m.file.At(pos)
	if s == item.Associations {
		return string(text)
	}
	n := item.NameOf(text)
	if s == item.Groups {
		return n.Ref
	}
	return n.Type + "\x00" + n.Ref + "\x00" + strings.Join(n.Values, "\x00")
}

func bothEnds(from, to string) string { return from + "\x00" + to }

// pairs returns what may be the two ends of a link: one of some names, and another one or what the
// words say.
func (e *Entry) pairs(names []string) (pairs []string) {
	for _, from := range names {
		for _, to := range names {
			pairs = append(pairs, bothEnds(from, to))
		}
		for _, words := range [2]string{e.Reason, e.Cause} {
			for to := range phrases(words) {
				pairs = append(pairs, bothEnds(from, to))
			}
		}
	}
	return pairs
}

// around are the characters that may stand around a name in a sentence.
const around = `'"()[]{}<>,;:.!?`

// mostLooks is how many errors are looked for by their words. Each can go through the text of the part.
const mostLooks = 1000

// byWords finds the item that the words of an error without a source name. The words may repeat
// anything that the item carries, and other items may be called like a part of them. So they count
// only when all names in them are those of one item, and no other item holds these texts.
func (m *Matcher) byWords(e *Entry) (int, bool) {
	if m.looks++; m.looks > mostLooks || e.Cut {
		return 0, false
	}
	var found []int
	for _, words := range [2]string{e.Reason, e.Cause} {
		for name := range phrases(words) {
			before := len(found)
			for _, kind := range []nameKind{nameFolded, nameOther, nameEnd} {
				found = append(found, m.matching(e, []string{name}, kind)...)
			}
			for _, pos := range found[before:] {
				if m.identity(pos) != m.identity(found[0]) {
					return 0, false
				}
			}
			if len(found) > before && !m.holds(found[0], name, e) {
				return 0, false
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

// folding is the text of a section's items, folded.
type folding struct {
	text []byte
	ends []int // offsets after the items
	pos  []int // their positions
}

// unescape undoes the escapes of JSON, and makes spaces of white space.
var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\/`, `/`, `\n`, " ", `\t`, " ", `\r`, " ", `\f`, " ", `\b`, " ", `\u000b`, " ", `\u2028`, " ", `\u2029`, " ")

// holds reports whether the item at a position is the only one, of those that an error may be about,
// that holds a text, in any letter case, with any spaces, and whatever punctuation is around it.
func (m *Matcher) holds(pos int, text string, e *Entry) bool {
	if m.folded == nil {
		m.folded = make([]folding, item.Sections)
		for pos := m.part.From; pos < m.part.To; pos++ {
			s, json, _ := m.file.At(pos)
			f := &m.folded[s]
			f.text = append(append(f.text, folded(unescape.Replace(string(json)))...), '\n')
			f.ends, f.pos = append(f.ends, len(f.text)), append(f.pos, pos)
		}
	}
	held := []byte(folded(strings.Trim(text, around)))
	if len(held) == 0 {
		return false // punctuation is in every item
	}
	same, alike := m.identity(pos), 0
	for s := range m.folded {
		f := &m.folded[s]
		for at := 0; e.about(item.Section(s)); at++ {
			i := bytes.Index(f.text[at:], held)
			if i < 0 {
				break
			}
			at += i
			n := sort.SearchInts(f.ends, at+1)
			if alike++; alike > mostAlike || m.identity(f.pos[n]) != same {
				return false
			}
		}
	}
	return alike > 0
}
