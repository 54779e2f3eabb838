package threatconnect

import (
	"context"
	"fmt"
	"log/slog"
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
	s    BatchService
	cfg  BatchConfig
	body []byte // of the request that makes a job

	// filling is held, by having put into it, while a job is filled. It may be waited for.
	filling chan struct{}
	encoder encoder
	warner  ownerTagWarner
	linker  encoder // writes links
	groups  knownGroups
	held    held
	waited  int64 // associations that were held so far
	current *batchJob
	added   int64 // items
	made    int64 // jobs
	started bool
	closed  bool
	result  error     // of Close
	spool   *spooling // nil when nothing is kept

	free     chan *batchJob // jobs whose memory can be used; never more than Concurrency+1
	unmade   int            // jobs that may still be allocated
	work     context.Context
	stop     context.CancelCauseFunc
	running  sync.WaitGroup
	reached  atomic.Bool             // whether the API has ever answered
	over     atomic.Bool             // whether nothing more is added, because the import has ended before its end
	limit    atomic.Int64            // largest file that the instance takes, as far as known
	taken    [itemKinds]atomic.Int64 // items that were added
	contents atomic.Int64            // contents that were added

	// mu guards what follows and is never held while anything is waited for.
	mu         sync.Mutex
	invalid    int64 // items that Add refused
	again      int64 // associations that were left out as duplicates
	outcome    outcome
	exclusions exclusions
	queue      []*batchJob   // encoded jobs, in order
	open       []*batchJob   // jobs that are under way
	changed    chan struct{} // closed when a job has ended, and replaced
	ended      error         // why the import has ended before its end
	stopping   bool          // whether what was added is not sent either
	pace       float64       // seconds that the last job took for each byte
	began      time.Time     // of the first item
	before     int64         // items that were done before that, by another process

	telling sync.Mutex // held while the caller's functions are called
}

// NewWriter makes a writer. It sends nothing before the first job is full. The error is a
// [*ValidationError]. A writer whose import survives the end of the process is made with
// [BatchService.Resume].
func (s BatchService) NewWriter(config BatchConfig) (*BatchWriter, error) {
	if config.Spool != nil {
		return nil, &ValidationError{Field: "batch spool", Rule: "may hold an import already", Fix: "use Resume, which goes on with it or begins a new one"}
	}
	return s.newWriter(config)
}

func (s BatchService) newWriter(config BatchConfig) (*BatchWriter, error) {
	if err := s.c.usable(); err != nil {
		return nil, err
	}
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
	if cfg.Spool != nil {
		w.spool = &spooling{spool: cfg.Spool, run: cfg.Run, instance: s.c.cfg.base.String()}
	} else {
		w.cfg.GroupsInOwner = nil
	}
	w.work, w.stop = context.WithCancelCause(context.Background())
	w.encoder = encoder{version: cfg.Version, action: cfg.Action, known: &w.groups, carry: cfg.GroupsCarryIndicators, exclude: cfg.Exclude}
	if w.warner.logger = s.c.cfg.logger; w.warner.logger != nil {
		w.encoder.owner = cfg.Owner
	}
	return w, nil
}

// start remembers when the import began.
func (w *BatchWriter) start() {
	if w.started {
		return
	}
	w.started = true
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.IsZero() {
		w.began = time.Now()
	}
}

// Format prints the owner for every verb, so that no verb shows the items that are held.
func (w *BatchWriter) Format(f fmt.State, _ rune) {
	if w == nil {
		fmt.Fprint(f, "threatconnect.BatchWriter(nil)")
		return
	}
	fmt.Fprintf(f, "threatconnect.BatchWriter(owner %q)", w.cfg.Owner)
}

// fill takes the right to fill jobs; done gives it back.
func (w *BatchWriter) fill(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return contextErr(ctx)
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
		return contextErr(ctx)
	}
}

func (w *BatchWriter) done() { <-w.filling }

// Add adds an item: an [Indicator], a [Group] or an [*Association]. It keeps nothing of it. It
// waits while Concurrency+1 encoded jobs are there, or until ctx ends; after an error of ctx the
// item was not added.
//
// An item that breaks a rule returns a [*ValidationError] and is counted as invalid; the import continues. An
// item that [BatchConfig].Exclude excludes is counted and reported, and Add returns nil. A tag that
// repeats the owner's name is logged as a warning, once, if the client has a logger.
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
		w.invalid++
		w.mu.Unlock()
		w.spool.digest(nil)
		w.added++
		return err
	}
	w.start()
	if list != inGroups && len(w.encoder.excluded) > 0 {
		w.spool.digest(w.encoder.Buf)
		w.added++
		w.leaveOut(kindOf(list, w.added))
		return nil
	}
	for _, name := range w.encoder.ownerTags {
		w.warner.warn(ctx, name, slog.Int64("item", w.added))
	}
	return w.take(ctx, list)
}

