package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ReconcileConfig configures [BatchService.Reconcile]. Owner is required; the zero value of every other
// field is its default.
type ReconcileConfig struct {
	// Owner is the name of the owner that indicators are removed from. The client's default owner is
	// not used: what is removed from the wrong owner is gone.
	Owner string
	// Types are the types of indicators that may be removed, 100 at most. Empty means those that
	// occur in the current set: a feed of hosts removes no addresses. Name a type here when the feed
	// may have lost its last indicator of it, and set MaxShare to 1 to remove all of that type.
	Types []IndicatorType
	// Filters select the indicators of the owner that are compared; others are neither counted nor removed.
	// With several types, use only fields that all of them have.
	Filters Filters
	// Inactive includes inactive indicators, which lists otherwise omit. It cannot be combined with Filters,
	// because the platform does not support that.
	Inactive bool
	// ModifiedBefore, if it is set, spares indicators that were last modified in the second of this
	// time or later, and indicators without a modification time. Set it to the start of a run to spare
	// what others add to the owner during the run. It is compared with times of the platform, which
	// are whole seconds. The client allows for a platform whose clock is behind once it has measured
	// that, which it does when the clocks differ by minutes; choose an earlier time to allow for less.
	ModifiedBefore time.Time
	// MaxShare is the largest share of the owner's indicators that may be removed, from above 0 to 1;
	// 0 means 0.2. It limits the share of all types together and the share of each type. A type in
	// Types that the current set does not have counts as a share of 1. If a share is larger, the feed
	// has probably lost a part of itself, and Reconcile removes nothing.
	MaxShare float64
	// Retire, if not nil, retires stale indicators instead of deleting them.
	Retire *Retirement
	// DryRun reports and removes nothing.
	DryRun bool
	// OnInvalid, if not nil, is called for each indicator of the current set that has no canonical form. If it
	// returns nil, the item is left out of the set. If it returns an error, Reconcile removes nothing and
	// returns that error. If OnInvalid is nil, the first such indicator is an error, because it may stand for
	// one that the owner has.
	OnInvalid func(item BatchItem, err error) error
	// Exclude, if not nil, is called for each indicator of the current set with its type and canonical
	// summary. If it returns true, the indicator does not count as part of the set, so it is removed from
	// the owner: use the function that the feed is imported with; see [BatchConfig]. MaxShare limits
	// the damage of a function that excludes too much. If every indicator of a type is
	// excluded, Reconcile deletes indicators of that type only if Types names it. A panic continues in the
	// caller of Reconcile.
	Exclude func(typ, value string) (reason string, exclude bool)
	// OnStale, if not nil, is called for each indicator that is going to be removed, or would be without
	// DryRun, with its type and its value as the platform lists it. A file can still be spared afterwards.
	OnStale func(t IndicatorType, summary string)
	// OnSpared, if not nil, is called for each indicator that is counted as Spared, like OnStale, with the
	// reason in words.
	OnSpared func(t IndicatorType, summary, reason string)

	// MaxBytes is how many bytes of indicators are sorted in memory: 256 KiB to 1 GiB; 0 means 16
	// MiB. What is more goes through temporary files.
	MaxBytes int
	// Dir is where the temporary files are made; empty means the system's place for them. They are as
	// large as the values of the current set and the owner together, and are gone afterwards.
	Dir string
	// PageSize and Ahead say how the owner's lists are read; see ListOptions.
	PageSize, Ahead int

	// The fields below are as in [BatchConfig], for the jobs that remove. Seq in the errors of items counts
	// the indicators that were to be removed before. Concurrency also limits how many files are removed at
	// the same time, up to 16 if it is 0.

	Concurrency int
	RetryFor    time.Duration
	WaitFor     time.Duration
	OnEvent     func(BatchEvent)
	OnError     func(BatchItemError)
}

// Retirement says how [BatchService.Reconcile] retires stale indicators. At least one field must be set.
// Attributes, other tags and security labels stay.
//
// An indicator that has all of it already is counted as Retired, not as Stale: MaxShare leaves it out, and
// nothing is sent. Lists omit inactive indicators, so after Deactivate it is not even listed, unless
// Inactive is set. Reconcile does not undo a retirement if the feed has the indicator again: the import of
// the feed must set the scores, and a tag stays.
type Retirement struct {
	ClearScores bool   // set rating and confidence to 0, which means unknown
	Deactivate  bool   // set Active to false; CAL may set it again unless ActiveLocked is set
	Tag         string // attach this tag
}

// meta returns what a retired indicator has.
func (t *Retirement) meta() (m IndicatorMeta) {
	if t.ClearScores {
		m.Rating, m.Confidence = new(0.0), new(0)
	}
	if t.Deactivate {
		m.Active = new(false)
	}
	if t.Tag != "" {
		m.Tags = []Tag{{Name: t.Tag}}
	}
	return m
}

