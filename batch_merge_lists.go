package threatconnect

import "cmp"

// distinct collects things, those with equal keys once.
type distinct[K comparable, T any] struct {
	key   func(*T) K
	again func(have, more *T) // takes over what another one with the same key has; nil takes nothing
	at    map[K]int
	list  []T
}

// begin begins another collection.
func (d *distinct[K, T]) begin() {
	if d.at == nil || len(d.at) > 1000 { // a large map takes long to clear
		d.at = make(map[K]int)
	}
	clear(d.at)
	d.list = nil
}

// add adds a list and returns what there is then.
func (d *distinct[K, T]) add(list []T) []T {
	for i := range list {
		k := d.key(&list[i])
		n, ok := d.at[k]
		switch {
		case !ok:
			d.at[k] = len(d.list)
			d.list = append(d.list, list[i])
		case d.again != nil:
			d.again(&d.list[n], &list[i])
		}
	}
	return d.list
}

// itemLists are the lists of an item, of which a merged one has all members.
type itemLists struct {
	tags        *[]Tag
	labels      *[]SecurityLabel
	attributes  *[]Attribute
	groups      *[]string
	indicators  *[]IndicatorRef
	occurrences *[]FileOccurrence
}

// listsOf returns the lists of an indicator or a group.
func listsOf(item BatchItem) itemLists {
	l := itemLists{occurrences: new([]FileOccurrence)}
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

func (d *distinctLists) begin() {
	d.tags.begin()
	d.labels.begin()
	d.attributes.begin()
	d.groups.begin()
	d.indicators.begin()
	d.occurrences.begin()
}

// add adds what is in some lists, and puts all that there is then into others.
func (d *distinctLists) add(all, from itemLists) {
	*all.tags = d.tags.add(*from.tags)
	*all.labels = d.labels.add(*from.labels)
	*all.attributes = d.attributes.add(*from.attributes)
	*all.groups = d.groups.add(*from.groups)
	*all.indicators = d.indicators.add(*from.indicators)
	*all.occurrences = d.occurrences.add(*from.occurrences)
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
		d.begin()
		d.add(have.SecurityLabels)
		have.SecurityLabels = d.add(more.SecurityLabels)
	}
}
