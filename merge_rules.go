package threatconnect

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// itemMerger makes one item of several that are the same thing. MergeItems says by which rules.
type itemMerger struct {
	codec *itemCodec
	lists *distinctLists
	item  BatchItem
}

func newItemMerger(codec *itemCodec) *itemMerger {
	return &itemMerger{codec: codec, lists: newDistinctLists()}
}

// begin begins with the first item, which becomes the merged one.
func (m *itemMerger) begin(item BatchItem) {
	m.item = item
	if _, ok := item.(*Association); ok {
		return
	}
	m.lists.begin(listsOf(item))
}

// add merges another item of the same type, which the codec has encoded as content. Fields without a
// rule are those of the last item that sets them, so they are decoded over what is there.
func (m *itemMerger) add(content []byte) error {
	switch have := m.item.(type) {
	case Indicator:
		was, values := *have.Meta(), have.values()
		if err := m.over(content); err != nil {
			return err
		}
		m.indicator(have, &was, values)
	case Group:
		was, meta := *have.Meta(), have.Meta()
		if err := m.over(content); err != nil {
			return err
		}
		meta.FirstSeen, meta.LastSeen = earliest(was.FirstSeen, meta.FirstSeen), latest(was.LastSeen, meta.LastSeen)
		meta.ExternalDateAdded, meta.ExternalDateExpires = earliest(was.ExternalDateAdded, meta.ExternalDateAdded), latest(was.ExternalDateExpires, meta.ExternalDateExpires)
		meta.ExternalLastModified = latest(was.ExternalLastModified, meta.ExternalLastModified)
		m.lists.add(listsOf(have))
	case *Association:
		item, err := m.codec.decode(content)
		if err != nil {
			return err
		}
		if more, ok := item.(*Association); ok {
			have.merge(more)
		}
	}
	return nil
}

// over decodes an item over the merged one, whose lists are then those of that item.
func (m *itemMerger) over(content []byte) error {
	all := listsOf(m.item)
	*all.tags, *all.labels, *all.attributes, *all.groups, *all.indicators = nil, nil, nil, nil, nil
	if all.occurrences != nil {
		*all.occurrences = nil
	}
	return m.codec.decodeOver(m.item, content)
}

