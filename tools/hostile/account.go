package main

import (
	"fmt"
	"sync"

	"github.com/threatconnect-go/threatconnect"
)

// account checks the results that an import reports for its items.
type account struct {
	mu     sync.Mutex
	errors map[int64]int // by number of the item
	texts  []string      // of the platform, in errors
	wrong  []string
}

func (a *account) failed(e threatconnect.BatchItemError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.errors == nil {
		a.errors = map[int64]int{}
	}
	a.errors[e.Seq]++
	if len(a.texts) < 100 {
		a.texts = append(a.texts, e.Reason, e.Cause, e.Ref)
	}
}

func (a *account) happened(e threatconnect.BatchEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.check(e.Stats, false)
}

// ended checks the counts of an import that has ended, with an error or without one.
func (a *account) ended(stats threatconnect.BatchStats, err error) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.check(stats, true)
	if n := stats.Total(); err == nil && n.Succeeded+n.Excluded != n.Added {
		a.wrong = append(a.wrong, fmt.Sprintf("an import without an error has counts of %+v", n))
	}
	return a.wrong
}

func (a *account) check(stats threatconnect.BatchStats, ended bool) {
	for _, n := range []threatconnect.BatchCounts{stats.Indicators, stats.Groups, stats.Associations, stats.Links, stats.Contents} {
		sum := n.Succeeded + n.Failed + n.Unprocessed + n.Unknown + n.Excluded
		if min(n.Added, n.Succeeded, n.Failed, n.Unprocessed, n.Unknown, n.Excluded) < 0 || sum > n.Added || ended && sum != n.Added {
			a.wrong = append(a.wrong, fmt.Sprintf("counts do not add up: %+v", n))
		}
	}
}
