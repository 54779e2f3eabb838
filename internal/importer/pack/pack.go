// Package pack puts encoded items into files: within the limits of a file, groups before what refers to them, and
// links apart that must wait for one of their ends.
package pack

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Packer puts items into one file after the other. It is not safe for concurrent use.
type Packer struct {
	// Known, if not nil, reports whether a group was in the owner before the import.
	Known func(xid string) bool
	// Keep says that records need the groups and links that were added.
	Keep bool
	// Deferred is how many links and associations were put aside.
	Deferred int64
	// Links is how many links there are, those that are excluded included.
	Links int64

	seed      []byte
	hasher    hash.Hash
	names     map[string]name  // by xid; a cache
	groups    map[uint64]int64 // hash of a group's xid -> number of the file that it was added to last; 0 if it is settled
	held      held
	releasing int64 // smallest sequence number of what Release goes through; math.MaxInt64 otherwise
	err       error // why something that waits is not held any more

	file     *item.File // the open file; nil if there is none
	number   int64
	after    int64
	size     int            // bytes of the file once all references are in it
	refs     []ref          // that Resolve decides on
	listed   []ref          // from indicators, as groups list them
	inline   []ref          // that are written by Close
	carrying []bool         // for each indicator whether its references were written by Add
	first    map[uint64]int // hash of a group in the file -> index of its first occurrence
	contents []journal.Content
	spare    []byte // scratch: the text of a list before the references were put into it

	added []uint64 // hashes of groups since the last file
	links []journal.Deferred
	bytes int // of their JSON
	freed []int64
}

// ref is a reference from an item of the open file to a group.
type ref struct {
	section item.Section
	index   int   // of the item in its list
	seq     int64 // of the item
	from    item.End
	xid     string
}

// New returns a packer. The seed makes the hashes of groups unpredictable, and equal in each process that
// goes on with the import.
func New(seed []byte) *Packer {
	return &Packer{seed: seed, releasing: math.MaxInt64, hasher: sha256.New(), names: make(map[string]name), groups: make(map[uint64]int64), first: make(map[uint64]int)}
}

// name holds what is derived from the xid of a group.
type name struct {
	hash uint64 // never 0
	json string
}

// Limits of the cache of names, which exists because neighboring items often refer to the same groups.
const (
	mostNames = 1024
	longXID   = 256 // bytes; longer xids are not cached
)

func (p *Packer) name(xid string) name {
	if n, ok := p.names[xid]; ok {
		return n
	}
	p.hasher.Reset()
	p.hasher.Write(p.seed)
	p.hasher.Write([]byte(xid))
	var w wire.Writer
	w.Text(xid)
	n := name{binary.LittleEndian.Uint64(p.hasher.Sum(nil)) | 1, string(w.Buf)}
	if len(xid) > longXID {
		return n
	}
	if len(p.names) == mostNames {
		clear(p.names)
	}
	p.names[strings.Clone(xid)] = n
	return n
}

// Restore says that a group is in a file, or in a settled one if that is 0.
func (p *Packer) Restore(hash uint64, file int64) { p.groups[hash] = file }

// Open begins a file in f, which is empty.
func (p *Packer) Open(f *item.File, number int64) {
	p.file, p.number, p.after, p.size = f, number, 0, 0
	p.refs, p.listed, p.inline, p.carrying, p.contents = p.refs[:0], p.listed[:0], p.inline[:0], p.carrying[:0], nil
	clear(p.first)
}

// File returns the open file, or nil if there is none.
func (p *Packer) File() *item.File { return p.file }

// Need returns how many bytes an item that is not an association takes in a file.
func (p *Packer) Need(e *item.Encoded) int {
	n, name := len(e.JSON)+1, 0
	if e.Section == item.Groups { // each reference may be carried by another item
		name = len(p.name(e.Name).json)
		n += len(e.Refs)*inlineFrame + len(e.Listed)*(name+inlineRef+inlineFrame)
	} else if len(e.Refs) > 0 {
		n += inlineFrame
	}
	for _, xid := range e.Refs {
		n += max(len(p.name(xid).json), name) + inlineRef
	}
	return n
}

// The bytes of references in an item, besides the xids.
const (
	inlineFrame = len(`,"associatedGroupXid":[]`)
	inlineRef   = len(`{"groupXid":},`)
)

// Size returns how many bytes the open file has once all references are in it.
func (p *Packer) Size() int { return p.size + item.Frame }

