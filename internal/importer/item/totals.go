package item

import "maps"

// Totals counts the items added to an import.
type Totals struct {
	Added      int64        // calls of Add, including refused items
	Invalid    int64        `json:",omitzero"` // refused items
	Kinds      [Kinds]int64 // accepted items and links
	Contents   int64        `json:",omitzero"`
	Deferred   int64        `json:",omitzero"` // links and associations that had to wait
	Duplicates int64        `json:",omitzero"` // of those, repetitions of another one
	Excluded   [Kinds]int64
	Reasons    Reasons `json:",omitempty"` // exclusions by reason
	Sum        Sum
}

// MaxReasons is the number of reasons that are counted separately. Others are counted as OtherReasons.
const (
	MaxReasons   = 100
	OtherReasons = "other"
)

// Exclude counts an exclusion.
func (t *Totals) Exclude(k Kind, reason string) {
	t.Excluded[k]++
	t.Reasons.Add(reason)
}

// Reasons counts exclusions by reason.
type Reasons map[string]int64

// Add counts a reason.
func (r *Reasons) Add(reason string) {
	if _, known := (*r)[reason]; !known && len(*r) >= MaxReasons {
		reason = OtherReasons
	}
	if *r == nil {
		*r = make(Reasons)
	}
	(*r)[reason]++
}

// Clone returns a deep copy.
func (t *Totals) Clone() Totals {
	c := *t
	c.Reasons = maps.Clone(t.Reasons)
	return c
}
