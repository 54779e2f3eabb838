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

// Matcher finds the items that errors concern. It stores hashes of names instead of the names.
//
// A feed controls its values, and the platform repeats them in errors. So a Matcher finds an item only if the
// error cannot concern another one. It uses the source of the error, the position in the file that the
// platform reports, and text that only one item contains. An error that may concern several different items
// matches none.
type Matcher struct {
	file     *item.File
	part     item.Part
	seed     maphash.Seed
	first    map[uint64]int32 // hash of kind and name -> index of the first item in named
	named    []namedItem
	matched  []bool    // positions that an error has matched
	folded   []folding // by section; nil before the first search by text
	searches int       // number of searches by text
}

// namedItem is an item with a name.
type namedItem struct {
	pos  int32 // relative to the part
	next int32 // index of the next item with that name, or -1
}

// nameKind is the relation of a name to an item.
type nameKind byte

const (
	nameExact  nameKind = iota // summary or hash of an indicator, xid of a group
	nameFolded                 // the same, ignoring letter case and repeated spaces
	nameOther                  // xid of an indicator, name of a group
	nameEnd                    // an end of an association
	nameBoth                   // both ends, joined by bothEnds
)

// New returns a Matcher for the items of a part.
func New(f *item.File, p item.Part) *Matcher {
	m := &Matcher{
		file:    f,
		part:    p,
		seed:    maphash.MakeSeed(),
		first:   make(map[uint64]int32, 2*p.Len()),
		named:   make([]namedItem, 0, 2*p.Len()),
		matched: make([]bool, p.Len()),
	}
	for i := p.Len() - 1; i >= 0; i-- { // backward, so that lists of equal names are in order
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

// index adds a name of the item at a position.
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

// folded returns a name without the differences that the platform may introduce: letter case, for example of
// hashes, and the number of spaces, for example in summaries of files.
func folded(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// positions yields the positions in the file of the items with a name.
func (m *Matcher) positions(kind nameKind, name string) iter.Seq[int] {
	return func(yield func(int) bool) {
		b, ok := m.first[m.hash(kind, name)]
		for ; ok && b >= 0; b = m.named[b].next {
			if !yield(m.part.From + int(m.named[b].pos)) {
				return
			}
		}
	}
}

// Find returns the position in the file of the item that an error concerns.
func (m *Matcher) Find(e *Entry) (pos int, ok bool) {
	if pos, ok = m.FindNamed(e); !ok && !e.Source.named() {
		pos, ok = m.byText(e)
	}
	if ok {
		m.matched[pos-m.part.From] = true
	}
	return pos, ok
}

// FindNamed is like Find but does not search by text, and does not count the item as matched.
func (m *Matcher) FindNamed(e *Entry) (pos int, ok bool) {
	if pos, ok = m.bySource(e); ok {
		return pos, true
	}
	return m.byPath(e)
}

// jsonPath matches the position in the file where the platform aborted. It precedes any value of the feed.
var jsonPath = regexp.MustCompile(`(?i)^(?:Encountered an unexpected Exception while processing batch job\. )?` +
	`Last known JSON path: '\$(?:\.(group|indicator|association))?\[(\d{1,9})\]`)

// byPath finds the item at the position at the beginning of a syntax error. Other errors may begin with a
// value of the feed.
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

// bySource finds the item that is the source of an error. A link is identified by both ends: one is the
// source, and the message contains the other.
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

// maxMatches limits the items with one name that are examined. An error that matches more has an unknown
// item, because a job full of them would take too long.
const maxMatches = 100

// matching returns the positions of the items with one of the names, of a kind, that the type and the code of
// the error allow. It stops after maxMatches+1 of them. A name may follow a type, for example "Host:
// a.example".
func (m *Matcher) matching(e *Entry, names []string, kind nameKind) (found []int) {
	add := func(typ, name string) {
		if kind == nameFolded {
			name = folded(name)
		}
		for pos := range m.positions(kind, name) {
			if len(found) > maxMatches {
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

// only returns a position if all of found are the same item, which may have been added several times. It
// prefers the first one without an error.
func (m *Matcher) only(found []int) (pos int, ok bool) {
	if len(found) == 0 || len(found) > maxMatches {
		return 0, false
	}
	key := m.identity(found[0])
	if slices.ContainsFunc(found[1:], func(pos int) bool { return m.identity(pos) != key }) {
		return 0, false
	}
	for _, pos := range found {
		if !m.matched[pos-m.part.From] {
			return pos, true
		}
	}
	return found[0], true
}

// identity returns a key that is equal for items that are the same on the platform.
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

// pairs returns possible pairs of ends of a link: one of names with another of them or with text from the
// message.
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

// punctuation may surround a name in a sentence.
const punctuation = `'"()[]{}<>,;:.!?`

// maxSearches limits the searches by text, because each may scan the text of the whole part.
const maxSearches = 1000

// byText finds the item that the message of an error without a source names. The message may repeat any value
// of the item, and other items may have a part of it as their name. So byText succeeds only if all names in
// the message belong to one item and no other item contains these texts.
func (m *Matcher) byText(e *Entry) (int, bool) {
	if m.searches++; m.searches > maxSearches || e.Cut {
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
			if len(found) > before && !m.uniquelyContains(found[0], name, e) {
				return 0, false
			}
		}
	}
	return m.only(found)
}

// phrases yields the texts in a sentence that begin and end at a word, with and without surrounding
// punctuation. It yields none if there are too many.
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
			if from = append(from, i); strings.IndexByte(punctuation, words[i]) < 0 {
				break
			}
		}
		for i := end; i > at; i-- {
			if to = append(to, i); strings.IndexByte(punctuation, words[i-1]) < 0 {
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

// folding is the folded text of a section's items.
type folding struct {
	text []byte
	ends []int // offsets of the ends of the items
	pos  []int // positions of the items
}

// unescape decodes escapes of JSON and replaces white space with spaces.
var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\/`, `/`, `\n`, " ", `\t`, " ", `\r`, " ", `\f`, " ", `\b`, " ", `\u000b`, " ", `\u2028`, " ", `\u2029`, " ")

// uniquelyContains reports whether the item at pos is the only item allowed by the error that contains a
// text, ignoring letter case, spaces and surrounding punctuation.
func (m *Matcher) uniquelyContains(pos int, text string, e *Entry) bool {
	if m.folded == nil {
		m.folded = make([]folding, item.Sections)
		for pos := m.part.From; pos < m.part.To; pos++ {
			s, json, _ := m.file.At(pos)
			f := &m.folded[s]
			f.text = append(append(f.text, folded(unescape.Replace(string(json)))...), '\n')
			f.ends, f.pos = append(f.ends, len(f.text)), append(f.pos, pos)
		}
	}
	held := []byte(folded(strings.Trim(text, punctuation)))
	if len(held) == 0 {
		return false // every item contains punctuation
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
			if alike++; alike > maxMatches || m.identity(f.pos[n]) != same {
				return false
			}
		}
	}
	return alike > 0
}
