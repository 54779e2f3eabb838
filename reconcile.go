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

// ReconcileConfig configures [BatchService.Reconcile]. Only Owner is required. To remove an indicator means
// to delete it, or to retire it if Retire is set.
type ReconcileConfig struct {
	Owner string // name of the owner; the client's default owner is not used
	// Types are the indicator types to compare, up to 100; empty means those in the current set. Name a type
	// if the feed may no longer contain any indicator of it, and set MaxShare to 1 to allow the removal of
	// all of them.
	Types []IndicatorType
	// Filters select the owner's indicators to compare. With several types, use fields that all of them have.
	Filters Filters
	// Inactive includes inactive indicators, which lists omit. It cannot be combined with Filters.
	Inactive bool
	// ModifiedBefore, if set, spares indicators that were modified in that second or later, or at an unknown
	// time. Set it to the start of the run to spare indicators that others add meanwhile.
	ModifiedBefore time.Time
	// MaxShare is the largest stale share of the listed indicators, of all and of each type: above 0 and up
	// to 1; 0 means 0.2. A type in Types that the current set lacks has a share of 1. If a share is larger,
	// nothing is removed, because the feed is probably incomplete.
	MaxShare float64
	Retire   *Retirement // if not nil, stale indicators are retired instead of deleted
	DryRun   bool        // report, and call OnStale and OnSpared, but remove nothing
	// OnInvalid is called for an indicator of the current set without a canonical form, which may represent
	// one of the owner's indicators. If it returns nil, the indicator is left out; an error ends Reconcile.
	// If OnInvalid is nil, such an indicator is an error.
	OnInvalid func(item BatchItem, err error) error
	// Exclude, if not nil, leaves indicators out of the current set, so that they are stale if the owner has
	// them. Use the function of the import's BatchConfig.
	Exclude func(typ, value string) (reason string, exclude bool)
	// OnStale, if not nil, is called for each stale indicator before it is removed, with its value as listed.
	OnStale func(t IndicatorType, summary string)
	// OnSpared, if not nil, is called for each spared indicator, with the reason in words. A file can be
	// spared after OnStale was called for it.
	OnSpared func(t IndicatorType, summary, reason string)

	MaxBytes        int    // memory limit for sorting, from 256 KiB to 1 GiB; 0 means 16 MiB
	Dir             string // directory of temporary files; empty means that of the system
	PageSize, Ahead int    // see ListOptions

	Concurrency int // number of jobs (0 means 1) or files (0 means 16) in progress
	// RetryFor, WaitFor and OnEvent apply to jobs, and OnError to jobs and files; see BatchConfig. Seq in
	// errors is the number of indicators that Reconcile tried to remove before.
	RetryFor, WaitFor time.Duration
	OnEvent           func(BatchEvent)
	OnError           func(BatchItemError)
}

// Retirement selects how [BatchService.Reconcile] retires stale indicators. At least one field must be set.
//
// Attributes, security labels and other tags do not change. An indicator that already matches these fields
// counts as Retired. It is not sent again and is left out of MaxShare. Lists omit inactive indicators, so
// those are not counted unless ReconcileConfig.Inactive is set.
//
// Reconcile does not undo a retirement when the feed contains the indicator again. Import its scores and
// status, and remove the tag.
type Retirement struct {
	ClearScores bool   // set rating and confidence to 0, which means unknown
	Deactivate  bool   // set Active to false; CAL may set it to true unless ActiveLocked is set
	Tag         string // attach this tag
}

// meta returns the fields that a retirement sets, or nil if t is nil.
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

// done reports whether an indicator is already retired.
func (t *Retirement) done(m *IndicatorMeta) bool {
	unknown := (m.Rating == nil || *m.Rating == 0) && (m.Confidence == nil || *m.Confidence == 0)
	return (!t.ClearScores || unknown) && (!t.Deactivate || m.Active != nil && !*m.Active) &&
		(t.Tag == "" || slices.ContainsFunc(m.Tags, func(tag Tag) bool { return strings.EqualFold(tag.Name, t.Tag) }))
}

const (
	defaultMaxShare       = 0.2
	defaultReconcileBytes = 16 << 20
	minReconcileBytes     = 256 << 10
	maxReconcileTypes     = 100
)

// ErrReconcileShare is the error if more of the owner's indicators are stale than MaxShare allows. Nothing
// was removed.
var ErrReconcileShare = errors.New("threatconnect: too much would be removed")

