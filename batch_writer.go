package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// BatchWriter imports items as they come. Create one with [BatchService.NewWriter] and close it.
//
// Add encodes an item into the current job. A job that is full is created, uploaded and polled in the
// background, so memory is bounded by Concurrency+1 jobs, whatever the number of items. Every item is counted
// in Stats. Every item that failed is reported to OnError and in the error of Close.
//
// Jobs are processed in the order of their items, up to Concurrency at a time. Groups come before indicators
// within a job. Whatever refers to a group is processed after the group, in whatever order they were added.
// Associations come last.
//
// A file is uploaded exactly once: after a lost response the writer asks the platform for the state of the job
// before it sends anything again. A file that is too large for the instance is split. An item that makes the
// platform give up a job is found and left out.
//
// All methods are safe for concurrent use. A writer has goroutines only between the first Add and the end of Close.
type BatchWriter struct {
	s      BatchService
	cfg    BatchConfig
	engine *importer.Engine
	warner ownerTagWarner

	filling chan struct{} // holds an element while items are added; may be waited for
	encoder encoder
	timer   *time.Timer // of FlushInterval
	waiting bool        // the timer runs
	closed  bool
	result  error // of Close

	telling sync.Mutex // held while functions of the caller are called
}

// NewWriter returns a writer. Without a spool it sends nothing, and its errors are a [*ValidationError].
//
// With a spool, the writer survives the process: it goes on with the import in the spool. The jobs that an
// earlier process has left are sent first, and NewWriter returns when the last of them is being processed. A
// job that the platform has received is not sent again. Add the items from [BatchWriter.Resumed] on, or
// none, and close the writer; [BatchService.Import] does that. Events and errors that were reported shortly before
// the process ended can be reported again.
//
// If the import of that name has ended before, the writer is closed, and Close returns the same outcome. An import of
// another name in the spool is finished first. One for another instance, or with another owner, action or
// write types, is [ErrSpoolOther]. A spool that cannot be read matches [ErrSpool]. If the import
// ends early, the error is a [*BatchError], and what is left stays in the spool.
func (s BatchService) NewWriter(ctx context.Context, config BatchConfig) (*BatchWriter, error) {
	if err := firstError(checkContext(ctx), s.c.usable()); err != nil {
		return nil, err
	}
	for {
		w, err := s.newWriter(ctx, config)
		other, ok := errors.AsType[*importer.OtherRun](err)
		if !ok {
			return w, err
		}
		before := config
		before.Run = other.Run
		if err := s.finish(ctx, before); err != nil {
			return nil, err
		}
	}
}

// finish finishes an import that is in a spool.
func (s BatchService) finish(ctx context.Context, config BatchConfig) error {
	w, err := s.newWriter(ctx, config)
	if err != nil {
		return err
	}
	return w.finish(ctx)
}

// finish closes the writer. Errors of items are not errors: they were reported.
func (w *BatchWriter) finish(ctx context.Context) error {
	err := w.Close(ctx)
	if b, ok := errors.AsType[*BatchError](err); ok && !b.Kept {
		return nil
	}
	return err
}

func (s BatchService) newWriter(ctx context.Context, config BatchConfig) (*BatchWriter, error) {
	cfg, job, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &BatchWriter{s: s, cfg: cfg, filling: make(chan struct{}, 1)}
	w.encoder = encoder{action: cfg.Action, exclude: cfg.Exclude}
	if w.warner.logger = s.c.cfg.logger; w.warner.logger != nil {
		w.encoder.owner = cfg.Owner
	}
	p := &batchPlatform{s: s, owner: cfg.Owner, body: job.body(), openContent: cfg.OpenContent}
	w.engine = importer.New(importer.Options{
		Platform: p, Errors: p, Store: cfg.Spool, Start: journal.Start{Run: cfg.Run, Instance: s.c.cfg.base.String(), Settings: job.settings()},
		MaxItems: cfg.MaxItems, MaxBytes: cfg.MaxBytes, Concurrency: cfg.Concurrency, RetryFor: cfg.RetryFor, WaitFor: cfg.WaitFor,
		HaltOnError: cfg.HaltOnError, Known: cfg.KnownGroup, Event: w.event, Failed: w.failed,
		Backoff: func(attempt int) time.Duration { return s.c.cfg.retry.backoff(attempt + 2) },
	})
	if cfg.Spool == nil {
		w.engine.Begin()
		return w, nil
	}
	finished, err := w.engine.Open(ctx)
	if err != nil && !w.engine.Begun() {
		return nil, err
	}
	if finished || err != nil {
		w.closed, w.result = true, w.outcome()
	}
	if err != nil {
		return nil, w.result
	}
	return w, nil
}