// Link adds a link or an association to the open file. The file is sent after all files before it are settled.
func (p *Packer) Link(d journal.Deferred, maxBytes, maxItems int) {
	p.size += len(d.JSON) + 1
	p.after = p.number - 1
	p.file.Reserve(item.Associations, len(d.JSON)+1, maxBytes+item.Frame, maxItems)
	p.file.Add(item.Associations, d.Seq, d.JSON)
	p.Drop(d)
}

// Drop forgets a link or an association that Release has given.
func (p *Packer) Drop(d journal.Deferred) {
	if p.Keep {
		p.freed = append(p.freed, d.Index)
	}
}

// Add adds an item that is not an association to the open file. seq is how many items were added before it.
func (p *Packer) Add(seq int64, e *item.Encoded, maxBytes, maxItems int) {
	need := p.Need(e)
	p.size += need
	p.file.Reserve(e.Section, need, maxBytes+item.Frame, maxItems)
	index := p.file.Len(e.Section)
	json, tail := e.JSON, []byte(nil)
	if e.Section == item.Indicators {
		tail = p.carryAll(e)
		p.carrying = append(p.carrying, tail != nil)
	}
	if tail != nil {
		json = json[:len(json)-1]
	}
	p.file.Add(e.Section, seq, json, tail)
	if e.Section == item.Groups {
		h := p.name(e.Name).hash
		if n := p.groups[h]; n != p.number {
			p.after = max(p.after, n) // what is added again comes after what it changes
		}
		p.groups[h] = p.number
		if p.Keep {
			p.added = append(p.added, h)
		}
		if _, ok := p.first[h]; !ok {
			p.first[h] = index
		}
		if e.Content != nil {
			p.contents = append(p.contents, journal.Content{Position: index, Content: *e.Content})
		}
	}
	from, refs := item.End{Type: e.Type, Name: e.Name}, e.Refs
	if tail != nil {
		refs = nil
	}
	for _, xid := range refs {
		p.refs = append(p.refs, ref{section: e.Section, index: index, seq: seq, from: from, xid: xid})
	}
	for i := range e.Listed {
		if l := &e.Listed[i]; l.Excluded == "" {
			p.listed = append(p.listed, ref{seq: seq, from: l.End, xid: e.Name})
		} else {
			p.Links++
		}
	}
}

// carryAll returns the end of an indicator, with its references, if all groups are in this file, in one before it, or in
// the owner. Otherwise it returns nil.
func (p *Packer) carryAll(e *item.Encoded) []byte {
	if len(e.Refs) == 0 {
		return nil
	}
	buf, after := p.spare[:0], p.after
	for i, xid := range e.Refs {
		if slices.Contains(e.Refs[:i], xid) {
			continue
		}
		n, known := p.groups[p.name(xid).hash]
		if !known && (p.Known == nil || !p.Known(xid)) {
			return nil
		}
		if n != p.number {
			after = max(after, n)
		}
		buf = p.reference(append(buf, separator(item.Indicators, i == 0)...), item.Indicators, xid)
	}
	p.spare, p.after = append(buf, "]}"...), after
	return p.spare
}

// Associate puts an association aside.
func (p *Packer) Associate(seq int64, e *item.Encoded) error {
	d := journal.Deferred{Seq: seq, Key: e.Key, JSON: slices.Clone(e.JSON)}
	n := 0
	for _, xid := range e.Refs[:min(len(e.Refs), len(d.Wait))] {
		if p.Known == nil || !p.Known(xid) {
			d.Wait[n] = p.name(xid).hash
			n++
		}
	}
	p.wait(d)
	return p.err
}

// wait puts a link or an association aside. If that fails, the record still gets a link, because its item is in a file,
// and no association, because it was not added.
func (p *Packer) wait(d journal.Deferred) {
	d.Index = p.Deferred
	if err := p.held.add(d); err != nil {
		if p.fail(err); d.Seq >= 0 {
			return
		}
	}
	p.Deferred++
	if p.Keep {
		p.links = append(p.links, d)
		p.bytes += len(d.JSON)
	}
}

// deferLink puts a reference aside.
func (p *Packer) deferLink(seq int64, from item.End, xid string, wait uint64) {
	p.Links++
	w := wire.Writer{}
	w.BeginObject()
	if from.Type != "" {
		w.Key("type_1")
		w.Text(from.Type)
	}
	w.Key("ref_1")
	w.Text(from.Name)
	w.Key("ref_2")
	w.Text(xid)
	w.EndObject()
	p.wait(journal.Deferred{Seq: ^seq, Wait: [2]uint64{wait}, Key: item.LinkKey(refEnd(from), refEnd(item.End{Name: xid}), ""), JSON: w.Buf})
}

