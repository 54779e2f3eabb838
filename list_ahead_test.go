package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// numbers is a platform with a list of numbers and slow responses.
type numbers struct {
	list  []int
	quiet bool                          // omits the total
	most  int                           // maximum number of items per page; 0 is no maximum
	took  func(start int) time.Duration // nil is a second per page
	odd   func(start, limit int) ([]int, error)

	mu     sync.Mutex
	asked  []int // offsets, in the order of the requests
	open   int
	peak   int // maximum number of concurrent requests
	ended  int // canceled requests
	begins time.Time
}

func (n *numbers) fetch(ctx context.Context, start, limit int) (*page[int], error) {
	n.mu.Lock()
	n.asked = append(n.asked, start)
	n.open++
	n.peak = max(n.peak, n.open)
	wait := time.Second
	if n.took != nil {
		wait = n.took(start)
	}
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.open--
		n.mu.Unlock()
	}()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		n.mu.Lock()
		n.ended++
		n.mu.Unlock()
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.most > 0 {
		limit = min(limit, n.most)
	}
	var items []int
	if n.odd != nil {
		var err error
		if items, err = n.odd(start, limit); err != nil {
			return nil, err
		}
	} else if start < len(n.list) {
		items = n.list[start:min(start+limit, len(n.list))]
	}
	p := &page[int]{Page: Page[int]{Items: slices.Clone(items), Total: -1}, print: uint64(start) + 1}
	if !n.quiet && start == 0 {
		p.Total = int64(len(n.list))
		if limit == 1 && n.odd != nil { // the current length of the list
			all, _ := n.odd(0, math.MaxInt)
			p.Total = int64(len(all))
		}
	}
	return p, nil
}

// all collects the numbers and checks that no request outlives the loop.
func (n *numbers) all(t *testing.T, o ListOptions) ([]int, error) {
	t.Helper()
	n.begins = time.Now()
	got, err := untilError(pages(t.Context(), o, n.fetch))
	n.mu.Lock()
	defer n.mu.Unlock()
	assert.Zero(t, n.open, "requests after the end of the loop")
	return got, err
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestAheadPagesAreConcurrentAndOrdered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Later pages arrive sooner.
		n := &numbers{list: upTo(1000), took: func(start int) time.Duration { return time.Duration(2000-start) * time.Millisecond }}
		got, err := n.all(t, ListOptions{Limit: 100, Ahead: 4})
		require.NoError(t, err)
		assert.Equal(t, upTo(1000), got)
		assert.Equal(t, 4, n.peak)
		assert.Len(t, n.asked, 10, "no request beyond the end")
		assert.Equal(t, 0, n.asked[0])
		assert.Less(t, time.Since(n.begins), 7*time.Second, "one after another takes 15.5 s")
	})
}

func TestAheadLimitsConcurrentRequests(t *testing.T) {
	t.Parallel()
	for _, ahead := range []int{1, 2, 7, 32} {
		synctest.Test(t, func(t *testing.T) {
			n := &numbers{list: upTo(4000)}
			got, err := n.all(t, ListOptions{Limit: 100, Ahead: ahead})
			require.NoError(t, err)
			assert.Equal(t, upTo(4000), got)
			assert.Equal(t, ahead, n.peak)
			assert.Len(t, n.asked, 40)
		})
	}
	for _, ahead := range []int{-1, 33} {
		_, err := Collect(pages(t.Context(), ListOptions{Ahead: ahead}, (&numbers{}).fetch))
		var bad *ValidationError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, "list ahead", bad.Field)
	}
}

func TestAheadStopsAtEndOfList(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 99, 100, 101, 200, 999, 1000} {
		for _, from := range []int{0, 1, 150} {
			for _, quiet := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					name := fmt.Sprintf("%d items from %d, quiet %t", size, from, quiet)
					n := &numbers{list: upTo(size), quiet: quiet}
					got, err := n.all(t, ListOptions{Start: from, Limit: 100, Ahead: 3})
					require.NoError(t, err, name)
					assert.Equal(t, upTo(size)[min(from, size):], got, name)
					if !quiet && from == 0 {
						assert.Len(t, n.asked, max(1, (size+99)/100), name)
					} else {
						assert.LessOrEqual(t, len(n.asked), (max(size-from, 0)+99)/100+4, name)
					}
					for _, at := range n.asked[1:] {
						assert.GreaterOrEqual(t, at, from, name)
					}
				})
			}
		}
	}
}

func TestAheadHandlesShortPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &numbers{list: upTo(1234), most: 100}
		got, err := n.all(t, ListOptions{Limit: 500, Ahead: 5})
		require.NoError(t, err)
		assert.Equal(t, upTo(1234), got)
		assert.Len(t, n.asked, 13)
		assert.Equal(t, 5, n.peak)
	})
}

