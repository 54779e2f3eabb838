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

// ReconcileConfig configures [BatchService.Reconcile]. Only Owner is required. "Removed" means deleted, or
// retired if Retire is set.
type ReconcileConfig struct {
	Owner string // name of the owner; the client's default is not used
	// Types are the indicator types to compare, up to 100; empty means those in the current set. Name a type if
	// the feed may have lost its last indicator of it, and set MaxShare to 1 to remove all of that type.
	Types []IndicatorType
	// Filters select the owner's indicators to compare. With several types, use fields that all of them have.
	Filters Filters
	// Inactive also compares inactive indicators, which lists omit. It cannot be combined with Filters.
	Inactive bool
	// ModifiedBefore, if set, spares indicators that were modified in that second or later, or at an unknown
	// time. Set it to the start of the run to spare what others add meanwhile.
	ModifiedBefore time.Time
	// MaxShare is the largest share of the listed indicators that may be removed, of all and of each type: above
	// 0 and up to 1; 0 means 0.2. A type in Types that the current set lacks has a share of 1. If a share is
	// larger, the feed has probably lost a part of itself, and nothing is removed.
	MaxShare float64
	Retire   *Retirement // if not nil, stale indicators are retired instead of deleted
	DryRun   bool        // report, call OnStale and OnSpared, and remove nothing
	// OnInvalid decides on an indicator of the current set without a canonical form, which may stand for one that
	// the owner has: nil leaves it out, an error ends Reconcile. If OnInvalid is nil, the indicator is an
	// error.
	OnInvalid func(item BatchItem, err error) error
	// Exclude, if not nil, keeps indicators out of the current set as in [BatchConfig], so they are stale if the
	// owner has them. Use the function that the feed is imported with.
	Exclude func(typ, value string) (reason string, exclude bool)
	// OnStale, if not nil, is called for each stale indicator before it is removed, with its value as listed;
	// OnSpared for each spared one, with the reason in words. A file can be spared after OnStale.
	OnStale  func(t IndicatorType, summary string)
	OnSpared func(t IndicatorType, summary, reason string)

	MaxBytes        int    // limit of the memory for sorting: 256 KiB to 1 GiB; 0 means 16 MiB
	Dir             string // directory of temporary files; empty means that of the system
	PageSize, Ahead int    // see ListOptions

	Concurrency int // number of jobs (0 means 1) or files (0 means 16) in progress
	// RetryFor, WaitFor and OnEvent apply to jobs, OnError to jobs and files; see [BatchConfig]. Seq counts the
	// indicators that Reconcile tried to remove before.
	RetryFor, WaitFor time.Duration
	OnEvent           func(BatchEvent)
	OnError           func(BatchItemError)
}

// Retirement says how [BatchService.Reconcile] retires stale indicators. At least one field must be set.
//
// Attributes, security labels and other tags stay as they are. An indicator that is already as these
// fields say counts as Retired, is not sent again, and is left out of MaxShare. Lists omit inactive indicators,
// so those are not even counted unless ReconcileConfig.Inactive is set. If the feed has an indicator again,
// Reconcile does not undo its retirement: import its scores and status, and remove the tag.
type Retirement struct {
	ClearScores bool   // set rating and confidence to 0, which means unknown
	Deactivate  bool   // set Active to false; CAL may set it again unless ActiveLocked is set
	Tag         string // attach this tag
}

