package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// BatchWriter imports items as they come. Make one with [BatchService.NewWriter] and close it.
//
// Add encodes an item at once into the current job. A job that is full is created, uploaded and
// watched in the background, so that memory is bounded by the size of Concurrency+1 jobs, whatever
// the number of items. Every item ends up in the counts of Stats, and every one that failed with
// OnError and in the error of Close.
//
// Items are processed in the order in which they were added, jobs beside each other when
// Concurrency is above 1; groups come before the indicators of their job. What refers to a group is
// processed after that group, in whatever order they were added. Associations come last.
//
// A file is uploaded exactly once: after a lost answer the writer asks the platform how the job
// stands before it sends anything again. A file that is too large for the instance is cut, and an
// item that makes the platform give up a job is found and left out.
//
// All methods are safe for concurrent use. A writer has goroutines between Add and Close only.
type BatchWriter struct {
	s    *BatchService
	cfg  BatchConfig
	body []byte // of the request that makes a job

	// filling is held, by having put into it, while a job is filled. It may be waited for.
	filling chan struct{}
	encoder encoder
	linker  encoder // writes links
	groups  knownGroups
	held    held
	current *batchJob
	added   int64 // items
	made    int64 // jobs
	closed  bool
	result  error // of Close

	free    chan *batchJob // jobs whose memory can be used; never more than Concurrency+1
	unmade  int            // jobs that may still be allocated
	work    context.Context
	stop    context.CancelCauseFunc
	running sync.WaitGroup
	reached atomic.Bool             // whether the API has ever answered
	over    atomic.Bool             // whether the import has ended before its end
	limit   atomic.Int64            // largest file that the instance takes, as far as known
	taken   [itemKinds]atomic.Int64 // items that were added

	// mu guards what follows and is never held while anything is waited for.
	mu      sync.Mutex
	stats   BatchStats
	queue   []*batchJob   // encoded jobs, in order
	open    []*batchJob   // jobs that are under way
	changed chan struct{} // closed when a job has ended, and replaced
	ended   error         // why the import has ended before its end
	items   []BatchItemError
	more    int
	lost    []int64
	took    time.Duration // how long the last job took

	telling sync.Mutex // held while the caller's functions are called
}

// NewWriter makes a writer. It sends nothing before the first job is full. The error is a
// [*ValidationError].
func (s *BatchService) NewWriter(config BatchConfig) (*BatchWriter, error) {
	cfg, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &BatchWriter{
		s:       s,
		cfg:     cfg,
		body:    cfg.body(),
		filling: make(chan struct{}, 1),
		groups:  newKnownGroups(cfg.GroupsInOwner),
		free:    make(chan *batchJob, cfg.Concurrency+1),
		unmade:  cfg.Concurrency + 1,
		changed: make(chan struct{}),
	}
	w.limit.Store(int64(cfg.MaxBytes))
	w.cfg.GroupsInOwner = nil
	w.work, w.stop = context.WithCancelCause(context.Background())
	w.encoder = encoder{version: cfg.Version, action: cfg.Action, known: &w.groups}
	return w, nil
}

// fill takes the right to fill jobs; done gives it back.
func (w *BatchWriter) fill(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case w.filling <- struct{}{}:
		return nil
	default:
	}
	select {
	case w.filling <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *BatchWriter) done() { <-w.filling }

// Add adds an item: an [Indicator], a [Group] or an [*Association]. It keeps nothing of it. It
// waits while Concurrency+1 encoded jobs are there, or until ctx ends; after an error of ctx the
// item was not added.
//
// An item that breaks a rule is a [*ValidationError], counted as invalid, and hurts nothing else.
// After an error that ended the import Add returns an error that matches [ErrBatchHalted].
func (w *BatchWriter) Add(ctx context.Context, item BatchItem) error {
	if err := w.fill(ctx); err != nil {
		return fmt.Errorf("threatconnect: add to a batch import: %w", err)
	}
	defer w.done()
	if w.closed {
		return ErrBatchClosed
	}
	if err := w.halted(); err != nil {
		return err
	}
	list, err := w.encoder.encode(item)
	if err != nil {
		w.mu.Lock()
		w.stats.Invalid++
		w.mu.Unlock()
		w.added++
		return err
	}
	return w.take(ctx, list)
}

