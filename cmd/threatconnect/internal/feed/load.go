package feed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// load is the import of one feed.
type load struct {
	*importer
	feed        *feeds.Feed
	exclude     func(typ, value string) (reason string, exclude bool)
	run         string                        // name of the import
	cursor      threatconnect.Cursor          // of a download
	lists       []string                      // files of --exclude
	spool       threatconnect.Spool           // nil without --spool
	state       *feeds.State                  // nil without --state
	removeStale bool                          // compare the owner with the feed
	current     func(threatconnect.BatchItem) // called with every item of the feed; nil unless removeStale
	ranged      bool                          // the items were read
	kept        bool                          // the rest of the import is in the spool

	now     origin // of the current item
	checker threatconnect.Fingerprinter

	mu         sync.Mutex                     // guards what follows and the counts of sum: errors come from other goroutines
	before     counts                         // of the feeds before
	sent       origins                        // of the items that were given to the writer
	reported   map[int64]bool                 // the first items whose errors were reported, with a spool
	early      []threatconnect.BatchItemError // of items that were not read yet, whose lines are unknown
	attributes map[string]bool                // attribute types in the feed
	lastLine   int                            // that was read
	readErr    error                          // why the feed was not read to its end
	imported   error                          // of Import
}

// Limits of the attribute types and errors of a feed that are kept in memory.
const (
	maxAttributes      = 1000
	maxAttributeLength = 255 // bytes of a type
	maxReported        = 1000
)

// do imports the feed, and removes stale indicators. It returns the reason why the import ended early, or nil, and
// always adds the counts to the summary.
func (l *load) do(ctx context.Context) error {
	deliver := l.send
	if l.cfg.dryRun {
		deliver = l.check
	}
	var stats threatconnect.BatchStats
	var err error
	if l.removeStale {
		err = l.reconcile(ctx, func() error { stats, err = deliver(ctx); return err })
	} else {
		stats, err = deliver(ctx)
	}
	tooMany := l.tooManyInvalid()
	if l.state != nil {
		if err == nil && !tooMany { // otherwise the next run reads the feed again, also if it has not been modified
			err = l.setCursor()
		}
		if !l.cfg.dryRun {
			if bad := l.state.Save(ctx, stats, l.imported); bad != nil && err == nil {
				err = fmt.Errorf("--state: %s", cli.Plain(bad))
			}
		}
		_, vanished := l.state.Counts()
		l.sum.Vanished += vanished
	}
	l.sum.counts.finish(stats, err != nil)
	l.sum.add(stats)
	l.sum.tooManyInvalid = l.sum.tooManyInvalid || tooMany
	return err
}

// tooManyInvalid reports whether more entries of the feed are invalid than --max-invalid allows.
func (l *load) tooManyInvalid() bool {
	return l.cfg.maxInvalid.exceeded(l.sum.Invalid-l.before.Invalid, l.sum.Read-l.before.Read)
}

// check reads everything and sends nothing.
func (l *load) check(ctx context.Context) (threatconnect.BatchStats, error) {
	for range l.items(ctx) {
		l.sum.ToImport++
	}
	return threatconnect.BatchStats{}, l.readErr
}

// send imports the items. After an error of reading the feed, it imports what came before.
func (l *load) send(ctx context.Context) (threatconnect.BatchStats, error) {
	config := threatconnect.BatchConfig{
		Owner: l.cfg.owner, Attributes: l.cfg.attributes, MaxBytes: l.cfg.maxBytes, RetryFor: l.cfg.retryFor,
		Exclude: l.exclude, // of the references of groups: the indicators themselves do not come here
		OnEvent: l.progress.event, OnError: l.onError,
	}
	if l.state != nil {
		config.KnownGroup = l.state.KnownGroup
	}
	if l.spool != nil {
		config.Spool, config.Run = l.spool, l.run
	}
	stats, err := l.client.Batch.Import(ctx, config, l.items(ctx))
	ended := err // why it ended early
	failure, ok := errors.AsType[*threatconnect.BatchError](err)
	if ok {
		stats, ended, l.kept = failure.Stats, failure.Err, failure.Kept
		l.sum.RunningJobs = append(l.sum.RunningJobs, failure.Jobs...)
	}
	switch {
	case l.ranged:
	case ended != nil:
		l.kept = l.spool != nil // the import did not begin
	default: // an earlier process has imported everything
		for range l.items(ctx) {
		}
		if l.sent.count != stats.Total().Added+stats.Invalid { // and has saved the state
			stats, ok = l.failAll(), false
		}
	}
	for _, e := range l.early {
		l.noteFailure(e)
	}
	if ok && l.spool != nil {
		for _, e := range failure.Items {
			if !l.reported[e.Seq] { // it was reported to an earlier process
				l.noteFailure(e)
			}
		}
	}
	if ended == nil {
		ended = l.readErr
	}
	l.imported = err
	return stats, ended
}

