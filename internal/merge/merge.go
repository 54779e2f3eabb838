// Package merge deduplicates encoded items in bounded memory. It writes all items to a log, sorts only their keys, and
// yields the items in the order of the log. A duplicate is merged into the first item with its key.
package merge

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
	"github.com/threatconnect-go/threatconnect/internal/filehash"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

const (
	memoryParts = 4        // a log or sorter gets one of these parts of MaxBytes
	mergedPart  = 16       // a merged item gets one of these parts of MaxBytes
	batchBytes  = 32 << 10 // size at which items pass from one goroutine to another
)

// Options configures a Merge.
type Options struct {
	Dir      string // of temporary files
	MaxBytes int    // memory for items
	Defaults []byte // JSON object with the members that indicators lacking them get; nil for none
	// JoinFiles returns the summary of a file with the hashes in two summaries.
	JoinFiles func(a, b string) (string, error)
}

// Stats are the counts of a Merge.
type Stats struct {
	Items int64 // valid items after the merge
	Torn  int64 // files in clusters in which two hashes of one kind differ
	Full  int64 // items that did not fit into the merged item
}

// Merge deduplicates items. Add all items, then call Finish, Plan, Batches and Close, in this order.
type Merge struct {
	Stats Stats

	ctx    context.Context
	opts   Options
	merger merger
	buf    []byte

	log      *extsort.Log    // all items
	index    *extsort.Sorter // key and number of each valid item -> place in the log
	hashes   *extsort.Sorter // for filehash.Clusters
	repeats  *extsort.Sorter // number of an item -> place of the next item to merge into it
	repeated bits            // items that are merged into an earlier one
	group    group           // the current group of Plan

	current    *arrivals
	full, free chan *arrivals
	stored     chan struct{} // closed when store has returned
	storeErr   error         // of store
}

// New returns a Merge. It starts a goroutine that runs until Finish or Close returns.
func New(ctx context.Context, opts Options) *Merge {
	m := &Merge{
		ctx:     ctx,
		opts:    opts,
		merger:  merger{defaults: opts.Defaults, joinFiles: opts.JoinFiles},
		log:     extsort.NewLog(opts.Dir, opts.MaxBytes/memoryParts),
		current: new(arrivals),
		full:    make(chan *arrivals, 1),
		free:    make(chan *arrivals, 2),
		stored:  make(chan struct{}),
	}
	m.index, m.hashes, m.repeats = m.sorter(), m.sorter(), m.sorter()
	m.free <- new(arrivals)
	go func() {
		defer close(m.stored)
		m.storeErr = m.store()
	}()
	return m
}

func (m *Merge) sorter() *extsort.Sorter { return extsort.New(m.opts.Dir, m.opts.MaxBytes/memoryParts) }

// Close removes the temporary files.
func (m *Merge) Close() {
	m.stop()
	m.log.Close()
	m.index.Close()
	m.hashes.Close()
	m.repeats.Close()
}

// arrivals are items on their way to the log.
type arrivals struct {
	text  []byte // encoded items
	items []arrival
}

type arrival struct {
	end    int // offset in text
	valid  bool
	key    Key
	hashes *filehash.Hashes // of a file
}

// Add adds an item. hashes are those of a file, which has no key, and nil otherwise. repeats says that a list in the
// item may contain duplicates, which are removed.
func (m *Merge) Add(typ string, e *item.Encoded, key Key, hashes *filehash.Hashes, repeats bool) error {
	a := arrival{valid: true, key: key, hashes: hashes}
	if hashes != nil {
		a.key = fileKey(hashes)
	}
	c := m.current
	from := len(c.text)
	c.text = AppendItem(c.text, typ, e)
	if repeats {
		if err := m.merger.begin(string(c.text[from:])); err != nil {
			return err
		}
		c.text = m.merger.append(c.text[:from])
	}
	return m.arrive(a)
}