// done reports whether an indicator is retired.
func (t *Retirement) done(m *IndicatorMeta) bool {
	unknown := (m.Rating == nil || *m.Rating == 0) && (m.Confidence == nil || *m.Confidence == 0)
	return (!t.ClearScores || unknown) && (!t.Deactivate || m.Active != nil && !*m.Active) &&
		(t.Tag == "" || slices.ContainsFunc(m.Tags, func(tag Tag) bool { return strings.EqualFold(tag.Name, t.Tag) }))
}

const (
	defaultMaxShare       = 0.2
	defaultReconcileBytes = 16 << 20
	minReconcileBytes     = 256 << 10
	mostReconcileTypes    = 100
)

// ErrReconcileShare says that more of an owner's indicators are stale than [ReconcileConfig] lets
// go. Nothing was removed.
var ErrReconcileShare = errors.New("threatconnect: too much would be removed")

// ReconcileCounts counts indicators. Stale is, in the end, the sum of what stands below it.
type ReconcileCounts struct {
	Current int64 // in the current set, repetitions included
	Listed  int64 // listed by the platform, each value once
	// Spared counts indicators that the current set does not have, but that are left alone:
	//   - the current set has another spelling of the value;
	//   - it was modified in the second of ModifiedBefore or later, or has no modification time;
	//   - it is a file that shares a hash with another listed file, and deleting one could delete both;
	//   - it is a file that has got another hash since it was listed, because it was merged;
	//   - it has no value by which it could be deleted.
	Spared      int64
	Retired     int64 // listed, not in the current set, and retired already; see Retirement
	Stale       int64 // listed, not in the current set, and neither spared nor retired
	Removed     int64 // retired by this run, or gone from the owner, also if somebody else deleted it first
	Failed      int64 // refused by the platform
	Unprocessed int64 // not looked at by the platform: a dry run, a refusal, or an error before
	Unknown     int64 // in a job whose end was not seen
}

// share returns how much of what is listed and not retired is stale, 0 to 1.
func (c *ReconcileCounts) share() float64 {
	return float64(c.Stale) / float64(max(c.Listed-c.Retired, 1))
}

func (c *ReconcileCounts) plus(d ReconcileCounts) {
	c.Current += d.Current
	c.Listed += d.Listed
	c.Spared += d.Spared
	c.Retired += d.Retired
	c.Stale += d.Stale
	c.Removed += d.Removed
	c.Failed += d.Failed
	c.Unprocessed += d.Unprocessed
	c.Unknown += d.Unknown
}

// ReconcileReport says what [BatchService.Reconcile] found and did.
type ReconcileReport struct {
	Total ReconcileCounts
	Types map[IndicatorType]ReconcileCounts // of every type that was looked at
	// Share is the stale part of all that is listed, 0 to 1. The share of each type may be larger.
	Share float64
	// Ignored are items of the current set that play no part: groups, associations, and indicators of
	// types that are not looked at.
	Ignored int64
	// SparedReasons counts the spared indicators by the reason that OnSpared gets.
	SparedReasons map[string]int64
	Invalid       int64 // items of the current set without a canonical form, which OnInvalid left out
	Jobs          int64 // batch jobs that removed
	// Excluded is the number of indicators of the current set that Exclude excluded, and
	// ExclusionReasons counts them by reason: up to 100 reasons, and the rest as "other".
	Excluded         int64
	ExclusionReasons map[string]int64
}

// Reconcile removes from an owner the indicators that a feed does not hold any more: those of the
// types in question that the platform lists and the current set does not have. The set is
// everything that the feed holds now, not what changed. Groups and associations in it are ignored,
// and no group is ever removed: lists do not reliably say by which xid a group came in.
//
// Nothing at all is removed when the set ends with an error, holds no indicator of these types, or
// holds an indicator without a canonical form ([ReconcileConfig].OnInvalid can let that pass); when
// a list of the owner ends with an error or shows another owner's indicator; and, with
// [ErrReconcileShare], when too much is stale. The report tells the counts in that case too; it is
// nil only when the configuration is refused with a [*ValidationError].
//
// Values are compared in canonical form. A value that differs from one of the current set only in
// letter case, white space, percent escapes, the default port or slashes at the end of a path is spared,
// because it may be the same value as the instance stored it. Letter case and white space never matter in
// email addresses, hashtags and custom types. A file is in the set if any of its hashes is.
//
// An indicator that [ReconcileConfig].Exclude excludes is not in the set. If an earlier import brought it
// in, it is stale.
//
// Lists are read while others write. What they miss stays until a later run. An indicator that is added or
// changed between its list and its removal is removed nevertheless, unless the current set has it;
// ModifiedBefore spares most of these. What the current set holds is never removed, however the lists move,
// with one exception: a file that merges with one of the current set between the two requests that remove it.
//
// It reads one list per type, and one of all types if there are custom ones, with a request per page. Then
// it removes files one by one, with two requests each: the first reads the file again and the second
// deletes it, if it still has only the hashes that were listed. It removes other types with batch jobs
// of at most 25,000 indicators. The API user needs the right to delete. Memory is bounded by MaxBytes and the jobs.
// An indicator that is not found is a success. If indicators or jobs failed, the error is a [*BatchError]. An
// outage of the platform ends the removal of files after the retries of the client; RetryFor is for the jobs.
//
// Where an API user must not delete, deprecation rules of the owner are the alternative: they lower
// the confidence of what a feed does not confirm, until it is inactive or gone.
func (s BatchService) Reconcile(ctx context.Context, config ReconcileConfig, current iter.Seq2[BatchItem, error]) (*ReconcileReport, error) {
	cfg, err := config.withDefaults()
	if err == nil {
		err = checkContext(ctx)
	}
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, &ValidationError{Field: "current set", Rule: "is nil"}
	}
	r := newReconciliation(s.c.InOwner(config.Owner).Batch, cfg)
	defer r.close()
	err = r.run(ctx, current)
	return r.outcome(), err
}