// meta returns what a retired indicator has; nil if t is nil.
func (t *Retirement) meta() *IndicatorMeta {
	if t == nil {
		return nil
	}
	m := new(IndicatorMeta)
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

// ErrReconcileShare is the error if more of an owner's indicators are stale than MaxShare allows. Nothing was
// removed.
var ErrReconcileShare = errors.New("threatconnect: too much would be removed")

// ReconcileCounts counts indicators. Stale is the sum of the fields below it.
type ReconcileCounts struct {
	Current int64 // in the current set, repetitions included
	Listed  int64 // listed by the platform, each value once
	// Spared indicators are not in the current set, but
	//   - the set has another spelling of the value,
	//   - or they were modified in the second of ModifiedBefore or later, or at an unknown time,
	//   - or they are files that share a hash with another listed file: deleting one could delete both,
	//   - or they are files that have another hash since they were listed, because files were merged,
	//   - or they have no value by which they could be removed.
	Spared      int64
	Retired     int64 // not in the current set and already retired; see Retirement
	Stale       int64 // not in the current set, not spared, and not already retired
	Removed     int64 // deleted or retired, or found to be deleted by somebody else
	Failed      int64 // refused by the platform
	Unprocessed int64 // not sent, or not processed by the platform: a dry run, or an error before
	Unknown     int64 // sent with an unknown outcome
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

// ReconcileReport is the result of [BatchService.Reconcile].
type ReconcileReport struct {
	Total ReconcileCounts
	Types map[IndicatorType]ReconcileCounts // of every type that was compared
	// Share is the stale part of the listed indicators that are not already retired, 0 to 1. The share of a
	// type may be larger.
	Share float64
	// Ignored counts groups, associations, and indicators of other types in the current set.
	Ignored int64
	// SparedReasons counts the spared indicators by the reason that OnSpared gets.
	SparedReasons map[string]int64
	Invalid       int64 // items of the current set that OnInvalid left out
	Jobs          int64 // batch jobs; files need none
	// Excluded is the number of indicators of the current set that Exclude excluded, and
	// ExclusionReasons counts them by reason: up to 100 reasons, and the rest as "other".
	Excluded         int64
	ExclusionReasons map[string]int64
}

// Reconcile deletes indicators that are in an owner but no longer in a feed, or retires them if
// [ReconcileConfig].Retire is set. The current set is everything that the feed holds now, not what changed. It
// never removes groups, and ignores groups and associations in the set.
//
// Nothing is removed if the set ends with an error, has no indicator of the types, or has one without a
// canonical form (unless OnInvalid allows that); if a list ends with an error or has an indicator of another
// owner; or if too much is stale ([ErrReconcileShare]). The report has the counts in these cases too. It is nil
// only if the configuration returns a [*ValidationError].
//
// Values are compared in canonical form. A value that differs from one of the set only in letter
// case, white space, percent escapes, the default port or slashes at the end of a path is spared,
// because the instance may have stored it so. Email addresses, hashtags and custom types are compared without
// letter case and white space. A file is in the set if any of its hashes is. A type is not compared if everything
// of it is excluded, unless Types names it. A panic in Exclude continues in the caller.
//
// Others may write meanwhile. Indicators that a list misses stay until a later run. Indicators that are added or
// changed after they were listed can be removed; ModifiedBefore spares most of them. It allows for a platform whose
// clock is minutes behind once the client has measured that; choose an earlier time for a smaller difference.
// Indicators of the set are never removed, with one exception: a file that merges with one of the set between the
// requests for that file. A job that retires creates an indicator again if somebody deletes it meanwhile.
//
// Reconcile reads a list per type with a request per page, and one list of all types if there are custom
// types. It removes files one by one, because files can merge: it reads each again and deletes it only if it
// has no other hash than before. That costs two requests per stale file, or up to three if they are retired, and
// an outage ends it after the client's own retries. It removes other types with batch jobs of up to 25,000
// indicators. The API user needs the right to delete, or to create if Retire is set.
//
// "Not found" is a success. If indicators or jobs failed, the error is a [*BatchError]. Memory is bounded by
// MaxBytes and the jobs. Temporary files are as large as all values of the current set and the owner.
//
// An API user without the right to delete can also rely on deprecation rules of the owner, which lower the
// confidence of indicators that a feed does not confirm.
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
	defer r.set.close()
	err = r.run(ctx, current)
	return r.outcome(), err
}

// withDefaults fills in defaults and checks the configuration.
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
		return bad("retirement", "has no field set", "set ClearScores, Deactivate or Tag, or leave Retire nil to delete")
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
	_, _, err := c.batch().withDefaults()
	return c, err
}

// batch returns the configuration of the jobs that remove indicators.
func (c *ReconcileConfig) batch() BatchConfig {
	b := BatchConfig{Owner: c.Owner, Action: BatchDelete, Concurrency: c.Concurrency, RetryFor: c.RetryFor, WaitFor: c.WaitFor, OnEvent: c.OnEvent}
	if c.Retire != nil {
		b.Action, b.Attributes = BatchCreate, WriteStatic
	}
	return b
}

// list returns the options of the owner's lists.
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

// errTooMuch returns the error for a share above MaxShare; of names the type, or is empty for all types.
func errTooMuch(c ReconcileCounts, of string, most float64) error {
	return fmt.Errorf("%w: %d of the owner's %d indicators%s, and MaxShare allows %s of them; look whether the feed is whole, or allow more",
		ErrReconcileShare, c.Stale, c.Listed-c.Retired, of, strconv.FormatFloat(most, 'g', -1, 64))
}
