package feeds

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

var options = StateOptions{Instance: "https://tc.example/api", Owner: "Example Source", Settings: "x"}

func openState(t testing.TB, store Store, change ...func(*StateOptions)) *State {
	t.Helper()
	o := options
	o.Dir = t.TempDir()
	for _, c := range change {
		c(&o)
	}
	s, err := OpenState(t.Context(), store, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func full(o *StateOptions) { o.Full = true }

func named(run string) func(*StateOptions) { return func(o *StateOptions) { o.Run = run } }

func fileStoreIn(t testing.TB) *fileStore {
	return &fileStore{path: filepath.Join(t.TempDir(), "state")}
}

func host(n int, rating float64, groups ...string) *threatconnect.Host {
	h := threatconnect.NewHost(fmt.Sprintf("h%d.example", n))
	h.Rating, h.GroupXIDs = &rating, groups
	return h
}

func hosts(from, to int) (all []threatconnect.BatchItem) {
	for n := from; n < to; n++ {
		all = append(all, host(n, 1))
	}
	return all
}

func group(xid string) *threatconnect.Threat {
	g := threatconnect.NewThreat("threat " + xid)
	g.XID = xid
	return g
}

var errSource = errors.New("the feed broke off")

// sequence yields items, and then errSource if brokenOff is set.
func sequence(items []threatconnect.BatchItem, brokenOff bool) iter.Seq2[threatconnect.BatchItem, error] {
	return func(yield func(threatconnect.BatchItem, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if brokenOff {
			yield(nil, errSource)
		}
	}
}

// fate describes the outcome of an import.
type fate struct {
	fail      []int64 // positions of items that the platform refuses; -1 is an unknown item
	brokenOff bool
	unknown   int64 // items with an unknown outcome
	silent    bool  // OnError is not called
	err       error
}

// imports simulates an import in which everything else succeeds. It returns the indexes of the items that were sent.
func imports(s *State, f fate, items ...threatconnect.BatchItem) (sent []int, stats threatconnect.BatchStats, err error) {
	at := 0
	for item, bad := range s.Changed(sequence(items, f.brokenOff)) {
		if bad != nil {
			f.err = bad
			break
		}
		at += slices.IndexFunc(items[at:], func(i threatconnect.BatchItem) bool { return i == item })
		sent = append(sent, at)
		at++
		seq := stats.Indicators.Added
		stats.Indicators.Added++
		if slices.Contains(f.fail, seq) {
			stats.Indicators.Failed++
			if !f.silent {
				s.OnError(threatconnect.BatchItemError{Seq: seq, JobID: 1})
			}
		}
	}
	if slices.Contains(f.fail, -1) {
		stats.Indicators.Failed++
		s.OnError(threatconnect.BatchItemError{Seq: -1, JobID: 1})
	}
	stats.Indicators.Unknown = f.unknown
	return sent, stats, f.err
}

// run simulates a run in which everything succeeds. It returns the indexes of the items that were sent.
func run(t testing.TB, store Store, items ...threatconnect.BatchItem) []int {
	t.Helper()
	return runWith(t, openState(t, store), fate{}, items...)
}

func runWith(t testing.TB, s *State, f fate, items ...threatconnect.BatchItem) []int {
	t.Helper()
	sent, stats, err := imports(s, f, items...)
	require.NoError(t, s.Save(t.Context(), stats, err))
	require.NoError(t, s.Close())
	return sent
}

func TestOnlyChangedItemsAreSent(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	first := openState(t, store)
	assert.Equal(t, "there is no state yet", first.Reason())
	require.NoError(t, first.Close())
	items := []threatconnect.BatchItem{group("x-1"), host(0, 1, "x-1"), host(1, 1), host(2, 1)}
	assert.Equal(t, []int{0, 1, 2, 3}, run(t, store, items...))
	assert.Empty(t, run(t, store, items...))
	assert.Empty(t, run(t, store, items...), "unchanged items are remembered as well")

	s := openState(t, store)
	assert.Empty(t, s.Reason())
	assert.True(t, s.KnownGroup("x-1"))
	assert.False(t, s.KnownGroup("x-2"))
	assert.False(t, s.KnownGroup("\x00"))
	_, vanished := s.Counts()
	assert.Zero(t, vanished, "the feed was not read")
	assert.Equal(t, []int{1, 3}, runWith(t, s, fate{}, items[0], host(0, 2, "x-1"), host(2, 1), host(3, 1)), "h1 is gone, h2 has moved")
	unchanged, vanished := s.Counts()
	assert.Equal(t, []int64{2, 1}, []int64{unchanged, vanished})
	assert.Equal(t, []int{2}, run(t, store, host(0, 2, "x-1"), host(3, 1), host(1, 1)), "an item that comes back is sent")

	s = openState(t, store, full)
	assert.Equal(t, "a full run was requested", s.Reason())
	assert.False(t, s.KnownGroup("x-1"))
	assert.Equal(t, []int{0}, runWith(t, s, fate{}, host(3, 1)))
	assert.Empty(t, run(t, store, host(3, 1)), "a full run saves its state as well")
	assert.Empty(t, run(t, store), "an empty feed")
	assert.Equal(t, []int{0}, run(t, store, host(3, 1)))
}

func TestFailedItemsAreResent(t *testing.T) {
	t.Parallel()
	items := []threatconnect.BatchItem{group("x-1"), group("x-2"), host(0, 1, "x-1"), host(1, 1, "x-2"), host(2, 1)}
	everything := []int{0, 1, 2, 3, 4}
	for name, tc := range map[string]struct {
		fate  fate
		again []int
	}{
		"nothing failed":                       {fate{}, nil},
		"one, and the group that it refers to": {fate{fail: []int64{3}}, []int{1, 3}},
		"several":                              {fate{fail: []int64{2, 4}}, []int{0, 2, 4}},
		"an unknown item":                      {fate{fail: []int64{-1}}, everything},
		"an unknown outcome":                   {fate{unknown: 1}, everything},
		"a failure that was not reported":      {fate{fail: []int64{3}, silent: true}, everything},
		"all":                                  {fate{fail: []int64{4, 3, 2, 1, 0}}, everything},
		"the feed broke off":                   {fate{brokenOff: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := fileStoreIn(t)
			s := openState(t, store)
			s.SetCursor(threatconnect.Cursor{Source: "feed", Position: "1"})
			runWith(t, s, tc.fate, items...)
			s = openState(t, store)
			assert.Equal(t, tc.again == nil && !tc.fate.brokenOff, s.Cursor().Position == "1", "a cursor would hide the failure")
			assert.Equal(t, tc.again, runWith(t, s, fate{}, items...))
			assert.Empty(t, run(t, store, items...))
		})
	}
}

// The counts of an import must agree with the errors that OnError received.
func TestInconsistentCountsResendItems(t *testing.T) {
	t.Parallel()
	one := threatconnect.BatchCounts{Added: 2, Succeeded: 1, Failed: 1}
	refused := threatconnect.BatchItemError{Seq: 0, JobID: 1}
	for name, tc := range map[string]struct {
		stats threatconnect.BatchStats
		told  []threatconnect.BatchItemError
		err   error
		again []int
	}{
		"success":                          {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2, Succeeded: 2}}, nil, nil, nil},
		"an error twice":                   {threatconnect.BatchStats{Indicators: one}, []threatconnect.BatchItemError{refused, refused}, nil, []int{0}},
		"an error in the list only":        {threatconnect.BatchStats{Indicators: one}, nil, &threatconnect.BatchError{Items: []threatconnect.BatchItemError{refused}}, []int{0}},
		"two failures, one reported twice": {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2, Failed: 2}}, []threatconnect.BatchItemError{refused, refused}, nil, []int{0, 1}},
		"the content of a group":           {threatconnect.BatchStats{Indicators: one}, []threatconnect.BatchItemError{{Seq: 0, JobID: 1, Content: true}}, nil, []int{0, 1}},
		"unprocessed":                      {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2, Unprocessed: 1}}, []threatconnect.BatchItemError{{Seq: 1, Unprocessed: true}}, nil, []int{1}},
		"unprocessed and not reported":     {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2, Unprocessed: 1}}, nil, nil, []int{0, 1}},
		"a refused item is not a failure":  {threatconnect.BatchStats{Indicators: one, Invalid: 1}, []threatconnect.BatchItemError{{Seq: 5, Err: errSource}}, nil, []int{0, 1}},
		"fewer added than sent":            {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 1, Succeeded: 1}}, nil, nil, []int{0, 1}},
		"an unknown link":                  {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2}, Links: threatconnect.BatchCounts{Unknown: 1}}, nil, nil, []int{0, 1}},
		"an unprocessed link":              {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2}, Links: threatconnect.BatchCounts{Unprocessed: 1}}, nil, nil, []int{0, 1}},
		"an unprocessed association":       {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2}, Associations: threatconnect.BatchCounts{Unprocessed: 1}}, []threatconnect.BatchItemError{refused}, nil, []int{0, 1}},
		"an unknown position":              {threatconnect.BatchStats{Indicators: threatconnect.BatchCounts{Added: 2, Succeeded: 2}}, []threatconnect.BatchItemError{{Seq: 77, JobID: 1}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, items := fileStoreIn(t), hosts(0, 2)
			s := openState(t, store)
			for range s.Changed(sequence(items, false)) { // send everything
			}
			for _, e := range tc.told {
				s.OnError(e)
			}
			require.NoError(t, s.Save(t.Context(), tc.stats, tc.err))
			assert.Equal(t, tc.again, run(t, store, items...))
		})
	}
}

