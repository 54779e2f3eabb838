package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/durable"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// TestRandomStoreErrors makes operations of the store fail at random and lets records arrive late.
// After an error the journal either continues or is broken. The next process finds all applied records
// and at most one more.
func TestRandomStoreErrors(t *testing.T) {
	t.Parallel()
	broken, repeated, there := 0, 0, 0
	seeds := scaletest.Size(40)
	for seed := range uint64(seeds) {
		m, store := newMachine(seed), newStore()
		j := begin(t, store)
		direct := &Journal{}
		direct.state.keep = true
		direct.state.apply(0, &record{Start: &testStart})
		var cancel context.CancelFunc
		store.fail = func(op, _ string) fault {
			switch m.IntN(60) {
			case 0:
				return refused
			case 1:
				return hidden
			case 2:
				if op == "create" {
					return late
				}
			case 3:
				cancel()
			}
			return none
		}
		for range 60 {
			r := m.next(false)
			for {
				var ctx context.Context
				ctx, cancel = context.WithCancel(t.Context())
				slot := j.slot
				err := do(ctx, j, r)
				cancel()
				if m.IntN(3) == 0 {
					store.land()
				}
				if err == nil {
					direct.state.apply(0, r)
					break
				}
				require.True(t, errors.Is(err, ErrStore) || errors.Is(err, context.Canceled), "%v", err)
				require.NotErrorIs(t, err, ErrLost)
				require.Equal(t, text(t, &direct.state), text(t, &j.state), "a failed record is not applied")
				if j.broken == nil {
					repeated++
					continue
				}
				broken++
				created := store.count("create")
				require.Equal(t, j.broken, do(t.Context(), j, r))
				require.Equal(t, created, store.count("create"), "a broken journal writes nothing")
				fail := store.fail
				store.fail = nil
				store.land()
				j = open(t, store)
				store.fail = fail
				require.Greater(t, j.slot, slot)
				if text(t, &direct.state) != text(t, &j.state) {
					there++
					direct.state.apply(0, r)
					require.Equal(t, text(t, &direct.state), text(t, &j.state))
					break
				}
			}
			require.Equal(t, text(t, &direct.state), text(t, &j.state))
		}
		store.fail = nil
		next := open(t, store)
		require.Equal(t, text(t, &direct.state), text(t, &next.state))
		m.check(t, &next.state)
		m.checkLists(t, next)
		m.checkPayloads(t, next)
	}
	for _, n := range []int{broken, repeated, there} {
		assert.Greater(t, n, seeds/4)
	}
}

// TestRecordArrivesAfterCanceledCreate lets a late record arrive after, or before, the next record
// of its slot.
func TestRecordArrivesAfterCanceledCreate(t *testing.T) {
	t.Parallel()
	prepare := func() (*memStore, *Journal) {
		store := newStore()
		j := begin(t, store)
		mustDo(t, j, added(&j.state, true, 1))
		ctx, cancel := context.WithCancel(t.Context())
		store.fail = func(op, _ string) fault {
			if op == "create" {
				cancel()
				store.mu.Lock()
				defer store.mu.Unlock()
				name := slotName(j.slot + 1)
				h := &header{Slot: j.slot + 1, Token: j.token, record: record{Created: &Created{File: 1, Job: 7}}}
				parts, err := encode(h, nil)
				assert.NoError(t, err)
				store.waiting = append(store.waiting, func() {
					if store.records[name] == nil {
						store.records[name] = slices.Concat(parts...)
					}
				})
			}
			return none
		}
		require.ErrorIs(t, j.Create(ctx, Created{File: 1, Job: 7}), context.Canceled)
		store.fail = nil
		require.Zero(t, j.state.Files[0].Pieces[0].Job)
		return store, j
	}
	t.Run("after the next one", func(t *testing.T) {
		t.Parallel()
		store, j := prepare()
		require.NoError(t, j.Create(t.Context(), Created{File: 1, Job: 8}))
		store.land()
		assert.Equal(t, int64(8), open(t, store).state.Files[0].Pieces[0].Job)
	})
	t.Run("before the next one", func(t *testing.T) {
		t.Parallel()
		store, j := prepare()
		store.land()
		err := j.Create(t.Context(), Created{File: 1, Job: 8})
		require.ErrorIs(t, err, ErrStore)
		require.NotErrorIs(t, err, ErrLost)
		assert.Zero(t, j.state.Files[0].Pieces[0].Job)
		assert.Equal(t, err, j.Create(t.Context(), Created{File: 1, Job: 9}), "the journal is broken")
		assert.Equal(t, int64(7), open(t, store).state.Files[0].Pieces[0].Job)
	})
	t.Run("the same one", func(t *testing.T) {
		t.Parallel()
		store, j := prepare()
		store.land()
		require.NoError(t, j.Create(t.Context(), Created{File: 1, Job: 7}))
		assert.Equal(t, int64(7), open(t, store).state.Files[0].Pieces[0].Job)
	})
	t.Run("below the checkpoint of another process", func(t *testing.T) {
		t.Parallel()
		store, j := prepare()
		next := open(t, store)
		require.NoError(t, next.checkpoint(t.Context(), nil))
		store.land() // into a slot that was removed
		require.Contains(t, store.slots(), j.slot+1)
		require.ErrorIs(t, j.Create(t.Context(), Created{File: 1, Job: 8}), ErrStore)
		require.Error(t, j.broken)
		last := open(t, store)
		assert.Zero(t, last.state.Files[0].Pieces[0].Job)
		assert.NotContains(t, store.slots(), j.slot+1)
	})
}

