package threatconnect

import "iter"

// ListOptions says which part of a list is asked for.
type ListOptions struct {
	// Start is the offset of the first item, from 0. Offsets move when the data changes.
	Start int `url:"resultStart,omitempty"`
	// Limit is the number of items a page: 1 to 10,000, on old instances to 500. 0 means the
	// platform's 100 for List, and 500 for All.
	Limit int `url:"resultLimit,omitempty"`
}

const (
	maxPageSize     = 10_000
	defaultPageSize = 500 // for All: what every version of the platform accepts
)

func (o ListOptions) check() error {
	switch {
	case o.Start < 0:
		return &ValidationError{Field: "list start", Rule: "want 0 or more"}
	case o.Limit < 0 || o.Limit > maxPageSize:
		return &ValidationError{Field: "list limit", Rule: "want 1 to 10,000, or 0 for the default"}
	}
	return nil
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T   // never nil
	Total int64 // size of the whole list; -1 when the platform did not say, as on every page but the first
	More  bool  // whether there may be items after these
}

// Collect reads a sequence to its end and returns its items. On an error it returns the items
// before it together with the error. The slice grows with the sequence: for lists of unknown size,
// range over the sequence instead.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	items := []T{}
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

// fetchPage asks for the page that begins at start and holds at most limit items.
type fetchPage[T any] func(start, limit int) (*page[T], error)

// page is a page with what is needed to know whether another one follows.
type page[T any] struct {
	Page[T]
	print uint64 // fingerprint of the answer
}

// pages iterates over all items from o.Start on. It asks for nothing before it is ranged over, and
// for a page only when the items before it were taken. It can be ranged over any number of times.
func pages[T any](o ListOptions, fetch fetchPage[T]) iter.Seq2[T, error] {
	if o.Limit == 0 {
		o.Limit = defaultPageSize
	}
	return func(yield func(T, error) bool) {
		var zero T
		if err := o.check(); err != nil {
			yield(zero, err)
			return
		}
		start, total, last := o.Start, int64(-1), uint64(0)
		for {
			p, err := fetch(start, o.Limit)
			if err != nil {
				yield(zero, err)
				return
			}
			total = max(total, p.Total)
			if len(p.Items) > 0 && start > o.Start && p.print == last {
				yield(zero, errRepeatedPage)
				return
			}
			last = p.print
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			start += len(p.Items)
			// A total that is not there, or that the list has outgrown, tells nothing: then a short
			// page is the last one.
			if len(p.Items) == 0 || int64(start) == total || int64(start) > total && len(p.Items) < o.Limit {
				return
			}
		}
	}
}
