package threatconnect

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// MergeOptions configures [MergeItems]. Nil and the zero value merge with the defaults and cut nothing.
type MergeOptions struct {
	// MaxBytes is about how many bytes of items are kept in memory: 1 MiB to 1 GiB; 0 means 8 MiB. The
	// heap grows to three to four times that, with the garbage and buffers of files, whatever the number
	// of items. Besides that, memory holds two bits per item, and as much as a large item needs.
	// Temporary files hold each item once, and about 70 bytes per item for sorting.
	MaxBytes int
	// Dir is the directory for temporary files, which hold the items; empty means the system's. Only
	// the user of the process can read them, and they have no name where the system allows that.
	Dir string
	// MaxLengths limits the number of characters in values of an attribute type. A longer value, and an
	// indicator's longer description or source, is cut and ends in three dots. Types that are missing,
	// and those of length 0, are not cut. TypesService.AttributeLengths reads the limits of an instance.
	MaxLengths map[string]int
	// OnMerged, if not nil, is called once with the counts, before the first item is passed on.
	OnMerged func(MergeStats)
	// OnItem, if not nil, is called with the origin of each item, just before the item is passed on: the
	// first call is about the item that Import and BatchItemError count as 0, and so on.
	OnItem func(MergeOrigin)
}

// MergeOrigin tells which items one was made of.
type MergeOrigin struct {
	First int64 // position of the first of them in the feed, from 0
	Count int64 // how many they are
}

// MergeStats counts what [MergeItems] has done.
type MergeStats struct {
	Read  int64 // items that came in
	Items int64 // items that go out
	// Invalid counts items that break a rule of batch files. They go out as they came in, for the writer
	// to refuse.
	Invalid int64
	// Torn counts files in clusters in which two hashes of one kind differ.
	Torn int64
	// Full counts how often a merged item had become so large that the next one like it was left apart.
	Full int64
	Cut  int64 // values of attributes that were cut
}

// MergeItems deduplicates a feed: it merges items that are about the same thing and returns a
// sequence for [BatchService.Import]. It reads all items before it passes on the first, and keeps the
// order in which each came first. Memory is bounded by MaxBytes, whatever the number of items; the
// rest is in temporary files that are removed when the sequence ends. It sends no request. The
// sequence can be ranged over again if items can. A goroutine works beside the caller until it ends.
//
// Merged are indicators of one type and canonical value; files that have a hash in common, also by
// way of other files; groups of one type and xid; and associations of one type between the same two
// ends, in either direction. The merged item has
//
//   - the highest rating and confidence,
//   - all tags, security labels, groups, associated indicators, file occurrences and hashes, and
//     all attributes that differ in type or value, each once. Attributes that do not differ become one:
//     displayed or pinned if one of them is, with the labels of all and the first source that is set,
//   - the first description of an indicator; others become attributes of the type Description,
//   - the earliest date of being seen first and of being added outside, and the latest date of
//     being seen last, changed and expiring,
//   - the private flag if one has it,
//   - and of every other field the last value that is set.
//
// An item that nothing repeats is deduplicated too: each member of its lists remains once.
//
// A cluster of files that are connected by hashes is torn if two of its hashes of one kind differ.
// Its files are then merged only if they have the same strongest hash; and where files with that hash
// differ in another, only if all their hashes are the same.
//
// A merged item grows to a 16th of MaxBytes; the next one like it begins another. An item that
// breaks a rule of batch files, or is of another package's type, is passed on as it is, for the writer
// to refuse. Of several contents of one group ([GroupContent]) the last is uploaded; memory holds how
// to open them, not their bytes.
//
// An error of items is passed on after the items before it, and ends the sequence. Other errors are a
// [*ValidationError] of opts, errors of temporary files, and the cause of the end of ctx; they are the
// only element, or the last.
func MergeItems(ctx context.Context, items iter.Seq2[BatchItem, error], opts *MergeOptions) iter.Seq2[BatchItem, error] {
	return func(yield func(BatchItem, error) bool) {
		o, err := copyOf(opts).withDefaults()
		if err == nil {
			err = checkContext(ctx)
		}
		if err == nil && items == nil {
			err = &ValidationError{Field: "batch items", Rule: "are nil"}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		m := newMerge(ctx, o)
		defer m.close()
		source, err := m.read(items)
		if err == nil {
			err = m.plan()
		}
		if err != nil {
			yield(nil, errors.Join(source, fmt.Errorf("threatconnect: merge batch items: %w", err)))
			return
		}
		if o.OnMerged != nil {
			o.OnMerged(m.stats)
		}
		switch more, err := m.pass(yield); {
		case err != nil:
			yield(nil, errors.Join(source, fmt.Errorf("threatconnect: merge batch items: %w", err)))
		case more && source != nil:
			yield(nil, source)
		}
	}
}

const (
	defaultMergeBytes = 8 << 20
	minMergeBytes     = 1 << 20
	maxMergeBytes     = 1 << 30
	mergeParts        = 4  // of the memory, for a log or a sorter each
	mergedPart        = 16 // which part of the memory a merged item may have
)

func (o MergeOptions) withDefaults() (MergeOptions, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMergeBytes
	}
	if o.MaxBytes < minMergeBytes || o.MaxBytes > maxMergeBytes {
		return o, &ValidationError{Field: "merge bytes", Rule: "must be from 1,048,576 to 1,073,741,824, or 0 for the default", Fix: "set MaxBytes"}
	}
	for _, n := range o.MaxLengths {
		if n < 0 {
			return o, &ValidationError{Field: "merge attribute length", Rule: "is negative", Fix: "leave out the types whose values are not to be cut"}
		}
	}
	return o, nil
}

