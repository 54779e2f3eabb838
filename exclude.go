package threatconnect

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
