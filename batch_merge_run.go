package threatconnect

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// merge is one run of MergeItems. Its steps are read, merge and pass.
type merge struct {
	ctx    context.Context
	opts   MergeOptions
	stats  MergeStats
	rules  encoder
	codec  *itemCodec
	merger *itemMerger

	in    *shelf          // items by what they are; files by their hashes, each time with their label first
	files *extsort.Sorter // hashes of files
	out   *shelf          // items by their place
	aside mergedContents

	open   bool // whether an item is being merged
	key    []byte
	origin MergeOrigin
	size   int // of that item, at most
	buf    []byte
}

func newMerge(ctx context.Context, o MergeOptions) *merge {
	m := &merge{ctx: ctx, opts: o, codec: newItemCodec()}
	m.merger = newItemMerger(m.codec, o.Version)
	m.rules = encoder{version: o.Version, action: BatchCreate, known: new(knownGroups)}
	*m.rules.known = newKnownGroups(nil)
	m.in, m.files, m.out, m.aside = m.shelf(), m.sorter(), m.shelf(), newMergedContents()
	return m
}

func (m *merge) shelf() *shelf { return newShelf(m.opts.Dir, m.opts.MaxBytes/mergeShelves) }
func (m *merge) sorter() *extsort.Sorter {
	return extsort.New(m.opts.Dir, m.opts.MaxBytes/mergeShelves)
}

func (m *merge) close() {
	m.in.Close()
	m.files.Close()
	m.out.Close()
}

// read puts all items on a shelf. It returns the error that has ended them, and its own.
func (m *merge) read(items iter.Seq2[BatchItem, error]) (source, err error) {
	for item, err := range items {
		if err != nil {
			return err, nil
		}
		if m.ctx.Err() != nil {
			return nil, context.Cause(m.ctx)
		}
		if err := m.add(m.aside.take(plainType(item))); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// place is the key of an item on the shelf of what goes out.
func (m *merge) place(seq int64) []byte {
	m.buf = binary.BigEndian.AppendUint64(m.buf[:0], uint64(seq))
	return m.buf
}

// The last byte of the key of files.
const (
	fileLabel = 0
	fileItem  = 1
)

func (m *merge) add(item BatchItem) error {
	seq := m.stats.Read
	m.stats.Read++
	content := m.codec.encode(item)
	valid := content[0] >= codecTypes
	if valid {
		_, err := m.rules.encode(item)
		valid = err == nil
	}
	if !valid {
		if content[0] == codecForeign {
			m.aside.odd[seq] = item
		}
		m.stats.Invalid++
		m.stats.Items++
		return m.out.add(m.place(seq), seq, 1, content)
	}
	var err error
	if m.buf, err = mergeKey(m.buf[:0], item); err != nil {
		return err
	}
	if m.buf[0] == keyFile {
		f := fileCluster{own: fileHashes(m.buf[1:])}
		f.all = f.own
		if err := m.files.Add(f.own[:], f.value(nil)); err != nil {
			return err
		}
		m.buf = append(m.buf, fileItem)
	}
	return m.in.add(m.buf, seq, 1, content)
}

// merge merges everything and puts it into its place.
func (m *merge) merge() error {
	if err := m.label(); err != nil {
		return err
	}
	files := m.shelf()
	defer files.Close()
	var label []byte // of the hashes that are in f
	var f fileCluster
	for item, err := range m.in.items(m.ctx) {
		switch {
		case err != nil:
			return err
		case item.key[0] != keyFile:
			err = m.join(item.key, &item)
		case item.key[len(item.key)-1] == fileLabel:
			f.read(item.key[1:len(item.key)-1], item.content)
			label = f.label(label[:0])
		default:
			if own := fileHashes(item.key[1 : len(item.key)-1]); own != f.own {
				f = fileCluster{own: own, all: own}
				label = f.label(label[:0])
			}
			if f.torn {
				m.stats.Torn++
			}
			m.buf = binary.BigEndian.AppendUint64(append(m.buf[:0], label...), uint64(item.seq))
			err = files.add(m.buf, item.seq, 1, item.content)
		}
		if err != nil {
			return err
		}
	}
	m.in.Close()
	for item, err := range files.items(m.ctx) {
		if err == nil {
			err = m.join(item.key[:len(item.key)-8], &item)
		}
		if err != nil {
			return err
		}
	}
	return m.finish()
}

// label puts what is known about files in front of them.
func (m *merge) label() error {
	linker := fileLinker{ctx: m.ctx, make: m.sorter}
	known, err := linker.clusters(m.files)
	if err != nil {
		return err
	}
	defer known.Close()
	for f, err := range linker.each(known) {
		if err != nil {
			return err
		}
		m.buf = append(append(append(m.buf[:0], keyFile), f.own[:]...), fileLabel)
		if err := m.in.add(m.buf, 0, 0, f.value(nil)); err != nil {
			return err
		}
	}
	return nil
}

// join merges an item into the one before it when they have the same key.
func (m *merge) join(key []byte, item *shelved) error {
	next, err := m.codec.decode(item.content)
	if err != nil {
		return err
	}
	m.stats.Cut += cutValues(next, m.opts.MaxLengths)
	if m.open && bytes.Equal(key, m.key) {
		if m.fits(len(item.content)) {
			m.origin.Count += item.count
			return m.merger.add(next, item.content)
		}
		m.stats.Full++
	}
	if err := m.finish(); err != nil {
		return err
	}
	m.open, m.key = true, append(m.key[:0], key...)
	m.origin, m.size = MergeOrigin{item.seq, item.count}, len(item.content)
	m.merger.begin(next)
	return nil
}

// fits reports whether an item of a size can be merged into the one before it. That one is
// measured when all that went into it may have become too much: most of it was there already.
func (m *merge) fits(more int) bool {
	most := m.opts.MaxBytes / mergedPart
	if m.size += more; m.size > most {
		m.size = len(m.codec.encode(m.merger.item))
		if m.size > most/2 { // so that measuring again is a long way off
			return false
		}
		m.size += more
	}
	return true
}

// finish puts the item that is being merged into its place.
func (m *merge) finish() error {
	if !m.open {
		return nil
	}
	m.open = false
	m.stats.Items++
	return m.out.add(m.place(m.origin.First), m.origin.First, m.origin.Count, m.codec.encode(m.merger.item))
}

// pass passes everything on. It reports whether more is wanted.
func (m *merge) pass(yield func(BatchItem, error) bool) (bool, error) {
	for item, err := range m.out.items(m.ctx) {
		if err != nil {
			return true, err
		}
		next, err := m.codec.decode(item.content)
		if err != nil {
			return true, err
		}
		if m.opts.OnItem != nil {
			m.opts.OnItem(MergeOrigin{item.seq, item.count})
		}
		if !yield(m.aside.give(next, item.seq), nil) {
			return false, nil
		}
	}
	return true, nil
}
