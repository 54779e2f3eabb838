package journal

import (
	"context"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// grow adds and settles files until the next record triggers a checkpoint.
func grow(t *testing.T, j *Journal, s *memStore) {
	t.Helper()
	for len(j.live)-len(j.state.live()) < j.maxRecords {
		mustDo(t, j, added(&j.state, false, 1))
	}
	s.ops = nil
}

// TestFailedWriteLeavesNoRecord makes each operation of the store fail in turn. After a failed
// Remove or Create, the record does not exist and can be appended again.
func TestFailedWriteLeavesNoRecord(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"remove", "create", "names"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ { // fail the nth operation of this kind
				store := newStore()
				j := begin(t, store)
				grow(t, j, store)
				seen := 0
				store.fail = func(o, _ string) fault {
					if o == op {
						if seen++; seen == n {
							return refused
						}
					}
					return none
				}
				failed := 0
				for range 4 {
					r := added(&j.state, true, 1)
					if err := do(t.Context(), j, r); err != nil {
						require.ErrorIs(t, err, ErrStore)
						failed++
						if op == "names" {
							break // the outcome is unknown
						}
						require.NoError(t, do(t.Context(), j, r), "the record can be appended again")
					}
				}
				require.LessOrEqual(t, failed, 1)
				next := open(t, store.clone())
				if op != "names" || failed == 0 {
					assert.Equal(t, j.state.Made, next.state.Made)
				}
				if seen < n {
					break
				}
			}
		})
	}
}

// TestStoreOperationsAreRetried makes each kind of operation fail three times, then
// permanently.
func TestStoreOperationsAreRetried(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"names", "read", "remove"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newStore()
				j := begin(t, store)
				grow(t, j, store)
				j.store = retryStore{store}
				failures, times := 0, 3
				store.fail = func(o, name string) fault {
					if o == "create" && op == "read" && failures == 0 {
						return refused // makes the journal read the existing record
					}
					if o == op && failures < times {
						failures++
						return refused
					}
					return none
				}
				began := time.Now()
				mustDo(t, j, added(&j.state, true, 1))
				assert.Equal(t, 3, failures)
				assert.Equal(t, 2100*time.Millisecond, time.Since(began))
				assert.Equal(t, j.state.Made, open(t, store).state.Made)

				j = open(t, store)
				j.store = retryStore{store}
				grow(t, j, store)
				failures, times = 0, math.MaxInt
				require.ErrorIs(t, do(t.Context(), j, added(&j.state, true, 1)), errIO)
				assert.Equal(t, 4, failures)
			})
		})
	}
}

func TestMissingRecordIsNotRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := retryStore{newStore()}.Read(t.Context(), "none")
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, began, time.Now())
	})
}

func TestOutOfOrderRecordIsNotWritten(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	mustDo(t, j, added(&j.state, true, 1))
	again := added(&State{}, true, 1)
	for name, r := range map[string]*record{
		"a file again":            again,
		"fewer items":             {Added: &Added{}},
		"a job for no file":       {Created: &Created{File: 7, Job: 1}},
		"the outcome of no file":  {Settled: &Settled{File: 7}},
		"content of no file":      {Attached: &Attached{File: 7}},
		"content that is not one": {Attached: &Attached{File: 1}},
	} {
		slot := j.slot
		require.ErrorIs(t, do(t.Context(), j, r), errOrder, name)
		assert.Equal(t, slot, j.slot, name)
	}
	mustDo(t, j, settledAll(j.state.file(1)))
	assert.Empty(t, open(t, store).state.Files)
}

// TestJournalIsUsableAfterCancel cancels the context after a record was created.
func TestJournalIsUsableAfterCancel(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	store.fail = func(op, _ string) fault {
		if op == "names" {
			cancel() // the record has been created
		}
		return none
	}
	require.NoError(t, do(ctx, j, added(&j.state, true, 1)))
	require.ErrorIs(t, do(ctx, j, added(&j.state, true, 1)), context.Canceled)
	mustDo(t, j, added(&j.state, true, 1))
	assert.Equal(t, int64(2), open(t, store).state.Made)
}

// TestHangingListTimesOut uses a store whose Names blocks until the context ends.
func TestHangingListTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		j := begin(t, store)
		j.store = hanging{store}
		require.ErrorIs(t, do(t.Context(), j, added(&j.state, true, 1)), context.DeadlineExceeded)
		require.ErrorIs(t, do(t.Context(), j, added(&j.state, true, 1)), context.DeadlineExceeded, "the journal is unusable")
	})
}

type hanging struct{ *memStore }

func (hanging) Names(ctx context.Context) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestTakeoverDuringCheckpoint lets the owner remove records while another process reads them.
func TestTakeoverDuringCheckpoint(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	mustDo(t, j, added(&j.state, true, 1))
	other := &memStore{records: store.records}
	done := false
	other.fail = func(op, _ string) fault {
		if op == "read" && !done {
			done = true
			require.NoError(t, j.checkpoint(context.Background(), nil))
		}
		return none
	}
	next := open(t, other)
	assert.Equal(t, int64(1), next.state.Made)
	require.ErrorIs(t, do(t.Context(), j, added(&j.state, true, 1)), ErrLost)
}

