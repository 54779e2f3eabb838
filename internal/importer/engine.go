// Package importer is the engine of batch imports. It packs encoded items into files and delivers the files to the
// platform, each item exactly once, even if the process dies.
//
// Its packages import each other in one direction: item holds the data, journal the state, attribute and pack decide,
// deliver calls the platform through an interface, and the Engine connects them. They do not depend on HTTP or on the
// types of indicators and groups.
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

// ErrEnded says that an earlier error has ended the import. It is wrapped together with that error.
var ErrEnded = errors.New("threatconnect: batch import has ended")

// Options are the options of an engine.
type Options struct {
	Platform    deliver.Platform
	Store       journal.Store // nil keeps nothing
	Errors      journal.Errors
	Start       journal.Start // without its seed
	MaxItems    int           // in a file
	MaxBytes    int           // of a file
	Concurrency int           // files that are delivered at the same time
	RetryFor    time.Duration
	WaitFor     time.Duration
	HaltOnError bool
	Known       func(xid string) bool
	Backoff     func(attempt int) time.Duration
	Event       func(deliver.Event)
	Failed      func(item.Failure)
}

// Engine is one import. One goroutine at a time may call Add, Refuse, Leave, Flush and Close; the other methods are
// safe for concurrent use.
type Engine struct {
	opts      Options
	journal   *journal.Journal
	deliverer *deliver.Deliverer

	// The side that adds.
	packer  *pack.Packer
	summer  item.Summer
	made    int64          // files
	pending *journal.Added // of a closed file, until it is in the journal
	unmade  int            // files whose memory was not allocated yet
	free    chan *item.File
	resumed item.Totals // what an earlier process has added
	forget  bool

	work    context.Context // of deliveries
	stop    context.CancelCauseFunc
	running sync.WaitGroup
	over    atomic.Bool // nothing more is added

	mu       sync.Mutex // guards the rest; never held while anything is waited for
	totals   item.Totals
	queue    []*deliver.File
	open     []*deliver.File
	changed  chan struct{} // closed when a delivery has ended, and replaced
	ended    error         // why the import has ended early
	stopping bool          // what was added is not sent either
	left     item.Outcome  // of items that a resumed import sends or waits for again
	refused  item.Outcome  // failures of refused items that are in no record yet
	began    time.Time     // of the first item
	before   int64         // items that were settled before that, by another process
}

// New returns an engine. Begin or Open must be called next.
func New(opts Options) *Engine {
	e := &Engine{
		opts:    opts,
		unmade:  opts.Concurrency + 1,
		free:    make(chan *item.File, opts.Concurrency+1),
		changed: make(chan struct{}),
	}
	e.work, e.stop = context.WithCancelCause(context.Background())
	return e
}

// Begin begins an import that is not kept.
func (e *Engine) Begin() {
	e.use(journal.New(e.start()))
}

// start returns the start of an import that begins, with a new seed.
func (e *Engine) start() journal.Start {
	s := e.opts.Start
	s.Seed = make([]byte, 16)
	_, _ = rand.Read(s.Seed) // it never returns an error
	return s
}

