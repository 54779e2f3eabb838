package threatconnecttest

import (
	"iter"
	"slices"
)

// first returns the first matching element, or the zero value if there is none.
func first[T any](all []T, match func(T) bool) (none T) {
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i]
	}
	return none
}

// recordsOf returns the records of items, or nil if there are none.
func recordsOf[T, R any](all iter.Seq[T], record func(T) R) (records []R) {
	for e := range all {
		records = append(records, record(e))
	}
	return records
}

// only returns the single element that matches.
func only[T any](all []T, match func(T) bool, what string) (none T, err error) {
	i := slices.IndexFunc(all, match)
	switch {
	case i < 0:
		return none, refuse("Name", "the owner has no such "+what)
	case slices.ContainsFunc(all[i+1:], match):
		return none, refuse("Name", "the owner has several such: give the ID")
	}
	return all[i], nil
}

// take removes and returns the first matching element, or returns nil. Elements that survive an
// update are taken from the previous ones, so no ID is used twice.
func take[T any](from *[]*T, match func(*T) bool) *T {
	n := slices.IndexFunc(*from, match)
	if n < 0 {
		return nil
	}
	e := (*from)[n]
	*from = slices.Delete(*from, n, n+1)
	return e
}

// remove returns s without the first e.
func remove[T comparable](s []T, e T) []T {
	if i := slices.Index(s, e); i >= 0 {
		return slices.Delete(s, i, i+1)
	}
	return s
}

// where iterates over the elements that match.
func where[T any](all []T, match func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, e := range all {
			if match(e) && !yield(e) {
				return
			}
		}
	}
}