func TestItemAtBreakIsResent(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	items := hosts(0, 3)
	s := openState(t, store)
	var stats threatconnect.BatchStats
	for range s.Changed(sequence(items, false)) {
		if stats.Indicators.Added == 1 {
			break
		}
		stats.Indicators.Added++
	}
	require.NoError(t, s.Save(t.Context(), stats, nil))
	assert.Equal(t, []int{1, 2}, run(t, store, items...))
}

func TestInterruptedRunForgetsNothing(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	items := []threatconnect.BatchItem{group("x-1"), host(0, 1), host(1, 1), host(2, 1)}
	run(t, store, items...)
	s := openState(t, store)
	assert.Equal(t, []int{0}, runWith(t, s, fate{brokenOff: true}, host(0, 2)))
	_, vanished := s.Counts()
	assert.Zero(t, vanished)
	s = openState(t, store)
	assert.True(t, s.KnownGroup("x-1"))
	assert.Equal(t, []int{1}, runWith(t, s, fate{}, items[0], host(0, 1), host(1, 1), host(2, 1)))
}

func TestItemWithSeveralVersionsIsResent(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	twice := []threatconnect.BatchItem{host(0, 1), host(1, 1), host(0, 2)}
	assert.Equal(t, []int{0, 1, 2}, run(t, store, twice...))
	assert.Equal(t, []int{0, 2}, run(t, store, twice...))
	assert.Equal(t, []int{0}, run(t, store, host(0, 2), host(1, 1)), "it is unknown which version is in the owner")
	assert.Equal(t, []int{0}, run(t, store, host(0, 1), host(1, 1)))
	assert.Empty(t, run(t, store, host(0, 1), host(1, 1), host(0, 1)))
	assert.Equal(t, []int{0, 1}, run(t, store, host(0, 2), host(0, 1)), "the last version is sent, although it is in the state")
}