// failAll returns the counts of an import whose outcome is in the state: every item that is not unchanged has failed.
func (l *load) failAll() (stats threatconnect.BatchStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for seq := range l.sent.count {
		o := l.sent.at(seq)
		l.sum.kind(o.kind).Failed++
		l.sum.refusals.add(refusal{Line: o.line, Outcome: failed, Rule: "it failed before the import was interrupted"})
	}
	stats.Indicators.Added, stats.Indicators.Failed = l.sent.count, l.sent.count
	return stats
}

// items returns the items to send. It can be used once. It yields no errors: readErr contains the error that ended it.
func (l *load) items(ctx context.Context) iter.Seq2[threatconnect.BatchItem, error] {
	items := l.entries(ctx)
	if l.cfg.merge {
		items = l.merged(ctx, items)
	}
	items = l.passed(items)
	if l.state != nil {
		items = l.state.Changed(items)
	}
	return func(yield func(threatconnect.BatchItem, error) bool) {
		l.ranged = true
		for item, err := range items {
			if err != nil {
				l.endReading(err)
				return
			}
			l.mu.Lock()
			l.sent.add(l.now) // before the item is sent: its error can be reported before yield returns
			l.sum.kind(l.now.kind).Sent++
			l.mu.Unlock()
			if !yield(item, nil) {
				return
			}
		}
	}
}

// endReading keeps the first error that ended the reading of the feed.
func (l *load) endReading(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readErr == nil {
		l.readErr = err
	}
}

// entries returns the importable items of the feed, completed from the flags, and counts the others.
func (l *load) entries(ctx context.Context) iter.Seq2[threatconnect.BatchItem, error] {
	return func(yield func(threatconnect.BatchItem, error) bool) {
		for e, err := range l.feed.All() {
			bad, ok := errors.AsType[*feeds.LineError](err)
			switch {
			case ok && bad.Skipped:
				l.leaveOut(refusal{Line: bad.Line, Object: bad.Object, Outcome: skipped, Rule: bad.Rule, Fix: bad.Fix}, "")
			case ok:
				l.leaveOut(refusal{Line: bad.Line, Object: bad.Object, Outcome: invalid, Rule: bad.Rule, Fix: bad.Fix}, "")
			case err != nil && (ctx.Err() != nil || errors.Is(err, feeds.ErrFormat)):
				yield(nil, err)
				return
			case err != nil:
				yield(nil, fmt.Errorf("reading the feed failed after line %d: %w", l.lastLine, cli.WithoutPath(err)))
				return
			case l.usable(&e) && !yield(e.Item, nil):
				return
			}
		}
	}
}