// ReconcileCounts counts indicators. Stale is the sum of the fields after it.
type ReconcileCounts struct {
	Current int64 // in the current set, including duplicates
	Listed  int64 // listed by the platform, each value once
	// Spared counts indicators that are not in the current set and are not removed because
	//   - the set contains another spelling of the value,
	//   - they were modified in the second of ModifiedBefore or later, or at an unknown time,
	//   - they are files that share a hash with another listed file: deleting one could delete both,
	//   - they are files that got another hash after they were listed, because files were merged,
	//   - or they have no value by which they could be removed.
	Spared      int64
	Retired     int64 // not in the current set and already retired; see Retirement
	Stale       int64 // not in the current set, not spared, and not already retired
	Removed     int64 // deleted or retired, or already deleted by someone else
	Failed      int64 // refused by the platform
	Unprocessed int64 // not sent, or not processed by the platform, because of DryRun or an earlier error
	Unknown     int64 // sent with an unknown outcome
}

// share returns the stale share of the listed indicators that are not retired, from 0 to 1.
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
	// Share is the stale share of the listed indicators that are not already retired, from 0 to 1. The share
	// of a type may be larger.
	Share float64
	// Ignored counts the groups, associations, and indicators of other types in the current set.
	Ignored int64
	// SparedReasons counts the spared indicators by the reason passed to OnSpared.
	SparedReasons map[string]int64
	Invalid       int64 // indicators of the current set that OnInvalid left out
	Jobs          int64 // number of batch jobs; files need none
	// Excluded counts the indicators of the current set that Exclude left out. ExclusionReasons counts them
	// by reason: up to 100 reasons, and the rest as "other".
	Excluded         int64
	ExclusionReasons map[string]int64
}

// Reconcile deletes indicators that are in an owner but no longer in a feed, or retires them if
// [ReconcileConfig].Retire is set. The current set is the complete content of the feed, not its changes.
// Groups and associations in the set are ignored, and groups are never removed.
//
// Nothing is removed if
//
//   - the set ends with an error, has no indicator of the compared types, or has one without a canonical
//     form, unless OnInvalid allows it,
//   - a list of the owner ends with an error or contains an indicator of another owner,
//   - too much is stale ([ErrReconcileShare]).
//
// The report has the counts in these cases too. It is nil only if the configuration returns a
// [*ValidationError].
//
// Values are compared in canonical form. An indicator is spared if its value differs from one in the set only
// in letter case, white space, percent escapes, the default port, or slashes at the end of a path. The
// instance may have stored the value in that form. In email addresses, hashtags and custom types, letter case
// and white space are ignored. A file is in the set if any of its hashes is. A type is not compared if all
// its indicators are excluded, unless Types names it. A panic in Exclude propagates to the caller.
//
// Other clients may write at the same time. Indicators that a list misses remain until a later run.
// Indicators that are added or changed after they were listed may be removed; ModifiedBefore spares most of
// them. Once the client has measured the clock of the platform, ModifiedBefore allows for a clock that is
// minutes behind; choose an earlier time for a smaller difference. Indicators of the set are never removed,
// with one exception: a file that merges with one of the set between the two requests for that file. A job
// that retires an indicator creates it again if someone deletes it meanwhile.
//
// Reconcile reads a list per type, with a request per page, and one list of all types if there are custom
// types. It removes files one by one, because files can merge: it reads each file again and deletes it only
// if it has no new hash. This costs two requests per stale file, or up to three to retire it; an outage that
// outlasts the client's retries ends Reconcile. Other types are removed by batch jobs of up to 25,000
// indicators. The API user needs the permission to delete, or to create if Retire is set.
//
// An indicator that is not found counts as removed. If indicators or jobs failed, the error is a
// [*BatchError]. Memory is limited by MaxBytes and the jobs. Temporary files are as large as all values of
// the current set and the owner.
//
// If the API user may not delete, consider deprecation rules of the owner, which lower the confidence of
// indicators that a feed does not confirm.
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
	defer r.set.Close()
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
		return bad("owner", "is missing", "set Owner; the client's default owner is not used for removals")
	case len(c.Types) > maxReconcileTypes:
		return bad("types", "are more than "+strconv.Itoa(maxReconcileTypes), "name fewer")
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

// errShareExceeded returns the error for a share above MaxShare. of names the type and is empty for all types.
func errShareExceeded(c ReconcileCounts, of string, most float64) error {
	return fmt.Errorf("%w: %d of the owner's %d indicators%s, and MaxShare allows %s of them; check whether the feed is complete, or increase MaxShare",
		ErrReconcileShare, c.Stale, c.Listed-c.Retired, of, strconv.FormatFloat(most, 'g', -1, 64))
}
