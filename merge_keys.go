package threatconnect

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/threatconnect-go/threatconnect/internal/filehash"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// mergeKey is a sum of what identifies an item: items with the same key are the same thing. It is
// as hard to make two with one key as to break half of SHA-256.
type mergeKey [16]byte

// What the items of a key are.
const (
	keyIndicator   = 'I' // indicators other than files, with one type and value
	keyGroup       = 'G' // groups with one type and xid
	keyAssociation = 'A' // associations of one type between the same two ends
	keyFile        = 'F' // files with the same hashes
	keyCluster     = 'C' // files that are merged because of their hashes
)

// mergeKey returns the key of the item that was written last, and the hashes of a file.
func (e *encoder) mergeKey() (key mergeKey, hashes *filehash.Hashes) {
	switch {
	case e.out.Section == item.Groups:
		return keyOf(keyGroup, e.typ, e.out.Name), nil
	case e.out.Section == item.Associations:
		return keyOf(keyAssociation, e.out.Key), nil
	case e.out.Type == string(TypeFile):
		h := filehash.Of(e.canonical)
		return fileKey(&h), &h
	}
	return keyOf(keyIndicator, e.out.Type, e.canonical[0], e.canonical[1], e.canonical[2]), nil
}

// keyOf returns the key of a kind and texts.
func keyOf(kind byte, texts ...string) mergeKey {
	all := append(make([]byte, 0, 256), kind)
	for _, s := range texts {
		all = append(binary.AppendUvarint(all, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(all)
	return mergeKey(sum[:])
}

// fileKey is the key of files with these hashes.
func fileKey(h *filehash.Hashes) mergeKey { return keyOf(keyFile, string(h[:])) }

// with returns the key with a number behind it, by which items with one key are in order.
func (k mergeKey) with(n int64) []byte { return appendNumber(k[:], n) }

// splitKey undoes with.
func splitKey(b []byte) (k mergeKey, n int64) {
	return mergeKey(b), numberOf(b[len(k):])
}

// plainType turns a custom indicator of a type that this package knows into one of that type, so
// that it is merged with those. Any other item is returned as it is.
func plainType(item BatchItem) BatchItem {
	c, ok := item.(*CustomIndicator)
	if !ok || c == nil {
		return item
	}
	def := indicatorDefOf(c.TypeName)
	if def == nil {
		return item
	}
	if _, err := def.canonical(c.Values); err != nil {
		return item
	}
	ind := def.new()
	ind.setValues(c.Values)
	*ind.Meta() = c.IndicatorMeta
	return ind
}

// plan finds the items that are merged, and counts.
func (m *merge) plan() error {
	if err := m.labelFiles(); err != nil {
		return err
	}
	files := m.sorter() // those that share a hash with others, under the label of their cluster
	defer files.Close()
	var own, label mergeKey
	torn := false
	for rec, err := range m.index.SortedUntil(m.ctx) {
		if err != nil {
			return err
		}
		key, n := splitKey(rec.Key)
		switch {
		case n == 0:
			own, torn = key, rec.Value[0] != 0
			copy(label[:], rec.Value[1:])
			continue
		case key != own:
			err = m.member(key, n-1, rec.Value)
		default:
			if torn {
				m.stats.Torn++
			}
			err = files.Add(label.with(n), rec.Value)
		}
		if err != nil {
			return err
		}
	}
	m.index.Close()
	for rec, err := range files.SortedUntil(m.ctx) {
		if err != nil {
			return err
		}
		key, n := splitKey(rec.Key)
		if err := m.member(key, n-1, rec.Value); err != nil {
			return err
		}
	}
	return nil
}

// labelFiles puts a record with the number 0 in front of files that share a hash with others.
func (m *merge) labelFiles() error {
	for f, err := range filehash.Clusters(m.ctx, m.sorter, m.hashes) {
		if err != nil {
			return err
		}
		value := make([]byte, 1, 1+len(mergeKey{}))
		if f.Torn {
			value[0] = 1
		}
		label := keyOf(keyCluster, string(f.AppendLabel(nil)))
		if err := m.index.Add(fileKey(&f.Own).with(0), append(value, label[:]...)); err != nil {
			return err
		}
	}
	return nil
}

// member takes the next item of a group, or the first one of the next group.
func (m *merge) member(key mergeKey, n int64, value []byte) error {
	p, g := placeOf(value), &m.group
	if g.first != nil && key == g.key {
		fits, err := m.fits(p.size)
		if err != nil {
			return err
		}
		if fits {
			g.pending = append(g.pending, p.at)
			m.again.set(n)
			return m.repeats.Add(g.first, value)
		}
		m.stats.Full++
	}
	m.stats.Items++
	*g = mergeGroup{key: key, first: appendNumber(g.first[:0], n), pending: append(g.pending[:0], p.at), size: p.size}
	return nil
}

// place is where an encoded item is in the log.
type place struct {
	at   int64
	size int
}

func (p place) append(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(p.at)), uint64(p.size))
}

func placeOf(b []byte) place {
	at, n := binary.Uvarint(b)
	size, _ := binary.Uvarint(b[n:])
	return place{int64(at), int(size)}
}

// appendNumber appends a number so that bytes are in the order of numbers; numberOf undoes that.
func appendNumber(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

func numberOf(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// bits is a set of numbers, one bit for each up to the largest.
type bits []uint64

func (b *bits) set(n int64) {
	for int64(len(*b)) <= n/64 {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bits) has(n int64) bool { return n/64 < int64(len(b)) && b[n/64]&(1<<(n%64)) != 0 }
