package threatconnect

import (
	"math"
)

// checkIndicator refuses what an indicator cannot carry in a batch file.
func (e *encoder) checkIndicator(ind Indicator) error {
	meta := ind.Meta()
	if e.action == BatchDelete {
		return nil
	}
	if len(meta.Associated) > 0 {
		return &ValidationError{Field: "associated indicators", Rule: "cannot be carried by an indicator", Fix: "add an Association, which names the association type"}
	}
	if meta.Private != nil && *meta.Private {
		switch ind.Type() {
		case TypeAddress, TypeEmailAddress, TypeFile, TypeHost, TypeURL:
		default:
			return &ValidationError{Field: "private flag", Rule: "is for addresses, e-mail addresses, files, hosts and URLs only"}
		}
	}
	if f, ok := ind.(*File); ok {
		for i := range f.Occurrences {
			if o := &f.Occurrences[i]; o.FileName == "" && o.Path == "" && o.Date.IsZero() {
				return &ValidationError{Field: "file occurrence", Rule: "has no file name, path or date"}
			}
		}
	}
	if e.version != BatchV1 {
		return nil
	}
	f, _ := ind.(*File)
	h, _ := ind.(*Host)
	switch {
	case meta.XID != "" || meta.Active != nil || meta.ActiveLocked != nil || meta.Private != nil || len(meta.SecurityLabels) > 0 ||
		!meta.FirstSeen.IsZero() || !meta.LastSeen.IsZero() || !meta.ExternalDateAdded.IsZero() || !meta.ExternalDateExpires.IsZero() ||
		!meta.ExternalLastModified.IsZero() || f != nil && (f.Size != nil || len(f.Occurrences) > 0) || h != nil && (h.DNSActive != nil || h.WhoisActive != nil):
		return &ValidationError{Field: "indicator", Rule: "carries what V1 files cannot", Fix: "use BatchV2"}
	case meta.Rating != nil && *meta.Rating != math.Trunc(*meta.Rating):
		return &ValidationError{Field: "rating", Rule: "must be a whole number in a V1 file", Fix: "use BatchV2"}
	}
	return nil
}
