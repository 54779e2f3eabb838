// Package delta remembers what a feed held when it was imported last, so that the next import sends
// only what has changed.
//
// What is remembered of an item is a hash of what it is and a hash of its content. Memory is bounded:
// what was remembered is looked up on disk, and what is to be remembered is sorted outside of memory.
// A state that is lost, damaged or another import's makes the next run a full one; what is not sure
// to have gone in is not remembered, and so is sent again.
package delta

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sync"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// Run is one import that sends only what has changed. Make it with [Start], ask it about every item
// in the order of the feed, [Run.Save] it, and close it. Failed may be called at any time from any
// goroutine; the other methods are not safe for concurrent use.
type Run struct {
	store   Store
	header  Header
	name    string
	why     string
	foreign bool
	loaded  *stored // nil when nothing was
	old     image

	seen, sent bitmap // by the number of the old record: in the feed now, and sent in this run
	unchanged  int64

	fingerprints threatconnect.Fingerprinter
	groupIDs     map[string]id // of a few xids
	now          asked

	records *extsort.Sorter // item -> remember or drop
	sends   *extsort.Sorter // sequence number -> item and the groups that it refers to

	mu       sync.Mutex // guards what follows
	failures *extsort.Sorter
	doubt    bool // something has failed and nobody knows what
	err      error
}

// asked is the item that Unchanged was asked about last, when it is to be sent.
type asked struct {
	valid         bool
	item, content id
	xid           string // of a group
	refs          []byte // ids of groups, one behind the other
}

// What the records of a run say about an item.
const (
	drop     = 'd'
	remember = 'k' // followed by the content and, of a group, the xid
)

// How much memory the sorters take. They use temporary files beyond that.
const (
	recordsBytes  = 4 << 20
	sendsBytes    = 2 << 20
	failuresBytes = 1 << 20
	inMemory      = 4 << 20 // a state up to this size, about 130,000 items, is kept in memory
	mostGroupIDs  = 1000
)

// Start loads what the last run has left. full ignores it. dir is where temporary files are made;
// empty means the system's place for them. An error means that the store cannot be used.
func Start(ctx context.Context, store Store, h Header, full bool, dir string) (*Run, error) {
	r := &Run{
		store: store, header: h, name: rand.Text(), groupIDs: map[string]id{},
		records: extsort.New(dir, recordsBytes), sends: extsort.New(dir, sendsBytes), failures: extsort.New(dir, failuresBytes),
	}
	why := r.load(ctx, dir)
	if full && (why == nil || isReason(why)) {
		r.forget()
		r.why = "it was asked for"
	} else if isReason(why) {
		r.forget()
		r.why = why.Error()
	} else if why != nil {
		r.Close()
		return nil, why
	}
	r.seen, r.sent = newBitmap(r.old.count), newBitmap(r.old.count)
	return r, nil
}

// isReason reports whether an error is only why a run is a full one.
func isReason(err error) bool {
	return slices.Contains([]error{errNone, errForeign, errVersion, errCorrupt, errOther, errRunning}, err)
}

func (r *Run) load(ctx context.Context, dir string) error {
	var err error
	if r.loaded, err = r.store.load(ctx, dir); err != nil {
		return err
	}
	from := io.ReaderAt(r.loaded.file)
	if r.loaded.size <= inMemory {
		text := make([]byte, r.loaded.size)
		if _, err := r.loaded.file.ReadAt(text, 0); err != nil {
			return fmt.Errorf("the state cannot be read: %w", withoutPath(err))
		}
		from = bytes.NewReader(text)
	}
	i, err := openImage(from, r.loaded.size, r.header)
	if err != nil {
		r.foreign = err == errForeign
		return err
	}
	r.old = *i
	return nil
}

// forget lets go of the old state.
func (r *Run) forget() {
	if r.loaded != nil {
		r.loaded.close()
	}
	r.loaded, r.old = nil, image{}
}

// Why says why everything is sent; empty when only what has changed is.
func (r *Run) Why() string { return r.why }

// Groups returns the xids of the groups that went in before.
func (r *Run) Groups() (map[string]bool, error) {
	all := make(map[string]bool)
	for xid, err := range r.old.groups() {
		if err != nil {
			return nil, err
		}
		all[xid] = true
	}
	return all, nil
}

// Begin is called before the first item is sent.
func (r *Run) Begin(ctx context.Context) error { return r.store.begin(ctx, r.name) }

// Unchanged reports whether an item needs not be sent, because it is in the owner as it is. When it
// is sent, Sent says so.
func (r *Run) Unchanged(item threatconnect.BatchItem) bool {
	r.now.valid = false
	p, err := r.fingerprints.Of(item)
	if err != nil {
		return false // whoever sends it will hear why it cannot be
	}
	r.now.item, r.now.content, r.now.xid, r.now.refs = p.Item, p.Content, "", r.now.refs[:0]
	switch item := item.(type) {
	case threatconnect.Group:
		r.now.xid = item.Meta().XID
		r.refer(item.Meta().GroupXIDs)
	case threatconnect.Indicator:
		r.refer(item.Meta().GroupXIDs)
	}
	n, content, err := r.old.find(r.now.item)
	if err != nil {
		r.fail(err)
	}
	if n >= 0 {
		r.seen.set(n)
		// What was sent in this run already may have changed it: then it is sent once more, so that in
		// the end the owner has what stands last in the feed.
		if content == r.now.content && !r.sent.has(n) {
			r.unchanged++
			r.remember()
			return true
		}
		r.sent.set(n)
	}
	r.now.valid = true
	return false
}

// refer notes which groups the item refers to.
func (r *Run) refer(xids []string) {
	for _, xid := range xids {
		ref, ok := r.groupIDs[xid]
		if !ok {
			ref = r.groupID(xid)
			if len(r.groupIDs) >= mostGroupIDs {
				clear(r.groupIDs)
			}
			r.groupIDs[xid] = ref
		}
		r.now.refs = append(r.now.refs, ref[:]...)
	}
}

// groupID is what stands for a group with this xid, whatever its type and name.
func (r *Run) groupID(xid string) id {
	g := threatconnect.NewThreat("any")
	g.XID = xid
	p, _ := r.fingerprints.Of(g) // one that cannot be a group's stands for none
	return p.Item
}

func (r *Run) remember() {
	r.fail(r.records.Add(r.now.item[:], append(append([]byte{remember}, r.now.content[:]...), r.now.xid...)))
}

// Sent notes that the item that Unchanged was asked about last was given to the writer, as the one
// with this sequence number.
func (r *Run) Sent(seq int64) {
	if !r.now.valid {
		return
	}
	r.now.valid = false
	r.remember()
	r.fail(r.sends.Add(sequence(seq), append(r.now.item[:len(r.now.item):len(r.now.item)], r.now.refs...)))
}

func sequence(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// Failed notes that an item did not go in as a whole. A negative number stands for one that is not
// known.
func (r *Run) Failed(seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq < 0 {
		r.doubt = true
		return
	}
	if err := r.failures.Add(sequence(seq), nil); err != nil && r.err == nil {
		r.err = err
	}
}

// fail keeps the first error: the state is not saved then.
func (r *Run) fail(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// Counts returns how many items needed not be sent, and how many of the last run are not in the feed
// any more, provided that it was read to its end.
func (r *Run) Counts() (unchanged, vanished int64) {
	return r.unchanged, r.old.count - r.seen.count()
}

// Close removes the temporary files. It may be called twice.
func (r *Run) Close() {
	r.forget()
	r.records.Close()
	r.sends.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures.Close()
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