// AddRefused adds an item that breaks a rule. It is not merged.
func (m *Merge) AddRefused(section item.Section, typ, name string, p item.Problem) error {
	m.current.text = AppendRefused(m.current.text, section, typ, name, p)
	return m.arrive(arrival{})
}

func (m *Merge) arrive(a arrival) error {
	c := m.current
	a.end = len(c.text)
	c.items = append(c.items, a)
	if len(c.text) < batchBytes {
		return nil
	}
	if err := m.pass(); err != nil {
		return err
	}
	select {
	case m.current = <-m.free:
		return nil
	case <-m.stored:
		return m.storeErr
	}
}

// pass passes the current items to store.
func (m *Merge) pass() error {
	select {
	case m.full <- m.current:
		return nil
	case <-m.stored:
		return m.storeErr
	}
}

// Finish waits until all items are in the log.
func (m *Merge) Finish() error {
	err := m.pass()
	m.stop()
	return cmp.Or(err, m.storeErr)
}

func (m *Merge) stop() {
	if m.full != nil {
		close(m.full)
		<-m.stored
		m.full = nil
	}
}

// store writes items to the log, and their places to the index, until full is closed.
func (m *Merge) store() error {
	var value []byte
	n := int64(0)
	for batch := range m.full {
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
			batch.text = nil // do not retain the memory of one large item
		}
		batch.text, batch.items = batch.text[:0], batch.items[:0]
		m.free <- batch
	}
	return nil
}

// Origin identifies the items that a merged item consists of.
type Origin struct {
	First int64 // number of the first one, from 0
	Count int64
}

// Batch is a sequence of merged and refused items.
type Batch struct {
	Texts   []string // from AppendItem or AppendRefused
	Origins []Origin
}

// Batches returns an iterator over all items. A goroutine reads and merges ahead of the loop. If an error occurs, the
// iterator yields it and stops.
func (m *Merge) Batches() iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		ahead, stop := make(chan Batch, 1), make(chan struct{})
		var err error
		go func() {
			defer close(ahead)
			err = m.prepare(func(batch Batch) bool {
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
			if !yield(batch, nil) {
				return
			}
		}
		if err != nil {
			yield(Batch{}, err)
		}
	}
}

// prepare calls emit with all items, in batches of about batchBytes, until it returns false.
func (m *Merge) prepare(emit func(Batch) bool) error {
	next, stop := iter.Pull2(m.repeats.SortedUntil(m.ctx))
	defer stop()
	repeat, err, more := next()
	var text []byte
	var ends []int
	var origins []Origin
	flush := func() bool {
		all := string(text)
		batch := Batch{Texts: make([]string, len(ends)), Origins: slices.Clone(origins)}
		begin := 0
		for i, end := range ends {
			batch.Texts[i] = all[begin:end]
			begin = end
		}
		text, ends, origins = text[:0], ends[:0], origins[:0]
		return emit(batch)
	}
	n := int64(-1)
	for content, logErr := range m.log.All() {
		if m.ctx.Err() != nil {
			logErr = context.Cause(m.ctx)
		}
		if err := cmp.Or(err, logErr); err != nil {
			return err
		}
		if n++; m.repeated.has(n) {
			continue
		}
		origin := Origin{First: n, Count: 1}
		isRepeated := more && numberOf(repeat.Key) == n
		if !isRepeated && !m.merger.needsDefaults(content) {
			text = append(text, content...)
		} else {
			if err := m.merger.begin(string(content)); err != nil {
				return err
			}
			for ; more && numberOf(repeat.Key) == n; origin.Count++ {
				if err := m.mergeAt(placeOf(repeat.Value).at, true); err != nil {
					return err
				}
				if repeat, err, more = next(); err != nil {
					return err
				}
			}
			if err := m.merger.setDefaults(); err != nil {
				return err
			}
			text = m.merger.append(text)
		}
		ends, origins = append(ends, len(text)), append(origins, origin)
		if len(text) >= batchBytes && !flush() {
			return nil
		}
	}
	if len(ends) > 0 {
		flush()
	}
	return nil
}
