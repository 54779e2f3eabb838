package feeds

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// State records which items of a feed are in an owner, so that the next run sends only the changes. The feed must be
// complete in each run: items that are no longer in it are forgotten. Programs that read only new items use a cursor
// instead; see [LoadCursor].
//
//	state, err := feeds.OpenState(ctx, feeds.NewFileStore("feed.state"), feeds.StateOptions{
//		Instance: client.BaseURL(), Owner: config.Owner, Settings: string(config.Attributes),
//	})
//	if err != nil {
//		return err
//	}
//	defer state.Close()
//	config.KnownGroup, config.OnError = state.KnownGroup, state.OnError
//	stats, err := client.Batch.Import(ctx, config, state.Changed(items))
//	return errors.Join(err, state.Save(ctx, stats, err))
//
// A State contains hashes of the names and contents of items, and no values. It contains only items that the platform has
// confirmed. The cursor of the feed is saved atomically with them. A State does not detect changes that others make in
// the owner. To undo those, set StateOptions.Full in some runs, for example once a week.
//
// Memory use is bounded: about 12 MiB, plus 3 bits per item. OnError and KnownGroup are safe for concurrent use. The
// other methods are not.
type State struct {
	store    Store
	options  StateOptions
	token    string
	previous *mark
	restart  bool                                 // an earlier process has begun the run
	mixed    bool                                 // the run has sent items of several versions of the feed
	swap     func(change func(*mark) *mark) error // of the store, works after the context of OpenState has ended
	reason   string
	cursor   threatconnect.Cursor // of the last run
	next     threatconnect.Cursor
	content  *stored // nil if the old state is not used

	lookup       sync.Mutex // guards the next 3
	old          image
	fingerprints threatconnect.Fingerprinter
	groups       map[string]id // IDs of a few xids

	passes     int    // number of loops over Changed
	complete   bool   // the last pass reached the end of the feed
	yielded    int64  // items of the last pass
	accepted   int64  // of those, the items after which the loop continued
	unchanged  int64  // items of the last pass that were not yielded
	seen, sent bitmap // by the number of the old record
	sends      *extsort.Log
	done       bool // Save was called, or the mark was restored

	mu       sync.Mutex // guards the rest
	failures *extsort.Sorter
	doubt    bool  // an unknown item failed
	err      error // the reason not to save the state
}

// StateOptions identifies the import that a state belongs to, and configures its use.
type StateOptions struct {
	// Instance (the base URL), Owner and Settings identify the import. A state with other values is not used.
	// Settings is any text that contains everything except the feed that affects the result of an import, such as
	// write types, the column map and a hash of the exclusions. If Settings changes, the feed must be read again, even
	// if it has not changed.
	Instance, Owner, Settings string
	// Run is the name of the import in a spool (threatconnect.BatchConfig.Run). If the process dies, the next
	// process with this name selects the same items, and the import in the spool is resumed. Without a spool, leave Run
	// empty: after a crash, everything is sent.
	Run string
	// Full sends everything.
	Full bool
	// DryRun changes nothing in the store. Changed returns the items that would be sent. Save must not be called.
	DryRun bool
	// Dir is the directory for temporary files; empty means os.TempDir.
	Dir string
}

// Memory limits of a state. Temporary files contain the rest.
const (
	sendsBytes    = 2 << 20
	failuresBytes = 1 << 20
	recordsBytes  = 4 << 20
	maxGroups     = 1000
	saveGrace     = 2 * time.Minute
)

// OpenState opens the state in a store and marks the store as used by this run. If the old state cannot be used,
// everything is sent, and [State.Reason] returns the reason. An error of the store is returned. Other content in the store
// is also an error, and is never replaced.
//
// If another run uses the state, or died using it, everything is sent. If the other run is still alive, its Save returns
// [ErrConcurrentRun].
func OpenState(ctx context.Context, store Store, o StateOptions) (*State, error) {
	if ctx == nil || store == nil {
		return nil, &threatconnect.ValidationError{Field: "context or store", Rule: "is nil"}
	}
	s := &State{
		store: store, options: o, token: rand.Text(), groups: map[string]id{},
		sends: extsort.NewLog(o.Dir, sendsBytes), failures: extsort.New(o.Dir, failuresBytes),
	}
	if s.options.Run == "" {
		s.options.Run = rand.Text()
	}
	s.swap = func(change func(*mark) *mark) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveGrace)
		defer cancel()
		return store.swap(ctx, change)
	}
	change := s.mark
	if o.DryRun {
		s.done = true
		change = func(now *mark) *mark { s.mark(now); return now }
	}
	if err := store.swap(ctx, change); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.seen, s.sent = newBitmap(s.old.count), newBitmap(s.old.count)
	return s, nil
}