func TestCursorIsSavedWithItems(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	first, second := threatconnect.Cursor{Source: "feed", Position: "1"}, threatconnect.Cursor{Source: "feed", Position: "2"}
	next := func(change ...func(*StateOptions)) threatconnect.Cursor {
		s := openState(t, store, change...)
		require.NoError(t, s.Close())
		return s.Cursor()
	}
	s := openState(t, store)
	s.SetCursor(first)
	runWith(t, s, fate{}, host(0, 1))
	s = openState(t, store)
	assert.Equal(t, first, s.Cursor())
	s.SetCursor(second)
	require.NoError(t, s.Close(), "nothing was sent")
	s = openState(t, store)
	assert.Equal(t, first, s.Cursor())
	require.NoError(t, s.Save(t.Context(), threatconnect.BatchStats{}, nil), "the feed has not changed")
	assert.Equal(t, first, next(), "the cursor is kept")
	assert.True(t, next(full).IsZero())
	assert.Equal(t, first, next())

	s = openState(t, store, named("today"))
	_, _, _ = imports(s, fate{}, host(0, 2))
	require.NoError(t, s.Close(), "it died")
	s = openState(t, store, named("today"))
	assert.Empty(t, s.Reason())
	assert.True(t, s.Cursor().IsZero(), "the feed must be read, even if it is as before the crash")
	runWith(t, s, fate{}, host(0, 1))
	assert.True(t, next().IsZero(), "no cursor was set")
}

