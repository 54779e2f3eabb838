// Package importer is the engine of batch imports. It packs encoded items into files and delivers the files
// to the platform, each item exactly once, even if the process dies.
//
// Its packages import each other in one direction: item holds the data, journal the state, attribute and pack
// contain the decisions, and deliver calls the platform through an interface. The Engine connects them. They
// do not depend on HTTP or on the types of indicators and groups.
package importer

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
	"github.com/threatconnect-go/threatconnect/internal/importer/pack"
)

// ErrEnded reports that an earlier error has ended the import. Errors that match it wrap that error as well.
var ErrEnded = errors.New("threatconnect: batch import has ended")

// Options configures an Engine. There are no defaults.
type Options struct {
	Platform    deliver.Platform
	Store       journal.Store // nil for an import that is not stored
	Errors      journal.Errors
	Start       journal.Start // Seed is ignored
	MaxItems    int           // largest number of items in a file
	MaxBytes    int           // largest size of a file
	Concurrency int           // number of files delivered at the same time
	RetryFor    time.Duration
	WaitFor     time.Duration
	HaltOnError bool
	Known       func(xid string) bool
	Backoff     func(attempt int) time.Duration
	Event       func(deliver.Event)
	Failed      func(item.Failure)
}

// Engine is one import. Add, Refuse, Exclude, Flush and Close may be called by one goroutine at a time; the
// other methods are safe for concurrent use.
type Engine struct {
	opts      Options
	journal   *journal.Journal
	deliverer *deliver.Deliverer

	// These fields belong to the goroutine that adds items.
	packer      *pack.Packer
	summer      item.Summer
	made        int64          // number of files
	pending     *journal.Added // of a closed file that is not in the journal yet
	unallocated int            // files that were not allocated yet
	free        chan *item.File
	resumed     item.Totals // of items that earlier processes added
	forget      bool

	work    context.Context // context of deliveries
	stop    context.CancelCauseFunc
	running sync.WaitGroup
	closed  atomic.Bool // Add returns an error

	mu       sync.Mutex // guards the fields below; not held while waiting
	totals   item.Totals
	queue    []*deliver.File
	open     []*deliver.File
	changed  chan struct{} // closed and replaced when a delivery ends
	ended    error         // the error that ended the import early
	stopping bool          // items that were added are not sent either
	left     item.Outcome  // of items that are left for a resumed import
	refused  item.Outcome  // failures of refused items that are in no record yet
	began    time.Time     // when the first item was added
	before   int64         // items that earlier processes settled
}

// New returns an engine. Call Begin or Open next.
func New(opts Options) *Engine {
	e := &Engine{
		opts:        opts,
		unallocated: opts.Concurrency + 1,
		free:        make(chan *item.File, opts.Concurrency+1),
		changed:     make(chan struct{}),
	}
	e.work, e.stop = context.WithCancelCause(context.Background())
	return e
}

// Begin begins an import that is not stored.
func (e *Engine) Begin() {
	e.setJournal(journal.New(e.start()))
}

// start returns the Start of a new import, with a random seed.
func (e *Engine) start() journal.Start {
	s := e.opts.Start
	s.Seed = make([]byte, 16)
	_, _ = rand.Read(s.Seed) // it never returns an error
	return s
}

// setJournal sets the journal of an import that has begun.
func (e *Engine) setJournal(j *journal.Journal) {
	e.journal = j
	var s []byte
	j.View(func(state *journal.State) { s = state.Start.Seed })
	e.packer = pack.New(s)
	e.packer.Known, e.packer.Keep = e.opts.Known, j.Kept()
	e.deliverer = &deliver.Deliverer{
		Platform: e.opts.Platform, Journal: j, MaxBytes: int64(e.opts.MaxBytes), RetryFor: e.opts.RetryFor, WaitFor: e.opts.WaitFor,
		HaltOnError: e.opts.HaltOnError, Backoff: e.opts.Backoff, Event: e.opts.Event, Failed: e.opts.Failed, Stopped: e.stopped,
	}
}

// Add adds an item. It waits while Concurrency+1 files are in use, or until ctx ends. If it returns an error,
// the item was not added.
func (e *Engine) Add(ctx context.Context, enc *item.Encoded) error {
	if err := e.Ended(); err != nil {
		return err
	}
	seq := e.totals.Added
	if enc.Section == item.Associations {
		if err := e.packer.Associate(seq, enc); err != nil {
			e.halt(err)
			return err
		}
		e.count(enc, item.Association)
	} else {
		if err := e.ensureRoom(ctx, e.packer.Need(enc)); err != nil {
			return err
		}
		e.packer.Add(seq, enc, e.opts.MaxBytes, e.opts.MaxItems)
		e.count(enc, item.KindOf(enc.Section, seq))
	}
	e.sendFull(ctx)
	return nil
}

