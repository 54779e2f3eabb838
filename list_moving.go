package threatconnect

import (
	"context"
	"fmt"
	"iter"
)

// keyed is an item of a list with the hash that identifies it.
type keyed[T any] struct {
	item T
	key  uint64
}

// readMoving returns an iterator over a list that changes while it is read. It yields every item that does
// not change meanwhile, even if others are added or removed.
//
// If an item before an offset is removed, all later items move up and the next page begins too late. Pages
// therefore overlap, at first by one item: a page must begin with an item that was already read. If it does
// not, the iterator goes back until one does. The overlap doubles each time, up to half a page,
// so a list that keeps shrinking does not stop progress.
//
// An item is yielded once if at most 50,000 others are read before it occurs again. The key of an item must
// change when the item changes.
func readMoving[T any](ctx context.Context, limit int, fetch fetchPage[T], key func(T) uint64) iter.Seq2[keyed[T], error] {
	return func(yield func(keyed[T], error) bool) {
		const (
			mostRetries = 3    // of a page that ends before the end of the list
			mostIdle    = 1000 // pages in a row without a new item
		)
		var read recentKeys
		start, overlap, back := 0, 1, limit-1
		total := int64(-1)
		retries := 0
		for idle := 0; ; idle++ {
			p, err := fetch(ctx, start, limit)
			if err == nil && idle > mostIdle {
				err = errMovingList
			}
			if err != nil {
				yield(keyed[T]{}, err)
				return
			}
			n := len(p.Items)
			total = max(total, p.Total)
			if start > 0 && (n == 0 || !read.has(key(p.Items[0]))) {
				overlap = min(2*overlap, limit/2)
				start = max(0, start-back)
				back *= 2
				continue
			}
			back = limit - 1
			for _, item := range p.Items {
				k := key(item)
				if read.has(k) {
					continue
				}
				read.add(k)
				idle = 0
				if !yield(keyed[T]{item, k}, nil) {
					return
				}
			}
			if n > limit && start == 0 {
				return // the platform does not page this list
			}
			if n >= min(limit, minPageCap) { // the last page can be full as well
				start += n - min(overlap, n/2)
				retries = 0
				continue
			}
			if int64(start+n) < total { // the list has become shorter, or the page is incomplete
				first, err := fetch(ctx, 0, 1)
				if err == nil && retries == mostRetries {
					err = errShortList
				}
				if err != nil {
					yield(keyed[T]{}, err)
					return
				}
				total = first.Total
				retries++
			}
			if int64(start+n) >= total {
				return
			}
		}
	}
}

var errMovingList = fmt.Errorf("%w: the list changes faster than it can be read, or the platform ignores resultStart", ErrBadResponse)

// recentKeys is a set of at least the 50,000 latest keys.
type recentKeys struct{ young, old map[uint64]struct{} }

func (r *recentKeys) has(key uint64) bool {
	_, young := r.young[key]
	_, old := r.old[key]
	return young || old
}

func (r *recentKeys) add(key uint64) {
	const most = 50_000
	if r.young == nil || len(r.young) == most {
		r.young, r.old = make(map[uint64]struct{}), r.young
	}
	r.young[key] = struct{}{}
}
