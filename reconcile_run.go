package threatconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/parallel"
)

// reconciliation is one run of Reconcile.
type reconciliation struct {
	s      BatchService
	cfg    ReconcileConfig
	set    *indicatorSet
	counts map[IndicatorType]*ReconcileCounts // of each type that is compared
	report ReconcileReport
	failed BatchError // what went wrong while removing
}

func newReconciliation(s BatchService, cfg ReconcileConfig) *reconciliation {
	r := &reconciliation{s: s, cfg: cfg, set: newIndicatorSet(cfg.Dir, cfg.MaxBytes), counts: map[IndicatorType]*ReconcileCounts{}}
	for _, t := range cfg.Types {
		r.counts[t] = new(ReconcileCounts)
	}
	return r
}

// run reads the current set, then the owner's lists, compares, and removes. Nothing is removed
// before everything has been read and counted.
func (r *reconciliation) run(ctx context.Context, current iter.Seq2[BatchItem, error]) error {
	if err := r.readCurrent(ctx, current); err != nil {
		return err
	}
	if err := r.readOwner(ctx); err != nil {
		return fmt.Errorf("threatconnect: list what the owner has, nothing was removed: %w", err)
	}
	for item, err := range r.set.decisions() {
		if err != nil {
			return fmt.Errorf("threatconnect: compare the owner with the current set, nothing was removed: %w", err)
		}
		r.count(item)
	}
	refused := r.tooMuch()
	if r.cfg.DryRun {
		return errors.Join(refused, r.tell())
	}
	if refused != nil {
		return refused
	}
	return r.remove(ctx)
}

// tooMuch returns an error if the share of all types or of one type is above MaxShare. The share of a type that
// the current set lacks is 1, even if some of its indicators are spared.
func (r *reconciliation) tooMuch() error {
	total := r.total()
	r.report.Share = total.share()
	if r.report.Share > r.cfg.MaxShare {
		return errTooMuch(total, "", r.cfg.MaxShare)
	}
	for _, t := range slices.Sorted(maps.Keys(r.counts)) {
		c := *r.counts[t]
		share := c.share()
		if c.Current == 0 && c.Stale > 0 {
			share = 1
		}
		if share > r.cfg.MaxShare {
			return errTooMuch(c, " of the type "+string(t), r.cfg.MaxShare)
		}
	}
	return nil
}

// count counts a listed indicator.
func (r *reconciliation) count(item row) {
	c := r.counts[item.typ]
	c.Listed++
	switch item.verdict {
	case verdictKept:
	case verdictRetired:
		c.Retired++
	case verdictStale:
		c.Stale++
	default:
		r.spare(item.listedIndicator, item.verdict)
	}
}

// spare counts and reports a listed indicator that is spared.
func (r *reconciliation) spare(listed listedIndicator, why verdict) {
	r.counts[listed.typ].Spared++
	(*item.Reasons)(&r.report.SparedReasons).Add(why.reason())
	if r.cfg.OnSpared != nil {
		r.cfg.OnSpared(listed.typ, listed.summary, why.reason())
	}
}

// stale returns an iterator over the stale indicators, by type.
func (r *reconciliation) stale() iter.Seq2[listedIndicator, error] {
	return func(yield func(listedIndicator, error) bool) {
		for item, err := range r.set.decisions() {
			if err == nil && item.verdict != verdictStale {
				continue
			}
			if !yield(item.listedIndicator, err) || err != nil {
				return
			}
		}
	}
}

func (r *reconciliation) total() ReconcileCounts {
	var t ReconcileCounts
	for _, c := range r.counts {
		t.plus(*c)
	}
	return t
}

// outcome returns the report.
func (r *reconciliation) outcome() *ReconcileReport {
	r.report.Types = make(map[IndicatorType]ReconcileCounts, len(r.counts))
	for t, c := range r.counts {
		c.Unprocessed = c.Stale - c.Removed - c.Failed - c.Unknown
		r.report.Types[t] = *c
	}
	r.report.Total, r.report.Jobs = r.total(), r.failed.Stats.Jobs
	return &r.report
}

// readCurrent reads the current set.
func (r *reconciliation) readCurrent(ctx context.Context, current iter.Seq2[BatchItem, error]) error {
	for item, err := range current {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err == nil {
			err = r.addCurrent(item)
		}
		if err != nil {
			return fmt.Errorf("threatconnect: read the current set, nothing was removed: %w", err)
		}
	}
	if r.total().Current == 0 {
		return &ValidationError{
			Field: "current set", Rule: "holds no indicator of the types that may be removed",
			Fix: "check whether the feed is complete and whether Exclude excludes too much; to empty an owner, import with BatchDelete",
		}
	}
	return nil
}

