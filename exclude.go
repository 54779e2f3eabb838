package threatconnect

// BatchExclusion is an indicator that [BatchConfig].Exclude kept out of an import.
//
// Exclude is called for each indicator that is added, is an end of an association, or is listed by a group. An
// excluded indicator is not imported (or not deleted), an association with it is left out, and a group is imported
// without it. Groups and ends that are named by their id are not checked. Exclusions are not errors: [BatchStats]
// counts them, also by reason, and OnEvent gets each one as BatchExcluded. A reason is printed, so it should name
// the rule and not the value.
//
// A file can be added with several hashes and referred to by one of them: exclude it under each. A panic in Exclude
// continues in the caller of Add. A resumed import keeps the decisions of the earlier process.
type BatchExclusion struct {
	// Seq is how many items were added before the item, as in [BatchItemError].
	Seq int64
	// Indicator has the type and the canonical value that the function got.
	Indicator IndicatorRef
	// Reference is true if the item only refers to the indicator: an association, which is left out, or a
	// group, which is imported without the reference.
	Reference bool
	// Reason is the reason that the function returned, or "no reason given" if it returned none. Of a
	// longer reason it has the first 300 bytes and " (cut)".
	Reason string
}

// exclusion returns the reason for which a hook excludes an indicator. It is empty only if the hook is
// nil or does not exclude the indicator.
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
