package threatconnect

import (
	"fmt"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// BatchCounts counts items of one kind. What was added is, once the writer is closed, the sum of
// the others.
type BatchCounts struct {
	Added       int64 // taken by Add
	Succeeded   int64 // processed without an error
	Failed      int64 // refused by the platform, or saved only in part
	Unprocessed int64 // not looked at by the platform, because the job or the import ended before
	Unknown     int64 // uploaded, and not confirmed by the platform one way or the other
	Excluded    int64 // kept out by BatchConfig.Exclude
}

func (c *BatchCounts) plus(d BatchCounts) {
	c.Added += d.Added
	c.Succeeded += d.Succeeded
	c.Failed += d.Failed
	c.Unprocessed += d.Unprocessed
	c.Unknown += d.Unknown
	c.Excluded += d.Excluded
}

// BatchStats says how an import stands.
type BatchStats struct {
	Indicators, Groups, Associations BatchCounts
	// Links are references of items that are sent as associations of their own: to a group of a later job, and
	// from a group to an indicator of another job. They are not items. References of groups to excluded
	// indicators are counted here as well.
	Links BatchCounts
	// Contents are those of documents and reports; see [GroupContent]. Not processed are those whose
	// group did not go in. They are not items.
	Contents BatchCounts
	Invalid  int64 // items that Add refused because they break a rule; they are not in the counts above
	// Duplicates are associations and links that say the same as another one; they are sent once and
	// are not in the counts above.
	Duplicates int64
	Jobs       int64 // jobs that were uploaded
	Bytes      int64 // bytes of their files
	// ExclusionReasons counts the exclusions in the counts above by reason. It has up to 100 reasons and
	// "other", which counts the rest. It is nil without exclusions and in a [BatchEvent].
	ExclusionReasons map[string]int64
}

// Total returns the sum over all kinds of items. Links, contents and invalid items are not in it.
func (s BatchStats) Total() BatchCounts {
	t := s.Indicators
	t.plus(s.Groups)
	t.plus(s.Associations)
	return t
}

// String returns the counts in one line, as in "indicators 980 of 1000 (20 failed), groups 3 of 3; jobs 2,
// bytes 81920". It leaves out counts that are 0.
func (s BatchStats) String() string {
	var parts []string
	for _, c := range []struct {
		name string
		BatchCounts
	}{{"indicators", s.Indicators}, {"groups", s.Groups}, {"associations", s.Associations}, {"links", s.Links}, {"contents", s.Contents}} {
		if c.Added > 0 {
			parts = append(parts, c.name+" "+c.String())
		}
	}
	for _, n := range []struct {
		name string
		n    int64
	}{{"invalid", s.Invalid}, {"duplicates", s.Duplicates}} {
		if n.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", n.name, n.n))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "no items")
	}
	return fmt.Sprintf("%s; jobs %d, bytes %d", strings.Join(parts, ", "), s.Jobs, s.Bytes)
}

// String returns the counts, as in "980 of 1000 (15 failed, 5 unknown)".
func (c BatchCounts) String() string {
	var rest []string
	for _, n := range []struct {
		name string
		n    int64
	}{{"failed", c.Failed}, {"unprocessed", c.Unprocessed}, {"unknown", c.Unknown}, {"excluded", c.Excluded}} {
		if n.n > 0 {
			rest = append(rest, fmt.Sprintf("%d %s", n.n, n.name))
		}
	}
	text := fmt.Sprintf("%d of %d", c.Succeeded, c.Added)
	if len(rest) > 0 {
		text += " (" + strings.Join(rest, ", ") + ")"
	}
	return text
}

// batchStats returns the counts of an import, without the reasons of exclusions.
func batchStats(st *importer.Stats) BatchStats {
	counts := func(k item.Kind) BatchCounts {
		c := &st.Outcome.Kinds[k]
		return BatchCounts{Added: st.Totals.Kinds[k], Succeeded: c.Succeeded, Failed: c.Failed, Unprocessed: c.Unprocessed, Unknown: c.Unknown,
			Excluded: st.Totals.Excluded[k]}
	}
	c := &st.Outcome.Contents
	return BatchStats{
		Indicators: counts(item.Indicator), Groups: counts(item.Group), Associations: counts(item.Association), Links: counts(item.Link),
		Contents: BatchCounts{Added: st.Totals.Contents, Succeeded: c.Succeeded, Failed: c.Failed, Unprocessed: c.Unprocessed, Unknown: c.Unknown},
		Invalid:  st.Totals.Invalid, Duplicates: st.Totals.Duplicates, Jobs: st.Outcome.Jobs, Bytes: st.Outcome.Bytes,
	}
}
