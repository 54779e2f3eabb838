package threatconnect

import (
	"cmp"
	"strings"
	"time"
)

// itemMerger makes one item of several that are the same thing. MergeItems says by which rules.
type itemMerger struct {
	codec   *itemCodec
	version BatchVersion
	lists   *distinctLists
	item    BatchItem
}

func newItemMerger(codec *itemCodec, version BatchVersion) *itemMerger {
	return &itemMerger{codec: codec, version: version, lists: newDistinctLists()}
}

// begin begins with the first item, which becomes the merged one.
func (m *itemMerger) begin(item BatchItem) {
	m.item = item
	if _, ok := item.(*Association); ok {
		return
	}
	m.lists.begin()
	all := listsOf(item)
	m.lists.add(all, all)
}

// add adds another item of the same type, which was decoded from content. What no rule is about
// is that of the last one that sets it, as content has it.
func (m *itemMerger) add(item BatchItem, content []byte) error {
	switch have := m.item.(type) {
	case Indicator:
		more, ok := item.(Indicator)
		if !ok {
			return errCodec
		}
		was, values := *have.Meta(), have.values()
		if err := m.codec.decodeOver(have, content); err != nil {
			return err
		}
		m.indicator(have, &was, values, more)
	case Group:
		more, ok := item.(Group)
		if !ok {
			return errCodec
		}
		was, meta, m2 := *have.Meta(), have.Meta(), more.Meta()
		if err := m.codec.decodeOver(have, content); err != nil {
			return err
		}
		meta.FirstSeen, meta.LastSeen = earliest(was.FirstSeen, m2.FirstSeen), latest(was.LastSeen, m2.LastSeen)
		meta.ExternalDateAdded, meta.ExternalDateExpires = earliest(was.ExternalDateAdded, m2.ExternalDateAdded), latest(was.ExternalDateExpires, m2.ExternalDateExpires)
		meta.ExternalLastModified = latest(was.ExternalLastModified, m2.ExternalLastModified)
		m.lists.add(listsOf(have), listsOf(more))
	case *Association:
		if more, ok := item.(*Association); ok {
			have.merge(more)
		}
	}
	return nil
}

// indicator applies the rules to what has the fields of the last one now. was and values are what
// it had before.
func (m *itemMerger) indicator(have Indicator, was *IndicatorMeta, values [3]string, more Indicator) {
	a, b := have.Meta(), more.Meta()
	a.Rating, a.Confidence = highest(was.Rating, b.Rating), highest(was.Confidence, b.Confidence)
	a.Private = either(was.Private, b.Private)
	a.FirstSeen, a.LastSeen = earliest(was.FirstSeen, b.FirstSeen), latest(was.LastSeen, b.LastSeen)
	a.ExternalDateAdded, a.ExternalDateExpires = earliest(was.ExternalDateAdded, b.ExternalDateAdded), latest(was.ExternalDateExpires, b.ExternalDateExpires)
	a.ExternalLastModified = latest(was.ExternalLastModified, b.ExternalLastModified)
	a.Description = m.text("Description", was.Description, b.Description)
	if m.version == BatchV1 { // which alone sends it
		a.Source = m.text("Source", was.Source, b.Source)
	}
	m.lists.add(listsOf(have), listsOf(more))
	_, file := have.(*File)
	for i, v := range more.values() {
		if file && values[i] == "" {
			values[i] = v
		}
	}
	have.setValues(values)
}

// text returns the first of two texts that stand for attributes of a type. The other one becomes an
// attribute, if it differs.
func (m *itemMerger) text(attribute, have, more string) string {
	if have != "" && have != more && strings.TrimSpace(more) != "" {
		m.lists.attributes.add([]Attribute{{Type: attribute, Value: more}})
	}
	return cmp.Or(have, more)
}

// merge takes over what another association says beyond this one, which links the same.
func (a *Association) merge(more *Association) {
	from, to := &more.From, &more.To
	mine, _ := a.From.name() // both have passed the encoder
	if theirs, _ := from.name(); mine != theirs {
		from, to = to, from
	}
	a.From.GroupType = cmp.Or(a.From.GroupType, from.GroupType)
	a.To.GroupType = cmp.Or(a.To.GroupType, to.GroupType)
}

// either returns true where one of two is true, and nil where neither is set.
func either(a, b *bool) *bool {
	if a == nil || b != nil && *b {
		return b
	}
	return a
}

// highest returns the larger of two numbers, and nil where neither is set.
func highest[T int | float64](a, b *T) *T {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// earliest returns the earlier of two dates, and zero where neither is set.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// latest returns the later of two dates, and zero where neither is set.
func latest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.After(a) {
		return b
	}
	return a
}
