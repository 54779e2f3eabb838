package feed

import (
	"cmp"
	"slices"

	"github.com/threatconnect-go/threatconnect"
)

// counts contains the outcomes of the entries of a run. Read is the sum of the others, except Vanished.
type counts struct {
	Read        int64 `json:"read"`        // entries of the feed
	Imported    int64 `json:"imported"`    // confirmed by the platform
	Unchanged   int64 `json:"unchanged"`   // the same as in the last run, not sent; needs --state
	Merged      int64 `json:"merged"`      // combined with an earlier entry; needs --merge
	Skipped     int64 `json:"skipped"`     // valid, but not imported
	Invalid     int64 `json:"invalid"`     // break a rule, and were not sent
	Failed      int64 `json:"failed"`      // refused by the platform, or saved only in part
	Unprocessed int64 `json:"unprocessed"` // the import ended before
	Unknown     int64 `json:"unknown"`     // sent with an unknown outcome
	ToImport    int64 `json:"toImport"`    // would be sent; only with --dry-run
	Vanished    int64 `json:"vanished"`    // in the last run, and no longer in the feed; needs --state

	kinds []*kindCount
}

// kindCount counts the entries of one type. Invalid entries and merged ones are not counted by type.
type kindCount struct {
	Kind      string `json:"type"`      // type of indicator, or "Groups"
	Sent      int64  `json:"sent"`      // given to the platform
	Failed    int64  `json:"failed"`    // of those
	Unchanged int64  `json:"unchanged"` // not sent
	Skipped   int64  `json:"skipped"`
	passed    int64  // were read, and are correct
}

const groupKind = "Groups"

// kind returns the counts of a type. An unknown type has counts that are not kept.
func (c *counts) kind(name string) *kindCount {
	for _, k := range c.kinds {
		if k.Kind == name {
			return k
		}
	}
	k := &kindCount{Kind: name}
	if name != "" {
		c.kinds = append(c.kinds, k)
	}
	return k
}

// finish adds the counts of an import. If it ended early, entries that were read and did not reach the writer are
// unprocessed.
func (c *counts) finish(stats threatconnect.BatchStats, ended bool) {
	t := stats.Total()
	c.Imported += t.Succeeded
	c.Failed += t.Failed
	c.Unprocessed += t.Unprocessed
	c.Unknown += t.Unknown
	c.Invalid += stats.Invalid
	c.Skipped += t.Excluded
	c.Unchanged = 0
	for _, k := range c.kinds {
		k.Unchanged = k.passed - k.Sent
		c.Unchanged += k.Unchanged
	}
	if ended {
		c.Unprocessed += c.Read - c.accounted()
	}
}

// accounted is the number of entries with an outcome.
func (c *counts) accounted() int64 {
	return c.Imported + c.Unchanged + c.Merged + c.Skipped + c.Invalid + c.Failed + c.Unprocessed + c.Unknown + c.ToImport
}

// sortKinds puts the types in the order in which they are shown: the most frequent first, groups last.
func (c *counts) sortKinds() {
	slices.SortStableFunc(c.kinds, func(a, b *kindCount) int {
		switch {
		case a.Kind == groupKind:
			return 1
		case b.Kind == groupKind:
			return -1
		}
		return cmp.Compare(b.Sent+b.Unchanged+b.Skipped, a.Sent+a.Unchanged+a.Skipped)
	})
}