// indicator applies the rules to what has the fields of the last one now. was and values are what
// it had before.
func (m *itemMerger) indicator(have Indicator, was *IndicatorMeta, values [3]string) {
	a := have.Meta()
	a.Rating, a.Confidence = highest(was.Rating, a.Rating), highest(was.Confidence, a.Confidence)
	a.Private = either(was.Private, a.Private)
	a.FirstSeen, a.LastSeen = earliest(was.FirstSeen, a.FirstSeen), latest(was.LastSeen, a.LastSeen)
	a.ExternalDateAdded, a.ExternalDateExpires = earliest(was.ExternalDateAdded, a.ExternalDateAdded), latest(was.ExternalDateExpires, a.ExternalDateExpires)
	a.ExternalLastModified = latest(was.ExternalLastModified, a.ExternalLastModified)
	a.Description = m.text("Description", was.Description, a.Description)
	m.lists.add(listsOf(have))
	if _, file := have.(*File); file {
		for i, v := range have.values() {
			values[i] = cmp.Or(values[i], v)
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

// distinct collects things, those with equal keys once.
type distinct[K comparable, T any] struct {
	key   func(*T) K
	again func(have, more *T) // takes over what another one with the same key has; nil takes nothing
	list  []T
	keys  []K       // of the list; that of the first one may be missing as long as it is the only one
	at    map[K]int // places of the keys, once they are many
}

const fewKeys = 16 // that are compared one by one

// begin begins another collection with a list, which it changes, and returns what there is then.
func (d *distinct[K, T]) begin(list []T) []T {
	d.list, d.keys, d.at = nil, d.keys[:0], nil
	if len(list) == 1 {
		d.list = list[:1:1]
		return d.list
	}
	d.list = list[:0:len(list)]
	if d.add(list); len(d.list) == 0 {
		d.list = nil
	}
	return d.list
}

// add adds a list and returns what there is then.
func (d *distinct[K, T]) add(list []T) []T {
	if len(list) > 0 && len(d.list) == 1 && len(d.keys) == 0 {
		d.keys = append(d.keys, d.key(&d.list[0]))
	}
	for i := range list {
		k := d.key(&list[i])
		n := d.find(k)
		switch {
		case n < 0:
			d.keys = append(d.keys, k)
			d.list = append(d.list, list[i])
		case d.again != nil:
			d.again(&d.list[n], &list[i])
		}
	}
	return d.list
}

// find returns the place of a key, or -1.
func (d *distinct[K, T]) find(k K) int {
	if len(d.keys) <= fewKeys {
		return slices.Index(d.keys, k)
	}
	if d.at == nil {
		d.at = make(map[K]int)
	}
	for n := len(d.at); n < len(d.keys); n++ {
		d.at[d.keys[n]] = n
	}
	if n, ok := d.at[k]; ok {
		return n
	}
	return -1
}

// itemLists are the lists of an item, of which a merged one has all members.
type itemLists struct {
	tags        *[]Tag
	labels      *[]SecurityLabel
	attributes  *[]Attribute
	groups      *[]string
	indicators  *[]IndicatorRef
	occurrences *[]FileOccurrence // nil in what is no file
}

// listsOf returns the lists of an indicator or a group.
func listsOf(item BatchItem) (l itemLists) {
	switch item := item.(type) {
	case Indicator:
		m := item.Meta()
		l.tags, l.labels, l.attributes, l.groups, l.indicators = &m.Tags, &m.SecurityLabels, &m.Attributes, &m.GroupXIDs, &m.Associated
	case Group:
		m := item.Meta()
		l.tags, l.labels, l.attributes, l.groups, l.indicators = &m.Tags, &m.SecurityLabels, &m.Attributes, &m.GroupXIDs, &m.Associated
	}
	if f, ok := item.(*File); ok {
		l.occurrences = &f.Occurrences
	}
	return l
}

// distinctLists are the lists of a merged item while it is merged. What stands in them has passed
// the encoder, so that it has a canonical form.
type distinctLists struct {
	tags        distinct[string, Tag]
	labels      distinct[string, SecurityLabel]
	attributes  distinct[[2]string, Attribute]
	groups      distinct[string, string]
	indicators  distinct[IndicatorRef, IndicatorRef]
	occurrences distinct[FileOccurrence, FileOccurrence]
}

func newDistinctLists() *distinctLists {
	d := new(distinctLists)
	d.tags.key = func(t *Tag) string {
		name, _ := canonicalTag(t.Name)
		return name
	}
	d.tags.again = func(have, more *Tag) { have.Description = cmp.Or(have.Description, more.Description) }
	d.labels.key, d.labels.again = labelName, mergeLabel
	d.attributes.key = func(a *Attribute) [2]string { return [2]string{a.Type, a.Value} }
	d.attributes.again = mergeAttribute
	d.groups.key = func(xid *string) string { return *xid }
	d.indicators.key = func(r *IndicatorRef) IndicatorRef {
		same := *r
		same.Value, _ = summaryOf(r.Type, r.Value)
		return same
	}
	d.occurrences.key = func(o *FileOccurrence) FileOccurrence {
		return FileOccurrence{FileName: o.FileName, Path: o.Path, Date: o.Date}
	}
	return d
}

// begin begins with the lists of an item.
func (d *distinctLists) begin(all itemLists) {
	*all.tags = d.tags.begin(*all.tags)
	*all.labels = d.labels.begin(*all.labels)
	*all.attributes = d.attributes.begin(*all.attributes)
	*all.groups = d.groups.begin(*all.groups)
	*all.indicators = d.indicators.begin(*all.indicators)
	if all.occurrences != nil {
		*all.occurrences = d.occurrences.begin(*all.occurrences)
	}
}

// add adds the lists of an item, and puts all that there is then in their place.
func (d *distinctLists) add(all itemLists) {
	*all.tags = d.tags.add(*all.tags)
	*all.labels = d.labels.add(*all.labels)
	*all.attributes = d.attributes.add(*all.attributes)
	*all.groups = d.groups.add(*all.groups)
	*all.indicators = d.indicators.add(*all.indicators)
	if all.occurrences != nil {
		*all.occurrences = d.occurrences.add(*all.occurrences)
	}
}

func labelName(l *SecurityLabel) string { return l.Name }

func mergeLabel(have, more *SecurityLabel) {
	have.Description, have.Color = cmp.Or(have.Description, more.Description), cmp.Or(have.Color, more.Color)
}

func mergeAttribute(have, more *Attribute) {
	have.Displayed, have.Pinned = either(have.Displayed, more.Displayed), either(have.Pinned, more.Pinned)
	have.Source = cmp.Or(have.Source, more.Source)
	if len(more.SecurityLabels) > 0 {
		d := distinct[string, SecurityLabel]{key: labelName, again: mergeLabel}
		d.begin(have.SecurityLabels)
		have.SecurityLabels = d.add(more.SecurityLabels)
	}
}

// cutMark is what stands at the end of a value that was cut.
const cutMark = "..."

// cutValue returns at most so many characters of a text, the mark of the cut included, and whether it
// was cut. A limit that has no room for the mark cuts without one.
func cutValue(s string, limit int) (string, bool) {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s, false
	}
	mark := cutMark
	if limit <= len(mark) {
		mark = ""
	}
	end := 0
	for range limit - len(mark) {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end] + mark, true
}

// cutValues cuts the values of an item's attributes to the limits of their types, and returns how
// many it has cut.
func cutValues(item BatchItem, limits map[string]int) (cut int64) {
	apply := func(attribute string, value *string) {
		limit, ok := limits[attribute]
		if !ok || limit == 0 {
			return
		}
		if s, shorter := cutValue(*value, limit); shorter {
			*value = s
			cut++
		}
	}
	var attributes []Attribute
	switch item := item.(type) {
	case Indicator:
		m := item.Meta()
		attributes = m.Attributes
		apply("Description", &m.Description)
		apply("Source", &m.Source)
	case Group:
		attributes = item.Meta().Attributes
	}
	for i := range attributes {
		apply(attributes[i].Type, &attributes[i].Value)
	}
	return cut
}

// mergedContents keeps what cannot be written to a file while items are merged: the contents of
// documents and reports, and items that cannot be written at all. Of contents it keeps how to open
// them, which is as much for each as for one.
type mergedContents struct {
	contents map[contentOwner]Content
	odd      map[int64]BatchItem // by their place; the writer refuses them
}

// contentOwner is a group that has a content.
type contentOwner struct {
	typ GroupType
	xid string
}

func newMergedContents() mergedContents {
	return mergedContents{map[contentOwner]Content{}, map[int64]BatchItem{}}
}

// take returns the group of an item that has a content, after it has kept that. Any other item is
// returned as it is.
func (c *mergedContents) take(item BatchItem) BatchItem {
	g, ok := item.(*GroupContent)
	if !ok || g == nil || g.check() != nil {
		return item
	}
	c.contents[contentOwner{g.Group.Type(), g.Group.Meta().XID}] = g.Content
	return g.Group
}

// give returns the item at a place with the content that was taken from it, or from one that it was
// merged with.
func (c *mergedContents) give(item BatchItem, place int64) BatchItem {
	if odd, ok := c.odd[place]; ok {
		return odd
	}
	if g, ok := item.(Group); ok && len(c.contents) > 0 {
		if content, ok := c.contents[contentOwner{g.Type(), g.Meta().XID}]; ok {
			return &GroupContent{Group: g, Content: content}
		}
	}
	return item
}
