package threatconnecttest

import (
	"iter"
	"net/http"
	"slices"
)

// circle is the set of items that belong to one: those associated with an item, or those with a tag
// or a label.
type circle struct {
	owner   *owner
	has     func(holder) bool
	members func() []holder // in ID order; nil if all items of the owner must be examined
}

// in iterates over the members of a circle of one kind that match fits. all contains all items of
// that kind.
func in[T holder](e *circle, all []T, fits func(T) bool) iter.Seq[T] {
	if e.members == nil {
		return where(all, func(one T) bool { return fits(one) && one.belongs() == e.owner && e.has(one) })
	}
	var found []T
	for _, h := range e.members() {
		if one, ok := h.(T); ok {
			found = append(found, one)
		}
	}
	return where(found, fits)
}

// circleNames are the documented names of path parameters in a circle's routes.
type circleNames struct{ groupType, group, indicatorType, indicator string }

// circleRoutes returns the routes that list the groups and indicators of a circle.
func circleRoutes(parent string, names circleNames, find func(*call) *circle) []route {
	in := func(handle func(*call, *circle) *answer) func(*call) *answer { return with(find, handle) }
	groups, indicators := parent+"/groups", parent+"/indicators"
	return []route{
		{method: "GET", pattern: groups, handle: in(func(c *call, e *circle) *answer { return c.groupsIn(e, nil) })},
		{method: "GET", pattern: groups + "/{" + names.groupType + "}", handle: in(func(c *call, e *circle) *answer {
			t := groupTypeByBranch(c.params.get(names.groupType))
			if t == nil {
				return missing()
			}
			return c.groupsIn(e, t)
		})},
		{method: "GET", pattern: groups + "/{" + names.groupType + "}/{" + names.group + "}", handle: in(func(c *call, e *circle) *answer {
			g := c.groupAt(names.groupType, names.group)
			if g == nil || !e.has(g) {
				return missing()
			}
			return c.oneGroup(http.StatusOK, g)
		})},
		{method: "GET", pattern: indicators, handle: in(func(c *call, e *circle) *answer { return c.indicatorsIn(e, nil) })},
		{method: "GET", pattern: indicators + "/{" + names.indicatorType + "}", handle: in(func(c *call, e *circle) *answer {
			t := c.typeByBranch(c.params.get(names.indicatorType))
			if t == nil {
				return missing()
			}
			return c.indicatorsIn(e, t)
		})},
	}
}

// groupsIn lists the groups of a circle of type t, or of all types if t is nil.
func (c *call) groupsIn(e *circle, t *groupType) *answer {
	key := "group"
	if t != nil {
		key = t.entity
	}
	all := in(e, e.owner.groups, func(g *group) bool { return t == nil || g.typ == t })
	return pageOf(c, key, all, func(g *group, w *jsonWriter) { g.write(w, groupShape{list: true, generic: t == nil}) })
}

// indicatorsIn lists the indicators of a circle of type t, or of all types if t is nil.
func (c *call) indicatorsIn(e *circle, t *indicatorType) *answer {
	key := "indicator"
	if t != nil {
		key = t.Entity
	}
	all := in(e, e.owner.indicators, func(i *indicator) bool { return !i.has(flagRemoved) && (t == nil || i.typ == t) })
	return pageOf(c, key, all, func(i *indicator, w *jsonWriter) {
		i.write(w, indicatorShape{list: true, generic: t == nil, read: true})
	})
}

// isOn reports whether an item has the tag.
func (t *tag) isOn(l holder) bool {
	m := l.metadataOrNil()
	return m != nil && slices.Contains(m.tags, t)
}

// isOn reports whether an item has the label.
func (l *SecurityLabel) isOn(on holder) bool {
	m := on.metadataOrNil()
	return m != nil && slices.Contains(m.labels, l)
}