func TestAheadHandlesChangingList(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		limit int
		odd   func(start, limit int) ([]int, error)
		want  []int
	}{
		"it shrinks":                {100, func(start, limit int) ([]int, error) { return span(start, limit, 650), nil }, upTo(650)},
		"it grows beyond its total": {300, func(start, limit int) ([]int, error) { return span(start, limit, 1350), nil }, upTo(1350)},
		"it grows when its total is the end of a page": {100, func(start, limit int) ([]int, error) { return span(start, limit, 1350), nil }, upTo(1000)},
		"one page is short": {100, func(start, limit int) ([]int, error) {
			if start == 400 {
				limit = 60
			}
			return span(start, limit, 1000), nil
		}, upTo(1000)},
		"pages are longer than asked for": {100, func(start, limit int) ([]int, error) { return span(start, limit+10, 1000), nil }, upTo(1000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := &numbers{list: upTo(1000), odd: change.odd} // the total of the first page is 1000
				one, err := n.all(t, ListOptions{Limit: change.limit})
				require.NoError(t, err)
				got, err := n.all(t, ListOptions{Limit: change.limit, Ahead: 4})
				require.NoError(t, err)
				assert.Equal(t, change.want, got)
				assert.Equal(t, one, got, "the same items as without Ahead")
			})
		})
	}
}

// span returns up to limit numbers from start in a list of n.
func span(start, limit, n int) []int {
	var s []int
	for i := start; i < min(start+limit, n); i++ {
		s = append(s, i)
	}
	return s
}

// untilError returns the items that a sequence yields before an error, and the error.
func untilError[T any](seq iter.Seq2[T, error]) ([]T, error) {
	items := []T{}
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

func TestAheadYieldsItemsBeforeError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		n := &numbers{list: upTo(2000), odd: func(start, limit int) ([]int, error) {
			if start >= 500 {
				return nil, fmt.Errorf("%w at %d", broken, start)
			}
			return span(start, limit, 2000), nil
		}}
		n.took = func(start int) time.Duration {
			return max(time.Millisecond, time.Duration(1000-start)*time.Millisecond)
		}
		got, err := n.all(t, ListOptions{Limit: 100, Ahead: 8})
		require.EqualError(t, err, "broken at 500", "the first error in list order, not in time")
		require.ErrorIs(t, err, broken)
		assert.Equal(t, upTo(500), got)
	})
}

func TestAheadIsCanceledWhenLoopEnds(t *testing.T) {
	t.Parallel()
	leave := func(t *testing.T, how func(seq iter.Seq2[int, error])) {
		synctest.Test(t, func(t *testing.T) {
			n := &numbers{list: upTo(10_000), took: func(start int) time.Duration {
				if start < 300 {
					return time.Second
				}
				return time.Hour
			}}
			began := time.Now()
			how(pages(t.Context(), ListOptions{Limit: 100, Ahead: 6}, n.fetch))
			n.mu.Lock()
			defer n.mu.Unlock()
			assert.Zero(t, n.open)
			assert.Equal(t, 6, n.ended)
			assert.Less(t, time.Since(began), time.Minute, "the loop waited for pages that it does not need")
		}) // synctest reports leaked goroutines
	}
	t.Run("by break", func(t *testing.T) {
		t.Parallel()
		leave(t, func(seq iter.Seq2[int, error]) {
			for v, err := range seq {
				require.NoError(t, err)
				if v == 250 {
					break
				}
			}
		})
	})
	t.Run("by panic", func(t *testing.T) {
		t.Parallel()
		leave(t, func(seq iter.Seq2[int, error]) {
			assert.Panics(t, func() {
				for v := range seq {
					if v == 250 {
						panic("on purpose")
					}
				}
			})
		})
	})
	t.Run("by stop of a pulled sequence", func(t *testing.T) {
		t.Parallel()
		leave(t, func(seq iter.Seq2[int, error]) {
			next, stop := iter.Pull2(seq)
			for range 250 {
				_, _, ok := next()
				require.True(t, ok)
			}
			stop()
		})
	})
}

func TestAheadEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &numbers{list: upTo(10_000), took: func(start int) time.Duration { return time.Duration(start+1) * time.Millisecond }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := untilError(pages(ctx, ListOptions{Limit: 100, Ahead: 4}, n.fetch))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, upTo(len(got)), got)
		assert.Zero(t, n.open)
	})
}

func TestAheadSequenceIsReusable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &numbers{list: upTo(700)}
		seq := pages(t.Context(), ListOptions{Limit: 100, Ahead: 4}, n.fetch)
		for range 2 {
			got, err := Collect(seq)
			require.NoError(t, err)
			assert.Equal(t, upTo(700), got)
		}
	})
}

