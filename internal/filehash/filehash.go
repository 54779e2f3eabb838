// Package filehash finds files that are the same because they share a hash, directly or by way of other files. Its memory
// is that of the sorters that the caller provides.
package filehash

import (
	"bytes"
	"context"
	"encoding/hex"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// Hashes are the hashes of a file: a byte whose bits say which there are, and room for an MD5,
// a SHA-1 and a SHA-256.
type Hashes [1 + 16 + 20 + 32]byte

// hashSpans are the places of the hashes, the weakest first.
var hashSpans = [3][2]int{{1, 17}, {17, 37}, {37, 69}}

// Of takes an MD5, a SHA-1 and a SHA-256 in hexadecimal digits; each may be empty.
func Of(v [3]string) (h Hashes) {
	for i, s := range v {
		if s != "" {
			h[0] |= 1 << i
			_, _ = hex.Decode(h[hashSpans[i][0]:hashSpans[i][1]], []byte(s)) // canonical ones cannot fail
		}
	}
	return h
}

// hash returns one of the hashes with a byte in front that says which; nil when it is missing.
func (h *Hashes) hash(i int) []byte {
	if h[0]&(1<<i) == 0 {
		return nil
	}
	return append([]byte{byte(i)}, h[hashSpans[i][0]:hashSpans[i][1]]...)
}

// strongest returns the strongest hash that there is, as hash does.
func (h *Hashes) strongest() []byte {
	for i := len(hashSpans) - 1; i > 0; i-- {
		if b := h.hash(i); b != nil {
			return b
		}
	}
	return h.hash(0)
}

// add adds the hashes of another file. It reports false, and adds nothing, when two hashes of one
// kind differ.
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

// AddTo adds each hash of a file, with all of them behind it, to what [Clusters] reads.
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

// Cluster is what is known about the files that have certain hashes.
type Cluster struct {
	Own  Hashes // theirs
	all  Hashes // those of all files that they are connected with through common hashes
	Torn bool   // two of these files have different hashes of one kind
	// alone says that two of the files that have the strongest of their own hashes have different
	// hashes of one kind.
	alone bool
}

// AppendLabel appends a label that is equal for files that are to be merged, and for no others.
func (f *Cluster) AppendLabel(b []byte) []byte {
	switch {
	case !f.Torn:
		return append(append(b, 'C'), f.all[:]...)
	case !f.alone:
		return append(append(b, 'S'), f.Own.strongest()...)
	}
	return append(append(b, 'O'), f.Own[:]...)
}

// value is what a cluster is written as, under its own hashes.
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

func (f *Cluster) read(own, value []byte) {
	copy(f.Own[:], own)
	if len(value) == 0 { // nothing is known but these
		*f = Cluster{Own: f.Own, all: f.Own}
		return
	}
	f.Torn, f.alone = value[0]&1 != 0, value[0]&2 != 0
	copy(f.all[:], value[1:])
}

// take adds what is known about the same files from elsewhere.
func (f *Cluster) take(other *Cluster) {
	f.Torn = f.Torn || other.Torn || !f.all.add(&other.all)
	f.alone = f.alone || other.alone
}

// rounds is how often files must learn from those that they share a hash with. A cluster in
// which nothing differs has three hashes at most. What is known about a file starts with one hash
// or more, and each round adds at least one until all are known; so after three rounds it is all,
// or four, of which two are of one kind.
const rounds = 3

// linker finds out which files are one.
type linker struct {
	ctx  context.Context
	make func() *extsort.Sorter
}

// Clusters returns a cluster for each set of hashes that shares one with another set. It reads what [Hashes.AddTo]
// has written and closes that. It sorts with what makeSorter returns. An error is the last element.
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

// clusters reads what AddTo has written, closes it, and returns a sorter with what is known about
// files that share a hash with others: Cluster.value under the hashes.
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

// spread puts every cluster under each of its own hashes.
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

// each returns the clusters in a sorter, one for each set of own hashes.
func (l *linker) each(known *extsort.Sorter) iter.Seq2[*Cluster, error] {
	return func(yield func(*Cluster, error) bool) {
		var last, f Cluster
		any := false
		for rec, err := range known.SortedUntil(l.ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			f.read(rec.Key, rec.Value)
			switch {
			case any && f.Own == last.Own:
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
func (l *linker) learn(links, known *extsort.Sorter, first bool) error {
	h := sharing{known: known, first: first}
	var last []byte
	for rec, err := range links.SortedUntil(l.ctx) {
		if err != nil {
			return err
		}
		if bytes.Equal(rec.Key, last) {
			continue // the same file again
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

// sharing is the files that share a hash. As long as nothing differs, their own hashes are that one
// and a choice of two others, so that there are four at most; once something does, nothing
// has to wait any more.
type sharing struct {
	known *extsort.Sorter
	first bool // whether it is the first round, in which nothing is known but own hashes
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

func (h *sharing) tell(f *Cluster) error {
	f.Torn = h.sum.Torn
	if f.Torn {
		f.alone = f.alone || h.first && bytes.Equal(f.Own.strongest(), h.hash)
	} else {
		f.all = h.sum.all
	}
	h.value = f.value(h.value[:0])
	return h.known.Add(f.Own[:], h.value)
}
