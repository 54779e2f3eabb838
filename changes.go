package threatconnect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// ChangeOptions configures a run over changes. Nil and the zero value select the defaults.
type ChangeOptions struct {
	CallOptions
	// Include selects the optional parts of indicators to read.
	Include Include
	// Overlap is how far before the time of the cursor a run starts to read, up to 24 hours. 0 means 10
	// minutes. It must be longer than the delay until a change becomes visible. If it is longer than in the
	// run before, some changes are delivered again.
	Overlap time.Duration
	// Limit is the number of items per page: 2 to 10,000, or 2 to 500 on old instances. 0 means 500.
	Limit int
}

func (o ChangeOptions) check() error {
	switch {
	case o.Overlap < 0 || o.Overlap > 24*time.Hour:
		return &ValidationError{Field: "change overlap", Rule: "must be up to 24 hours, or 0 for the default"}
	case o.Limit < 0 || o.Limit == 1 || o.Limit > maxPageSize:
		return &ValidationError{Field: "change limit", Rule: "must be 2 to 10,000, or 0 for the default"}
	}
	return nil
}

// Change is an indicator that was added, changed or deleted.
type Change struct {
	Deleted   bool
	Ref       IndicatorRef
	Indicator Indicator // the current indicator; nil if Deleted
}

// Changes is a run over the changes of an owner since a cursor; see [Client.Changes]. It is not safe for
// concurrent use.
type Changes struct {
	from, reached Cursor
	run           func(yield func(Change, error) bool) (reached Cursor, complete bool)
}

// Changes returns a run over the indicators that were added, changed or deleted in the client's owner since
// the cursor. With the zero [Cursor], the run reads all active indicators. No request is sent before the
// loop over [Changes.All] begins.
//
//	changes := client.Changes(ctx, cursor, nil)
//	for change, err := range changes.All() {
//		if err != nil {
//			return err
//		}
//		// Apply the change.
//	}
//	cursor = changes.Cursor() // save it
//
// Deletions come first, so the last change of an indicator that was deleted and created again is not its
// deletion. After the first run, inactive indicators are delivered as well, so that a program can withdraw
// them. A deletion can name an indicator that was never delivered, because it was created and deleted
// between two runs.
//
// Every change is delivered at least once: the cursor advances only if the loop reaches the end, so the next
// run repeats a run that ended early. A run does not repeat a change of the run before, except:
//   - an indicator that was deleted and exists again;
//   - changes in excess of 100,000 within the overlap, and deletions in excess of 50,000;
//   - with the zero cursor, an indicator can occur twice if more than 50,000 are added while it is read.
//
// Changes during a run do not hide others: pages overlap, and the run reads back if the list has become
// shorter. They are delivered by this run or the next.
//
// The platform defines a change: a creation, an import, a new rating or confidence. New tags and attributes
// are not changes, nor is a new status alone. The platform remembers deletions for a number of days that an
// administrator sets. A program that runs less often must start again with the zero cursor. v2 does not list
// changes of groups.
//
// A cursor of another owner or base URL returns a [*ValidationError].
//
//	API: GET /v2/indicators
//	API: GET /v2/indicators/deleted
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (c *Client) Changes(ctx context.Context, cursor Cursor, opts *ChangeOptions) *Changes {
	o := copyOf(opts)
	known := slices.Sorted(slices.Values(cursor.Seen))
	return &Changes{from: cursor, reached: cursor, run: func(yield func(Change, error) bool) (Cursor, bool) {
		r, err := newChangesRun(ctx, c.with(o.CallOptions), cursor, known, o)
		if err == nil {
			err = r.read(ctx, func(change Change) bool { return yield(change, nil) })
		}
		switch {
		case err == errStopped:
			return cursor, false
		case err != nil:
			yield(Change{}, err)
			return cursor, false
		}
		return r.cursor(), true
	}}
}

