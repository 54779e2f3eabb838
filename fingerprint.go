package threatconnect

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Fingerprint stands for an item of an import without holding anything of it: two items have the
// same one when a batch file would hold the same.
//
// It tells what of a feed has changed since the last import. It is the same in every process, and
// may change with the version of this package.
type Fingerprint struct {
	Item    [16]byte // which indicator, by type and canonical value, or which group, by xid
	Content [16]byte // everything that is imported of it
}

// Fingerprinter makes fingerprints. The zero value is ready to use; it keeps its memory between
// calls and is not safe for concurrent use.
type Fingerprinter struct {
	whole, name encoder
	sum         hash.Hash
	groups      []string
	size        int
}

// Of returns the fingerprint of an item. An item that breaks a rule is a [*ValidationError], as it
// is when it is added to a [BatchWriter], and so is a [*GroupContent], because what its content holds
// is not looked at.
func (f *Fingerprinter) Of(in BatchItem) (Fingerprint, error) {
	if f.sum == nil {
		f.whole = encoder{action: BatchCreate}
		f.name = encoder{action: BatchDelete}
		f.sum = sha256.New()
	}
	f.groups, f.size = nil, 0
	merged, _ := in.(*mergedItem)
	if _, ok := in.(*GroupContent); ok || merged != nil && merged.content != nil {
		return Fingerprint{}, &ValidationError{Field: "group content", Rule: "has no fingerprint", Fix: "send it every time, or make the fingerprint of its group and compare the content yourself"}
	}
	enc, err := f.whole.encode(in)
	if err != nil {
		return Fingerprint{}, err
	}
	f.groups = enc.Refs
	f.size = sizeWithLinks(enc)
	f.sum.Reset()
	f.add(enc.JSON)
	for _, xid := range enc.Refs {
		f.add([]byte(xid))
	}
	for i := range enc.Listed {
		f.add([]byte(enc.Listed[i].Type))
		f.add([]byte(enc.Listed[i].Name))
	}
	var p Fingerprint
	f.end(&p.Content)
	switch enc.Section {
	case item.Indicators:
		if enc, err = f.name.encode(in); err != nil {
			return Fingerprint{}, err
		}
		f.add(enc.JSON)
	case item.Groups:
		f.add([]byte("group"))
		f.add([]byte(enc.Name))
	default:
		p.Item = p.Content
		return p, nil
	}
	f.end(&p.Item)
	return p, nil
}

// Groups returns the xids of the groups that the item of the last call of Of refers to, also those of
// an item of [MergeItems]. They are nil if Of returned an error, and valid until the next call of Of.
func (f *Fingerprinter) Groups() []string { return f.groups }

// Size returns how many bytes of a batch file the item of the last call of Of takes at most, with an association of
// its own for each group and indicator that it refers to. It is 0 if Of returned an error.
func (f *Fingerprinter) Size() int { return f.size }

// sizeWithLinks returns the size of an item with all its associations.
func sizeWithLinks(enc *item.Encoded) int {
	const frame = len(`,{"type_1":,"ref_1":,"type_2":,"ref_2":}`)
	var w wire.Writer
	quoted := func(text string) int {
		w = wire.Writer{Buf: w.Buf[:0]}
		w.Text(text)
		return len(w.Buf)
	}
	size := len(enc.JSON) + 1
	if len(enc.Refs)+len(enc.Listed) == 0 {
		return size
	}
	own := frame + quoted(enc.Type) + quoted(enc.Name)
	for _, xid := range enc.Refs {
		size += own + quoted(xid)
	}
	for i := range enc.Listed {
		size += own + quoted(enc.Listed[i].Type) + quoted(enc.Listed[i].Name)
	}
	return size
}

// add adds a part, so that no two sequences of parts look alike.
func (f *Fingerprinter) add(part []byte) {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
	f.sum.Write(size[:])
	f.sum.Write(part)
}

// end writes the sum of the parts and starts over.
func (f *Fingerprinter) end(to *[16]byte) {
	var whole [sha256.Size]byte
	copy(to[:], f.sum.Sum(whole[:0]))
	f.sum.Reset()
}
