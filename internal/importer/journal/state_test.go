package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// TestStateMatchesModel compares three states of a random import with the model: the state
// of a journal with random checkpoints, moves and failed removals; the state of a process that opens
// that journal; and a state without a journal.
func TestStateMatchesModel(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(30)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := newMachine(seed)
			m.stops = seed%3 == 0
			store := newStore()
			j := begin(t, store)
			direct := &Journal{}
			direct.state.keep = true
			direct.state.apply(0, &record{Start: &testStart})
			failing := false
			store.fail = func(op, _ string) fault {
				if op == "remove" && failing {
					return []fault{refused, hidden}[m.IntN(2)]
				}
				return none
			}
			steps := 120
			for n := 0; ; n++ {
				r := m.next(n > steps)
				if r == nil {
					break
				}
				require.NoError(t, direct.state.fits(r))
				direct.state.apply(0, r)
				for do(t.Context(), j, r) != nil {
					failing = m.IntN(3) == 0
				}
				switch m.IntN(12) {
				case 0:
					failing = !failing
				case 1:
					_ = j.checkpoint(t.Context(), nil)
				case 2:
					if c := j.state.lastLinks(); c != nil {
						out := c.compact()
						require.NoError(t, j.append(t.Context(), &record{Moved: &moved{Links: &out}}, [][]byte{out.data}))
					}
				case 3:
					if c := j.state.lastGroups(); c != nil {
						require.NoError(t, j.append(t.Context(), &record{Moved: &moved{Groups: c}}, [][]byte{c.data}))
					}
				case 4:
					next := open(t, store.clone())
					require.Equal(t, text(t, &direct.state), text(t, &next.state))
					m.checkLists(t, next)
					m.checkPayloads(t, next)
					if m.IntN(2) == 0 {
						failing = false
						j = open(t, store)
					}
				}
				require.Equal(t, text(t, &direct.state), text(t, &j.state))
				m.check(t, &j.state)
				if n%10 == 0 {
					m.checkLists(t, j)
					m.checkLists(t, direct)
					m.checkPayloads(t, j)
				}
			}
			assert.Empty(t, j.state.Files)
			if !m.stops {
				assert.Equal(t, m.totals.Added, j.state.Marks.Watermark.Seq)
			}
			failing = false
			require.NoError(t, j.End(t.Context(), End{Remember: true}))
			assert.Len(t, store.slots(), 1)
			next := open(t, store)
			assert.Equal(t, text(t, &j.state), text(t, &next.state))
			assert.Equal(t, m.totals.Added, next.state.Totals.Added)
		})
	}
}

// live returns the number of records without those that contain links and groups.
func (s *memStore) live(j *Journal) int {
	return len(s.slots()) - len(chunks(&j.state))
}

func chunks(s *State) map[int64]bool {
	slots := map[int64]bool{}
	for _, c := range s.Links {
		slots[c.Slot] = true
	}
	for _, c := range s.Groups {
		slots[c.Slot] = true
	}
	delete(slots, 0)
	return slots
}

const mostLive = 4*(testFiles-1) + 20

// TestLongImportsKeepFewRecords counts the records at every operation.
func TestLongImportsKeepFewRecords(t *testing.T) {
	t.Parallel()
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		m, store := newMachine(7), newStore()
		j := begin(t, store)
		most := 0
		store.fail = func(string, string) fault {
			most = max(most, store.live(j))
			return none
		}
		for range 1500 {
			mustDo(t, j, m.next(false))
		}
		assert.LessOrEqual(t, most, mostLive)
		assert.Greater(t, most, mostLive/2)
	})
	t.Run("flushes", func(t *testing.T) {
		t.Parallel()
		store := newStore()
		j := begin(t, store)
		d := Deferred{Seq: 0, JSON: []byte("{}"), Wait: [2]uint64{1}}
		mustDo(t, j, &record{Added: &Added{Totals: item.Totals{Added: 1}, Held: 0, Links: []Deferred{d}}})
		for range 1500 {
			r := added(&j.state, false, 1)
			r.Added.Held = 0
			mustDo(t, j, r)
			require.LessOrEqual(t, len(store.slots()), mostLive)
		}
		assert.Less(t, j.slot, int64(1500+1500/(2*testFiles+14)), "a checkpoint replaces many records")
		size := 0
		for _, text := range store.records {
			size = max(size, len(text))
		}
		assert.Less(t, size, 100_000, "the deferred link makes every checkpoint larger")
	})
	t.Run("an item that was not processed", func(t *testing.T) {
		t.Parallel()
		store := newStore()
		j := begin(t, store)
		for n := range 1000 {
			mustDo(t, j, added(&j.state, true, 1))
			r := settledAll(j.state.Files[0])
			if n == 0 {
				r.Settled.Outcome.Kinds[item.Indicator] = item.Counts{Unprocessed: 1}
			}
			mustDo(t, j, r)
		}
		assert.Zero(t, j.state.Marks.Watermark)
		assert.Less(t, len(j.state.Marks.Open), 500)
	})
}