// All returns an iterator over the changes and requests a page only when the loop reaches it. If a request
// fails, the iterator yields the error and stops. Each loop begins at the cursor of the run. Memory is
// bounded by a page, the changes within the overlap and 100,000 deletions.
func (r *Changes) All() iter.Seq2[Change, error] {
	if r == nil || r.run == nil {
		return failing[Change](errNoClient)
	}
	return func(yield func(Change, error) bool) {
		r.reached = r.from
		if reached, complete := r.run(yield); complete {
			r.reached = reached
		}
	}
}

// Cursor returns the cursor for the next run. Before the loop has reached the end, and after an error, it is
// the cursor of this run.
func (r *Changes) Cursor() Cursor {
	if r == nil {
		return Cursor{}
	}
	return r.reached
}

// errStopped is the error of a loop that was left early.
var errStopped = &ValidationError{Field: "loop", Rule: "was left"}

// changesRun is one loop over changes.
type changesRun struct {
	c         *Client
	o         ChangeOptions
	from      Cursor
	known     []uint64  // keys that earlier runs have delivered, sorted
	began     time.Time // by the corrected clock
	beganHere time.Time // by the local clock

	latest  time.Time       // time of the latest change
	changed []datedKey      // keys of the newest changes
	deleted []uint64        // keys of deletions
	gone    map[uint64]bool // indicators whose deletion was delivered; nil if there were too many
}

type datedKey struct {
	at  int64 // Unix seconds
	key uint64
}

func newChangesRun(ctx context.Context, c *Client, from Cursor, known []uint64, o ChangeOptions) (*changesRun, error) {
	if err := cmp.Or(c.usable(), checkContext(ctx)); err != nil {
		return nil, err
	}
	if err := cmp.Or(o.check(), from.check()); err != nil {
		return nil, err
	}
	o.Overlap, o.Limit = cmp.Or(o.Overlap, 10*time.Minute), cmp.Or(o.Limit, defaultPageSize)
	source := c.BaseURL() + "/v2/indicators?" + url.Values{"owner": {c.Owner()}}.Encode()
	if !from.IsZero() && from.Source != source {
		return nil, &ValidationError{Field: "cursor", Rule: "is of another owner, base URL or source", Fix: "use one cursor per owner, or begin with the zero Cursor"}
	}
	from.Source = source
	return &changesRun{c: c, o: o, from: from, known: known, began: c.now(), beganHere: c.cfg.now(), gone: map[uint64]bool{}}, nil
}

// first reports whether no earlier run has delivered changes.
func (r *changesRun) first() bool { return r.from.Time.IsZero() }

// since returns the time from which to read for the time of a cursor.
func (r *changesRun) since(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-r.o.Overlap).Truncate(time.Second)
}

func (r *changesRun) isKnown(key uint64) bool {
	_, found := slices.BinarySearch(r.known, key)
	return found
}

func (r *changesRun) read(ctx context.Context, yield func(Change) bool) error {
	if err := r.readDeletions(ctx, yield); err != nil {
		return err
	}
	return r.readIndicators(ctx, yield)
}

// readDeletions delivers deletions. The first run only remembers them: if the platform ignores the requested
// time, the next run would deliver them as new.
func (r *changesRun) readDeletions(ctx context.Context, yield func(Change) bool) error {
	o := DeletedOptions{Since: r.since(r.from.Time)}
	list := r.c.deleted(at("v2", "indicators", "deleted"), o)
	for d, err := range readMoving(ctx, r.o.Limit, list.page, keyOfDeletion) {
		if err != nil {
			return err
		}
		if len(r.deleted) < maxSeen/2 {
			r.deleted = append(r.deleted, d.key)
		}
		if r.first() || r.isKnown(d.key) {
			continue
		}
		if r.gone != nil {
			r.gone[keyOfRef(d.item.Type, d.item.Summary)] = true
		}
		if len(r.gone) > maxSeen {
			r.gone = nil
		}
		if !yield(Change{Deleted: true, Ref: d.item.Ref()}) {
			return errStopped
		}
	}
	return nil
}