// use sets the journal of an import that has begun.
func (e *Engine) use(j *journal.Journal) {
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

// Add adds an item. After an error it was not added. It waits while Concurrency+1 files are in use, or until ctx ends.
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
		if err := e.room(ctx, e.packer.Need(enc)); err != nil {
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
	e.next(enc, func(t *item.Totals) {
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

// next counts an item and adds it to the checksum of all items. enc is nil for one that was refused.
func (e *Engine) next(enc *item.Encoded, change func(*item.Totals)) {
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
func (e *Engine) Refuse() { e.next(nil, func(t *item.Totals) { t.Invalid++ }) }

// Leave counts an item that is excluded.
func (e *Engine) Leave(enc *item.Encoded, reason string) {
	k := item.KindOf(enc.Section, 0)
	e.next(enc, func(t *item.Totals) {
		t.Kinds[k]++
		t.Exclude(k, reason)
	})
}

// Added returns the number of items that were added, including refused ones.
func (e *Engine) Added() int64 { return e.totals.Added }

// Unsent reports whether something was added that is in no file yet, or in one that is not complete.
func (e *Engine) Unsent() bool {
	return e.packer.File() != nil || e.pending != nil || e.packer.Held() < math.MaxInt64
}

// room makes sure that there is an open file with room for some bytes.
func (e *Engine) room(ctx context.Context, need int) error {
	if e.pending != nil || e.packer.File() != nil && int64(e.packer.Size()+need) > e.deliverer.Limit() {
		if err := e.send(ctx); err != nil {
			return err
		}
	}
	if e.packer.File() != nil {
		return nil
	}
	f, err := e.memory(ctx)
	if err != nil {
		return err
	}
	e.made++
	e.packer.Open(f, e.made)
	return nil
}

// memory waits for the memory of a file.
func (e *Engine) memory(ctx context.Context) (*item.File, error) {
	select {
	case f := <-e.free:
		return f, nil
	default:
	}
	if e.unmade > 0 {
		e.unmade--
		return new(item.File), nil
	}
	select {
	case f := <-e.free:
		return f, nil
	case <-ctx.Done():
		return nil, journal.ContextErr(ctx)
	}
}

// sendFull sends the open file if it is full, and writes links into the journal if there are many. If ctx ends before,
// a later call does that.
func (e *Engine) sendFull(ctx context.Context) {
	const maxPending = 1 << 20
	f := e.packer.File()
	if f != nil && (f.Count() >= e.opts.MaxItems || int64(e.packer.Size()) >= e.deliverer.Limit()) || e.packer.PendingBytes() >= maxPending {
		_ = e.send(ctx) // what ends the import comes back from the next call
	}
}

// send closes the open file, writes what was added into the journal, and queues the file for delivery. If ctx ends
// before, the file is sent later. After an error of the journal, nothing more is added. Stop ends it.
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
	e.refused.Failures = e.refused.Failures[len(a.Refused.Failures):] // some may have come since the file was closed
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

// Flush sends what was added, except links that wait for a group that was not added. It returns the number of the last
// file, for Wait.
func (e *Engine) Flush(ctx context.Context) (last int64, err error) {
	return e.flush(ctx, e.packer.Ready)
}

func (e *Engine) flush(ctx context.Context, ready func(journal.Deferred) bool) (int64, error) {
	if e.packer.File() != nil {
		e.packer.Resolve() // some of its references may wait, too
	}
	err := e.packer.Release(ready, func(d journal.Deferred, again bool) error { return e.release(ctx, d, again) })
	if perr := e.packer.Err(); perr != nil {
		e.halt(perr)
		err = e.Ended()
	}
	for err == nil && (e.packer.File() != nil || e.pending != nil || e.packer.Pending() || e.unkept()) {
		err = e.send(ctx) // twice if a file that could not be kept before comes first
	}
	return e.made, err
}

// unkept reports whether the last record does not say what was added, or what waits.
func (e *Engine) unkept() (unkept bool) {
	e.journal.View(func(s *journal.State) { unkept = e.totals.Added > s.Totals.Added || e.packer.Held() != s.Marks.Held })
	return unkept
}

// release puts a link into the open file.
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
	if err := e.room(ctx, len(d.JSON)+1); err != nil {
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

// dispatch starts queued deliveries, up to Concurrency at a time, each after the files that it must follow. It is
// called with mu held.
func (e *Engine) dispatch() {
	for i := 0; i < len(e.queue) && len(e.open) < e.opts.Concurrency; {
		f := e.queue[i]
		before := func(o *deliver.File) bool { return o.Number <= f.After }
		if slices.ContainsFunc(e.open, before) { // or one in the queue, which waits for an open one that is before both
			i++
			continue
		}
		e.queue = slices.Delete(e.queue, i, i+1)
		e.open = append(e.open, f)
		e.running.Go(func() { e.deliver(f) })
	}
}

// deliver delivers a file and gives its memory back.
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
	e.free <- f.File // there is room for all files
	close(e.changed)
	e.changed = make(chan struct{})
	e.dispatch()
}

// Wait waits until all files up to a number are settled.
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
