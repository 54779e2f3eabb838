package threatconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
	"github.com/threatconnect-go/threatconnect/internal/filehash"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// MergeOptions configures [MergeItems]. Nil and the zero value use the defaults and cut nothing.
type MergeOptions struct {
	// MaxBytes is the approximate memory for items: 1 MiB to 1 GiB; 0 means 8 MiB. With garbage and file buffers,
	// the heap grows to three to four times that, plus one bit per item and the largest item. Temporary
	// files hold each item once, and about 70 bytes per item for sorting.
	MaxBytes int
	// Dir is the directory of the temporary files, which hold the items; empty means that of the system. Only
	// the user of the process can read the files. They have no name if the system allows that.
	Dir string
	// MaxLengths limits the number of characters of attribute values by attribute type; 0 or no entry means no
	// limit. A longer value is cut and ends with three dots, and so is a longer description of an indicator.
	// TypesService.AttributeLengths returns the limits of an instance.
	MaxLengths map[string]int
	Rating     *float64 // threat rating of indicators without one in the feed, 0 to 5; nil sets none
	Confidence *int     // confidence of indicators without one in the feed, 0 to 100; nil sets none
	// OnMerged, if not nil, is called once with the counts, before the first item is yielded.
	OnMerged func(MergeStats)
	// OnItem, if not nil, is called with the origin of each item before the item is yielded. The first call is
	// about the item with Seq 0 in BatchItemError, and so on.
	OnItem func(MergeOrigin)
}

// MergeOrigin says which items of the feed a merged item consists of.
type MergeOrigin struct {
	First int64 // position of the first of them in the feed, from 0
	Count int64 // number of them
}

// MergeStats are the counts of [MergeItems].
type MergeStats struct {
	Read    int64 // items of the feed
	Items   int64 // items that are yielded
	Invalid int64 // items that break a rule of batch files; they are yielded, and the import reports them
	Torn    int64 // files in clusters in which two hashes of one kind differ
	Full    int64 // items that were not merged because the merged item had reached its largest size
	Cut     int64 // attribute values and descriptions that were cut
}

// MergeItems deduplicates a feed: it merges items that describe the same thing and returns a sequence for
// [BatchService.Import]. It reads all items before it yields the first, and keeps the order of first
// occurrence. Memory is limited by MaxBytes for any number of items; temporary files hold the rest and are
// removed when the sequence ends. It sends no request. The sequence can be ranged over again if items can.
// A goroutine runs until the sequence ends.
//
// Merged items are encoded and have no exported type. They are for imports, [BatchService.Reconcile] and
// [Fingerprinter]. To change or drop items, do that before they are merged.
//
// These are merged: indicators with the same type and canonical value; files that share a hash, also by way of
// other files; groups with the same type and xid; and associations with the same type and ends, in either
// direction. A merged item has
//
//   - the highest rating and confidence,
//   - all tags, security labels, groups, associated indicators, file occurrences and hashes, each once,
//   - all attributes that differ in type or value. Equal ones become one, displayed or pinned if one of them
//     is, with all security labels and the first source,
//   - the first description of an indicator; other descriptions become attributes of the type Description,
//   - the earliest FirstSeen and ExternalDateAdded, and the latest LastSeen, ExternalLastModified and
//     ExternalDateExpires,
//   - the private flag if one has it,
//   - and of every other field the last value that is set.
//
// An item without a duplicate also loses repeated members of its lists.
//
// A cluster of files that are connected by hashes is torn if two of its hashes of one kind differ. Its files are
// merged only if they have the same strongest hash. If files with the same strongest hash differ in another
// one, only those with equal hashes are merged.
//
// A merged item grows up to a 16th of MaxBytes; the next duplicate begins another item. An item that breaks a rule
// of batch files keeps its position, and the import reports it as invalid. If a group has several contents
// ([GroupContent]), the last is uploaded; memory holds how to open contents and not their bytes.
//
// An error of items is yielded after the items before it and ends the sequence. Other errors are a
// [*ValidationError] of opts, errors of temporary files, and the cause of the end of ctx. They also end the sequence.
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
	return o, (&IndicatorMeta{Rating: o.Rating, Confidence: o.Confidence}).check()
}