func (r *changesRun) readIndicators(ctx context.Context, yield func(Change) bool) error {
	o := IndicatorListOptions{ModifiedSince: r.since(r.from.Time), Include: r.o.Include}
	if !r.first() {
		o.Filters, o.Any = Filters{ByActive.Is(true), ByActive.Is(false)}, true
	}
	list := IndicatorsService{service: service{r.c}}.lister(&o)
	for ind, err := range readMoving(ctx, r.o.Limit, list.page, keyOfIndicator) {
		if err != nil {
			return err
		}
		r.remember(ind.item.Meta().LastModified, ind.key)
		back := r.gone == nil || len(r.gone) > 0 && r.gone[keyOfRef(ind.item.Type(), ind.item.Summary())]
		if r.isKnown(ind.key) && !back {
			continue
		}
		if !yield(Change{Ref: ind.item.Ref(), Indicator: ind.item}) {
			return errStopped
		}
	}
	return nil
}

// remember keeps the keys of the newest changes.
func (r *changesRun) remember(modified time.Time, key uint64) {
	if modified.After(r.latest) {
		r.latest = modified
	}
	r.changed = append(r.changed, datedKey{modified.Unix(), key})
	if len(r.changed) == 2*maxSeen {
		r.keepNewest(maxSeen)
	}
}

func (r *changesRun) keepNewest(most int) {
	slices.SortFunc(r.changed, func(a, b datedKey) int { return cmp.Compare(b.at, a.at) })
	r.changed = r.changed[:min(most, len(r.changed))]
}

// cursor returns the cursor for the next run.
//
// Its time is the time of the latest change minus the duration of the run, because the list may not contain
// a change that was made while it was read. The time comes from the platform, so a wrong local clock loses
// no change.
func (r *changesRun) cursor() Cursor {
	next := Cursor{Source: r.from.Source, Time: r.from.Time}
	if !r.latest.IsZero() {
		reached := r.latest.Add(-r.c.cfg.now().Sub(r.beganHere))
		if reached.After(r.began) {
			reached = r.began
		}
		if reached = reached.UTC().Truncate(time.Second); reached.After(next.Time) {
			next.Time = reached
		}
	}
	since := r.since(next.Time).Unix()
	r.keepNewest(maxSeen - len(r.deleted))
	next.Seen = r.deleted
	for _, k := range r.changed {
		if k.at >= since {
			next.Seen = append(next.Seen, k.key)
		}
	}
	slices.Sort(next.Seen)
	next.Seen = slices.Compact(next.Seen)
	return next
}

// keyOfIndicator returns a hash of the identity and the state of an indicator. The time of its change is not
// enough, because two changes can be in the same second.
func keyOfIndicator(ind Indicator) uint64 {
	m := ind.Meta()
	var rating, confidence, active string
	if m.Rating != nil {
		rating = strconv.FormatFloat(*m.Rating, 'g', -1, 64)
	}
	if m.Confidence != nil {
		confidence = strconv.Itoa(*m.Confidence)
	}
	if m.Active != nil {
		active = strconv.FormatBool(*m.Active)
	}
	return hashOf("changed", string(ind.Type()), ind.Summary(), strconv.FormatInt(m.ID, 10), timeText(m.DateAdded), timeText(m.LastModified), rating, confidence, active)
}

func keyOfDeletion(d DeletedIndicator) uint64 {
	return hashOf("deleted", string(d.Type), d.Summary, timeText(d.DateAdded))
}

func keyOfRef(typ IndicatorType, summary string) uint64 { return hashOf(string(typ), summary) }

func timeText(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// hashOf returns 64 bits of a hash that stays the same from one version of the package to the next.
func hashOf(parts ...string) uint64 {
	h := sha256.New()
	for _, s := range parts {
		_, _ = io.WriteString(h, s) // a hash never returns an error
		_, _ = h.Write([]byte{0})
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}
