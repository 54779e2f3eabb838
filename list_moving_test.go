package threatconnect

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// movingList is a list that changes before every request but the first.
type movingList struct {
	items    []int
	change   func(l *movingList)
	pageCap  int  // most items of a page; 0 is no cap
	noTotal  bool // whether the platform does not say how long the list is
	lackAt   int  // start of a page that lacks its items, for as long as lacks is not 0; others are whole
	lacks    int
	noPaging bool // whether every page begins at 0
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

func TestAMovingListIsReadWhole(t *testing.T) {
	t.Parallel()
	front := func(n int) func(*movingList) {
		return func(l *movingList) { l.items = l.items[min(n, len(l.items)-60):] } // the last 60 stay
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

func TestAListThatCannotBeReadToItsEndIsAnError(t *testing.T) {
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