func (r *reconciliation) addCurrent(in BatchItem) error {
	ignored := false
	switch in := in.(type) {
	case Group, *GroupContent, *Association:
		ignored = true
	case *mergedItem:
		ignored = in.section() != item.Indicators
	}
	if ignored {
		r.report.Ignored++
		return nil
	}
	def, values, summary, err := currentValues(in)
	if err != nil {
		if r.cfg.OnInvalid == nil {
			return err
		}
		r.report.Invalid++
		return r.cfg.OnInvalid(in, err)
	}
	t := def.typ
	reason := exclusion(r.cfg.Exclude, t, summary)
	c := r.counts[t]
	if c == nil {
		for other := range r.counts {
			if strings.EqualFold(string(other), string(t)) {
				return &ValidationError{Field: "indicator type", Rule: "is written in another letter case elsewhere in the current set or in Types", Fix: "write it as client.Types.Indicators lists it"}
			}
		}
	}
	switch {
	case c == nil && len(r.cfg.Types) > 0:
		r.report.Ignored++
		return nil
	case reason != "":
		r.report.Excluded++
		(*item.Reasons)(&r.report.ExclusionReasons).Add(reason)
		return nil
	case c == nil && len(r.counts) == mostReconcileTypes:
		return &ValidationError{Field: "current set", Rule: fmt.Sprintf("holds more than %d types of indicators", mostReconcileTypes), Fix: "name those that may be removed with Types"}
	case c == nil:
		c = new(ReconcileCounts)
		r.counts[t] = c
	}
	c.Current++
	return r.set.addCurrent(t, values)
}

// readOwner reads the owner's lists: one per type, because only the list of files has all hashes of a file, and
// one of all types for types without a list.
func (r *reconciliation) readOwner(ctx context.Context) error {
	var rest []IndicatorType
	for _, t := range slices.Sorted(maps.Keys(r.counts)) {
		def := indicatorDefOf(t)
		if def == nil || def.branch == "" {
			rest = append(rest, t)
			continue
		}
		if err := r.readList(t, (TypedIndicators[Indicator]{r.s.service, t}).All(ctx, r.cfg.list())); err != nil {
			return err
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return r.readList("", r.s.c.Indicators.All(ctx, r.cfg.list()))
}

// readList reads a list of indicators of one type, or of all types if t is empty.
func (r *reconciliation) readList(t IndicatorType, list iter.Seq2[Indicator, error]) error {
	for ind, err := range list {
		if err != nil {
			return err
		}
		meta := ind.Meta()
		if name := meta.Owner.Name; name != "" && !strings.EqualFold(name, strings.TrimSpace(r.cfg.Owner)) {
			return fmt.Errorf("%w: a list of one owner holds an indicator of another", ErrBadResponse)
		}
		is := t
		if t == "" {
			is = ind.Type()
			if def := indicatorDefOf(is); r.counts[is] == nil || def != nil && def.branch != "" {
				continue
			}
		}
		if err := r.set.addListed(is, ind, r.verdict(meta)); err != nil {
			return err
		}
	}
	return nil
}

// tell calls OnStale for each stale indicator.
func (r *reconciliation) tell() error {
	for item, err := range r.stale() {
		switch {
		case err != nil:
			return fmt.Errorf("threatconnect: compare the owner with the current set: %w", err)
		case r.cfg.OnStale == nil:
			return nil
		}
		r.cfg.OnStale(item.typ, item.summary)
	}
	return nil
}

// remove deletes or retires stale indicators, type by type, so that each type has its own counts.
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
	var gone int64 // deleted by somebody else
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

// tried counts the indicators of one type that Reconcile has tried to remove.
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
	spared verdict // verdictKept if it was not spared
	err    error
}

// removeFiles deletes or retires files one by one, several at a time.
func (r *reconciliation) removeFiles(ctx context.Context, t IndicatorType, files iter.Seq[listedIndicator]) {
	var n BatchCounts
	for f := range parallel.Map(ctx, cmp.Or(r.cfg.Concurrency, defaultParallel), files, r.removeFile) {
		if f.err == nil && f.spared != verdictKept {
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

// removeFile deletes or retires a file unless it has changed since it was listed. It reads the file again,
// because files can merge: a hash that was stale may now belong to a file that the current set has.
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
			result.spared = sparedMerged
		case r.recent(file.Meta().LastModified):
			result.spared = sparedRecent
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

// fail keeps and reports the error of an item. It adds the items of earlier types to Seq.
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
