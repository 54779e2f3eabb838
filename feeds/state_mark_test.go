package feeds

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestStateOfOtherImportIsIgnored(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	for _, change := range []func(*StateOptions){
		func(o *StateOptions) { o.Owner = "Another" },
		func(o *StateOptions) { o.Instance = "https://other.example/api" },
		func(o *StateOptions) { o.Settings = "y" },
	} {
		run(t, store, host(0, 1))
		s := openState(t, store, change)
		assert.Equal(t, errOther.Error(), s.Reason())
		assert.Equal(t, []int{0}, runWith(t, s, fate{}, host(0, 1)))
		s = openState(t, store, change)
		assert.Empty(t, s.Reason())
		require.NoError(t, s.Close())
	}
}

func TestUnfinishedRunForcesFullRun(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	run(t, store, hosts(0, 3)...)
	s := openState(t, store)
	_, _, _ = imports(s, fate{}, host(0, 2))
	require.NoError(t, s.Close(), "without Save")
	s = openState(t, store)
	assert.Contains(t, s.Reason(), "did not finish")
	require.NoError(t, s.Close(), "nothing was sent")
	s = openState(t, store)
	assert.Contains(t, s.Reason(), "did not finish", "the mark is kept")
	assert.Equal(t, []int{0, 1, 2}, runWith(t, s, fate{}, hosts(0, 3)...))
	assert.Empty(t, run(t, store, hosts(0, 3)...))
}

func TestOneOfTwoConcurrentRunsFails(t *testing.T) {
	t.Parallel()
	// order is that of the calls of Save.
	for name, order := range map[string][]int{"the older one first": {0, 1}, "the newer one first": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := fileStoreIn(t)
			run(t, store, hosts(0, 2)...)
			runs := []*State{openState(t, store), openState(t, store)}
			assert.Empty(t, runs[0].Reason())
			assert.Contains(t, runs[1].Reason(), "in progress")
			var errs [2]error
			for _, n := range order {
				sent, stats, err := imports(runs[n], fate{}, host(0, float64(n+1)), host(1, 1))
				assert.Len(t, sent, n*2, "the older run has only unchanged items")
				if n == 0 { // otherwise there is nothing to save
					runs[0].SetCursor(threatconnect.Cursor{Source: "feed"})
				}
				errs[n] = runs[n].Save(t.Context(), stats, err)
			}
			require.ErrorIs(t, errs[0], ErrConcurrentRun)
			require.NoError(t, errs[1])
			last := openState(t, store)
			assert.NotEmpty(t, last.Reason(), "it is unknown which run wrote last")
			runWith(t, last, fate{}, hosts(0, 2)...)
			assert.Empty(t, run(t, store, hosts(0, 2)...))
		})
	}
}

// After a restart, errors of the dead process are only in BatchError.Items, which is limited.
func TestRestartOfFullRun(t *testing.T) {
	t.Parallel()
	store, items := fileStoreIn(t), hosts(0, 2)
	first := openState(t, store, full, named("today"))
	imports(first, fate{}, items...)
	require.NoError(t, first.Close(), "it died")
	s := openState(t, store, full, named("today"))
	assert.Equal(t, "a full run was requested", s.Reason())
	_, stats, _ := imports(s, fate{fail: []int64{0}}, items...)
	require.NoError(t, s.Save(t.Context(), stats, &threatconnect.BatchError{More: 1}))
	assert.Equal(t, []int{0, 1}, run(t, store, items...))
}

func TestConcurrentProcessesOfOneRun(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	run(t, store, hosts(0, 2)...)
	first, second := openState(t, store, named("today")), openState(t, store, named("today"))
	assert.Empty(t, second.Reason(), "the second process assumes that the first one died")
	_, stats, err := imports(first, fate{}, host(0, 2), host(1, 1))
	require.ErrorIs(t, first.Save(t.Context(), stats, err), ErrConcurrentRun)
	runWith(t, second, fate{}, host(0, 3), host(1, 1))
	s := openState(t, store, named("today"))
	assert.Contains(t, s.Reason(), "in progress")
	assert.Equal(t, []int{0, 1}, runWith(t, s, fate{}, host(0, 1), host(1, 1)))
}

func TestUnfinishedRestartResendsItems(t *testing.T) {
	t.Parallel()
	changed := []threatconnect.BatchItem{host(0, 2), host(1, 2)}
	for name, tc := range map[string]struct {
		fate  fate
		items int // number that the second process reads
		next  []threatconnect.BatchItem
	}{
		"the feed breaks off":         {fate{brokenOff: true}, 1, hosts(0, 2)},
		"the rest stays in the spool": {fate{err: &threatconnect.BatchError{Kept: true}}, 2, hosts(0, 2)},
		"more errors than are listed": {fate{err: &threatconnect.BatchError{More: 1, Items: []threatconnect.BatchItemError{{Seq: 0, JobID: 1}}}}, 2, changed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := fileStoreIn(t)
			run(t, store, hosts(0, 2)...)
			s := openState(t, store, named("today"))
			_, _, _ = imports(s, fate{}, changed...) // and then the process died
			require.NoError(t, s.Close())
			s = openState(t, store, named("today"))
			runWith(t, s, tc.fate, changed[:tc.items]...)
			assert.Len(t, run(t, store, tc.next...), 2, "the owner can have either version of each host")
		})
	}
}

func TestRestartSelectsSpooledItems(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	items := []threatconnect.BatchItem{host(0, 2), host(1, 1)}
	run(t, store, hosts(0, 2)...)
	for range 2 {
		s := openState(t, store, named("today"))
		assert.Equal(t, []int{0}, runWith(t, s, fate{err: &threatconnect.BatchError{Kept: true}}, items...))
	}
	s := openState(t, store, named("today"))
	assert.Equal(t, []int{0}, runWith(t, s, fate{}, items...))
	assert.Empty(t, run(t, store, items...))
}

// All later processes know that a run has sent several versions of the feed.
func TestSecondPassForcesFullRun(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	run(t, store, hosts(0, 2)...)
	s := openState(t, store, named("today"))
	_, _, _ = imports(s, fate{}, host(0, 2)) // and then the process died
	require.NoError(t, s.Close())
	s = openState(t, store, named("today"))
	for range 2 {
		_, _, _ = imports(s, fate{}, hosts(0, 2)...)
	}
	require.NoError(t, s.Close(), "nothing was sent in the second pass")
	s = openState(t, store, named("today"))
	s.SetCursor(threatconnect.Cursor{Source: "feed"})
	assert.Empty(t, runWith(t, s, fate{}, hosts(0, 2)...))
	s = openState(t, store)
	assert.True(t, s.Cursor().IsZero())
	assert.Equal(t, []int{0, 1}, runWith(t, s, fate{}, hosts(0, 2)...), "the process that died may have changed them")
}

// failingSwap is a store whose swap fails on demand.
type failingSwap struct {
	Store
	fails bool
}

func (f *failingSwap) swap(ctx context.Context, change func(*mark) *mark) error {
	if f.fails {
		return errSource
	}
	return f.Store.swap(ctx, change)
}

func TestUnrecordedSecondPassSendsNothing(t *testing.T) {
	t.Parallel()
	store := &failingSwap{Store: fileStoreIn(t)}
	s := openState(t, store)
	_, _, _ = imports(s, fate{}, host(0, 1))
	store.fails = true
	sent, _, err := imports(s, fate{}, host(0, 1))
	assert.Empty(t, sent)
	require.ErrorIs(t, err, errSource)
	store.fails = false
}