// merge is one run of MergeItems. Its steps are read, plan and pass. Items are written once, to a
// log in the order in which they come, and read once, in that order; only their keys are sorted. An
// item that repeats an earlier one is read when that one is passed on.
type merge struct {
	ctx    context.Context
	opts   MergeOptions
	stats  MergeStats
	rules  encoder
	codec  *itemCodec
	merger *itemMerger
	aside  mergedContents

	log     *extsort.Log    // all items
	index   *extsort.Sorter // key and number of each valid item: where it is in the log
	hashes  *extsort.Sorter // each hash of a file with all hashes of that file
	repeats *extsort.Sorter // number of an item: where the next one is that is merged into it
	invalid bits            // items that break a rule
	again   bits            // items that are merged into one before them

	group mergeGroup // that plan is about
}

// mergeGroup is items that become one.
type mergeGroup struct {
	key     mergeKey
	first   []byte  // number of the first item, as a key of repeats
	pending []int64 // where the items are in the log that are not in the merger yet
	begun   bool    // whether the merger holds the others
	size    int     // of the merged item, at most
}

func newMerge(ctx context.Context, o MergeOptions) *merge {
	m := &merge{ctx: ctx, opts: o, codec: newItemCodec(), aside: newMergedContents()}
	m.merger = newItemMerger(m.codec)
	m.rules = encoder{action: BatchCreate}
	m.log = extsort.NewLog(o.Dir, o.MaxBytes/mergeParts)
	m.index, m.hashes, m.repeats = m.sorter(), m.sorter(), m.sorter()
	return m
}

func (m *merge) sorter() *extsort.Sorter { return extsort.New(m.opts.Dir, m.opts.MaxBytes/mergeParts) }

func (m *merge) close() {
	m.log.Close()
	m.index.Close()
	m.hashes.Close()
	m.repeats.Close()
}