// TestTakeoverOfBusyJournal has an owner that writes a record after every third read of another
// process.
func TestTakeoverOfBusyJournal(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	for range 9 {
		mustDo(t, j, added(&j.state, true, 1))
	}
	other := &memStore{records: store.records}
	reads := 0
	other.fail = func(op, _ string) fault {
		if op == "read" {
			if reads++; reads%3 == 0 {
				mustDo(t, j, added(&j.state, true, 1))
			}
		}
		return none
	}
	next := open(t, other)
	assert.Equal(t, text(t, &j.state), text(t, &next.state))
	require.ErrorIs(t, do(t.Context(), j, added(&j.state, true, 1)), ErrLost)
}

// TestReplayHoldsFewRecordsInMemory counts the records that are in memory during each read.
func TestReplayHoldsFewRecordsInMemory(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	for range 10 {
		r := added(&j.state, false, 1)
		f := &item.File{}
		f.Add(item.Indicators, 0, []byte(strings.Repeat("x", 100_000)))
		r.Added.File, r.Added.Payload, r.Added.Kinds = j.state.Made+1, f, f.Kinds(f.All())
		mustDo(t, j, r)
	}
	w := &watching{memStore: store}
	next := open(t, w)
	assert.Equal(t, int64(10), next.state.Made)
	assert.LessOrEqual(t, w.most, 2)
}

type watching struct {
	*memStore
	texts []weak.Pointer[byte]
	most  int
}

func (w *watching) Read(ctx context.Context, name string) ([]byte, error) {
	runtime.GC()
	n := 0
	for _, p := range w.texts {
		if p.Value() != nil {
			n++
		}
	}
	w.most = max(w.most, n)
	text, err := w.memStore.Read(ctx, name)
	if len(text) > 50_000 {
		w.texts = append(w.texts, weak.Make(&text[0]))
	}
	return text, err
}

// TestRepeatedOpenLeavesFewRecords opens an import many times, as processes do that crash early.
func TestRepeatedOpenLeavesFewRecords(t *testing.T) {
	t.Parallel()
	store := newStore()
	begin(t, store)
	for range 200 {
		open(t, store)
		require.LessOrEqual(t, len(store.slots()), 4*(testFiles-1)+20)
	}
}

// TestFailedRemovalsAreRetried makes Remove fail for a while.
func TestFailedRemovalsAreRetried(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	grow(t, j, store)
	store.fail = func(op, _ string) fault {
		if op == "remove" {
			return refused
		}
		return none
	}
	r := added(&j.state, false, 1)
	for range 50 {
		require.ErrorIs(t, do(t.Context(), j, r), errIO)
	}
	assert.LessOrEqual(t, len(store.slots()), 4*(testFiles-1)+20, "one checkpoint is enough")
	store.fail = nil
	mustDo(t, j, r)
	assert.LessOrEqual(t, len(store.slots()), 3)
	assert.Equal(t, j.state.Totals, open(t, store).state.Totals)
}

// TestLostJournalRemovesNothing loses a journal that has records to remove.
func TestLostJournalRemovesNothing(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	grow(t, j, store)
	next := open(t, store)
	store.fail = func(op, _ string) fault {
		if op == "remove" {
			return refused
		}
		return none
	}
	require.Equal(t, ErrLost, do(t.Context(), j, added(&j.state, false, 1)))
	j.base = j.slot // as if a checkpoint had replaced all records
	store.ops = nil
	require.Equal(t, ErrLost, do(t.Context(), j, added(&j.state, false, 1)))
	assert.Empty(t, store.ops)
	store.fail = nil
	mustDo(t, next, added(&next.state, false, 1))
}

func TestJournalEnd(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	mustDo(t, j, added(&j.state, true, 3))
	mustDo(t, j, settledAll(j.state.file(1)))
	store.fail = func(op, _ string) fault {
		if op == "create" {
			return refused
		}
		return none
	}
	require.ErrorIs(t, j.End(t.Context(), End{Remember: true}), errIO)
	assert.Nil(t, j.state.End, "the import has not ended")
	store.fail = func(op, _ string) fault {
		if op == "remove" {
			return refused
		}
		return none
	}
	err := j.End(t.Context(), End{Remember: true})
	require.ErrorIs(t, err, errIO)
	require.ErrorContains(t, err, "remove the record slot-")
	assert.Equal(t, &End{Remember: true}, j.state.End, "the import has ended, but records are left")
	store.fail = nil
	next := open(t, store)
	assert.Equal(t, &End{Remember: true}, next.state.End)
	assert.Equal(t, int64(3), next.state.Outcome.Kinds[item.Indicator].Succeeded)
	assert.Len(t, store.slots(), 1)
	assert.NotErrorIs(t, next.Begin(t.Context(), Start{Run: "tomorrow"}), fs.ErrExist)
	mustDo(t, next, added(&next.state, false, 1))
	assert.Len(t, store.slots(), 2, "the old outcome is removed")
	assert.Equal(t, "tomorrow", open(t, store).state.Start.Run)
}