// open reads the old state.
func (s *State) open(ctx context.Context) error {
	content, err := s.store.open(ctx, s.options.Dir)
	var old *image
	if err == nil {
		s.content = content
		old, err = openImage(content, content.size)
	}
	if err == nil {
		if h := old.header; h.Instance != s.options.Instance || h.Owner != s.options.Owner || h.Settings != s.options.Settings {
			err = errOther
		}
	}
	switch err {
	case nil:
	case errNone, errVersion, errDamaged, errOther:
		if s.reason == "" {
			s.reason = err.Error()
		}
	default:
		return err
	}
	if s.reason != "" {
		s.forget()
		return nil
	}
	s.old = *old
	if !s.restart {
		s.cursor = old.header.Cursor
	}
	return nil
}

// forget closes the old state.
func (s *State) forget() {
	if s.content != nil {
		s.content.close()
	}
	s.content = nil
}

// Reason returns the reason for sending everything. It is empty if only changes are sent.
func (s *State) Reason() string { return s.reason }

// Cursor returns the cursor that the last run saved, for [Fetcher.Fetch]. It is zero if the feed must be read although
// it may not have changed: everything is sent, items of the last run failed, or an earlier process of this run may have
// sent items.
func (s *State) Cursor() threatconnect.Cursor { return s.cursor }

// SetCursor sets the cursor that Save saves, usually [Download].Cursor. Without SetCursor, none is saved.
func (s *State) SetCursor(c threatconnect.Cursor) { s.next = c }

// Counts returns the number of items that were not sent because they have not changed, and the number of items of the last
// run that are no longer in the feed. The second number is 0 until the feed has been read to its end.
func (s *State) Counts() (unchanged, vanished int64) {
	if s.complete {
		vanished = s.old.count - s.seen.count()
	}
	return s.unchanged, vanished
}

// KnownGroup reports whether the group with this xid was in the owner after the last run. It is for
// [threatconnect.BatchConfig].KnownGroup.
func (s *State) KnownGroup(xid string) bool {
	s.lookup.Lock()
	defer s.lookup.Unlock()
	n, _, err := s.old.find(s.groupID(xid))
	s.fail(err)
	return n >= 0
}

// groupID returns the ID of the group with an xid, regardless of its type and name.
func (s *State) groupID(xid string) id {
	if known, ok := s.groups[xid]; ok {
		return known
	}
	g := threatconnect.NewThreat("any")
	g.XID = xid
	p, err := s.fingerprints.Of(g)
	if err != nil {
		return id{} // no group can have it
	}
	if len(s.groups) >= maxGroups {
		clear(s.groups)
	}
	s.groups[xid] = p.Item
	return p.Item
}

// Changed returns an iterator over the items to send: new items, changed items, and items that did not succeed in the last
// run. Pass it to [threatconnect.BatchService.Import], or add every item to a new [threatconnect.BatchWriter]: OnError
// identifies an item by its position. Errors of items are yielded unchanged. Items whose content cannot be compared, such
// as a [*threatconnect.GroupContent], are sent in each run. So are items that the feed contains with different contents;
// deduplicate such a feed first:
//
//	state.Changed(threatconnect.MergeItems(ctx, items, nil))
//
// Do not pass Changed to [threatconnect.BatchService.Reconcile], which needs all items of the feed: it would delete the
// unchanged ones.
//
// The iterator can be used again if items can.
func (s *State) Changed(items iter.Seq2[threatconnect.BatchItem, error]) iter.Seq2[threatconnect.BatchItem, error] {
	return func(yield func(threatconnect.BatchItem, error) bool) {
		if err := s.begin(); err != nil {
			yield(nil, err)
			return
		}
		failed := false
		for item, err := range items {
			if err != nil {
				failed = true
				if !yield(nil, err) {
					return
				}
				continue
			}
			if s.skip(item) {
				s.unchanged++
				continue
			}
			s.yielded++
			if !yield(item, nil) {
				s.note(s.yielded-1, false) // it may not have been added
				return
			}
			s.accepted++
		}
		s.complete = !failed
	}
}