// usable completes an entry, and reports whether it can be imported.
func (l *load) usable(e *feeds.Entry) bool {
	l.complete(e.Item)
	l.now = origin{e.Line, kindOf(e.Item)}
	_, err := l.checker.Of(e.Item)
	if v, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		l.leaveOut(refusal{Line: e.Line, Object: e.Object, Outcome: invalid, Rule: v.Field + " " + v.Rule, Fix: v.Fix}, "")
		return false
	}
	if err != nil {
		l.leaveOut(refusal{Line: e.Line, Object: e.Object, Outcome: invalid, Rule: cli.Plain(err)}, "")
		return false
	}
	if ind, ok := e.Item.(threatconnect.Indicator); ok {
		if reason, excluded := l.exclude(string(ind.Type()), ind.Summary()); excluded {
			l.leaveOut(refusal{Line: e.Line, Object: e.Object, Outcome: skipped, Rule: reason}, l.now.kind)
			return false
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum.Read++
	l.lastLine = e.Line
	return true
}

// complete adds the tags, rating and confidence of the flags to an item.
func (l *load) complete(item threatconnect.BatchItem) {
	var attributes []threatconnect.Attribute
	switch item := item.(type) {
	case threatconnect.Indicator:
		m := item.Meta()
		m.Tags = append(m.Tags, l.cfg.tags...)
		attributes = m.Attributes
		if !l.cfg.merge { // which completes it later, because another entry may have a rating
			if m.Rating == nil {
				m.Rating = &l.cfg.rating
			}
			if m.Confidence == nil {
				m.Confidence = &l.cfg.confidence
			}
		}
	case threatconnect.Group:
		m := item.Meta()
		m.Tags = append(m.Tags, l.cfg.tags...)
		attributes = m.Attributes
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range attributes {
		if name := attributes[i].Type; !l.attributes[name] && len(l.attributes) < maxAttributes && len(name) <= maxAttributeLength {
			l.attributes[name] = true
		}
	}
}

// merged merges the entries about the same indicator or group. The origin of a merged item is that of its first entry.
func (l *load) merged(ctx context.Context, items iter.Seq2[threatconnect.BatchItem, error]) iter.Seq2[threatconnect.BatchItem, error] {
	var all origins
	entries := func(yield func(threatconnect.BatchItem, error) bool) {
		for item, err := range items {
			if err == nil {
				all.add(l.now)
			}
			if !yield(item, err) {
				return
			}
		}
	}
	return threatconnect.MergeItems(ctx, entries, &threatconnect.MergeOptions{
		Rating: &l.cfg.rating, Confidence: &l.cfg.confidence,
		OnMerged: func(s threatconnect.MergeStats) { l.sum.Merged += s.Read - s.Items },
		OnItem:   func(o threatconnect.MergeOrigin) { l.now = all.at(o.First) },
	})
}

// passed counts the items after merging, and passes them to --remove-stale.
func (l *load) passed(items iter.Seq2[threatconnect.BatchItem, error]) iter.Seq2[threatconnect.BatchItem, error] {
	return func(yield func(threatconnect.BatchItem, error) bool) {
		for item, err := range items {
			if err == nil {
				l.mu.Lock()
				l.sum.kind(l.now.kind).passed++
				l.mu.Unlock()
				if l.current != nil {
					l.current(item)
				}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// leaveOut counts an entry that is not sent. kind is empty if it is not known.
func (l *load) leaveOut(r refusal, kind string) {
	l.mu.Lock()
	l.sum.Read++
	l.lastLine = r.Line
	if r.Outcome == skipped {
		l.sum.Skipped++
		l.sum.kind(kind).Skipped++
	} else {
		l.sum.Invalid++
	}
	level := l.sum.refusals.add(r)
	l.mu.Unlock()
	l.log.Log(context.Background(), level, r.Outcome, "line", r.Line, "object", r.Object, "rule", r.Rule)
}

// onError handles an item that failed or was saved only in part. Unprocessed items are counted and not listed, because
// nothing is wrong with them.
func (l *load) onError(e threatconnect.BatchItemError) {
	if l.state != nil {
		l.state.OnError(e)
	}
	l.mu.Lock()
	early := e.Seq >= l.sent.count && len(l.early) < maxReported // of a job of an earlier process
	if early {
		l.early = append(l.early, e)
	}
	l.mu.Unlock()
	if !early {
		l.noteFailure(e)
	}
}

func (l *load) noteFailure(e threatconnect.BatchItemError) {
	l.mu.Lock()
	if l.spool != nil && len(l.reported) < maxReported {
		l.reported[e.Seq] = true
	}
	if e.Unprocessed {
		l.mu.Unlock()
		return
	}
	o := l.sent.at(e.Seq)
	r := refusalOf(e, o, l.attributes)
	if r.Outcome == failed {
		l.sum.kind(o.kind).Failed++
	}
	level := l.sum.refusals.add(r)
	l.mu.Unlock()
	l.log.Log(context.Background(), level, r.Outcome, "line", r.Line, "job", e.JobID, "rule", r.Rule)
}

// kindOf returns the row of the table that an item belongs to.
func kindOf(item threatconnect.BatchItem) string {
	if ind, ok := item.(threatconnect.Indicator); ok {
		return string(ind.Type())
	}
	return groupKind
}