func TestAheadMatchesSequentialPaging(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(200)) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			build := func() *numbers {
				rnd := rand.New(rand.NewPCG(seed, 2))
				n := &numbers{list: upTo(rnd.IntN(500)), quiet: rnd.IntN(2) == 0, took: func(start int) time.Duration {
					return time.Duration(1+(start*7919)%97) * time.Millisecond
				}}
				if !n.quiet && rnd.IntN(3) == 0 {
					n.most = 1 + rnd.IntN(40)
				}
				return n
			}
			o := ListOptions{Start: rnd.IntN(3) * rnd.IntN(200), Limit: 1 + rnd.IntN(60)}
			if o.Start > 0 {
				o.Limit = max(o.Limit, 41) // without a total, a short page cannot be told from the last one
			}
			want, err := build().all(t, o)
			require.NoError(t, err)
			o.Ahead = 1 + rnd.IntN(maxAhead)
			got, err := build().all(t, o)
			require.NoError(t, err)
			assert.Equal(t, want, got, "seed %d", seed)
		})
	}
}

func TestAheadPanicReachesLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &numbers{list: upTo(100), odd: func(start, limit int) ([]int, error) {
			if start >= 30 {
				panic("mine")
			}
			return span(start, limit, 100), nil
		}}
		n := 0
		assert.PanicsWithValue(t, "mine", func() {
			for range pages(t.Context(), ListOptions{Limit: 10, Ahead: 4}, p.fetch) {
				n++
			}
		})
		assert.Equal(t, 30, n)
	})
}

// movingList is a list that changes before each request except the first.
type movingList struct {
	items    []int
	change   func(l *movingList)
	pageCap  int  // maximum number of items per page; 0 is no maximum
	noTotal  bool // omits the total
	lackAt   int  // start of a page that has only one item as long as lacks is not 0
	lacks    int
	noPaging bool // every page begins at 0
	requests int
}

func (l *movingList) fetch(_ context.Context, start, limit int) (*page[int], error) {
	if l.requests++; l.requests > 1 && l.change != nil {
		l.change(l)
	}
	p := &page[int]{Page: Page[int]{Total: -1}}
	if start == 0 && !l.noTotal {
		p.Total = int64(len(l.items))
	}
	if l.pageCap > 0 {
		limit = min(limit, l.pageCap)
	}
	if l.noPaging {
		start = 0
	}
	begin := min(start, len(l.items))
	p.Items = slices.Clone(l.items[begin:min(begin+limit, len(l.items))])
	if l.lacks != 0 && start == l.lackAt && limit > 1 {
		l.lacks--
		p.Items = p.Items[:1]
	}
	return p, nil
}

func TestChangingListIsReadCompletely(t *testing.T) {
	t.Parallel()
	front := func(n int) func(*movingList) {
		return func(l *movingList) { l.items = l.items[min(n, len(l.items)-60):] } // keep the last 60
	}
	next := 1000
	for name, l := range map[string]*movingList{
		"that stays":                        {},
		"of unknown length":                 {noTotal: true},
		"in pages of fewer than asked for":  {pageCap: 100},
		"that loses one item per request":   {change: front(1)},
		"that loses more than half a page":  {change: front(97)},
		"that loses more than a page":       {change: front(333)},
		"of unknown length that loses some": {change: front(7), noTotal: true, pageCap: 100},
		"that grows in front": {change: func(l *movingList) {
			for range 3 {
				next++
				l.items = slices.Insert(l.items, 0, next)
			}
		}},
		"that grows at its end":     {change: func(l *movingList) { next++; l.items = append(l.items, next) }},
		"that loses and grows":      {change: func(l *movingList) { next++; front(5)(l); l.items = append(l.items, next) }},
		"whose items move":          {change: func(l *movingList) { next++; l.items = append(slices.Delete(l.items, 50, 53), next) }},
		"with a page that is short": {lackAt: 149, lacks: 2},
	} {
		for _, limit := range []int{150, 2000} {
			t.Run(name, func(t *testing.T) {
				l := *l
				for i := range 950 {
					l.items = append(l.items, i)
				}
				began := slices.Clone(l.items)
				got := map[int]int{}
				for item, err := range readMoving(t.Context(), limit, l.fetch, func(i int) uint64 { return uint64(i) }) {
					require.NoError(t, err)
					got[item.item]++
				}
				for _, item := range began {
					if slices.Contains(l.items, item) {
						require.Equal(t, 1, got[item], "item %d", item)
					}
				}
				for item, n := range got {
					assert.Equal(t, 1, n, "item %d", item)
				}
				assert.LessOrEqual(t, l.requests, 80)
			})
		}
	}
}

func TestIncompleteListReturnsError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list movingList
		want error
	}{
		"a page that stays short":           {movingList{lackAt: 149, lacks: -1}, errShortList},
		"a platform that ignores an offset": {movingList{noPaging: true, noTotal: true}, errMovingList},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 950 {
				test.list.items = append(test.list.items, i)
			}
			var last error
			for _, err := range readMoving(t.Context(), 150, test.list.fetch, func(i int) uint64 { return uint64(i) }) {
				last = err
			}
			require.ErrorIs(t, last, test.want)
		})
	}
}
