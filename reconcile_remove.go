package threatconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/parallel"
	"github.com/threatconnect-go/threatconnect/internal/setdiff"
)

// remove deletes or retires the stale indicators, type by type, so that each type has separate counts.
func (r *reconciliation) remove(ctx context.Context) error {
	next, stop := iter.Pull2(r.stale())
	defer stop()
	item, err, ok := next()
	for ok && err == nil && r.failed.Err == nil {
		t := item.typ
		remove := r.removeByJobs
		if t == TypeFile {
			remove = r.removeFiles
		}
		remove(ctx, t, func(yield func(listedIndicator) bool) {
			for ok && err == nil && item.typ == t && r.failed.Err == nil {
				if r.cfg.OnStale != nil {
					r.cfg.OnStale(t, item.summary)
				}
				if !yield(item) {
					return
				}
				item, err, ok = next()
			}
		})
	}
	if err != nil {
		r.failed.Err = fmt.Errorf("threatconnect: compare the owner with the current set: %w", err)
	}
	if all := r.failed.Stats.Indicators; r.failed.Err == nil && len(r.failed.Jobs) == 0 && all.Succeeded == all.Added && r.failed.Stats.Invalid == 0 {
		return nil
	}
	return &r.failed
}

// removeByJobs deletes or retires indicators of one type with batch jobs.
func (r *reconciliation) removeByJobs(ctx context.Context, t IndicatorType, items iter.Seq[listedIndicator]) {
	var gone int64 // deleted by someone else
	cfg := r.cfg.batch()
	cfg.OnError = func(e BatchItemError) {
		if e.Code == CodeNotFound && cfg.Action == BatchDelete {
			gone++
			return
		}
		r.fail(e)
	}
	stats, err := r.s.Import(ctx, cfg, func(yield func(BatchItem, error) bool) {
		for item := range items {
			item.change = r.cfg.Retire.meta()
			if !yield(&item, nil) {
				return
			}
		}
	})
	gone = min(gone, stats.Indicators.Failed)
	stats.Indicators.Succeeded += gone
	stats.Indicators.Failed -= gone
	r.tried(t, stats)
	if of, ok := errors.AsType[*BatchError](err); ok {
		r.failed.Jobs = append(r.failed.Jobs, of.Jobs...)
		err = of.Err
	}
	r.failed.Err = err
}

// tried counts the indicators of a type that Reconcile tried to remove.
func (r *reconciliation) tried(t IndicatorType, stats BatchStats) {
	c, n := r.counts[t], stats.Indicators
	c.Removed, c.Failed, c.Unknown = n.Succeeded, n.Failed+stats.Invalid, n.Unknown
	sum := &r.failed.Stats
	sum.Indicators.plus(n)
	sum.Invalid += stats.Invalid
	sum.Jobs += stats.Jobs
	sum.Bytes += stats.Bytes
}

// fileResult is the result of removeFile.
type fileResult struct {
	listedIndicator
	spared setdiff.Verdict // Kept if the file was not spared
	err    error
}

// removeFiles deletes or retires files one by one, several at a time.
func (r *reconciliation) removeFiles(ctx context.Context, t IndicatorType, files iter.Seq[listedIndicator]) {
	var n BatchCounts
	for f := range parallel.Map(ctx, cmp.Or(r.cfg.Concurrency, defaultParallel), files, r.removeFile) {
		if f.err == nil && f.spared != setdiff.Kept {
			r.counts[t].Stale--
			r.spare(f.listedIndicator, f.spared)
			continue
		}
		switch {
		case f.err == nil:
			n.Succeeded++
		case errors.Is(f.err, ErrBadRequest):
			n.Failed++
			r.fail(BatchItemError{Seq: n.Added, Type: string(t), Ref: f.summary, Err: f.err})
		case errors.Is(f.err, ErrOutcomeUnknown):
			n.Unknown++
			r.failed.Err = cmp.Or(r.failed.Err, f.err)
		default:
			n.Unprocessed++
			r.failed.Err = cmp.Or(r.failed.Err, f.err)
		}
		n.Added++
	}
	r.tried(t, BatchStats{Indicators: n})
}

// removeFile deletes or retires a file unless it changed after it was listed. It reads the file again,
// because files can merge: a hash that was stale may now belong to a file in the current set.
func (r *reconciliation) removeFile(ctx context.Context, f listedIndicator) fileResult {
	result := fileResult{listedIndicator: f}
	ref := IndicatorRef{Type: f.typ, Value: f.summary, asRead: true}
	file, err := r.s.c.Indicators.Get(ctx, ref, &IndicatorGetOptions{Include: Include{OmitAdditional: true}})
	if err == nil {
		known, now := indicatorDefOf(f.typ).valuesOf(f.summary), file.values()
		isNew := func(hash string) bool {
			return hash != "" && !slices.ContainsFunc(known[:], func(k string) bool { return strings.EqualFold(k, hash) })
		}
		switch {
		case slices.ContainsFunc(now[:], isNew):
			result.spared = setdiff.SparedMerged
		case r.recent(file.Meta().LastModified):
			result.spared = setdiff.SparedRecent
		default:
			err = r.removeRef(ctx, ref)
		}
	}
	if !errors.Is(err, ErrNotFound) {
		result.err = err
	}
	return result
}

// removeRef deletes or retires an indicator.
func (r *reconciliation) removeRef(ctx context.Context, ref IndicatorRef) error {
	if r.cfg.Retire == nil {
		return r.s.c.Indicators.Delete(ctx, ref)
	}
	m := r.cfg.Retire.meta()
	update := IndicatorUpdate{Rating: m.Rating, Confidence: m.Confidence, Active: m.Active}
	if update != (IndicatorUpdate{}) {
		if _, err := r.s.c.Indicators.Update(ctx, ref, update); err != nil {
			return err
		}
	}
	if r.cfg.Retire.Tag == "" {
		return nil
	}
	return r.s.c.Tags.Add(ctx, ref, r.cfg.Retire.Tag)
}

// fail records and reports the error of an item. It adds the items of earlier types to Seq.
func (r *reconciliation) fail(e BatchItemError) {
	if e.Seq >= 0 {
		e.Seq += r.failed.Stats.Indicators.Added + r.failed.Stats.Invalid
	}
	if len(r.failed.Items) < item.MaxFailures {
		r.failed.Items = append(r.failed.Items, e)
	} else {
		r.failed.More++
	}
	if r.cfg.OnError != nil {
		r.cfg.OnError(e)
	}
}