// TestManyLinksAndGroupsAreMovedToRecords adds more links and groups than fit in memory.
func TestManyLinksAndGroupsAreMovedToRecords(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	totals := item.Totals{}
	add := func(released ...int64) {
		totals.Added++
		d := Deferred{Index: totals.Deferred, Seq: totals.Added - 1, Key: "key", JSON: make([]byte, maxPending/4)}
		totals.Deferred++
		mustDo(t, j, &record{Added: &Added{Totals: totals, Links: []Deferred{d}, Released: released}})
	}
	waiting := func(j *Journal) (list []int64) {
		require.NoError(t, j.Waiting(t.Context(), func(d Deferred) error {
			require.Len(t, d.JSON, maxPending/4)
			list = append(list, d.Index)
			return nil
		}))
		return list
	}
	for range 10 {
		add()
	}
	require.Len(t, j.state.Links, 3)
	assert.NotZero(t, j.state.Links[0].Slot)
	assert.Equal(t, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, waiting(open(t, store)))
	j = open(t, store)
	add(0, 1, 2, 3, 8)
	assert.Equal(t, []int64{4, 5, 6, 7, 9, 10}, waiting(j))
	add()
	for i := range int64(5) {
		add(11+i, 12+i)
	}
	assert.Equal(t, waiting(j), waiting(open(t, store)))
	require.Len(t, j.state.Links, 2, "few deferred links stay in memory")

	// A mostly released chunk stays in memory.
	store = newStore()
	j, totals = begin(t, store), item.Totals{}
	add()
	for i := range int64(12) {
		add(i + 1)
	}
	assert.Len(t, j.state.Links, 1)
	assert.Zero(t, j.state.Links[0].Slot)
	assert.Less(t, len(j.state.Links[0].data), 2*maxPending)
	assert.Equal(t, []int64{0}, waiting(open(t, store)))

	store = newStore()
	j, totals = begin(t, store), item.Totals{}
	var groups []uint64
	for range 5 {
		totals.Added++
		a := &Added{Totals: totals}
		for range maxPending / 8 / 2 {
			groups = append(groups, uint64(len(groups))<<32|1)
			a.Groups = append(a.Groups, groups[len(groups)-1])
		}
		mustDo(t, j, &record{Added: a})
	}
	require.Len(t, j.state.Groups, 3)
	for _, j := range []*Journal{j, open(t, store)} {
		var known []uint64
		require.NoError(t, j.Known(t.Context(), func(h uint64, file int64) { known = append(known, h) }))
		assert.Equal(t, groups, known)
	}
}

// TestRanges compares ranges with a set.
func TestRanges(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(50)) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var r ranges
		set := map[int64]bool{}
		for range 60 {
			n := rnd.Int64N(40)
			r.add(n)
			set[n] = true
			var want ranges
			for _, n := range slices.Sorted(maps.Keys(set)) {
				if l := len(want); l > 0 && want[l-1] == n {
					want[l-1] = n + 1
				} else {
					want = append(want, n, n+1)
				}
			}
			require.Equal(t, want, r)
			for n := int64(-1); n <= 41; n++ {
				require.Equal(t, set[n], r.has(n), "%d in %v", n, r)
			}
		}
	}
}

// TestWatermarkWaitsForLinksOfItem has a failed link in a file after an unsettled file.
func TestWatermarkWaitsForLinksOfItem(t *testing.T) {
	t.Parallel()
	var s State
	s.apply(0, &record{Start: &testStart})
	add := func(low, held int64) {
		r := added(&s, true, 10)
		r.Added.Low, r.Added.Held = low, held
		s.apply(0, r)
	}
	add(0, 5)
	add(10, 5)
	add(5, math.MaxInt64) // with a link of item 5
	s.apply(0, settledAll(s.file(1)))
	assert.Equal(t, Watermark{}, s.Marks.Watermark)
	r := settledAll(s.file(3))
	r.Settled.Outcome.Kinds[item.Link].Failed = 1
	s.apply(0, r)
	assert.Equal(t, Watermark{}, s.Marks.Watermark, "file 2 is not settled")
	s.apply(0, settledAll(s.file(2)))
	assert.Equal(t, Watermark{Seq: 30, Failed: 1}, s.Marks.Watermark)
}