func TestOwnerMatchesFeedAfterRandomFailures(t *testing.T) {
	t.Parallel()
	kills, fails := 0, 0
	for seed := range scaletest.N(uint64(25)) {
		random := rand.New(rand.NewPCG(seed, 3))
		store := fileStoreIn(t)
		owner := map[int]float64{}
		for range 12 {
			var lines []threatconnect.BatchItem
			want := map[int]float64{}
			for n := range 30 {
				for range 1 + random.IntN(8)/7 {
					if random.IntN(5) > 0 {
						lines = append(lines, host(n, float64(random.IntN(8)/6)))
					}
				}
			}
			random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			end := random.IntN(8)
			complete := end >= 3
			if !complete {
				lines = lines[:random.IntN(len(lines)+1)]
			}
			s := openState(t, store, func(o *StateOptions) { o.Full = random.IntN(10) == 0 })
			var stats threatconnect.BatchStats
			for item, err := range s.Changed(sequence(lines, !complete)) {
				if err != nil {
					break
				}
				var n int
				h := item.(*threatconnect.Host)
				_, err := fmt.Sscanf(h.HostName, "h%d.example", &n)
				require.NoError(t, err)
				if random.IntN(10) == 0 && end != 7 {
					fails++
					if random.IntN(2) == 0 {
						owner[n] = *h.Rating // a failed item may have been written
					}
					stats.Indicators.Failed++
					s.OnError(threatconnect.BatchItemError{Seq: stats.Indicators.Added, JobID: 1})
				} else {
					owner[n] = *h.Rating
				}
				stats.Indicators.Added++
			}
			if random.IntN(10) == 0 {
				stats.Links.Unknown = 1
			}
			if end == 0 { // killed
				kills++
			} else {
				require.NoError(t, s.Save(t.Context(), stats, nil))
			}
			require.NoError(t, s.Close())
			if end == 1 { // damaged
				b, err := os.ReadFile(store.path)
				require.NoError(t, err)
				b[len(stateFormat)+random.IntN(len(b)-len(stateFormat))] ^= 1 << random.IntN(8)
				require.NoError(t, os.WriteFile(store.path, b, 0o600))
			}
			if end != 7 {
				continue
			}
			for _, item := range lines {
				h := item.(*threatconnect.Host)
				var n int
				_, err := fmt.Sscanf(h.HostName, "h%d.example", &n)
				require.NoError(t, err)
				want[n] = *h.Rating
			}
			for n, rating := range want {
				require.InDelta(t, rating, owner[n], 0, "seed %d, host %d", seed, n)
			}
		}
	}
	assert.Positive(t, kills*fails)
}

func TestSaveReturnsTemporaryFileErrors(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	const items = 3000 // more than fit in memory
	for name, c := range map[string]struct {
		failing int64
		spoil   func(*State)
	}{
		"of items":    {0, func(s *State) { s.sends = extsort.NewLog(none, 0) }},
		"of failures": {items, func(s *State) { s.failures = extsort.New(none, 0) }},
		"of records": {0, func(s *State) {
			s.options.Dir = none
			note := make([]byte, 8+recordBytes)
			for range recordsBytes / len(note) { // simulate that many sent items
				_, err := s.sends.Add(note)
				s.fail(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := fileStoreIn(t)
			s := openState(t, store)
			c.spoil(s)
			var stats threatconnect.BatchStats
			for range s.Changed(many(items, 1)) {
				if stats.Indicators.Added < c.failing {
					s.OnError(threatconnect.BatchItemError{Seq: stats.Indicators.Added, JobID: 1})
				}
				stats.Indicators.Added++
			}
			require.ErrorContains(t, s.Save(t.Context(), stats, nil), "temporary file")
			require.NoError(t, s.Close())
			assert.NotEmpty(t, openState(t, store).Reason())
		})
	}
}

func TestOpenStateRejectsNil(t *testing.T) {
	t.Parallel()
	var none context.Context
	_, err := OpenState(none, fileStoreIn(t), options)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	_, err = OpenState(t.Context(), nil, options)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}

func TestSaveWithCanceledContext(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	s := openState(t, store)
	_, stats, err := imports(s, fate{}, host(0, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Save(ctx, stats, err))
	assert.Empty(t, run(t, store, host(0, 1)))
}