// merge is one run of MergeItems. Its steps are read, plan and pass. It writes items to a log and reads them in the
// same order, and sorts only their keys. It reads a duplicate when it yields the first item of the same key.
type merge struct {
	ctx      context.Context
	opts     MergeOptions
	stats    MergeStats
	encoder  encoder
	merger   itemMerger
	buf      []byte
	contents map[contentOwner]*Content // the last of each group

	log     *extsort.Log    // all items
	index   *extsort.Sorter // key and number of each valid item: where it is in the log
	hashes  *extsort.Sorter // each hash of a file with all hashes of that file
	repeats *extsort.Sorter // number of an item: where the next one is that is merged into it
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
	m := &merge{ctx: ctx, opts: o, contents: map[contentOwner]*Content{}}
	m.encoder = encoder{action: BatchCreate, limits: o.MaxLengths}
	m.merger.defaults = IndicatorMeta{Rating: o.Rating, Confidence: o.Confidence}
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
		if err := m.add(now, plainType(item)); err != nil {
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
	valid  bool
	key    mergeKey
	hashes *filehash.Hashes // of a file
}

func (m *merge) add(to *arrivals, in BatchItem) error {
	var a arrival
	m.stats.Read++
	e := &m.encoder
	enc, err := e.encode(in)
	switch refused, ok := errors.AsType[*ValidationError](err); {
	case ok:
		m.stats.Invalid++
		m.stats.Items++
		to.text = appendRefused(to.text, e.out.Section, e.typ, e.name, refused)
	case err != nil:
		return err
	default:
		a.valid = true
		if err := m.addValid(to, &a, in, enc); err != nil {
			return err
		}
	}
	a.end = len(to.text)
	to.items = append(to.items, a)
	return nil
}

func (m *merge) addValid(to *arrivals, a *arrival, in BatchItem, enc *item.Encoded) (err error) {
	e := &m.encoder
	if _, merged := in.(*mergedItem); merged && enc.Section == item.Indicators {
		if e.canonical, err = e.valuesIn(); err != nil {
			return err
		}
	}
	a.key, a.hashes = e.mergeKey()
	if enc.Content != nil {
		content := enc.Content.Open.(Content)
		m.contents[contentOwner{e.typ, enc.Name}] = &content
	}
	m.stats.Cut += e.cut
	from := len(to.text)
	to.text = appendMerged(to.text, e.typ, enc)
	if !e.repeatsItself(in) {
		return nil
	}
	if err := m.merger.begin(string(to.text[from:])); err != nil {
		return err
	}
	to.text = m.merger.append(to.text[:from])
	return nil
}

// store writes items to the log, and where they are to the index, until there are no more.
func (m *merge) store(full <-chan *arrivals, free chan<- *arrivals) error {
	var value []byte
	n := int64(0)
	for batch := range full {
		begin := 0
		for i := range batch.items {
			a := &batch.items[i]
			n++
			content := batch.text[begin:a.end]
			begin = a.end
			at, err := m.log.Add(content)
			if err == nil && a.hashes != nil {
				err = a.hashes.AddTo(m.hashes)
			}
			if err == nil && a.valid {
				value = place{at, len(content)}.append(value[:0])
				err = m.index.Add(a.key.with(n), value)
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
	m.buf = m.merger.append(m.buf[:0])
	g.size = len(m.buf)
	if g.size > most/2 { // so that measuring again is a long way off
		return false, nil
	}
	g.size += size
	return true, nil
}

// mergeAt merges an item of the log into the one in the merger, or begins with it.
func (m *merge) mergeAt(at int64, more bool) error {
	content, err := m.log.At(at)
	switch {
	case err != nil:
		return err
	case more:
		return m.merger.add(string(content))
	}
	return m.merger.begin(string(content))
}