// take puts what the encoder has written into a job, and aside what must wait for the end: links and
// associations.
func (w *BatchWriter) take(ctx context.Context, list section) error {
	e := &w.encoder
	if list == inAssociations {
		if err := w.hold(w.added, 0, e.Buf); err != nil {
			return err
		}
		w.added++
		return nil
	}
	if err := w.put(ctx, list, w.added, e.Buf, e.after); err != nil {
		return fmt.Errorf("threatconnect: add to a batch import: %w", err)
	}
	w.taken[kindOf(list, w.added)].Add(1)
	if list == inGroups {
		w.groups.jobs[w.groups.hash(e.xid)] = w.current.number
	}
	for _, l := range e.links {
		w.linker.Reset()
		w.linker.link(l)
		wait := uint64(0)
		if l.to != "" {
			wait = w.groups.hash(l.to)
		}
		if err := w.hold(^w.added, wait, w.linker.Buf); err != nil {
			return err
		}
	}
	w.added++
	w.sendFull()
	return nil
}

// hold puts an association aside. What cannot be kept ends the import.
func (w *BatchWriter) hold(seq int64, wait uint64, item []byte) error {
	if err := w.held.add(seq, wait, item); err != nil {
		w.halt(err)
		return err
	}
	w.taken[kindOf(inAssociations, seq)].Add(1)
	return nil
}

