package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/setdiff"
)

// reconciliation is one run of Reconcile.
type reconciliation struct {
	s      BatchService
	cfg    ReconcileConfig
	set    *setdiff.Set
	counts map[IndicatorType]*ReconcileCounts // of each type that is compared
	report ReconcileReport
	failed BatchError // the errors of removals
}

func newReconciliation(s BatchService, cfg ReconcileConfig) *reconciliation {
	r := &reconciliation{s: s, cfg: cfg, set: setdiff.New(cfg.Dir, cfg.MaxBytes), counts: map[IndicatorType]*ReconcileCounts{}}
	for _, t := range cfg.Types {
		r.counts[t] = new(ReconcileCounts)
	}
	return r
}

// run reads the current set and the owner's lists, compares them, and removes. It removes nothing until
// everything is read and counted.
func (r *reconciliation) run(ctx context.Context, current iter.Seq2[BatchItem, error]) error {
	if err := r.readCurrent(ctx, current); err != nil {
		return err
	}
	if err := r.readOwner(ctx); err != nil {
		return fmt.Errorf("threatconnect: list the indicators of the owner, nothing was removed: %w", err)
	}
	for row, err := range r.set.Decisions() {
		if err != nil {
			return fmt.Errorf("threatconnect: compare the owner with the current set, nothing was removed: %w", err)
		}
		r.count(row)
	}
	refused := r.checkShares()
	if r.cfg.DryRun {
		return errors.Join(refused, r.reportStale())
	}
	if refused != nil {
		return refused
	}
	return r.remove(ctx)
}

// checkShares returns an error if the share of all types or of one type is above MaxShare. A type that the
// current set lacks has a share of 1, even if some of its indicators are spared.
func (r *reconciliation) checkShares() error {
	total := r.total()
	r.report.Share = total.share()
	if r.report.Share > r.cfg.MaxShare {
		return errShareExceeded(total, "", r.cfg.MaxShare)
	}
	for _, t := range slices.Sorted(maps.Keys(r.counts)) {
		c := *r.counts[t]
		share := c.share()
		if c.Current == 0 && c.Stale > 0 {
			share = 1
		}
		if share > r.cfg.MaxShare {
			return errShareExceeded(c, " of the type "+string(t), r.cfg.MaxShare)
		}
	}
	return nil
}

// count counts a listed indicator.
func (r *reconciliation) count(row setdiff.Row) {
	c := r.counts[IndicatorType(row.Type)]
	c.Listed++
	switch row.Verdict {
	case setdiff.Kept:
	case setdiff.Retired:
		c.Retired++
	case setdiff.Stale:
		c.Stale++
	default:
		r.spare(listedOf(row), row.Verdict)
	}
}

// spare counts and reports a spared indicator.
func (r *reconciliation) spare(listed listedIndicator, why setdiff.Verdict) {
	r.counts[listed.typ].Spared++
	(*item.Reasons)(&r.report.SparedReasons).Add(why.Reason())
	if r.cfg.OnSpared != nil {
		r.cfg.OnSpared(listed.typ, listed.summary, why.Reason())
	}
}

// stale returns an iterator over the stale indicators, by type.
func (r *reconciliation) stale() iter.Seq2[listedIndicator, error] {
	return func(yield func(listedIndicator, error) bool) {
		for row, err := range r.set.Decisions() {
			if err == nil && row.Verdict != setdiff.Stale {
				continue
			}
			if !yield(listedOf(row), err) || err != nil {
				return
			}
		}
	}
}

func listedOf(row setdiff.Row) listedIndicator {
	return listedIndicator{typ: IndicatorType(row.Type), summary: row.Summary}
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
			Field: "current set", Rule: "contains no indicator of the types to remove",
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
	case c == nil && len(r.counts) == maxReconcileTypes:
		return &ValidationError{Field: "current set", Rule: fmt.Sprintf("holds more than %d types of indicators", maxReconcileTypes), Fix: "set Types to the types to remove"}
	case c == nil:
		c = new(ReconcileCounts)
		r.counts[t] = c
	}
	c.Current++
	return r.set.AddCurrent(setIndicator(t, values))
}

// readOwner reads the owner's lists. It reads one list per type, because only the list of files has all
// hashes of a file, and one list of all types for types without a list.
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
			return fmt.Errorf("%w: the list of an owner contains an indicator of another owner", ErrBadResponse)
		}
		is := t
		if t == "" {
			is = ind.Type()
			if def := indicatorDefOf(is); r.counts[is] == nil || def != nil && def.branch != "" {
				continue
			}
		}
		if err := r.addListed(is, ind); err != nil {
			return err
		}
	}
	return nil
}

// reportStale calls OnStale for each stale indicator.
func (r *reconciliation) reportStale() error {
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

// verdict returns the verdict on a listed indicator if the current set lacks it.
func (r *reconciliation) verdict(m *IndicatorMeta) setdiff.Verdict {
	switch {
	case r.recent(m.LastModified):
		return setdiff.SparedRecent
	case r.cfg.Retire != nil && r.cfg.Retire.done(m):
		return setdiff.Retired
	}
	return setdiff.Stale
}

// recent reports whether ModifiedBefore spares an indicator that was modified at a time. It spares the whole
// second, because times of the platform are whole seconds, and allows for a platform whose clock is known to
// be behind.
func (r *reconciliation) recent(modified time.Time) bool {
	if r.cfg.ModifiedBefore.IsZero() {
		return false
	}
	behind := min(0, time.Duration(r.s.c.offset.Load()))
	return modified.IsZero() || !modified.Before(r.cfg.ModifiedBefore.Add(behind).Truncate(time.Second))
}

// currentValues returns the definition, the canonical values and the summary of an indicator of a current
// set.
func currentValues(item BatchItem) (def *indicatorDef, v [3]string, summary string, err error) {
	if merged, ok := item.(*mergedItem); ok {
		return merged.indicator()
	}
	ind, ok := item.(Indicator)
	if !ok || isNil(ind) {
		return nil, v, "", &ValidationError{Field: "item of the current set", Rule: "is nil"}
	}
	if def, err = batchDefOf(ind); err == nil {
		v, err = def.canonical(ind.values())
	}
	if err == nil {
		err = checkVerbatim(string(def.typ), joinValues(v))
	}
	if err == nil {
		summary, err = def.summary(v)
	}
	return def, v, summary, err
}

// addListed adds an indicator that the platform lists.
func (r *reconciliation) addListed(t IndicatorType, ind Indicator) error {
	summary, v, def := ind.Summary(), ind.values(), indicatorDefOf(t)
	valid := summary != ""
	switch {
	case t == TypeFile:
		hash, _ := def.pathOf(v)
		_, err := canon.Hash(hash)
		valid = err == nil
	case def != nil:
		if c, err := def.canonical(v); err == nil {
			v = c
		}
	}
	verdict := r.verdict(ind.Meta())
	if !valid {
		verdict = min(verdict, setdiff.SparedValue)
	}
	return r.set.AddListed(setIndicator(t, v), summary, verdict)
}

// setIndicator returns an indicator for the comparison. The values of a file are its hashes.
func setIndicator(t IndicatorType, v [3]string) setdiff.Indicator {
	values := []string{joinValues(v)}
	if t == TypeFile {
		values = v[:]
	}
	return setdiff.Indicator{Type: string(t), Custom: indicatorDefOf(t) == nil, Values: values}
}
