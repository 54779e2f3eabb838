package threatconnect

import (
	"fmt"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// BatchCounts counts items of one kind. After Close, Added is the sum of the other fields.
type BatchCounts struct {
	Added       int64 // accepted by Add
	Succeeded   int64 // confirmed by the platform
	Failed      int64 // refused by the platform, or saved only in part
	Unprocessed int64 // not sent, or not processed by the platform, because the job or the import ended early
	Unknown     int64 // uploaded with an unknown outcome
	Excluded    int64 // excluded by BatchConfig.Exclude
}

func (c *BatchCounts) plus(d BatchCounts) {
	c.Added += d.Added
	c.Succeeded += d.Succeeded
	c.Failed += d.Failed
	c.Unprocessed += d.Unprocessed
	c.Unknown += d.Unknown
	c.Excluded += d.Excluded
}

// BatchStats counts the items of an import.
type BatchStats struct {
	Indicators, Groups, Associations BatchCounts
	// Links counts references that are sent as associations: from an item to a group of a later job, and from
	// a group to an indicator of another job. It includes references of groups to excluded indicators. Links
	// are not items.
	Links BatchCounts
	// Contents counts the contents of documents and reports; see GroupContent. Contents of groups that were
	// not imported are unprocessed. Contents are not items.
	Contents   BatchCounts
	Invalid    int64 // items that Add refused because they break a rule; not in the counts above
	Duplicates int64 // associations and links that repeat another one and are not sent; not in the counts above
	Jobs       int64 // jobs that were uploaded
	Bytes      int64 // total size of their files
	// ExclusionReasons counts the exclusions in the counts above by reason: up to 100 reasons, and the rest
	// as "other". It is nil if nothing was excluded, and in a BatchEvent.
	ExclusionReasons map[string]int64
}

// Total returns the sum over indicators, groups and associations. It excludes links, contents and invalid
// items.
func (s BatchStats) Total() BatchCounts {
	t := s.Indicators
	t.plus(s.Groups)
	t.plus(s.Associations)
	return t
}

// String returns the counts in one line, for example "indicators 980 of 1000 (20 failed), groups 3 of 3; jobs
// 2, bytes 81920". It omits counts of 0.
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
	if s.Invalid > 0 {
		parts = append(parts, fmt.Sprintf("invalid %d", s.Invalid))
	}
	if s.Duplicates > 0 {
		parts = append(parts, fmt.Sprintf("duplicates %d", s.Duplicates))
	}
	if len(parts) == 0 {
		parts = append(parts, "no items")
	}
	return fmt.Sprintf("%s; jobs %d, bytes %d", strings.Join(parts, ", "), s.Jobs, s.Bytes)
}

// String returns the counts, for example "980 of 1000 (15 failed, 5 unknown)".
func (c BatchCounts) String() string {
	text := fmt.Sprintf("%d of %d", c.Succeeded, c.Added)
	rest := tallies(tally{c.Failed, "failed"}, tally{c.Unprocessed, "unprocessed"}, tally{c.Unknown, "unknown"}, tally{c.Excluded, "excluded"})
	if len(rest) > 0 {
		text += " (" + strings.Join(rest, ", ") + ")"
	}
	return text
}

// tally is a count with its label.
type tally struct {
	n  int64
	of string
}

// tallies returns texts such as "15 failed" for the counts above 0.
func tallies(all ...tally) (texts []string) {
	for _, t := range all {
		if t.n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", t.n, t.of))
		}
	}
	return texts
}

// batchStats returns the counts of an import without ExclusionReasons.
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