// read writes all items to the log, in a goroutine of its own, a little behind the sequence. It
// returns the error of the sequence, and its own.
func (m *merge) read(items iter.Seq2[BatchItem, error]) (source, err error) {
	full, free, stored := make(chan *arrivals, 1), make(chan *arrivals, 2), make(chan error, 1)
	free <- new(arrivals)
	free <- new(arrivals)
	go func() { stored <- m.store(full, free) }()
	var failed error // of store, once it is known
	defer func() {
		close(full)
		if failed == nil {
			failed = <-stored
		}
		err = cmp.Or(err, failed)
	}()
	now := <-free
	for item, err := range items {
		if err != nil {
			source = err
			break
		}
		if m.ctx.Err() != nil {
			return nil, context.Cause(m.ctx)
		}
		if err := m.add(now, m.aside.take(plainType(item))); err != nil {
			return nil, err
		}
		if len(now.text) < batchBytes {
			continue
		}
		select {
		case full <- now:
		case failed = <-stored:
			return nil, nil
		}
		select {
		case now = <-free:
		case failed = <-stored:
			return nil, nil
		}
	}
	select {
	case full <- now:
	case failed = <-stored:
	}
	return source, nil
}

// arrivals are items on their way to the log.
type arrivals struct {
	text  []byte // the items, encoded
	items []arrival
}

type arrival struct {
	end    int // of the item in the text
	n      int64
	valid  bool
	key    mergeKey
	hashes *fileHashes // of a file
}

func (m *merge) add(to *arrivals, item BatchItem) (err error) {
	a := arrival{n: m.stats.Read}
	m.stats.Read++
	content := m.codec.encode(item)
	if content[0] >= codecTypes {
		_, err := m.rules.encode(item)
		a.valid = err == nil
	}
	if !a.valid {
		m.stats.Invalid++
		m.stats.Items++
		m.invalid.set(a.n)
		if content[0] == codecForeign {
			m.aside.odd[a.n] = item
		}
	} else {
		if a.key, a.hashes, err = mergeKeyOf(item, m.rules.canonical); err != nil {
			return err
		}
		if content, err = m.cut(content); err != nil {
			return err
		}
	}
	to.text = append(to.text, content...)
	a.end = len(to.text)
	to.items = append(to.items, a)
	return nil
}

// cut cuts the values of an encoded item; the caller's is not changed.
func (m *merge) cut(content []byte) ([]byte, error) {
	if len(m.opts.MaxLengths) == 0 {
		return content, nil
	}
	item, err := m.codec.decode(content)
	if err != nil {
		return nil, err
	}
	cut := cutValues(item, m.opts.MaxLengths)
	if cut == 0 {
		return content, nil
	}
	m.stats.Cut += cut
	return m.codec.encode(item), nil
}