// Format prints the owner for every verb, so that no verb shows items.
func (w *BatchWriter) Format(f fmt.State, _ rune) {
	if w == nil {
		fmt.Fprint(f, "threatconnect.BatchWriter(nil)")
		return
	}
	fmt.Fprintf(f, "threatconnect.BatchWriter(owner %q)", w.cfg.Owner)
}

// lock takes the right to add items; unlock gives it back.
func (w *BatchWriter) lock(ctx context.Context) error {
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

func (w *BatchWriter) unlock() { <-w.filling }

// Add adds an item: an [Indicator], a [Group], a [*GroupContent] or an [*Association]. It keeps nothing of it. It
// waits while Concurrency+1 jobs are in memory, or until ctx ends; after an error of ctx the item was not added.
//
// An item that breaks a rule returns a [*BatchItemError] that names it and wraps a [*ValidationError]. It is counted as
// invalid, and the import continues. An item that [BatchConfig].Exclude excludes is counted and reported, and Add
// returns nil. A tag that repeats the owner's name is logged as a warning, once, if the client has a logger. After an
// error that ended the import, Add returns an error that matches [ErrBatchHalted].
func (w *BatchWriter) Add(ctx context.Context, in BatchItem) error {
	if err := w.lock(ctx); err != nil {
		return fmt.Errorf("threatconnect: add to a batch import: %w", err)
	}
	defer w.unlock()
	if w.closed {
		return ErrBatchClosed
	}
	if err := w.engine.Ended(); err != nil {
		return err
	}
	seq := w.engine.Added()
	enc, err := w.encoder.encode(in)
	if err != nil {
		w.engine.Refuse()
		return &BatchItemError{Seq: seq, Type: w.encoder.typ, Ref: w.encoder.name, Err: err}
	}
	if excluded := w.encoder.excluded; enc.Section != item.Groups && len(excluded) > 0 {
		w.engine.Leave(enc, excluded[0].Reason)
		w.tellExcluded(seq, excluded[0])
		return nil
	}
	if err := w.engine.Add(ctx, enc); err != nil {
		return fmt.Errorf("threatconnect: add to a batch import: %w", err)
	}
	for _, x := range w.encoder.excluded {
		w.tellExcluded(seq, x)
	}
	for _, name := range w.encoder.ownerTags {
		w.warner.warn(ctx, name, slog.Int64("item", seq))
	}
	w.startTimer()
	return nil
}

// tellExcluded reports an exclusion of the item that was added last.
func (w *BatchWriter) tellExcluded(seq int64, x BatchExclusion) {
	x.Seq = seq
	w.tell(BatchEvent{Phase: BatchExcluded, Excluded: &x})
}

// startTimer makes sure that what was added is sent after FlushInterval.
func (w *BatchWriter) startTimer() {
	if w.cfg.FlushInterval == 0 || w.waiting || !w.engine.Unsent() {
		return
	}
	w.waiting = true
	w.timer = time.AfterFunc(w.cfg.FlushInterval, func() {
		if w.lock(context.Background()) != nil {
			return
		}
		defer w.unlock()
		w.waiting = false
		if !w.closed {
			_, _ = w.engine.Flush(w.engine.Context()) // what ends the import comes back from the next call
		}
	})
}

// Flush sends what was added and waits until the platform has processed it. References to groups
// that were not added yet keep waiting for them. Errors of items are not errors of Flush: it
// returns what ended the import, if anything did, or the error of ctx.
func (w *BatchWriter) Flush(ctx context.Context) error {
	if err := w.lock(ctx); err != nil {
		return fmt.Errorf("threatconnect: flush a batch import: %w", err)
	}
	if w.closed {
		w.unlock()
		return ErrBatchClosed
	}
	last, err := w.engine.Flush(ctx)
	w.unlock()
	if err == nil {
		err = w.engine.Wait(ctx, last)
	}
	if err != nil {
		return fmt.Errorf("threatconnect: flush a batch import: %w", err)
	}
	return w.engine.Ended()
}

// Close sends what is left, waits until the platform has processed everything, and ends the
// writer's goroutines. If ctx ends before that, Close stops at once and its error
// names the jobs that it leaves on the platform. What is in a spool stays there, and the next writer of the
// spool goes on with it.
//
// It returns nil if all items that were added are on the platform or were excluded, and a [*BatchError]
// otherwise. The error does not contain the items that Add refused. Closing again returns the same.
func (w *BatchWriter) Close(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	return w.close(ctx, nil)
}

// close closes the writer; source is what ended the items early.
func (w *BatchWriter) close(ctx context.Context, source error) error {
	if err := w.lock(ctx); err != nil {
		w.engine.Stop(err) // so that whoever adds items returns
		w.filling <- struct{}{}
	}
	defer w.unlock()
	if w.closed {
		return w.result
	}
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.engine.Close(ctx, source)
	w.encoder = encoder{}
	w.result = w.outcome()
	return w.result
}

// outcome returns the error of Close.
func (w *BatchWriter) outcome() error {
	st := w.engine.Stats()
	cause := w.engine.Cause()
	o := &st.Outcome
	if full, ok := errors.AsType[deliver.FullError](cause); ok {
		e := batchItemError(full.Failure)
		cause = &e
	}
	if cause == nil && len(o.Failures) == 0 && len(o.Lost) == 0 {
		return nil
	}
	b := &BatchError{Stats: w.Stats(), More: int(o.More), Jobs: o.Lost, Err: cause, Kept: w.engine.Kept()}
	for _, f := range o.Failures {
		b.Items = append(b.Items, batchItemError(f))
	}
	return b
}

// Resumed returns how many items earlier processes have added to the import, those that were refused
// included. They are done, or in the spool, and must not be added again. It is 0 without a spool.
func (w *BatchWriter) Resumed() int64 { return w.engine.Resumed().Added }

// Stats returns how far the import is.
func (w *BatchWriter) Stats() BatchStats {
	st := w.engine.Stats()
	stats := batchStats(&st)
	stats.ExclusionReasons = w.engine.Reasons()
	return stats
}

// Watermark returns up to which item the outcome of the import is final. A consumer of a queue can commit the offset of
// the last item before it. It moves when jobs are done and stops for good at an item that was not processed.
func (w *BatchWriter) Watermark() BatchWatermark { return BatchWatermark(w.engine.Stats().Watermark) }

var batchPhases = [...]BatchPhase{
	deliver.Queued: BatchQueued, deliver.Created: BatchCreated, deliver.Uploaded: BatchUploaded, deliver.Running: BatchRunning,
	deliver.Settled: BatchCompleted, deliver.Split: BatchSplit, deliver.Attached: BatchContentUploaded,
}

// event reports a step of a job.
func (w *BatchWriter) event(ev deliver.Event) {
	w.tell(BatchEvent{Phase: batchPhases[ev.Phase], Job: ev.File, JobID: ev.Job, Items: ev.Items, Bytes: ev.Bytes, XID: ev.XID})
}

// tell reports a step of the import.
func (w *BatchWriter) tell(ev BatchEvent) {
	if w.cfg.OnEvent == nil {
		return
	}
	st := w.engine.Stats()
	ev.Stats, ev.Watermark, ev.Elapsed, ev.Rate = batchStats(&st), BatchWatermark(st.Watermark), st.Elapsed, rate(&st)
	w.telling.Lock()
	defer w.telling.Unlock()
	w.cfg.OnEvent(ev)
}

// rate returns how many items per second the platform has processed in this process.
func rate(st *importer.Stats) float64 {
	o := st.Outcome.Total()
	processed := o.Total() - st.Before
	if st.Elapsed <= 0 || processed <= 0 {
		return 0
	}
	return float64(processed) / st.Elapsed.Seconds()
}

// failed reports the error of an item.
func (w *BatchWriter) failed(f item.Failure) {
	if w.cfg.OnError == nil {
		return
	}
	w.telling.Lock()
	defer w.telling.Unlock()
	w.cfg.OnError(batchItemError(f))
}
