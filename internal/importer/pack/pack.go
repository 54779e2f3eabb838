// Package pack distributes encoded items over files. It observes the limits of a file, puts groups before the
// items that refer to them, and holds back links whose group is not there yet.
package pack

import (
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

// Packer fills one file after another with items. It is not safe for concurrent use.
type Packer struct {
	// Known, if not nil, reports whether a group was in the owner before the import.
	Known func(xid string) bool
	// Keep makes Close return the groups and links that were added, for a journal.
	Keep bool
	// Deferred is the number of links and associations that were held back.
	Deferred int64
	// Links is the number of links, including excluded ones.
	Links int64

	seed      []byte
	hasher    hash.Hash
	names     map[string]name  // cache by xid
	groups    map[uint64]int64 // hash of a group's xid -> number of the last file that contains it, or 0 if settled
	held      held
	releasing int64 // smallest sequence number that Release is processing; otherwise math.MaxInt64
	err       error // why a held link was lost

	file     *item.File // the open file, or nil
	number   int64
	after    int64
	size     int            // size of the file including all references
	refs     []ref          // references that Resolve has to assign
	listed   []ref          // references from indicators, for groups that list them
	inline   []ref          // references that Close writes into items
	inlined  []bool         // for each indicator, whether Add wrote its references
	first    map[uint64]int // hash of a group in the file -> index of its first occurrence
	contents []journal.Content
	scratch  []byte // scratch memory for the text of a list

	added    []uint64           // hashes of groups added since the last record
	links    []journal.Deferred // links held back since the last record
	bytes    int                // size of their JSON
	released []int64            // indexes of links released since the last record
}

// ref is a reference from an item of the open file to a group.
type ref struct {
	section item.Section
	index   int   // of the item in its list
	seq     int64 // of the item
	from    item.End
	xid     string
}

// New returns a packer. The seed makes the hashes of groups unpredictable. A process that resumes the import
// must use the same seed.
func New(seed []byte) *Packer {
	return &Packer{seed: seed, releasing: math.MaxInt64, hasher: sha256.New(), names: make(map[string]name), groups: make(map[uint64]int64), first: make(map[uint64]int)}
}

// name is the hash and the JSON of a group's xid.
type name struct {
	hash uint64 // never 0
	json string
}

// Limits of the cache of names. Neighboring items often refer to the same groups.
const (
	maxNames     = 1024
	maxCachedXID = 256 // bytes; longer xids are not cached
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
	if len(xid) > maxCachedXID {
		return n
	}
	if len(p.names) == maxNames {
		clear(p.names)
	}
	p.names[strings.Clone(xid)] = n
	return n
}

// Restore records that a group is in a file; 0 means a settled one.
func (p *Packer) Restore(hash uint64, file int64) { p.groups[hash] = file }

// Open opens f, which is empty, as the file with a number.
func (p *Packer) Open(f *item.File, number int64) {
	p.file, p.number, p.after, p.size = f, number, 0, 0
	p.refs, p.listed, p.inline, p.inlined, p.contents = p.refs[:0], p.listed[:0], p.inline[:0], p.inlined[:0], nil
	clear(p.first)
}

// File returns the open file, or nil.
func (p *Packer) File() *item.File { return p.file }

// Need returns the largest size of an item in a file. The item is not an association.
func (p *Packer) Need(e *item.Encoded) int {
	n, name := len(e.JSON)+1, 0
	if e.Section == item.Groups { // each reference may be written into another item
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

// Sizes of references in an item, without the xids.
const (
	inlineFrame = len(`,"associatedGroupXid":[]`)
	inlineRef   = len(`{"groupXid":},`)
)

// Size returns the size of the open file including all references.
func (p *Packer) Size() int { return p.size + item.Frame }

// Link adds a link or an association to the open file, which must then follow all earlier files.
func (p *Packer) Link(d journal.Deferred, maxBytes, maxItems int) {
	p.size += len(d.JSON) + 1
	p.after = p.number - 1
	p.file.Reserve(item.Associations, len(d.JSON)+1, maxBytes+item.Frame, maxItems)
	p.file.Add(item.Associations, d.Seq, d.JSON)
	p.Drop(d)
}

// Drop records that Release has released a link or an association.
func (p *Packer) Drop(d journal.Deferred) {
	if p.Keep {
		p.released = append(p.released, d.Index)
	}
}

// Add adds an item that is not an association to the open file. seq is the number of items added before it.
func (p *Packer) Add(seq int64, e *item.Encoded, maxBytes, maxItems int) {
	need := p.Need(e)
	p.size += need
	p.file.Reserve(e.Section, need, maxBytes+item.Frame, maxItems)
	index := p.file.Len(e.Section)
	json, tail := e.JSON, []byte(nil)
	if e.Section == item.Indicators {
		tail = p.inlineRefs(e)
		p.inlined = append(p.inlined, tail != nil)
	}
	if tail != nil {
		json = json[:len(json)-1]
	}
	p.file.Add(e.Section, seq, json, tail)
	if e.Section == item.Groups {
		h := p.name(e.Name).hash
		if n := p.groups[h]; n != p.number {
			p.after = max(p.after, n) // a repeated group must follow the file with the previous one
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

// inlineRefs returns the end of an indicator with its references, if each group is in this file, in an
// earlier one, or in the owner. Otherwise it returns nil.
func (p *Packer) inlineRefs(e *item.Encoded) []byte {
	if len(e.Refs) == 0 {
		return nil
	}
	buf, after := p.scratch[:0], p.after
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
	p.scratch, p.after = append(buf, "]}"...), after
	return p.scratch
}

// Associate holds back an association.
func (p *Packer) Associate(seq int64, e *item.Encoded) error {
	d := journal.Deferred{Seq: seq, Key: e.Key, JSON: slices.Clone(e.JSON)}
	n := 0
	for _, xid := range e.Refs[:min(len(e.Refs), len(d.Wait))] {
		if p.Known == nil || !p.Known(xid) {
			d.Wait[n] = p.name(xid).hash
			n++
		}
	}
	p.hold(d)
	return p.err
}

// hold holds back a link or an association. If that fails, the next record still gets a link, because its
// item is in a file, but not an association, which counts as not added.
func (p *Packer) hold(d journal.Deferred) {
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

// deferLink holds back a reference.
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
	p.hold(journal.Deferred{Seq: ^seq, Wait: [2]uint64{wait}, Key: item.LinkKey(refEnd(from), refEnd(item.End{Name: xid}), ""), JSON: w.Buf})
}

// refEnd returns an end as LinkKey expects it. The prefix distinguishes names from IDs.
func refEnd(e item.End) item.End { return item.End{Type: e.Type, Name: "=" + e.Name} }

// Resolve decides which item contains each reference of the open file: the referring item, or the group if it
// comes later in the list of groups. References to groups that were not added yet are held back. Close writes
// the references.
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

// resolveListed assigns references from groups to the listed indicators if these are in the open file.
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

// Close closes the open file: it writes references into items, or holds them back. It returns the record of
// everything added since the last one. The caller sets Totals, Held and Refused.
func (p *Packer) Close() *journal.Added {
	a := &journal.Added{}
	if p.file != nil {
		p.Resolve()
		p.writeInline()
		a.File, a.After, a.Low, a.Kinds = p.number, p.after, p.file.MinSeq(), p.file.Kinds(p.file.All())
		a.Contents, a.Payload = p.contents, p.file
		p.file = nil
	}
	a.Groups, a.Links, a.Released = p.added, p.links, p.released
	p.added, p.links, p.bytes, p.released = nil, nil, 0, nil
	return a
}

// Pending reports whether groups or links are in no record yet.
func (p *Packer) Pending() bool { return len(p.added)+len(p.links)+len(p.released) > 0 }

// PendingBytes returns the size of the links that are in no record yet.
func (p *Packer) PendingBytes() int { return p.bytes }

// Held returns the smallest sequence number of the held links and associations, or math.MaxInt64 if there are
// none.
func (p *Packer) Held() int64 { return min(p.held.minSeq(), p.releasing) }

// Err returns the error that lost a held link. Only another process can continue then, with the records.
func (p *Packer) Err() error { return p.err }

func (p *Packer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