// refEnd returns an end as it stands in the key of an association, where an id may stand in its place.
func refEnd(e item.End) item.End { return item.End{Type: e.Type, Name: "=" + e.Name} }

// Resolve decides for each reference of the open file which item carries it: its own, or the group that it refers to
// if that comes later in the list of groups. References to groups that are not there yet are put aside. Close
// writes what items carry.
func (p *Packer) Resolve() {
	if len(p.refs)+len(p.listed) == 0 {
		return
	}
	p.resolveListed()
	for _, r := range p.refs {
		h := p.name(r.xid).hash
		n, known := p.groups[h]
		first, here := p.first[h]
		switch {
		case known && n != p.number || !known && p.Known != nil && p.Known(r.xid):
			p.after = max(p.after, n)
			p.inline = append(p.inline, r)
		case here && r.section == item.Groups && first > r.index:
			// The group comes later in the same list, so it carries the reference.
			p.inline = append(p.inline, ref{section: item.Groups, index: first, xid: r.from.Name})
		case here:
			p.inline = append(p.inline, r)
		default:
			p.deferLink(r.seq, r.from, r.xid, h)
		}
	}
	p.refs, p.listed = p.refs[:0], p.listed[:0]
}

// resolveListed lets indicators of the open file carry the references of groups that list them.
func (p *Packer) resolveListed() {
	if len(p.listed) == 0 {
		return
	}
	at := make(map[item.End]int)
	indicators := p.file.Len(item.Indicators)
	for i := range indicators {
		n := item.NameOf(p.file.Entry(item.Indicators, i))
		for _, name := range append(n.Hashes, n.Ref) {
			at[item.End{Type: n.Type, Name: name}] = i
		}
	}
	for _, r := range p.listed {
		if i, ok := at[r.from]; ok {
			p.inline = append(p.inline, ref{section: item.Indicators, index: i, xid: r.xid})
		} else {
			p.deferLink(r.seq, r.from, r.xid, 0)
		}
	}
}

// Close closes the open file: it puts the references into the items that carry them, and the others aside. The record
// says what was added since the last file; its Totals and Held are up to the caller.
func (p *Packer) Close() *journal.Added {
	a := &journal.Added{}
	if p.file != nil {
		p.Resolve()
		p.carry()
		a.File, a.After, a.Low, a.Kinds = p.number, p.after, p.file.Low(), p.file.Kinds(p.file.All())
		a.Contents, a.Payload = p.contents, p.file
		p.file = nil
	}
	a.Groups, a.Links, a.Released = p.added, p.links, p.freed
	p.added, p.links, p.bytes, p.freed = nil, nil, 0, nil
	return a
}

// carry puts the references into the items that carry them. An item can have one twice: its own, and that of a group.
func (p *Packer) carry() {
	order := func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.section, b.section), cmp.Compare(a.index, b.index), cmp.Compare(a.xid, b.xid))
	}
	slices.SortFunc(p.inline, order)
	p.inline = slices.CompactFunc(p.inline, func(a, b ref) bool { return order(a, b) == 0 })
	p.carryIn(item.Groups)
	p.carryIn(item.Indicators)
}

func (p *Packer) carryIn(s item.Section) {
	refs := p.inline
	refs = refs[sectionStart(refs, s):]
	if len(refs) == 0 || refs[0].section != s {
		return
	}
	p.spare = p.file.Rewrite(s, slices.Grow(p.spare[:0], p.size), func(buf []byte, index int, json []byte) []byte {
		if len(refs) == 0 || refs[0].section != s || refs[0].index != index {
			return append(buf, json...)
		}
		carried := s == item.Indicators && p.carrying[index]
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

// separator is what stands before a reference in an item.
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

// Pending reports whether something was added that is in no record yet, besides the items of the open file.
func (p *Packer) Pending() bool { return len(p.added)+len(p.links)+len(p.freed) > 0 }

// PendingBytes returns how many bytes of links are in no record yet.
func (p *Packer) PendingBytes() int { return p.bytes }

// Held returns the smallest sequence number of what waits, or math.MaxInt64 if nothing waits.
func (p *Packer) Held() int64 { return min(p.held.low(), p.releasing) }

// Err returns why something that waits is not held any more. Then only another process can go on, with the records.
func (p *Packer) Err() error { return p.err }

func (p *Packer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