// begin begins a pass. A second pass happens if an earlier process has sent another version of the feed. Errors concern
// the items of the last pass.
func (s *State) begin() error {
	s.complete, s.yielded, s.accepted, s.unchanged = false, 0, 0, 0
	if s.passes++; s.passes == 1 {
		return nil
	}
	s.mixed = true
	if err := s.swap(s.mix); err != nil { // a later process must know
		return err
	}
	clear(s.seen)
	clear(s.sent)
	s.sends.Close()
	s.sends = extsort.NewLog(s.options.Dir, sendsBytes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures.Close()
	s.failures, s.doubt = extsort.New(s.options.Dir, failuresBytes), false
	return nil
}

// skip reports whether an item need not be sent. Otherwise it notes the item under the next position.
func (s *State) skip(item threatconnect.BatchItem) bool {
	s.lookup.Lock()
	defer s.lookup.Unlock()
	p, err := s.fingerprints.Of(item)
	if err != nil {
		return false // the import reports the error
	}
	n, content, err := s.old.find(p.Item)
	s.fail(err)
	if n >= 0 {
		s.seen.set(n)
		// An item that was sent in this run may now have another content in the owner. It is sent again: the last one
		// in the feed wins.
		if content == p.Content && !s.sent.has(n) {
			return true
		}
		s.sent.set(n)
	}
	note := binary.BigEndian.AppendUint64(nil, uint64(s.yielded))
	note = append(append(note, p.Item[:]...), p.Content[:]...)
	for _, xid := range slices.Clone(s.fingerprints.Groups()) { // groupID makes other fingerprints
		group := s.groupID(xid)
		note = append(note, group[:]...)
	}
	_, err = s.sends.Add(note)
	s.fail(err)
	return false
}

// OnError records that an item failed. It is for [threatconnect.BatchConfig].OnError. The item and the groups that it
// refers to, which may have been deleted, are sent again in the next run.
func (s *State) OnError(e threatconnect.BatchItemError) {
	switch {
	case e.Content: // the item is in the owner
	case e.Seq < 0:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.doubt = true
	default:
		s.note(e.Seq, e.Unprocessed || e.JobID > 0)
	}
}

// note records that an item failed. counted reports whether the import counts it as failed or unprocessed.
func (s *State) note(seq int64, counted bool) {
	value := []byte{0}
	if counted {
		value[0] = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failures.Add(binary.BigEndian.AppendUint64(nil, uint64(seq)), value); err != nil && s.err == nil {
		s.err = err
	}
}

// fail records the first error, for Save.
func (s *State) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("feeds: the changes of the feed cannot be kept: %w", err)
	}
}

// Close removes temporary files. It is idempotent. Without Save, the store remains marked, and the next run sends
// everything unless it has the same name (StateOptions.Run). If no item was sent, the store is restored to its content
// before OpenState.
func (s *State) Close() error {
	s.forget()
	s.sends.Close()
	s.mu.Lock()
	s.failures.Close()
	s.mu.Unlock()
	return s.giveBack()
}

// bitmap is a set of numbers below a bound.
type bitmap []uint64

func newBitmap(n int64) bitmap    { return make(bitmap, (n+63)/64) }
func (b bitmap) set(n int64)      { b[n/64] |= 1 << (n % 64) }
func (b bitmap) has(n int64) bool { return b[n/64]&(1<<(n%64)) != 0 }
func (b bitmap) count() (sum int64) {
	for _, word := range b {
		sum += int64(bits.OnesCount64(word))
	}
	return sum
}
