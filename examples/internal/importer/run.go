package importer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/feeds"
)

// writer is what the entries of a feed go to: a [threatconnect.BatchWriter].
type writer interface {
	Add(ctx context.Context, item threatconnect.BatchItem) error
	Close(ctx context.Context) error
	Stats() threatconnect.BatchStats
}

// run is one import while it runs.
type run struct {
	cfg    *config
	log    *slog.Logger
	report *report

	changes *changes                      // nil without -state
	current func(threatconnect.BatchItem) // is told everything that the feed holds; nil without -remove-stale

	mu    sync.Mutex // guards what follows: the writer tells errors from other goroutines
	sum   *summary
	lines lineIndex
}

// load adds the entries of a feed to a writer and closes it. It returns what ended the import
// before its end, nil when nothing did. What was added before that is in, or in the summary.
func (r *run) load(ctx context.Context, feed *feeds.Feed, w writer) error {
	err := r.addAll(ctx, feed, w)
	whole := err == nil
	closed := w.Close(ctx)
	bad := r.changes.save(ctx, whole, w.Stats(), r.sum)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.count(w.Stats())
	var b *threatconnect.BatchError
	if errors.As(closed, &b) {
		r.sum.RunningJobs = b.Jobs
		closed = b.Err
	}
	if closed != nil && (err == nil || errors.Is(err, threatconnect.ErrBatchHalted)) {
		err = closed // the reason itself, not that the writer takes no more for it
	}
	if err == nil {
		return bad
	}
	return err
}

func (r *run) addAll(ctx context.Context, feed *feeds.Feed, w writer) error {
	if r.cfg.merge {
		return r.addMerged(ctx, feed, w)
	}
	return r.each(ctx, feed, func(e feeds.Entry) error { return r.add(ctx, r.itemOf(e), e.Line, w) })
}

// each calls use with the entries that can be used, and leaves out the others.
func (r *run) each(ctx context.Context, feed *feeds.Feed, use func(feeds.Entry) error) error {
	last := 0
	for e, err := range feed.Entries() {
		var bad *feeds.LineError
		switch {
		case errors.As(err, &bad):
			last = bad.Line
			r.leaveOut(bad)
			continue
		case err != nil && (ctx.Err() != nil || errors.Is(err, feeds.ErrFormat)):
			return err
		case err != nil:
			return fmt.Errorf("reading the feed failed after line %d: %w", last, withoutPath(err))
		}
		last = e.Line
		if err := use(e); err != nil {
			return err
		}
	}
	return nil
}

// itemOf returns what an entry is, with what the configuration says and the feed does not.
func (r *run) itemOf(e feeds.Entry) threatconnect.BatchItem {
	if e.Indicator == nil {
		m := e.Group.Meta()
		m.Tags = append(m.Tags, r.cfg.tags...)
		return e.Group
	}
	m := e.Indicator.Meta()
	m.Tags = append(m.Tags, r.cfg.tags...)
	if r.cfg.merge {
		return e.Indicator // MergeItems completes it
	}
	if m.Rating == nil {
		m.Rating = &r.cfg.rating
	}
	if m.Confidence == nil {
		m.Confidence = &r.cfg.confidence
	}
	return e.Indicator
}

// add adds what stands on a line. An item that the writer refuses is left out.
func (r *run) add(ctx context.Context, item threatconnect.BatchItem, line int, w writer) error {
	if r.current != nil {
		r.current(item)
	}
	if r.changes.unchanged(item) {
		r.mu.Lock()
		r.sum.Read++
		r.sum.Unchanged++
		r.mu.Unlock()
		return nil
	}
	r.mu.Lock()
	seq := r.lines.added
	r.lines.add(line) // before the item is added: an error may be told before Add returns
	r.mu.Unlock()
	err := w.Add(ctx, item)
	var v *threatconnect.ValidationError
	switch {
	case err == nil:
		r.changes.sent(seq)
		r.mu.Lock()
		r.sum.Read++
		r.mu.Unlock()
	case errors.As(err, &v) && !errors.Is(err, threatconnect.ErrBatchHalted):
		r.leaveOut(&feeds.LineError{Line: line, Rule: v.Field + " " + v.Rule, Fix: v.Fix})
	default:
		return err
	}
	return nil
}

// leaveOut counts and reports an entry that is not imported.
func (r *run) leaveOut(e *feeds.LineError) {
	r.mu.Lock()
	if e.Skip {
		r.sum.Skipped++
		r.mu.Unlock()
		r.log.Debug("left out", "line", e.Line, "object", e.Object, "rule", e.Rule)
		return
	}
	r.sum.Read++
	r.sum.Invalid++
	listed := r.sum.lineOf(e)
	r.mu.Unlock()
	r.report.left()
	r.log.Info("invalid", "line", e.Line, "object", e.Object, "rule", e.Rule)
	if listed {
		r.report.line("%v", e)
	}
}

// refused notes an item that the platform refused, or of which it saved only a part. Items that it
// did not come to are counted and not listed: nothing is wrong with them.
func (r *run) refused(e threatconnect.BatchItemError) {
	r.changes.failed(e.Seq)
	if e.Unprocessed {
		return
	}
	rule := "the platform refused it: " + e.Code.String()
	switch {
	case e.Err != nil:
		rule = plain(e.Err)
	case e.Code.Partial():
		rule = "the platform saved a part of it only: " + e.Code.String()
	}
	r.mu.Lock()
	line := r.lines.line(e.Seq)
	listed := r.sum.note(entryError{Line: line, Rule: rule})
	r.mu.Unlock()
	r.log.Info("refused", "line", line, "job", e.JobID, "rule", rule)
	if listed {
		r.report.line("line %d: %s", line, rule)
	}
}