// withDefaults fills in what is not set and refuses what makes no sense.
func (c ReconcileConfig) withDefaults() (ReconcileConfig, error) {
	bad := func(field, rule, fix string) (ReconcileConfig, error) {
		return c, &ValidationError{Field: "reconcile " + field, Rule: rule, Fix: fix}
	}
	if c.MaxShare == 0 {
		c.MaxShare = defaultMaxShare
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultReconcileBytes
	}
	if c.Retire != nil {
		tag, err := c.Retire.Tag, error(nil)
		if tag != "" {
			tag, err = canonicalTag(tag)
		}
		if err != nil {
			return c, err
		}
		c.Retire = &Retirement{c.Retire.ClearScores, c.Retire.Deactivate, tag}
	}
	c.Types = slices.Compact(slices.Sorted(slices.Values(c.Types)))
	for _, t := range c.Types {
		if err := checkVerbatim("reconcile type", string(t)); err != nil {
			return c, err
		}
	}
	switch {
	case c.Owner == "":
		return bad("owner", "is missing", "set Owner; the client's default owner is not used where things are removed")
	case len(c.Types) > mostReconcileTypes:
		return bad("types", "are more than "+strconv.Itoa(mostReconcileTypes), "name fewer")
	case c.Retire != nil && *c.Retire == Retirement{}:
		return bad("retirement", "changes nothing", "set ClearScores, Deactivate or Tag, or leave Retire nil to delete")
	case c.Inactive && len(c.Filters) > 0:
		return bad("filters", "cannot be combined with Inactive", "leave out one of them")
	case math.IsNaN(c.MaxShare) || c.MaxShare < 0 || c.MaxShare > 1:
		return bad("share", "must be more than 0 and at most 1, or 0 for the default", "set MaxShare")
	case c.MaxBytes < minReconcileBytes || c.MaxBytes > 1<<30:
		return bad("bytes", "must be from 262,144 to 1,073,741,824, or 0 for the default", "set MaxBytes")
	}
	if err := (ListOptions{Limit: c.PageSize, Ahead: c.Ahead}).check(); err != nil {
		return c, err
	}
	_, err := c.batch().withDefaults()
	return c, err
}

// batch is the configuration of the jobs that remove.
func (c *ReconcileConfig) batch() BatchConfig {
	b := BatchConfig{Owner: c.Owner, Action: BatchDelete, Concurrency: c.Concurrency, RetryFor: c.RetryFor, WaitFor: c.WaitFor, OnEvent: c.OnEvent}
	if c.Retire != nil {
		b.Action, b.Attributes = BatchCreate, WriteStatic
	}
	return b
}

// list says how the owner's indicators are listed.
func (c *ReconcileConfig) list() *IndicatorListOptions {
	o := &IndicatorListOptions{
		ListOptions: ListOptions{Limit: c.PageSize, Ahead: c.Ahead}, Filters: c.Filters, Include: Include{OmitAdditional: true},
	}
	if c.Retire != nil {
		o.Include = Include{OmitAdditional: !c.Retire.Deactivate, Tags: c.Retire.Tag != ""}
	}
	if c.Inactive {
		o.Filters, o.Any = Filters{ByActive.Is(true), ByActive.Is(false)}, true
	}
	return o
}

// errTooMuch is what a share over the limit is refused with; of is the type, or empty for all types.
func errTooMuch(c ReconcileCounts, of string, most float64) error {
	return fmt.Errorf("%w: %d of the owner's %d indicators%s, and MaxShare allows %s of them; look whether the feed is whole, or allow more",
		ErrReconcileShare, c.Stale, c.Listed-c.Retired, of, strconv.FormatFloat(most, 'g', -1, 64))
}