// count counts an item that was added.
func (e *Engine) count(enc *item.Encoded, k item.Kind) {
	e.countItem(enc, func(t *item.Totals) {
		t.Kinds[k]++
		if enc.Content != nil {
			t.Contents++
		}
		for i := range enc.Listed {
			if reason := enc.Listed[i].Excluded; reason != "" {
				t.Exclude(item.Link, reason)
			}
		}
	})
}

// countItem counts an item and adds it to the checksum of all items. enc is nil for a refused item.
func (e *Engine) countItem(enc *item.Encoded, change func(*item.Totals)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.journal.Kept() {
		e.totals.Sum = e.summer.Next(e.totals.Sum, enc)
	}
	e.totals.Added++
	e.totals.Deferred, e.totals.Kinds[item.Link] = e.packer.Deferred, e.packer.Links
	change(&e.totals)
	if e.began.IsZero() {
		e.began = time.Now()
	}
}

// Refuse counts an item that breaks a rule.
func (e *Engine) Refuse() { e.countItem(nil, func(t *item.Totals) { t.Invalid++ }) }

// Exclude counts an excluded item.
func (e *Engine) Exclude(enc *item.Encoded, reason string) {
	k := item.KindOf(enc.Section, 0)
	e.countItem(enc, func(t *item.Totals) {
		t.Kinds[k]++
		t.Exclude(k, reason)
	})
}

// Added returns the number of items that were added, including refused ones.
func (e *Engine) Added() int64 { return e.totals.Added }

// Unsent reports whether some items are in no file or in an incomplete one.
func (e *Engine) Unsent() bool {
	return e.packer.File() != nil || e.pending != nil || e.packer.Held() < math.MaxInt64
}

// ensureRoom makes sure that a file with room for need bytes is open.
func (e *Engine) ensureRoom(ctx context.Context, need int) error {
	if e.pending != nil || e.packer.File() != nil && int64(e.packer.Size()+need) > e.deliverer.Limit() {
		if err := e.send(ctx); err != nil {
			return err
		}
	}
	if e.packer.File() != nil {
		return nil
	}
	f, err := e.newFile(ctx)
	if err != nil {
		return err
	}
	e.made++
	e.packer.Open(f, e.made)
	return nil
}

// newFile returns an empty file, and waits while all are in use.
func (e *Engine) newFile(ctx context.Context) (*item.File, error) {
	select {
	case f := <-e.free:
		return f, nil
	default:
	}
	if e.unallocated > 0 {
		e.unallocated--
		return new(item.File), nil
	}
	select {
	case f := <-e.free:
		return f, nil
	case <-ctx.Done():
		return nil, journal.ContextErr(ctx)
	}
}

// sendFull sends the open file if it is full. It also sends if many links are in no record yet. If ctx ends
// first, a later call does so.
func (e *Engine) sendFull(ctx context.Context) {
	const maxPending = 1 << 20
	f := e.packer.File()
	if f != nil && (f.Count() >= e.opts.MaxItems || int64(e.packer.Size()) >= e.deliverer.Limit()) || e.packer.PendingBytes() >= maxPending {
		_ = e.send(ctx) // the next call returns the error
	}
}

// send closes the open file, writes the added items to the journal, and queues the file for delivery. If ctx
// ends first, a later call does so. An error of the journal ends the import. Stop interrupts send.
func (e *Engine) send(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.work, func() { cancel(context.Cause(e.work)) })()
	if e.pending == nil {
		a := e.packer.Close()
		e.mu.Lock()
		e.totals.Deferred, e.totals.Kinds[item.Link] = e.packer.Deferred, e.packer.Links
		a.Totals, a.Held, a.Refused = e.totals.Clone(), e.packer.Held(), e.refused
		a.Refused.Failures = slices.Clone(e.refused.Failures)
		e.mu.Unlock()
		e.pending = a
	}
	a := e.pending
	if err := e.journal.Add(ctx, a); err != nil {
		if ctx.Err() != nil {
			return journal.WithContextErr(ctx, err)
		}
		e.end(err, false)
		return e.Ended()
	}
	e.pending = nil
	e.mu.Lock()
	e.refused.Failures = e.refused.Failures[len(a.Refused.Failures):] // others may have been added since the file was closed
	e.refused.More -= a.Refused.More
	e.mu.Unlock()
	if a.File == 0 {
		return nil
	}
	e.enqueue(fileOf(a))
	if err := e.packer.Err(); err != nil {
		e.halt(err)
	}
	return nil
}

