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

// BatchWriter imports items one at a time. Create one with [BatchService.NewWriter] and close it when all
// items are added.
//
// Add encodes an item into the current job. A full job is created, uploaded and polled in the background. At
// most Concurrency+1 jobs are in memory, for any number of items. Every item is counted in Stats. Every
// failed item is reported to OnError and in the error of Close.
//
// Jobs are processed in the order of their items, up to Concurrency at a time. Within a job, groups precede
// indicators. An item that refers to a group is processed after the group, regardless of the order in which
// they were added. Associations come last.
//
// A file is uploaded exactly once: after a lost response, the writer reads the state of the job before it
// sends anything again. A file that is too large for the instance is split. An item that makes the platform
// abort a job is found and left out.
//
// All methods are safe for concurrent use. A writer has goroutines only between the first Add and the end of
// Close. The methods of a nil or zero BatchWriter return a [*ValidationError] or the zero value.
type BatchWriter struct {
	s      BatchService
	cfg    BatchConfig
	engine *importer.Engine
	warner ownerTagWarner

	filling chan struct{} // a lock that a context can interrupt; held while items are added
	encoder encoder
	timer   *time.Timer // for FlushInterval
	waiting bool        // the timer is running
	closed  bool
	result  error // returned by Close

	callbacks sync.Mutex // held while functions of the caller are called
}

// NewWriter returns a writer. An invalid configuration returns a [*ValidationError]. Without a spool,
// NewWriter sends no request and returns no other error.
//
// With a spool, NewWriter resumes the import in the spool. It first sends the jobs that an earlier process
// left, and returns when the last of them is being processed. A job that the platform has received is not
// sent again. Then add the items from [BatchWriter.Resumed] on and close the writer, or use
// [BatchService.Import], which does both. Events and errors reported shortly before the earlier process ended
// may be reported again.
//
// If the import named by Run has already completed, the writer is closed, and Close returns the same outcome.
// If the spool contains an unfinished import of another name, NewWriter finishes that one first. If the
// import in the spool is for another instance, owner or action, or has other write types, the error matches
// [ErrSpoolOther]. If the spool cannot be read, the error matches [ErrSpool]. If the import ends early, the
// error is a [*BatchError], and unsent items stay in the spool.
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

// finish finishes the import in a spool.
func (s BatchService) finish(ctx context.Context, config BatchConfig) error {
	w, err := s.newWriter(ctx, config)
	if err != nil {
		return err
	}
	return w.finish(ctx)
}

// finish closes the writer. It ignores errors of items, which were reported.
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

// Format prints the owner for every verb, so that no verb prints items.
func (w *BatchWriter) Format(f fmt.State, _ rune) {
	if w == nil {
		fmt.Fprint(f, "threatconnect.BatchWriter(nil)")
		return
	}
	fmt.Fprintf(f, "threatconnect.BatchWriter(owner %q)", w.cfg.Owner)
}

// isZero reports whether NewWriter did not return the writer.
func (w *BatchWriter) isZero() bool { return w == nil || w.engine == nil }

// check returns an error for the zero value and for a nil context.
func (w *BatchWriter) check(ctx context.Context) error {
	if w.isZero() {
		return &ValidationError{Field: "batch writer", Rule: "is the zero value", Fix: "use the one from client.Batch.NewWriter"}
	}
	return checkContext(ctx)
}

// lock acquires the right to add items, and unlock releases it.
func (w *BatchWriter) lock(ctx context.Context) error {
	if err := w.check(ctx); err != nil {
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

// Add adds an item: an [Indicator], a [Group], a [*GroupContent] or an [*Association]. It does not retain the
// item. Add waits while Concurrency+1 jobs are in memory, or until ctx ends; if it returns an error of ctx,
// the item was not added.
//
// An item that breaks a rule returns a [*BatchItemError] that names it and wraps a [*ValidationError]. It is
// counted as invalid, and the import continues. An item that [BatchConfig].Exclude excludes is counted and
// reported, and Add returns nil. The first tag that repeats the owner's name is logged as a warning if the
// client has a logger. After an error that ended the import, Add returns an error that matches
// [ErrBatchHalted]. After Close, it returns [ErrBatchClosed].
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
		w.engine.Exclude(enc, excluded[0].Reason)
		w.reportExcluded(seq, excluded[0])
		return nil
	}
	if err := w.engine.Add(ctx, enc); err != nil {
		return fmt.Errorf("threatconnect: add to a batch import: %w", err)
	}
	for _, x := range w.encoder.excluded {
		w.reportExcluded(seq, x)
	}
	for _, name := range w.encoder.ownerTags {
		w.warner.warn(ctx, name, slog.Int64("item", seq))
	}
	w.startTimer()
	return nil
}

