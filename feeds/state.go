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

// State remembers between runs which items of a feed are in an owner, so that the next run sends only those that have
// changed. The feed must be complete in each run: items that are no longer in it are forgotten. A program that reads
// only what is new keeps a cursor instead; see [LoadCursor].
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
// A State holds a hash of the name and a hash of the content of each item, and no values. Only items that the platform
// has confirmed are remembered. The cursor of the feed is saved in the same step. A State does not see what others
// change or delete in the owner; to restore that, set StateOptions.Full in some runs, for example once a week.
//
// Memory is bounded: about 12 MiB, and 3 bits per item. OnError and KnownGroup are safe for concurrent use. The other
// methods are not.
type State struct {
	store    Store
	options  StateOptions
	token    string
	previous *mark
	restart  bool                                 // an earlier process has begun the run
	mixed    bool                                 // the run has sent items of several versions of the feed
	swap     func(change func(*mark) *mark) error // of the store, also after the context of OpenState has ended
	reason   string
	cursor   threatconnect.Cursor // of the last run
	next     threatconnect.Cursor
	content  *stored // nil if the old state is not used

	lookup       sync.Mutex // guards the next 3
	old          image
	fingerprints threatconnect.Fingerprinter
	groups       map[string]id // ids of a few xids

	passes     int    // how often Changed was ranged over
	complete   bool   // the last pass reached the end of the feed
	yielded    int64  // items of the last pass
	accepted   int64  // of those, the ones after which the loop went on
	unchanged  int64  // items of the last pass that were not yielded
	seen, sent bitmap // by the number of the old record
	sends      *extsort.Log
	done       bool // Save was called, or the store was given back

	mu       sync.Mutex // guards the rest
	failures *extsort.Sorter
	doubt    bool  // an item failed, and nobody knows which
	err      error // why the state cannot be saved
}

// StateOptions say what a state belongs to, and how it is used.
type StateOptions struct {
	// Instance (the base URL), Owner and Settings say what the state belongs to. A state with other ones is not used.
	// Settings are up to the program: everything besides the feed that decides what an import leaves in the owner,
	// such as write types, the column map and a hash of the exclusions. After another setting, a feed that has not
	// changed must be read again.
	Instance, Owner, Settings string
	// Run is the name of the import in a spool ([threatconnect.BatchConfig].Run). If the process dies, the next one
	// with the name chooses the same items again, so that the import in the spool is resumed. Leave it empty without a
	// spool: everything is sent after a crash.
	Run string
	// Full sends everything.
	Full bool
	// DryRun changes nothing in the store: Changed returns what would be sent. Save must not be called.
	DryRun bool
	// Dir is the directory of temporary files; empty means that of the system.
	Dir string
}

// The limits of memory of a state. Temporary files hold the rest.
const (
	sendsBytes    = 2 << 20
	failuresBytes = 1 << 20
	recordsBytes  = 4 << 20
	maxGroups     = 1000
	saveGrace     = 2 * time.Minute
)

// OpenState opens the state in a store and marks it as used by this run. If the old state cannot be used, [State.Reason]
// says why, and everything is sent. The error is that of the store, or says that it holds something else, which is
// never replaced.
//
// If another run uses the state, or died using it, everything is sent; should the other run still be alive, its Save
// returns [ErrConcurrentRun].
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

// mark returns the mark of this run.
func (s *State) mark(now *mark) *mark {
	s.previous = now
	s.restart = now != nil && now.Run == s.options.Run && !now.Disputed
	switch {
	case s.restart:
		s.reason, s.mixed = now.Reason, now.Mixed
	case now != nil:
		s.reason = "the last run did not finish, or another one is in progress"
	}
	if s.options.Full {
		s.reason = "a full run was requested"
	}
	return &mark{Run: s.options.Run, Token: s.token, Reason: s.reason, Mixed: s.mixed}
}

// unmark gives the store back.
func (s *State) unmark(now *mark) *mark {
	if now == nil || now.Token != s.token {
		return now
	}
	return s.previous
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

// Reason returns why everything is sent. It is empty if only changes are.
func (s *State) Reason() string { return s.reason }

// Cursor returns the cursor that the last run has saved, for [Fetcher.Fetch]. It is zero if the feed must be read in any
// case: if everything is sent, if items of the last run failed, and if an earlier process of this run may have sent items.
func (s *State) Cursor() threatconnect.Cursor { return s.cursor }

// SetCursor sets the cursor that Save saves together with the items, usually [Download].Cursor. Without it, none is saved.
func (s *State) SetCursor(c threatconnect.Cursor) { s.next = c }

// Counts returns how many items of the feed were not sent because they are in the owner as they are, and how many of
// the last run are no longer in the feed. The latter is 0 until the end of the feed.
func (s *State) Counts() (unchanged, vanished int64) {
	if s.complete {
		vanished = s.old.count - s.seen.count()
	}
	return s.unchanged, vanished
}

// KnownGroup reports whether the group with an xid was in the owner after the last run, for
// [threatconnect.BatchConfig].KnownGroup.
func (s *State) KnownGroup(xid string) bool {
	s.lookup.Lock()
	defer s.lookup.Unlock()
	n, _, err := s.old.find(s.groupID(xid))
	s.fail(err)
	return n >= 0
}

// groupID returns the id of the group with an xid, whatever its type and name.
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

// Changed returns the items that must be sent: new ones, changed ones, and those that did not succeed in the last run.
// Give it to [threatconnect.BatchService.Import], or add each item to a new [threatconnect.BatchWriter], because
// OnError identifies an item by its position. Errors of items are passed on. Items whose content cannot be compared, as a
// [*threatconnect.GroupContent], are returned in each run, and so are items that occur in the feed with different
// contents. Deduplicate such a feed first:
//
//	state.Changed(threatconnect.MergeItems(ctx, items, nil))
//
// [threatconnect.BatchService.Reconcile] needs all items of the feed. With these alone, it would delete the unchanged
// ones.
//
// The sequence can be ranged over again if items can.
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

// begin begins a pass. There is a second one if an earlier process has sent another version of the feed. Errors are
// about the items of the last pass.
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

// mix returns the mark of a run that has sent several versions of the feed.
func (s *State) mix(now *mark) *mark {
	if now == nil || now.Token != s.token {
		return now // Save finds out
	}
	mixed := *now
	mixed.Mixed = true
	return &mixed
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
		// An item that was sent in this run may have another content in the owner now. It is sent again, so that the
		// last one in the feed wins.
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

// OnError notes the error of an item, for [threatconnect.BatchConfig].OnError. The item is not remembered, and neither
// are the groups that it refers to, because they may have been deleted.
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

// note notes that an item failed. counted says whether the counts of the import have it as failed or unprocessed.
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

// fail keeps the first error, for Save.
func (s *State) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("feeds: the changes of the feed cannot be kept: %w", err)
	}
}

// Close removes temporary files. Without Save, the store stays marked, so that the next run sends everything, unless it
// has the name of this one. If no item was sent, the store is as it was before. Close may be called twice.
func (s *State) Close() error {
	s.forget()
	s.sends.Close()
	s.mu.Lock()
	s.failures.Close()
	s.mu.Unlock()
	return s.giveBack()
}

// giveBack restores the mark of the store if no item was sent.
func (s *State) giveBack() error {
	if s.done || s.yielded > 0 || s.passes > 1 {
		return nil
	}
	s.done = true
	return s.swap(s.unmark)
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
