package threatconnect

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"strconv"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
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

// mergeKeyOf returns the key of an item that has passed the encoder, with the canonical values of
// an indicator, and the hashes of a file.
func mergeKeyOf(item BatchItem, canonical [3]string) (key mergeKey, hashes *fileHashes, err error) {
	switch item := item.(type) {
	case *File:
		h := hashesOf(canonical)
		return h.key(), &h, nil
	case Indicator:
		return keyOf(keyIndicator, string(item.Type()), canonical[0], canonical[1], canonical[2]), nil, nil
	case Group:
		return keyOf(keyGroup, string(item.Type()), item.Meta().XID), nil, nil
	case *Association:
		from, err := item.From.name()
		if err != nil {
			return key, nil, err
		}
		to, err := item.To.name()
		return keyOf(keyAssociation, item.Type, min(from, to), max(from, to)), nil, err
	}
	return key, nil, errCodec
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

// with returns the key with a number behind it, by which items with one key are in order.
func (k mergeKey) with(n int64) []byte { return appendNumber(k[:], n) }

// splitKey undoes with.
func splitKey(b []byte) (k mergeKey, n int64) {
	return mergeKey(b), numberOf(b[len(k):])
}

// name is what an end of an association is the same by.
func (e *AssociationEnd) name() (string, error) {
	switch {
	case e.ID > 0 && e.Indicator == "":
		return "group id " + strconv.FormatInt(e.ID, 10), nil
	case e.ID > 0:
		return "indicator id " + strconv.FormatInt(e.ID, 10), nil
	case e.Indicator == "":
		return "group xid " + e.GroupXID, nil
	}
	summary, err := summaryOf(e.Indicator, e.Summary)
	return "indicator " + strconv.Quote(string(e.Indicator)) + " " + summary, err
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

// fileHashes are the hashes of a file: a byte whose bits say which there are, and room for an MD5,
// a SHA-1 and a SHA-256.
type fileHashes [1 + 16 + 20 + 32]byte

// hashSpans are the places of the hashes, the weakest first.
var hashSpans = [3][2]int{{1, 17}, {17, 37}, {37, 69}}

// hashesOf takes hashes in canonical form.
func hashesOf(v [3]string) (h fileHashes) {
	for i, s := range v {
		if s != "" {
			h[0] |= 1 << i
			_, _ = hex.Decode(h[hashSpans[i][0]:hashSpans[i][1]], []byte(s)) // canonical ones cannot fail
		}
	}
	return h
}

// hash returns one of the hashes with a byte in front that says which; nil when it is missing.
func (h *fileHashes) hash(i int) []byte {
	if h[0]&(1<<i) == 0 {
		return nil
	}
	return append([]byte{byte(i)}, h[hashSpans[i][0]:hashSpans[i][1]]...)
}

// strongest returns the strongest hash that there is, as hash does.
func (h *fileHashes) strongest() []byte {
	for i := len(hashSpans) - 1; i > 0; i-- {
		if b := h.hash(i); b != nil {
			return b
		}
	}
	return h.hash(0)
}

// add adds the hashes of another file. It reports false, and adds nothing, when two hashes of one
// kind differ.
func (h *fileHashes) add(other *fileHashes) bool {
	sum := *h
	for i, span := range hashSpans {
		theirs := other[span[0]:span[1]]
		switch bit := byte(1 << i); {
		case other[0]&bit == 0:
		case h[0]&bit == 0:
			sum[0] |= bit
			copy(sum[span[0]:], theirs)
		case !bytes.Equal(h[span[0]:span[1]], theirs):
			return false
		}
	}
	*h = sum
	return true
}

// key is the key of files with these hashes.
func (h *fileHashes) key() mergeKey { return keyOf(keyFile, string(h[:])) }

// addHashes adds each hash of a file, with all of them behind it, to what clusters reads.
func addHashes(links *extsort.Sorter, h *fileHashes) error {
	for i := range hashSpans {
		if hash := h.hash(i); hash != nil {
			if err := links.Add(append(hash, h[:]...), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileCluster is what is known about the files that have certain hashes.
type fileCluster struct {
	own  fileHashes // theirs
	all  fileHashes // those of all files that they are connected with through common hashes
	torn bool       // two of these files have different hashes of one kind
	// alone says that two of the files that have the strongest of their own hashes have different
	// hashes of one kind.
	alone bool
}

// label appends what the files that are merged with them have in common, and nothing else has.
func (f *fileCluster) label(b []byte) []byte {
	switch {
	case !f.torn:
		return append(append(b, 'C'), f.all[:]...)
	case !f.alone:
		return append(append(b, 'S'), f.own.strongest()...)
	}
	return append(append(b, 'O'), f.own[:]...)
}

// value is what a cluster is written as, under its own hashes.
func (f *fileCluster) value(b []byte) []byte {
	flags := byte(0)
	if f.torn {
		flags |= 1
	}
	if f.alone {
		flags |= 2
	}
	return append(append(b, flags), f.all[:]...)
}

func (f *fileCluster) read(own, value []byte) {
	copy(f.own[:], own)
	if len(value) == 0 { // nothing is known but these
		*f = fileCluster{own: f.own, all: f.own}
		return
	}
	f.torn, f.alone = value[0]&1 != 0, value[0]&2 != 0
	copy(f.all[:], value[1:])
}

// take adds what is known about the same files from elsewhere.
func (f *fileCluster) take(other *fileCluster) {
	f.torn = f.torn || other.torn || !f.all.add(&other.all)
	f.alone = f.alone || other.alone
}

// fileRounds is how often files must learn from those that they share a hash with. A cluster in
// which nothing differs has three hashes at most. What is known about a file starts with one hash
// or more, and each round adds at least one until all are known; so after three rounds it is all,
// or four, of which two are of one kind.
const fileRounds = 3

// fileLinker finds out which files are merged.
type fileLinker struct {
	ctx  context.Context
	make func() *extsort.Sorter
}

// clusters reads what addHashes has written, closes it, and returns a sorter with what is known about
// files that share a hash with others: fileCluster.value under the hashes.
func (l *fileLinker) clusters(links *extsort.Sorter) (known *extsort.Sorter, err error) {
	for round := range fileRounds {
		if round > 0 {
			links = l.make()
			err = l.spread(known, links)
			known.Close()
		}
		known = l.make()
		if err == nil {
			err = l.learn(links, known, round == 0)
		}
		links.Close()
		if err != nil {
			known.Close()
			return nil, err
		}
	}
	return known, nil
}

// spread puts every cluster under each of its own hashes.
func (l *fileLinker) spread(known, links *extsort.Sorter) error {
	var key, value []byte
	for f, err := range l.each(known) {
		if err != nil {
			return err
		}
		value = f.value(value[:0])
		for i := range hashSpans {
			if hash := f.own.hash(i); hash != nil {
				key = append(append(key[:0], hash...), f.own[:]...)
				if err := links.Add(key, value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// each returns the clusters in a sorter, one for each set of own hashes.
func (l *fileLinker) each(known *extsort.Sorter) iter.Seq2[*fileCluster, error] {
	return func(yield func(*fileCluster, error) bool) {
		var last, f fileCluster
		any := false
		for rec, err := range records(l.ctx, known) {
			if err != nil {
				yield(nil, err)
				return
			}
			f.read(rec.Key, rec.Value)
			switch {
			case any && f.own == last.own:
				last.take(&f)
				continue
			case any && !yield(&last, nil):
				return
			}
			last, any = f, true
		}
		if any {
			yield(&last, nil)
		}
	}
}

// learn tells the files that share a hash what is known about the others.
func (l *fileLinker) learn(links, known *extsort.Sorter, first bool) error {
	h := sharing{known: known, first: first}
	var last []byte
	for rec, err := range records(l.ctx, links) {
		if err != nil {
			return err
		}
		if bytes.Equal(rec.Key, last) {
			continue // the same file again
		}
		last = append(last[:0], rec.Key...)
		hash, own := rec.Key[:len(rec.Key)-len(fileHashes{})], rec.Key[len(rec.Key)-len(fileHashes{}):]
		if !bytes.Equal(hash, h.hash) {
			if err := h.end(); err != nil {
				return err
			}
			h.begin(hash)
		}
		var f fileCluster
		f.read(own, rec.Value)
		if err := h.add(&f); err != nil {
			return err
		}
	}
	return h.end()
}

// sharing is the files that share a hash. As long as nothing differs, their own hashes are that one
// and a choice of two others, so that there are four at most; once something does, nothing
// has to wait any more.
type sharing struct {
	known *extsort.Sorter
	first bool // whether it is the first round, in which nothing is known but own hashes
	hash  []byte
	sum   fileCluster
	count int
	wait  []fileCluster
	value []byte
}

func (h *sharing) begin(hash []byte) {
	h.hash = append(h.hash[:0], hash...)
	h.sum, h.count, h.wait = fileCluster{}, 0, h.wait[:0]
}

func (h *sharing) add(f *fileCluster) error {
	h.count++
	h.sum.torn = h.sum.torn || f.torn || !h.sum.all.add(&f.all)
	if !h.sum.torn {
		h.wait = append(h.wait, *f)
		return nil
	}
	if err := h.tellAll(); err != nil {
		return err
	}
	return h.tell(f)
}

func (h *sharing) end() error {
	if h.count == 1 {
		return nil // who shares with nobody is left out; who shares another hash is told there
	}
	return h.tellAll()
}

func (h *sharing) tellAll() error {
	for i := range h.wait {
		if err := h.tell(&h.wait[i]); err != nil {
			return err
		}
	}
	h.wait = h.wait[:0]
	return nil
}

func (h *sharing) tell(f *fileCluster) error {
	f.torn = h.sum.torn
	if f.torn {
		f.alone = f.alone || h.first && bytes.Equal(f.own.strongest(), h.hash)
	} else {
		f.all = h.sum.all
	}
	h.value = f.value(h.value[:0])
	return h.known.Add(f.own[:], h.value)
}