// leaveOut counts and reports the exclusions of the item that was added last.
func (w *BatchWriter) leaveOut(kind itemKind) {
	for _, x := range w.encoder.excluded {
		x.Seq = w.added - 1
		w.taken[kind].Add(1)
		w.mu.Lock()
		w.exclusions.add(kind, x.Reason)
		w.mu.Unlock()
		w.tell(BatchEvent{Excluded: &x}, BatchExcluded)
	}
}

// take puts what the encoder has written into a job, and aside what must wait for the end: links and
// associations.
func (w *BatchWriter) take(ctx context.Context, list section) error {
	e := &w.encoder
	if list == inAssociations {
		if err := w.hold(w.added, 0, e.Buf); err != nil {
			return err
		}
		w.spool.digest(e.Buf)
		w.added++
		w.keepHeld(ctx)
		return nil
	}
	if err := w.put(ctx, list, w.added, e.Buf, e.after); err != nil {
		return fmt.Errorf("threatconnect: add to a batch import: %w", err)
	}
	w.taken[kindOf(list, w.added)].Add(1)
	if list == inGroups {
		w.groups.jobs[w.groups.hash(e.xid)] = w.current.number
		w.spool.group(e.xid)
		if e.content.Open != nil {
			w.contents.Add(1)
			w.current.addFile(jobFile{pos: len(w.current.lists[inGroups].items) - 1, typ: e.fileType, xid: e.xid, malware: e.malware, content: e.content})
		}
	}
	for _, l := range e.links {
		w.linker.Reset()
		w.linker.link(l)
		wait := uint64(0)
		if l.to != "" {
			wait = w.groups.hash(l.to)
		}
		if err := w.hold(^w.added, wait, w.linker.Buf); err != nil {
			w.spool.stop(err) // the job holds an item that was not added
			return err
		}
	}
	w.spool.digest(e.Buf)
	w.added++
	w.leaveOut(kindOfLink)
	w.sendFull(ctx)
	w.keepHeld(ctx)
	return nil
}

// hold puts an association aside. What cannot be kept ends the import.
func (w *BatchWriter) hold(seq int64, wait uint64, item []byte) error {
	e := waiting{index: w.waited, seq: seq, wait: wait, item: item}
	if err := w.held.add(e); err != nil {
		w.halt(err)
		return err
	}
	w.waited++
	w.spool.held(e)
	w.taken[kindOf(inAssociations, seq)].Add(1)
	return nil
}

// put adds an item to the current job, or to a new one when the current one has no room. The item
// is processed after the job with the number after; allBefore stands for all jobs before its own.
func (w *BatchWriter) put(ctx context.Context, list section, seq int64, item []byte, after int64) error {
	if j := w.current; j != nil && j.size+len(item)+fileFrame > w.most() && j.count() > 0 {
		if err := firstError(w.send(ctx), w.halted()); err != nil {
			return err
		}
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	j := w.current
	j.reserve(list, len(item)+1, w.cfg.MaxBytes+fileFrame, w.cfg.MaxItems)
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
	j, err := w.memory(ctx)
	if err != nil {
		return err
	}
	w.made++
	j.begin(w.made)
	w.current = j
	return nil
}

// memory returns the memory of a job, as soon as there is some.
func (w *BatchWriter) memory(ctx context.Context) (*batchJob, error) {
	select {
	case j := <-w.free:
		return j, nil
	default:
	}
	if w.unmade > 0 {
		w.unmade--
		return new(batchJob), nil
	}
	select {
	case j := <-w.free:
		return j, nil
	case <-ctx.Done():
		return nil, contextErr(ctx)
	}
}

// sendFull sends the current job when nothing more goes into it. What cannot be kept now, because ctx
// has ended, is sent later.
func (w *BatchWriter) sendFull(ctx context.Context) {
	if j := w.current; j != nil && (j.count() >= w.cfg.MaxItems || j.size+fileFrame >= w.most()) {
		_ = w.send(ctx)
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
		err = firstError(err, w.send(ctx))
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
