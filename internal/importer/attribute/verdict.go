package attribute

import (
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// Counts is what the platform says of a completed job. A count that it leaves out is 0.
type Counts struct {
	Success, Errors, Unprocessed int
	// Apart are the successes by section, if they add up to Success, and otherwise nil.
	Apart *[item.Sections]int
}

// believed returns the counts without those that contradict each other: items cannot be saved and not processed.
func (c Counts) believed(items int) Counts {
	if c.Success > 0 && c.Unprocessed > 0 && c.Success+c.Unprocessed > items {
		return Counts{Errors: c.Errors}
	}
	return c
}

// Verdicts says what the platform did with each item of a part. failed marks the items that errors name, and
// nameless is the number of failures that name no item.
//
// The platform works from front to back, so the items that it has not looked at are at the end. If nameless
// failures or missing successes remain, each item that they may be about is Unknown. So is each that no error names
// if the counts contradict each other.
func Verdicts(f *item.File, p item.Part, c Counts, failed []bool, nameless int) []item.Verdict {
	c = c.believed(p.Len())
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

// share is a set of sections of which the platform counts the successes, or all of them.
type share struct {
	has        [item.Sections]bool
	candidates int // items that no error is about and that were looked at
	success    int // as the platform says
	nameless   int // failures without a name that are about them
}

// missing returns how many of the candidates have not failed and were not confirmed either.
func (s *share) missing() int { return max(s.candidates-s.nameless-s.success, 0) }

// open returns how many of the candidates have not succeeded.
func (s *share) open() int { return s.nameless + s.missing() }

// shares divides the items of a part, and the nameless failures: first among the sections that lack successes.
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

// Tally counts the items of a part by their verdicts. Nameless failures are counted as failed although no item is
// blamed for them. Of the items that are Unknown for that reason, those that must have succeeded, whatever item failed,
// are counted as succeeded.
func Tally(f *item.File, p item.Part, v []item.Verdict, c Counts, nameless int) (counts [item.Kinds]item.Counts) {
	c = c.believed(p.Len())
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
			sure := max(n.Unknown-int64(s.open()), 0) // at most that many of each kind have not succeeded
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

// Processed returns how many of n items the platform has processed before an item made it give up a job. The
// fatal error is one of the errors, and its item was not processed.
func Processed(c Counts, n int) int {
	return max(min(c.Success+max(c.Errors-1, 0), n-1), 0)
}

// Bisect returns the parts in which the rest of a job is sent again after an item ended it. suspect is the
// position of the item that is to be sent alone, or -1 if there is none.
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
