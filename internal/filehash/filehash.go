// Package filehash finds files that are equal because they share a hash, directly or through other files. Its
// memory use is that of the sorters that the caller provides.
package filehash

import (
	"bytes"
	"context"
	"encoding/hex"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// Hashes are the hashes of a file: a byte with a bit per hash that is present, then an MD5, a SHA-1 and a
// SHA-256.
type Hashes [1 + 16 + 20 + 32]byte

// hashSpans are the positions of the hashes, weakest first.
var hashSpans = [3][2]int{{1, 17}, {17, 37}, {37, 69}}

// Of returns the Hashes for an MD5, a SHA-1 and a SHA-256 in hexadecimal digits. Each may be empty.
func Of(v [3]string) (h Hashes) {
	for i, s := range v {
		if s != "" {
			h[0] |= 1 << i
			_, _ = hex.Decode(h[hashSpans[i][0]:hashSpans[i][1]], []byte(s)) // canonical hashes cannot fail
		}
	}
	return h
}

// hash returns hash i, prefixed with i, or nil if it is missing.
func (h *Hashes) hash(i int) []byte {
	if h[0]&(1<<i) == 0 {
		return nil
	}
	return append([]byte{byte(i)}, h[hashSpans[i][0]:hashSpans[i][1]]...)
}

// strongest returns the strongest hash in the form of hash.
func (h *Hashes) strongest() []byte {
	for i := len(hashSpans) - 1; i > 0; i-- {
		if b := h.hash(i); b != nil {
			return b
		}
	}
	return h.hash(0)
}

// add adds the hashes of another file. If two hashes of one kind differ, it adds nothing and returns false.
func (h *Hashes) add(other *Hashes) bool {
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

// AddTo adds a record for each hash of a file to links, for [Clusters].
func (h *Hashes) AddTo(links *extsort.Sorter) error {
	for i := range hashSpans {
		if hash := h.hash(i); hash != nil {
			if err := links.Add(append(hash, h[:]...), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Cluster describes the files with the same set of hashes.
type Cluster struct {
	Own  Hashes // the hashes of these files
	all  Hashes // the hashes of all connected files
	Torn bool   // two connected files have different hashes of one kind
	// alone reports that two files with the strongest hash of Own have different hashes of one kind.
	alone bool
}

// AppendLabel appends a label that is equal exactly for files to be merged.
func (f *Cluster) AppendLabel(b []byte) []byte {
	switch {
	case !f.Torn:
		return append(append(b, 'C'), f.all[:]...)
	case !f.alone:
		return append(append(b, 'S'), f.Own.strongest()...)
	}
	return append(append(b, 'O'), f.Own[:]...)
}

// value appends the cluster without Own.
func (f *Cluster) value(b []byte) []byte {
	flags := byte(0)
	if f.Torn {
		flags |= 1
	}
	if f.alone {
		flags |= 2
	}
	return append(append(b, flags), f.all[:]...)
}

// read is the inverse of value.
func (f *Cluster) read(own, value []byte) {
	copy(f.Own[:], own)
	if len(value) == 0 { // from AddTo: only Own is known
		*f = Cluster{Own: f.Own, all: f.Own}
		return
	}
	f.Torn, f.alone = value[0]&1 != 0, value[0]&2 != 0
	copy(f.all[:], value[1:])
}

// take adds another description of the same files.
func (f *Cluster) take(other *Cluster) {
	f.Torn = f.Torn || other.Torn || !f.all.add(&other.all)
	f.alone = f.alone || other.alone
}

// rounds is the number of times that files learn from others that share a hash. A cluster without a
// contradiction has at most three hashes. A file knows at least one hash at the start, and learns at least
// one more per round until it knows all. So after three rounds it knows all hashes, or four, two of which are
// of one kind.
const rounds = 3

// linker computes clusters.
type linker struct {
	ctx  context.Context
	make func() *extsort.Sorter
}

// Clusters returns an iterator over the sets of hashes that share a hash with another set. It reads and
// closes links, to which [Hashes.AddTo] has written. makeSorter returns an empty Sorter. If an error occurs,
// the iterator yields it and stops.
func Clusters(ctx context.Context, makeSorter func() *extsort.Sorter, links *extsort.Sorter) iter.Seq2[*Cluster, error] {
	return func(yield func(*Cluster, error) bool) {
		l := &linker{ctx: ctx, make: makeSorter}
		known, err := l.clusters(links)
		if err != nil {
			yield(nil, err)
			return
		}
		defer known.Close()
		for f, err := range l.each(known) {
			if !yield(f, err) {
				return
			}
		}
	}
}

// clusters reads and closes links. It returns a sorter with the clusters of files that share a hash with
// others, by Own.
func (l *linker) clusters(links *extsort.Sorter) (known *extsort.Sorter, err error) {
	for round := range rounds {
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

// spread adds each cluster under each hash of Own.
func (l *linker) spread(known, links *extsort.Sorter) error {
	var key, value []byte
	for f, err := range l.each(known) {
		if err != nil {
			return err
		}
		value = f.value(value[:0])
		for i := range hashSpans {
			if hash := f.Own.hash(i); hash != nil {
				key = append(append(key[:0], hash...), f.Own[:]...)
				if err := links.Add(key, value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// each yields the clusters in a sorter, one per Own.
func (l *linker) each(known *extsort.Sorter) iter.Seq2[*Cluster, error] {
	return func(yield func(*Cluster, error) bool) {
		var last, f Cluster
		started := false
		for rec, err := range known.SortedUntil(l.ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			f.read(rec.Key, rec.Value)
			switch {
			case started && f.Own == last.Own:
				last.take(&f)
				continue
			case started && !yield(&last, nil):
				return
			}
			last, started = f, true
		}
		if started {
			yield(&last, nil)
		}
	}
}

// learn combines the clusters of files that share a hash.
func (l *linker) learn(links, known *extsort.Sorter, first bool) error {
	h := sharing{known: known, first: first}
	var last []byte
	for rec, err := range links.SortedUntil(l.ctx) {
		if err != nil {
			return err
		}
		if bytes.Equal(rec.Key, last) {
			continue // a repeated file
		}
		last = append(last[:0], rec.Key...)
		hash, own := rec.Key[:len(rec.Key)-len(Hashes{})], rec.Key[len(rec.Key)-len(Hashes{}):]
		if !bytes.Equal(hash, h.hash) {
			if err := h.end(); err != nil {
				return err
			}
			h.begin(hash)
		}
		var f Cluster
		f.read(own, rec.Value)
		if err := h.add(&f); err != nil {
			return err
		}
	}
	return h.end()
}

// sharing combines the files that share a hash. Without a contradiction there are at most four sets of
// hashes: the shared hash with any of two others. After a contradiction, no set has to wait for others.
type sharing struct {
	known *extsort.Sorter
	first bool // in the first round only Own is known
	hash  []byte
	sum   Cluster
	count int
	wait  []Cluster
	value []byte
}

func (h *sharing) begin(hash []byte) {
	h.hash = append(h.hash[:0], hash...)
	h.sum, h.count, h.wait = Cluster{}, 0, h.wait[:0]
}

func (h *sharing) add(f *Cluster) error {
	h.count++
	h.sum.Torn = h.sum.Torn || f.Torn || !h.sum.all.add(&f.all)
	if !h.sum.Torn {
		h.wait = append(h.wait, *f)
		return nil
	}
	if err := h.storeWaiting(); err != nil {
		return err
	}
	return h.store(f)
}

func (h *sharing) end() error {
	if h.count == 1 {
		return nil // a file that shares no hash is omitted; other hashes are handled separately
	}
	return h.storeWaiting()
}

func (h *sharing) storeWaiting() error {
	for i := range h.wait {
		if err := h.store(&h.wait[i]); err != nil {
			return err
		}
	}
	h.wait = h.wait[:0]
	return nil
}

func (h *sharing) store(f *Cluster) error {
	f.Torn = h.sum.Torn
	if f.Torn {
		f.alone = f.alone || h.first && bytes.Equal(f.Own.strongest(), h.hash)
	} else {
		f.all = h.sum.all
	}
	h.value = f.value(h.value[:0])
	return h.known.Add(f.Own[:], h.value)
}
