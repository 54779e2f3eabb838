package threatconnect

// BatchCounts counts items of one kind. What was added is, once the writer is closed, the sum of
// the others.
type BatchCounts struct {
	Added       int64 // taken by Add
	Succeeded   int64 // processed without an error
	Failed      int64 // refused by the platform, or saved only in part
	Unprocessed int64 // not looked at by the platform, because the job or the import ended before
	Unknown     int64 // in a job that was uploaded and whose end was not seen
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

// done returns how many items are settled, one way or the other.
func (c *BatchCounts) done() int64 {
	return c.Succeeded + c.Failed + c.Unprocessed + c.Unknown + c.Excluded
}

// BatchStats says how an import stands.
type BatchStats struct {
	Indicators, Groups, Associations BatchCounts
	// Links are references between groups, and from items to groups, that could not travel with
	// their item because what they refer to came later. They go as associations of their own and
	// are not items. References of groups to excluded indicators are counted here as well.
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

// itemKind says what something is counted as.
type itemKind int

const (
	kindOfIndicator itemKind = iota
	kindOfGroup
	kindOfAssociation
	kindOfLink
	itemKinds // how many there are
)

// kindOf returns what stands in a list of a file under a sequence number.
func kindOf(in section, seq int64) itemKind {
	switch {
	case in == inGroups:
		return kindOfGroup
	case in == inIndicators:
		return kindOfIndicator
	case seq < 0:
		return kindOfLink
	}
	return kindOfAssociation
}
