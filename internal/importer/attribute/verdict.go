package attribute

import (
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Counts are the platform's counts of a completed job. A missing count is 0.
type Counts struct {
	Success, Errors, Unprocessed int
	// Apart counts the successes by section. It is nil unless they add up to Success.
	Apart *[item.Sections]int
}

// consistent returns the counts without Success and Unprocessed if these exceed the number of items, because
// an item cannot be both.
func (c Counts) consistent(items int) Counts {
	if c.Success > 0 && c.Unprocessed > 0 && c.Success+c.Unprocessed > items {
		return Counts{Errors: c.Errors}
	}
	return c
}

// Verdicts returns the verdict on each item of a part. failed marks the items that errors name, and nameless
// is the number of failures that name no item.
//
// The platform processes items in order, so unprocessed items are at the end. If nameless failures or missing
// successes remain, each item that they may concern is Unknown. If the counts contradict each other, each
// item that no error names is Unknown.
func Verdicts(f *item.File, p item.Part, c Counts, failed []bool, nameless int) []item.Verdict {
	c = c.consistent(p.Len())
	v := make([]item.Verdict, p.Len())
	left := c.Unprocessed
	for i := len(v) - 1; i >= 0; i-- {
		switch {
		case failed[i]:
			v[i] = item.Failed
		case left > 0:
			v[i] = item.Unprocessed
			left--
		default:
			v[i] = item.Succeeded
		}
	}
	for _, s := range shares(f, p, v, c, nameless) {
		for i := range v {
			if section, _, _ := f.At(p.From + i); v[i] == item.Succeeded && s.open() > 0 && s.has[section] {
				v[i] = item.Unknown
			}
		}
	}
	return v
}

// share is a set of sections whose successes the platform counts together.
type share struct {
	has        [item.Sections]bool
	candidates int // processed items that no error names
	success    int // count of the platform
	nameless   int // nameless failures of these sections
}

// missing returns the number of candidates that are neither failed nor confirmed.
func (s *share) missing() int { return max(s.candidates-s.nameless-s.success, 0) }

// open returns the number of candidates that did not succeed.
func (s *share) open() int { return s.nameless + s.missing() }

// shares divides the items of a part and the nameless failures. Failures go to the sections that lack
// successes first.
func shares(f *item.File, p item.Part, v []item.Verdict, c Counts, nameless int) []share {
	all := share{has: [item.Sections]bool{true, true, true}, success: c.Success, nameless: nameless}
	var apart [item.Sections]share
	for i, verdict := range v {
		if section, _, _ := f.At(p.From + i); verdict == item.Succeeded || verdict == item.Unknown {
			apart[section].candidates++
			all.candidates++
		}
	}
	if c.Apart == nil {
		all.nameless = min(all.nameless, all.candidates)
		return []share{all}
	}
	for section := range apart {
		s := &apart[section]
		s.has[section], s.success = true, c.Apart[section]
		s.nameless = min(nameless, max(s.candidates-s.success, 0))
		nameless -= s.nameless
	}
	for _, section := range []item.Section{item.Indicators, item.Groups, item.Associations} {
		more := min(nameless, apart[section].candidates-apart[section].nameless)
		apart[section].nameless += more
		nameless -= more
	}
	return apart[:]
}

// Tally counts the items of a part by their verdicts. Nameless failures count as failed, although no item is
// blamed. Unknown items that must have succeeded, whichever items failed, count as succeeded.
func Tally(f *item.File, p item.Part, v []item.Verdict, c Counts, nameless int) (counts [item.Kinds]item.Counts) {
	c = c.consistent(p.Len())
	for i, verdict := range v {
		counts[f.KindAt(p.From+i)].Add(verdict, 1)
	}
	sections := [item.Kinds]item.Section{item.Indicator: item.Indicators, item.Group: item.Groups, item.Association: item.Associations, item.Link: item.Associations}
	for _, s := range shares(f, p, v, c, nameless) {
		blamed := int64(s.nameless)
		for k := range counts {
			if !s.has[sections[k]] {
				continue
			}
			n := &counts[k]
			sure := max(n.Unknown-int64(s.open()), 0) // at most open items of each kind did not succeed
			n.Unknown -= sure
			n.Succeeded += sure
			failed := min(blamed, n.Unknown)
			n.Unknown -= failed
			n.Failed += failed
			blamed -= failed
		}
	}
	return counts
}

// Processed returns the number of items, out of n, that the platform processed before one made it abort the
// job. Errors includes the fatal error, whose item was not processed.
func Processed(c Counts, n int) int {
	return max(min(c.Success+max(c.Errors-1, 0), n-1), 0)
}

// Bisect returns the parts in which to send the rest of an aborted job. suspect is the position of the item
// to send alone, or -1.
func Bisect(rest item.Part, suspect int) []item.Part {
	parts := []item.Part{{From: rest.From, To: suspect}, {From: suspect, To: suspect + 1}, {From: suspect + 1, To: rest.To}}
	if suspect < 0 {
		half := rest.From + rest.Len()/2
		parts = []item.Part{{From: rest.From, To: half}, {From: half, To: rest.To}}
	}
	kept := parts[:0]
	for _, p := range parts {
		if p.Len() > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}
