package threatconnect

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Fingerprint is a pair of checksums that identifies an item of an import and its content. Compare the
// fingerprints of two runs of a feed to find new and changed items. It does not reveal the item.
//
// The fingerprint of an item is the same in every process. It may change with the version of this package.
type Fingerprint struct {
	Item    [16]byte // identifies an indicator by type and canonical value, or a group by xid
	Content [16]byte // identifies everything that is imported of the item
}

// Fingerprinter computes fingerprints. The zero value is ready to use. It reuses its memory between calls and
// is not safe for concurrent use.
type Fingerprinter struct {
	whole, name encoder
	sum         hash.Hash
	groups      []string
	size        int
}

// Of returns the fingerprint of an item. It returns a [*ValidationError] for an item that [BatchWriter.Add]
// would refuse, and for a [*GroupContent], because it does not read contents.
func (f *Fingerprinter) Of(in BatchItem) (Fingerprint, error) {
	if f.sum == nil {
		f.whole = encoder{action: BatchCreate}
		f.name = encoder{action: BatchDelete}
		f.sum = sha256.New()
	}
	f.groups, f.size = nil, 0
	merged, _ := in.(*mergedItem)
	if _, ok := in.(*GroupContent); ok || merged != nil && merged.content != nil {
		return Fingerprint{}, &ValidationError{Field: "group content", Rule: "has no fingerprint", Fix: "import it every time, or compute the fingerprint of its group and compare the content yourself"}
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

// Groups returns the xids of the groups that the last item passed to Of refers to. They are nil if Of
// returned an error, and valid until the next call of Of.
func (f *Fingerprinter) Groups() []string { return f.groups }

// Size returns the largest size, in bytes, that the last item passed to Of can have in a batch file. This
// includes an association for each group and indicator that the item refers to. It is 0 if Of returned an
// error.
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

// add adds a part with its length, so that different sequences of parts have different checksums.
func (f *Fingerprinter) add(part []byte) {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
	f.sum.Write(size[:])
	f.sum.Write(part)
}

// end writes the checksum of the parts and starts the next one.
func (f *Fingerprinter) end(to *[16]byte) {
	var whole [sha256.Size]byte
	copy(to[:], f.sum.Sum(whole[:0]))
	f.sum.Reset()
}