// TestWriteToRemovedSlotLosesJournal lets a process write to a slot that another process has used and removed.
func TestWriteToRemovedSlotLosesJournal(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	next := open(t, store)
	require.NoError(t, next.checkpoint(t.Context(), nil))
	slot := j.slot + 1
	require.NotContains(t, store.slots(), slot)
	require.Equal(t, ErrLost, do(t.Context(), j, added(&j.state, true, 1)))
	require.Equal(t, ErrLost, j.End(t.Context(), End{}))
	require.Contains(t, store.slots(), slot)
	mustDo(t, next, added(&next.state, true, 1))
	last := open(t, store)
	assert.Equal(t, int64(1), last.state.Made, "records below the checkpoint are not read")
	assert.NotContains(t, store.slots(), slot)
}

// busyStore appends a record of another process after each Names.
type busyStore struct {
	*memStore
	other *Journal
}

func (s busyStore) Names(ctx context.Context) ([]string, error) {
	names, err := s.memStore.Names(ctx)
	return names, errors.Join(err, do(ctx, s.other, added(&s.other.state, false, 1)))
}

func TestTakeoverGivesUpIfOwnerIsBusy(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	_, err := Open(t.Context(), busyStore{&memStore{records: store.records}, j}, testFiles, testErrors{}, nil)
	require.ErrorIs(t, err, ErrLost)
	mustDo(t, j, added(&j.state, true, 1))
}

// fold returns the state after records, as text.
func fold(t *testing.T, records ...*record) string {
	t.Helper()
	s := State{keep: true}
	if len(records) == 0 {
		s.Marks.Held = math.MaxInt64 // the import has not begun
	}
	for _, r := range records {
		require.NoError(t, s.fits(r))
		s.apply(0, r)
	}
	return text(t, &s)
}

const dirPath = "state/spool"

// dirImport writes records to a directory and retries those that fail. If its journal is broken, a new
// process continues. After several faults in a row it stops. It returns the applied records and the
// record that was not applied, if any.
func dirImport(t *testing.T, fsys *durable.Mem, todo []*record) (taken []*record, last *record) {
	t.Helper()
	var j *Journal
	for _, r := range todo {
		for tries := 0; ; tries++ {
			if tries > 5 {
				return taken, r
			}
			var err error
			if j == nil || j.broken != nil {
				if j, err = Open(t.Context(), durable.NewDir(fsys, dirPath), testFiles, testErrors{}, nil); err != nil {
					require.ErrorIs(t, err, ErrStore)
					require.NotErrorIs(t, err, ErrRecord)
					continue
				}
				if tries > 0 && fold(t, taken...) != text(t, &j.state) {
					break // the record was written despite the error
				}
			}
			if err = do(t.Context(), j, r); err == nil {
				break
			}
			require.ErrorIs(t, err, ErrStore)
			require.Equal(t, fold(t, taken...), text(t, &j.state))
		}
		taken = append(taken, r)
	}
	return taken, nil
}

// sparse returns the factor by which -short increases the distance between cases.
func sparse() int { return scaletest.Short(4, 1) }

// TestDiskFaultAtEachOperation makes each operation of a file system fail, with and without effect, or crashes
// the process or the machine at the operation.
func TestDiskFaultAtEachOperation(t *testing.T) {
	t.Parallel()
	todo := func() []*record { // each list is for one import
		m, list := newMachine(5), []*record{{Start: &testStart}}
		for range 25 {
			list = append(list, m.next(false))
		}
		return list
	}
	fsys := durable.NewMem()
	_, last := dirImport(t, fsys, todo())
	require.Nil(t, last)
	total := len(fsys.Ops())
	find := func(t *testing.T, fsys *durable.Mem, taken []*record, last *record) {
		t.Helper()
		j := open(t, durable.NewDir(fsys, dirPath))
		want := []string{fold(t, taken...)}
		if last != nil {
			want = append(want, fold(t, append(slices.Clone(taken), last)...))
		}
		require.Contains(t, want, text(t, &j.state))
		mustDo(t, j, added(&j.state, false, 1))
	}
	run := func(name string, test func(t *testing.T)) { // retries wait
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, test)
		})
	}
	for _, applied := range []bool{false, true} {
		run(fmt.Sprint("EIO ", applied), func(t *testing.T) {
			for n := 1; n <= total; n += 5 * sparse() {
				fsys := durable.NewMem()
				fsys.FailAt(n, syscall.EIO, applied)
				taken, last := dirImport(t, fsys, todo())
				require.Nil(t, last)
				find(t, fsys, taken, nil)
			}
		})
		run(fmt.Sprint("death ", applied), func(t *testing.T) {
			for n := 1; n <= total; n += 11 * sparse() {
				fsys := durable.NewMem()
				fsys.FailAt(n, durable.ErrCrash, applied)
				taken, last := dirImport(t, fsys, todo())
				require.NotNil(t, last)
				for _, after := range fsys.Crashes(6, uint64(n)) {
					find(t, after, taken, last)
				}
				fsys.Restart()
				find(t, fsys, taken, last)
			}
		})
	}
	run("ENOSPC", func(t *testing.T) {
		failed := 0
		for room := int64(0); room < 20_000; room += 397 * int64(sparse()) {
			fsys := durable.NewMem()
			fsys.SetRoom(room)
			taken, last := dirImport(t, fsys, todo())
			if last != nil {
				failed++
			}
			fsys.SetRoom(-1)
			find(t, fsys, taken, last)
		}
		assert.Greater(t, failed, 10/sparse())
	})
}
