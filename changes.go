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

// ChangeOptions selects how changes are read. Nil and the zero value read indicators with the
// additional fields.
type ChangeOptions struct {
	CallOptions
	// Include selects what indicators are read with.
	Include Include
	// Overlap is how far before the cursor's time a run begins to read, up to 24 hours. 0 means 10
	// minutes. It has to be longer than a change can take to become visible. If it is longer than in
	// the run before, some changes are delivered again.
	Overlap time.Duration
	// Limit is the number of items per page: 2 to 10,000, on old instances to 500. 0 means 500.
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
	Indicator Indicator // as it is now; nil if Deleted
}

// Changes is a run over what has changed in an owner since a cursor; see [Client.Changes]. It is not
// safe for concurrent use.
type Changes struct {
	from, reached Cursor
	run           func(yield func(Change, error) bool) (reached Cursor, complete bool)
}

// Changes returns a run over the indicators that were added, changed or deleted in the client's owner
// since the cursor. The zero [Cursor] reads all active indicators. It sends nothing before
// [Changes.All] is ranged over.
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
// Deletions come first, so that an indicator that was deleted and created again ends as changed. After
// the first run, inactive indicators are delivered as well, for a program that has to withdraw them. A
// deletion can name an indicator that was never delivered: one that was created and deleted between
// two runs.
//
// The cursor moves only after the loop has seen everything. A run that ends early is repeated from
// where it began, so every change is delivered at least once. A change that was delivered is not
// delivered by the next run, except that:
//   - an indicator whose deletion is delivered is delivered again if it exists again;
//   - of more than 100,000 changes within the overlap, or 50,000 deletions, the rest is delivered again;
//   - with the zero cursor, an indicator can come twice if more than 50,000 are added while it is read.
//
// Changes made while the list is read do not hide others: pages overlap, and a run reads back where the
// list has become shorter. What changes meanwhile is delivered by this run or the next.
//
// The platform decides what a change is: creation, import, and a new rating or confidence. New
// tags and attributes are none, nor is a new status alone. It remembers deletions for a number of days
// that an administrator sets: a program that runs less often has to begin again with the zero cursor.
// v2 lists no changes of groups.
//
// A cursor of another owner, or of another base URL, is a [*ValidationError].
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

// All returns an iterator over the changes. It requests a page only when the loop reaches it. If a
// request fails, the iterator yields the error and stops. Each loop begins at the cursor of the run.
// Memory is bounded by a page, the changes within the overlap and 100,000 deletions.
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

// Cursor returns the cursor for the next run. Before the loop has seen everything, and after an error,
// it is the cursor that the run began with.
func (r *Changes) Cursor() Cursor {
	if r == nil {
		return Cursor{}
	}
	return r.reached
}

// errStopped says that the loop over changes was left.
var errStopped = &ValidationError{Field: "loop", Rule: "was left"}

// changesRun is one loop over changes.
type changesRun struct {
	c         *Client
	o         ChangeOptions
	from      Cursor
	known     []uint64  // what the runs before have delivered, sorted
	began     time.Time // by the platform's clock, as far as it is known
	beganHere time.Time // by the client's clock

	latest  time.Time       // latest change that was seen
	changed []datedKey      // of changes that were seen, the newest
	deleted []uint64        // keys of deletions that were seen
	gone    map[uint64]bool // indicators whose deletion was delivered; nil when there were too many
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

// first reports whether no run before has delivered anything.
func (r *changesRun) first() bool { return r.from.Time.IsZero() }

// since returns where reading begins for a cursor's time.
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

// readDeletions delivers deletions. The first run delivers none, but remembers them: on a platform that
// ignores the time it is asked for, the next run would deliver them as new.
func (r *changesRun) readDeletions(ctx context.Context, yield func(Change) bool) error {
	o := DeletedOptions{Since: r.since(r.from.Time)}
	fetch := func(ctx context.Context, start, limit int) (*page[DeletedIndicator], error) {
		return r.c.deletedPage(ctx, at("v2", "indicators", "deleted"), o, start, limit)
	}
	for d, err := range readMoving(ctx, r.o.Limit, fetch, keyOfDeletion) {
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
	s := IndicatorsService{service: service{r.c}}
	fetch := func(ctx context.Context, start, limit int) (*page[Indicator], error) {
		return s.page(ctx, o, start, limit)
	}
	for ind, err := range readMoving(ctx, r.o.Limit, fetch, keyOfIndicator) {
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

// cursor returns where the next run begins.
//
// Its time is that of the latest change, less the time that the run has taken: a change that was made
// while the list was read can be one that the list did not show. It is the platform's own time, so a
// wrong clock on this machine loses nothing.
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

// keyOfIndicator hashes what makes an indicator another one, or a changed one: the time of a change is
// in seconds, so two changes can have the same.
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
		_, _ = io.WriteString(h, s) // a hash takes everything
		_, _ = h.Write([]byte{0})
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}