// store writes items to the log, and where they are to the index, until there are no more.
func (m *merge) store(full <-chan *arrivals, free chan<- *arrivals) error {
	var value []byte
	for batch := range full {
		begin := 0
		for i := range batch.items {
			a := &batch.items[i]
			content := batch.text[begin:a.end]
			begin = a.end
			at, err := m.log.Add(content)
			if err == nil && a.hashes != nil {
				err = addHashes(m.hashes, a.hashes)
			}
			if err == nil && a.valid {
				value = place{at, len(content)}.append(value[:0])
				err = m.index.Add(a.key.with(a.n+1), value)
			}
			if err != nil {
				return err
			}
		}
		if cap(batch.text) > 4*batchBytes {
			batch.text = nil // one large item is no reason to keep its room
		}
		batch.text, batch.items = batch.text[:0], batch.items[:0]
		free <- batch
	}
	return nil
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
	for rec, err := range records(m.ctx, m.index) {
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
	for rec, err := range records(m.ctx, files) {
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
	linker := fileLinker{ctx: m.ctx, make: m.sorter}
	known, err := linker.clusters(m.hashes)
	if err != nil {
		return err
	}
	defer known.Close()
	for f, err := range linker.each(known) {
		if err != nil {
			return err
		}
		value := make([]byte, 1, 1+len(mergeKey{}))
		if f.torn {
			value[0] = 1
		}
		label := keyOf(keyCluster, string(f.label(nil)))
		if err := m.index.Add(f.own.key().with(0), append(value, label[:]...)); err != nil {
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

// fits reports whether an item of a size can be merged into the group. Sizes add up to more than
// what comes of it, so the merged item is made and measured where they are too much.
func (m *merge) fits(size int) (bool, error) {
	g, most := &m.group, m.opts.MaxBytes/mergedPart
	if g.size += size; g.size <= most {
		return true, nil
	}
	for _, at := range g.pending {
		if err := m.mergeAt(at, g.begun); err != nil {
			return false, err
		}
		g.begun = true
	}
	g.pending = g.pending[:0]
	g.size = len(m.codec.encode(m.merger.item))
	if g.size > most/2 { // so that measuring again is a long way off
		return false, nil
	}
	g.size += size
	return true, nil
}

// mergeAt merges an item of the log into the one in the merger, or begins with it.
func (m *merge) mergeAt(at int64, more bool) error {
	content, err := m.log.At(at)
	if err != nil {
		return err
	}
	if more {
		return m.merger.add(content)
	}
	item, err := m.codec.decode(content)
	if err == nil {
		m.merger.begin(item)
	}
	return err
}

// merged is an item that goes out.
type merged struct {
	item BatchItem
	from MergeOrigin
}

// pass passes everything on. It reports whether more is wanted. The items are read and merged in a
// goroutine of their own, a little ahead of the caller.
func (m *merge) pass(yield func(BatchItem, error) bool) (bool, error) {
	ahead, stop := make(chan []merged, 1), make(chan struct{})
	var err error
	go func() {
		defer close(ahead)
		err = m.prepare(func(batch []merged) bool {
			select {
			case ahead <- batch:
				return true
			case <-stop:
				return false
			}
		})
	}()
	defer func() {
		close(stop)
		for range ahead { // until the goroutine has ended
		}
	}()
	for batch := range ahead {
		for _, next := range batch {
			if m.ctx.Err() != nil {
				return true, context.Cause(m.ctx)
			}
			if m.opts.OnItem != nil {
				m.opts.OnItem(next.from)
			}
			if !yield(m.aside.give(next.item, next.from.First), nil) {
				return false, nil
			}
		}
	}
	return true, err
}

// prepare calls give with all items that go out, in batches of about batchBytes, until it returns
// false.
func (m *merge) prepare(give func([]merged) bool) error {
	next, stop := iter.Pull2(records(m.ctx, m.repeats))
	defer stop()
	repeat, err, more := next()
	var batch []merged
	n, size := int64(-1), 0
	for content, logErr := range m.log.All() {
		if m.ctx.Err() != nil {
			logErr = context.Cause(m.ctx)
		}
		if err := cmp.Or(err, logErr); err != nil {
			return err
		}
		if n++; m.again.has(n) {
			continue
		}
		item, err2 := m.codec.decode(content)
		if err2 != nil {
			return err2
		}
		from := MergeOrigin{First: n, Count: 1}
		size += len(content)
		if !m.invalid.has(n) {
			m.merger.begin(item)
			for ; err == nil && more && numberOf(repeat.Key) == n; from.Count++ {
				p := placeOf(repeat.Value)
				size += p.size
				if err = m.mergeAt(p.at, true); err == nil {
					repeat, err, more = next()
				}
			}
			if err != nil {
				return err
			}
		}
		if batch = append(batch, merged{item, from}); size >= batchBytes {
			if !give(batch) {
				return nil
			}
			batch, size = make([]merged, 0, len(batch)), 0
		}
	}
	if len(batch) > 0 {
		give(batch)
	}
	return nil
}

const batchBytes = 32 << 10 // of encoded items that go from one goroutine to the other at a time

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

// records returns the records of a sorter in their order until the context ends.
func records(ctx context.Context, s *extsort.Sorter) iter.Seq2[extsort.Record, error] {
	return func(yield func(extsort.Record, error) bool) {
		for rec, err := range s.Sorted() {
			if err == nil && ctx.Err() != nil {
				rec, err = extsort.Record{}, context.Cause(ctx)
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}