// put adds an item to the current job, or to a new one when the current one has no room. The item
// is processed after the job with the number after; allBefore stands for all jobs before its own.
func (w *BatchWriter) put(ctx context.Context, list section, seq int64, item []byte, after int64) error {
	if j := w.current; j != nil && j.size+len(item)+fileFrame > w.most() && j.count() > 0 {
		w.send()
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	j := w.current
	j.reserve(list, len(item)+1, w.cfg.MaxBytes+fileFrame)
	j.add(list, seq, item)
	if after == allBefore {
		after = j.number - 1
	}
	if after < j.number {
		j.after = max(j.after, after)
	}
	return nil
}

const allBefore = -1

// most is how many bytes a job may have.
func (w *BatchWriter) most() int { return int(min(w.limit.Load(), int64(w.cfg.MaxBytes))) }

// begin makes sure that there is a job to fill.
func (w *BatchWriter) begin(ctx context.Context) error {
	if w.current != nil {
		return nil
	}
	var j *batchJob
	select {
	case j = <-w.free:
	default:
		if w.unmade > 0 {
			w.unmade--
			j = new(batchJob)
			break
		}
		select {
		case j = <-w.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	w.made++
	j.begin(w.made)
	w.current = j
	return nil
}

// sendFull sends the current job when nothing more goes into it.
func (w *BatchWriter) sendFull() {
	if j := w.current; j != nil && (j.count() >= w.cfg.MaxItems || j.size+fileFrame >= w.most()) {
		w.send()
	}
}

// Flush sends what was added and waits until the platform has processed it. References to groups
// that were not added yet keep waiting for them. Errors of items are not errors of Flush: it
// returns what ended the import, if anything did, or the error of ctx.
func (w *BatchWriter) Flush(ctx context.Context) error {
	if err := w.fill(ctx); err != nil {
		return fmt.Errorf("threatconnect: flush a batch import: %w", err)
	}
	if w.closed {
		w.done()
		return ErrBatchClosed
	}
	err := w.release(ctx, func(wait uint64) bool {
		_, known := w.groups.jobs[wait]
		return wait == 0 || known
	})
	if w.current != nil {
		w.send()
	}
	last := w.made
	w.done()
	if err == nil {
		err = w.wait(ctx, last)
	}
	if err != nil {
		return fmt.Errorf("threatconnect: flush a batch import: %w", err)
	}
	return w.halted()
}

// release puts the associations that are ready into jobs.
func (w *BatchWriter) release(ctx context.Context, ready func(wait uint64) bool) error {
	if w.held.count == 0 {
		return nil
	}
	return w.held.take(ready, func(seq int64, item []byte) error {
		if err := w.halted(); err != nil {
			return err
		}
		err := w.put(ctx, inAssociations, seq, item, allBefore)
		if err == nil {
			w.sendFull()
		}
		return err
	})
}

// Close sends what is left, waits until the platform has processed everything, and ends the
// writer's goroutines. When ctx ends before that, or has ended, Close stops at once and its error
// names the jobs that it leaves on the platform.
//
// It returns nil when all items that were added went in, and a [*BatchError] otherwise. Items that
// Add refused are not in it: Add has said so. Closing again returns the same.
func (w *BatchWriter) Close(ctx context.Context) error { return w.close(ctx, nil) }

// close closes the writer; source is what ended the items before their end.
func (w *BatchWriter) close(ctx context.Context, source error) error {
	err := w.fill(ctx)
	if err != nil {
		w.halt(err)
		w.stop(err) // so that whoever fills comes to an end
		w.filling <- struct{}{}
	}
	defer w.done()
	if w.closed {
		return w.result
	}
	w.closed = true
	if err == nil {
		err = w.release(ctx, func(uint64) bool { return true })
	}
	if w.current != nil {
		w.send()
	}
	if err == nil {
		err = w.wait(ctx, w.made)
	}
	if err != nil {
		w.halt(err)
		w.stop(err)
	}
	w.running.Wait()
	w.stop(ErrBatchClosed)
	w.drop()
	w.encoder, w.linker, w.free = encoder{}, encoder{}, nil
	w.result = w.outcome(source)
	return w.result
}

// drop counts the associations that were not sent.
func (w *BatchWriter) drop() {
	err := w.held.each(func(seq int64, _ uint64, _ []byte) {
		w.mu.Lock()
		w.stats.counts(kindOf(inAssociations, seq)).Unprocessed++
		w.mu.Unlock()
	})
	if err != nil {
		w.halt(err)
	}
	w.held.discard()
}

// Stats says how the import stands.
func (w *BatchWriter) Stats() BatchStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count()
}

// count is Stats with mu held.
func (w *BatchWriter) count() BatchStats {
	s := w.stats
	for k := range itemKinds {
		s.counts(k).Added = w.taken[k].Load()
	}
	return s
}

// halt ends the import: what is not under way is not sent. The first reason stays.
func (w *BatchWriter) halt(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		w.ended = err
		w.over.Store(true)
	}
}

// halted returns what Add says after the import has ended.
func (w *BatchWriter) halted() error {
	if !w.over.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrBatchHalted, w.ended)
}

// refuses reports whether err is about one item only; Import then notes it and goes on.
func (w *BatchWriter) refuses(err error) bool {
	if !errors.Is(err, ErrValidation) || errors.Is(err, ErrBatchHalted) {
		return false
	}
	w.note(BatchItemError{Seq: w.added - 1, Err: err})
	return true
}

// note keeps the error of an item and tells it.
func (w *BatchWriter) note(e BatchItemError) {
	w.mu.Lock()
	if len(w.items) < mostItemErrors {
		w.items = append(w.items, e)
	} else {
		w.more++
	}
	w.mu.Unlock()
	if w.cfg.OnError != nil {
		w.telling.Lock()
		defer w.telling.Unlock()
		w.cfg.OnError(e)
	}
}

// outcome is what Close returns.
func (w *BatchWriter) outcome(source error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		w.ended = source
	}
	if w.ended == nil && len(w.items) == 0 && len(w.lost) == 0 {
		return nil
	}
	return &BatchError{Stats: w.count(), Items: slices.Clip(w.items), More: w.more, Jobs: w.lost, Err: w.ended}
}
