package merge

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/threatconnect-go/threatconnect/internal/filehash"
)

// Key identifies an item: items with the same key are merged. It is half of a SHA-256.
type Key [16]byte

// Kinds of keys.
const (
	KeyIndicator   = 'I' // indicators other than files, with the same type and value
	KeyGroup       = 'G' // groups with the same type and xid
	KeyAssociation = 'A' // associations of the same type between the same ends
	keyFile        = 'F' // files with the same hashes
	keyCluster     = 'C' // files to merge because of their hashes
)

// KeyOf returns the key of a kind with some texts.
func KeyOf(kind byte, texts ...string) Key {
	all := append(make([]byte, 0, 256), kind)
	for _, s := range texts {
		all = appendText(all, s)
	}
	sum := sha256.Sum256(all)
	return Key(sum[:])
}

func fileKey(h *filehash.Hashes) Key { return KeyOf(keyFile, string(h[:])) }

// with returns the key followed by a number, which orders items with the same key.
func (k Key) with(n int64) []byte { return appendNumber(k[:], n) }

// splitKey is the inverse of with.
func splitKey(b []byte) (k Key, n int64) { return Key(b), numberOf(b[len(k):]) }

// group is a set of items to merge.
type group struct {
	key     Key
	first   []byte  // number of the first item, as a key of repeats
	pending []int64 // positions in the log of items that are not in the merger yet
	begun   bool    // the merger has the other items
	size    int     // upper bound of the size of the merged item
}

// Plan finds the items to merge. Call it after Finish.
func (m *Merge) Plan() error {
	if err := m.labelFiles(); err != nil {
		return err
	}
	files := m.sorter() // files that share a hash, by the label of their cluster
	defer files.Close()
	var own, label Key
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
				m.Stats.Torn++
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

// labelFiles adds a record with number 0 before the files of each cluster.
func (m *Merge) labelFiles() error {
	for f, err := range filehash.Clusters(m.ctx, m.sorter, m.hashes) {
		if err != nil {
			return err
		}
		value := make([]byte, 1, 1+len(Key{}))
		if f.Torn {
			value[0] = 1
		}
		label := KeyOf(keyCluster, string(f.AppendLabel(nil)))
		if err := m.index.Add(fileKey(&f.Own).with(0), append(value, label[:]...)); err != nil {
			return err
		}
	}
	return nil
}

// member adds item n to the group, or starts the next group with it.
func (m *Merge) member(key Key, n int64, value []byte) error {
	p, g := placeOf(value), &m.group
	if g.first != nil && key == g.key {
		fits, err := m.fits(p.size)
		if err != nil {
			return err
		}
		if fits {
			g.pending = append(g.pending, p.at)
			m.repeated.set(n)
			return m.repeats.Add(g.first, value)
		}
		m.Stats.Full++
	}
	m.Stats.Items++
	*g = group{key: key, first: appendNumber(g.first[:0], n), pending: append(g.pending[:0], p.at), size: p.size}
	return nil
}

// fits reports whether an item of a size fits into the group. The sum of sizes is an upper bound: when it exceeds the
// limit, the group is merged and measured.
func (m *Merge) fits(size int) (bool, error) {
	g, limit := &m.group, m.opts.MaxBytes/mergedPart
	if g.size += size; g.size <= limit {
		return true, nil
	}
	for _, at := range g.pending {
		if err := m.mergeAt(at, g.begun); err != nil {
			return false, err
		}
		g.begun = true
	}
	g.pending = g.pending[:0]
	m.buf = m.merger.append(m.buf[:0])
	g.size = len(m.buf)
	if g.size > limit/2 { // otherwise it would be measured too often
		return false, nil
	}
	g.size += size
	return true, nil
}

// mergeAt adds the item at a position of the log to the merger, or begins with it.
func (m *Merge) mergeAt(at int64, begun bool) error {
	content, err := m.log.At(at)
	switch {
	case err != nil:
		return err
	case begun:
		return m.merger.add(string(content))
	}
	return m.merger.begin(string(content))
}

// place is the position and size of an item in the log.
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

// appendNumber appends a number so that the order of bytes is the order of numbers.
func appendNumber(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

func numberOf(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// bits is a set of numbers, with one bit for each up to the largest.
type bits []uint64

func (b *bits) set(n int64) {
	for int64(len(*b)) <= n/64 {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bits) has(n int64) bool { return n/64 < int64(len(b)) && b[n/64]&(1<<(n%64)) != 0 }