// reportExcluded reports an exclusion caused by item seq.
func (w *BatchWriter) reportExcluded(seq int64, x BatchExclusion) {
	x.Seq = seq
	w.report(BatchEvent{Phase: BatchExcluded, Excluded: &x})
}

// startTimer starts the timer of FlushInterval if items are unsent and it is not running.
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
			_, _ = w.engine.Flush(w.engine.Context()) // the next call returns the error
		}
	})
}

// Flush sends the items that were added and waits until the platform has processed them. References to groups
// that were not added yet continue to wait. Flush does not return errors of items. It returns the error that
// ended the import, if any, or the error of ctx. After Close, it returns [ErrBatchClosed].
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

// Close sends the remaining items, waits until the platform has processed all items, and ends the goroutines
// of the writer. If ctx ends first, Close returns at once, and its error names the jobs that are left on the
// platform. The contents of a spool remain, and the next writer of the spool resumes the import.
//
// Close returns nil if all added items are on the platform or were excluded, and a [*BatchError] otherwise.
// The error does not contain items that Add refused. Further calls return the same error.
func (w *BatchWriter) Close(ctx context.Context) error {
	if err := w.check(ctx); err != nil {
		return err
	}
	return w.close(ctx, nil)
}

// close closes the writer. source is the error that ended the sequence of items early.
func (w *BatchWriter) close(ctx context.Context, source error) error {
	if err := w.lock(ctx); err != nil {
		w.engine.Stop(err) // so that a waiting Add returns
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

// Resumed returns the number of items that earlier processes added to the import, including refused ones.
// These items are done or in the spool, and must not be added again. It is 0 without a spool.
func (w *BatchWriter) Resumed() int64 {
	if w.isZero() {
		return 0
	}
	return w.engine.Resumed().Added
}

// Stats returns the current counts of the import.
func (w *BatchWriter) Stats() BatchStats {
	if w.isZero() {
		return BatchStats{}
	}
	st := w.engine.Stats()
	stats := batchStats(&st)
	stats.ExclusionReasons = w.engine.Reasons()
	return stats
}

// Watermark returns the position up to which the outcome of the import is final. A consumer of a queue can
// commit the offset of the last item before it. It advances as jobs complete and stops for good at an item
// that was not processed.
func (w *BatchWriter) Watermark() BatchWatermark {
	if w.isZero() {
		return BatchWatermark{}
	}
	return BatchWatermark(w.engine.Stats().Watermark)
}

var batchPhases = [...]BatchPhase{
	deliver.Queued: BatchQueued, deliver.Created: BatchCreated, deliver.Uploaded: BatchUploaded, deliver.Running: BatchRunning,
	deliver.Settled: BatchCompleted, deliver.Split: BatchSplit, deliver.Attached: BatchContentUploaded,
}

// event reports a step of a job.
func (w *BatchWriter) event(ev deliver.Event) {
	w.report(BatchEvent{Phase: batchPhases[ev.Phase], Job: ev.File, JobID: ev.Job, Items: ev.Items, Bytes: ev.Bytes, XID: ev.XID})
}

// report calls OnEvent with the counts of the import.
func (w *BatchWriter) report(ev BatchEvent) {
	if w.cfg.OnEvent == nil {
		return
	}
	st := w.engine.Stats()
	ev.Stats, ev.Watermark, ev.Elapsed, ev.Rate = batchStats(&st), BatchWatermark(st.Watermark), st.Elapsed, rate(&st)
	w.callbacks.Lock()
	defer w.callbacks.Unlock()
	w.cfg.OnEvent(ev)
}

// rate returns the items per second that the platform has processed since this process started.
func rate(st *importer.Stats) float64 {
	o := st.Outcome.Total()
	processed := o.Total() - st.Before
	if st.Elapsed <= 0 || processed <= 0 {
		return 0
	}
	return float64(processed) / st.Elapsed.Seconds()
}

// failed reports an error of an item.
func (w *BatchWriter) failed(f item.Failure) {
	if w.cfg.OnError == nil {
		return
	}
	w.callbacks.Lock()
	defer w.callbacks.Unlock()
	w.cfg.OnError(batchItemError(f))
}
