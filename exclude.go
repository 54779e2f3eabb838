package threatconnect

// BatchExclusion is an indicator that [BatchConfig].Exclude excluded from an import.
//
// Exclude is called for each indicator that is added, is an end of an association, or is referenced by a
// group. An excluded indicator is not imported (or not deleted), its associations are omitted, and groups are
// imported without it. Groups and association ends with an ID are not checked. Exclusions are not errors:
// [BatchStats] counts them in total and by reason, and OnEvent receives each one as BatchExcluded. Reasons
// are printed, so a reason should name the rule and not the value.
//
// A file can be added with several hashes and referenced by one of them, so Exclude should exclude each of its
// hashes. A panic in Exclude propagates to the caller of Add. A resumed import keeps the decisions of the
// earlier process.
type BatchExclusion struct {
	// Seq is the number of items that were added before this one, as in BatchItemError.
	Seq int64
	// Indicator has the type and the canonical value that Exclude was called with.
	Indicator IndicatorRef
	// Reference is true if the item only refers to the indicator: an association, which is omitted, or a
	// group, which is imported without the reference.
	Reference bool
	// Reason is the reason that Exclude returned, or "no reason given" if that is empty. A reason longer
	// than 300 bytes is truncated and ends with " (cut)".
	Reason string
}

// exclusion returns the reason why hook excludes an indicator, or "" if hook is nil or does not exclude it.
func exclusion(hook func(typ, value string) (reason string, exclude bool), t IndicatorType, summary string) string {
	if hook == nil {
		return ""
	}
	reason, exclude := hook(string(t), summary)
	switch {
	case !exclude:
		return ""
	case reason == "":
		return "no reason given"
	}
	return shorten(reason)
}