// fileOf returns a closed file for delivery.
func fileOf(a *journal.Added) *deliver.File {
	return &deliver.File{File: a.Payload, Number: a.File, After: a.After, Pieces: []journal.Piece{{Part: a.Payload.All()}}, Contents: a.Contents}
}

// Flush sends the added items, except links that wait for a group that was not added. It returns the number
// of the last file, for Wait.
func (e *Engine) Flush(ctx context.Context) (last int64, err error) {
	return e.flush(ctx, e.packer.Ready)
}

func (e *Engine) flush(ctx context.Context, ready func(journal.Deferred) bool) (int64, error) {
	if e.packer.File() != nil {
		e.packer.Resolve() // because some of its references may have to wait
	}
	err := e.packer.Release(ready, func(d journal.Deferred, again bool) error { return e.release(ctx, d, again) })
	if perr := e.packer.Err(); perr != nil {
		e.halt(perr)
		err = e.Ended()
	}
	for err == nil && (e.packer.File() != nil || e.pending != nil || e.packer.Pending() || e.unrecorded()) {
		err = e.send(ctx) // twice if a pending file comes first
	}
	return e.made, err
}

// unrecorded reports whether the last record lacks items that were added or links that wait.
func (e *Engine) unrecorded() (unrecorded bool) {
	e.journal.View(func(s *journal.State) {
		unrecorded = e.totals.Added > s.Totals.Added || e.packer.Held() != s.Marks.Held
	})
	return unrecorded
}

// release adds a link to the open file, or counts it as a duplicate.
func (e *Engine) release(ctx context.Context, d journal.Deferred, again bool) error {
	if err := e.Ended(); err != nil {
		return err
	}
	if again {
		e.packer.Drop(d)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.totals.Duplicates++
		if item.KindOf(item.Associations, d.Seq) == item.Link {
			e.packer.Links--
			e.totals.Kinds[item.Link]--
		} else {
			e.totals.Kinds[item.Association]--
		}
		return nil
	}
	if err := e.ensureRoom(ctx, len(d.JSON)+1); err != nil {
		return err
	}
	e.packer.Link(d, e.opts.MaxBytes, e.opts.MaxItems)
	if f := e.packer.File(); f.Count() >= e.opts.MaxItems {
		_ = e.send(ctx) // the next call returns the error
	}
	return nil
}

// enqueue queues a file for delivery.
func (e *Engine) enqueue(f *deliver.File) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, f)
	e.dispatch()
}

// dispatch starts queued deliveries, up to Concurrency at a time, each after the files that it must follow.
// The caller holds mu.
func (e *Engine) dispatch() {
	for i := 0; i < len(e.queue) && len(e.open) < e.opts.Concurrency; {
		f := e.queue[i]
		before := func(o *deliver.File) bool { return o.Number <= f.After }
		if slices.ContainsFunc(e.open, before) { // a queued predecessor itself waits for an open file
			i++
			continue
		}
		e.queue = slices.Delete(e.queue, i, i+1)
		e.open = append(e.open, f)
		e.running.Go(func() { e.deliver(f) })
	}
}

// deliver delivers a file and frees its memory.
func (e *Engine) deliver(f *deliver.File) {
	left, err := e.deliverer.Run(e.work, f)
	if err != nil {
		e.halt(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left.Plus(&left)
	e.open = slices.DeleteFunc(e.open, func(o *deliver.File) bool { return o == f })
	f.Reset()
	e.free <- f.File // never blocks: there is room for all files
	close(e.changed)
	e.changed = make(chan struct{})
	e.dispatch()
}

// Wait waits until all files up to number are settled.
func (e *Engine) Wait(ctx context.Context, number int64) error {
	before := func(f *deliver.File) bool { return f.Number <= number }
	for {
		e.mu.Lock()
		changed := e.changed
		busy := slices.ContainsFunc(e.open, before) || slices.ContainsFunc(e.queue, before)
		e.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return journal.ContextErr(ctx)
		}
	}
}