// TestReleaseIgnoresUnknownLinks releases indexes that are in no chunk.
func TestReleaseIgnoresUnknownLinks(t *testing.T) {
	t.Parallel()
	links := func() []*linkChunk { return []*linkChunk{{From: 10, To: 20, Count: 10}, {From: 30, To: 40, Count: 10}} }
	s := State{Links: links()}
	s.release([]int64{9, 25, 40})
	require.Equal(t, links(), s.Links)
	s.release([]int64{10, 39})
	require.True(t, s.Links[0].Released.has(10) && s.Links[1].Released.has(39))
}

func TestMergeKeepsUnsettledMarks(t *testing.T) {
	t.Parallel()
	m := Marks{Open: []mark{{To: 10, Low: 5, Failed: 1}, {To: 20, Low: 15, Unknown: 2}, {To: 30, File: 3, Low: 25}}}
	m.merge()
	require.Equal(t, []mark{{To: 20, Low: 5, Failed: 1, Unknown: 2}, {To: 30, File: 3, Low: 25}}, m.Open)
}

// TestJournalWithoutStore compares the state of a journal that is not stored with the model.
func TestJournalWithoutStore(t *testing.T) {
	t.Parallel()
	m, j := newMachine(3), New(testStart)
	assert.False(t, j.Kept())
	for n := 0; ; n++ {
		r := m.next(n > 300)
		if r == nil {
			break
		}
		mustDo(t, j, r)
		j.View(func(s *State) { m.check(t, s) })
	}
	assert.Empty(t, j.state.Links, "a journal without a store needs no links")
	assert.Empty(t, j.state.Groups)
	require.ErrorIs(t, j.Settle(t.Context(), &Settled{File: 1 << 40}), errOrder)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, do(ctx, j, added(&j.state, false, 1)), context.Canceled)
	require.NoError(t, j.End(t.Context(), End{Remember: true}))
	j.View(func(s *State) { assert.Equal(t, &End{Remember: true}, s.End) })
}

// TestJournalConcurrency lets deliveries write while other goroutines read the state.
func TestJournalConcurrency(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	const files = 12
	for range files {
		r := added(&j.state, true, 2)
		r.Added.Contents = []Content{{Position: 0}}
		mustDo(t, j, r)
	}
	var running sync.WaitGroup
	for n := range int64(files) {
		running.Go(func() {
			f := &File{Number: n + 1}
			f.Unsettled[item.Indicator] = 1
			r := settledAll(f)
			r.Settled.Outcome.Kinds[item.Indicator].Failed = 1
			r.Settled.Outcome.Note(item.Failure{Seq: n, Err: errIO})
			for _, r := range []*record{{Created: &Created{File: n + 1, Job: n}}, r, {Attached: &Attached{File: n + 1}}} {
				assert.NoError(t, do(t.Context(), j, r))
				j.View(func(s *State) {
					assert.GreaterOrEqual(t, s.Outcome.Kinds[item.Indicator].Failed, int64(len(s.Outcome.Failures)))
				})
			}
		})
	}
	running.Wait()
	assert.Empty(t, j.state.Files)
	assert.Equal(t, Watermark{Seq: 2 * files, Failed: files}, j.state.Marks.Watermark)
	assert.Equal(t, text(t, &j.state), text(t, &open(t, store).state))
}

// TestContextEndsWhileWaitingForLock cancels calls that wait for the lock of the journal.
func TestContextEndsWhileWaitingForLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		j := begin(t, store)
		require.NoError(t, j.lock(t.Context()))
		cause := errors.New("the caller has no time")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		slot := j.slot
		for _, err := range []error{do(ctx, j, added(&j.state, false, 1)), j.End(ctx, End{})} {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, cause)
		}
		assert.Equal(t, slot, j.slot)
		j.unlock()
		mustDo(t, j, added(&j.state, false, 1))
	})
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, WithContextErr(ctx, errIO), errIO)
	require.NotErrorIs(t, WithContextErr(ctx, errIO), context.Canceled)
	cancel()
	require.ErrorIs(t, WithContextErr(ctx, errIO), context.Canceled)
	require.EqualError(t, ContextErr(ctx), "context canceled")
}
