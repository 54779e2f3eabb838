package threatconnect

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
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
	groups      knownGroups
	sum         hash.Hash
}

// Of returns the fingerprint of an item. An item that breaks a rule is a [*ValidationError], as it
// is when it is added to a [BatchWriter], and so is a [*GroupContent], because what its content holds
// is not looked at.
func (f *Fingerprinter) Of(item BatchItem) (Fingerprint, error) {
	if f.sum == nil {
		f.groups = newKnownGroups(nil) // none: all references are links
		f.whole = encoder{version: BatchV2, action: BatchCreate, known: &f.groups}
		f.name = encoder{version: BatchV2, action: BatchDelete, known: &f.groups}
		f.sum = sha256.New()
	}
	if _, ok := item.(*GroupContent); ok {
		return Fingerprint{}, &ValidationError{Field: "group content", Rule: "has no fingerprint", Fix: "send it every time, or make the fingerprint of its group and compare the content yourself"}
	}
	list, err := f.whole.encode(item)
	if err != nil {
		return Fingerprint{}, err
	}
	f.sum.Reset()
	f.add(f.whole.Buf)
	for i := range f.whole.links {
		l := &f.whole.links[i]
		f.add([]byte(l.ind))
		f.add([]byte(l.ref))
		f.add([]byte(l.xid))
	}
	var p Fingerprint
	f.end(&p.Content)
	switch list {
	case inIndicators:
		if _, err := f.name.encode(item); err != nil {
			return Fingerprint{}, err
		}
		f.add(f.name.Buf)
	case inGroups:
		f.add([]byte("group"))
		f.add([]byte(f.whole.xid))
	default:
		p.Item = p.Content
		return p, nil
	}
	f.end(&p.Item)
	return p, nil
}

// add adds a part, so that no two sequences of parts look alike.
func (f *Fingerprinter) add(part []byte) {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
	f.sum.Write(size[:])
	f.sum.Write(part)
}

// end writes the sum of the parts and begins anew.
func (f *Fingerprinter) end(to *[16]byte) {
	var whole [sha256.Size]byte
	copy(to[:], f.sum.Sum(whole[:0]))
	f.sum.Reset()
}
