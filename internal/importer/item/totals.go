package item

import "maps"

// Totals says what was added to an import.
type Totals struct {
	Added      int64        // calls of Add, refused items included
	Invalid    int64        `json:",omitzero"` // refused items
	Kinds      [Kinds]int64 // items and links that were taken
	Contents   int64        `json:",omitzero"`
	Deferred   int64        `json:",omitzero"` // links and associations that were set aside
	Duplicates int64        `json:",omitzero"` // of those, the ones that repeat another one
	Excluded   [Kinds]int64
	Reasons    Reasons `json:",omitempty"` // exclusions by reason
	Sum        Sum
}

// MaxReasons is how many reasons are counted apart. The others are counted as OtherReasons.
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

// Clone returns a copy that shares no memory.
func (t *Totals) Clone() Totals {
	c := *t
	c.Reasons = maps.Clone(t.Reasons)
	return c
}
