package threatconnecttest

import (
	"net/http"
	"slices"
)

// circle is what belongs to something: what is associated with a resource, what carries a tag or a
// label.
type circle struct {
	owner *owner
	has   func(linked) bool
}

// circleNames are the words that the documentation of a circle has for its path segments.
type circleNames struct{ groupType, group, indicatorType, indicator string }

// circleRoutes are the routes that list the groups and indicators of a circle.
func circleRoutes(parent string, names circleNames, find func(*call) (circle, *answer)) []route {
	in := func(handle func(*call, circle) *answer) func(*call) *answer {
		return func(c *call) *answer {
			e, bad := find(c)
			if bad != nil {
				return bad
			}
			return handle(c, e)
		}
	}
	groups, indicators := parent+"/groups", parent+"/indicators"
	return []route{
		{method: "GET", pattern: groups, handle: in(func(c *call, e circle) *answer { return c.groupsIn(e, nil) })},
		{method: "GET", pattern: groups + "/{" + names.groupType + "}", handle: in(func(c *call, e circle) *answer {
			t := groupTypeByBranch(c.params.get(names.groupType))
			if t == nil {
				return missing()
			}
			return c.groupsIn(e, t)
		})},
		{method: "GET", pattern: groups + "/{" + names.groupType + "}/{" + names.group + "}", handle: in(func(c *call, e circle) *answer {
			g, bad := c.groupAt(names.groupType, names.group)
			if bad != nil {
				return bad
			}
			if !e.has(g) {
				return missing()
			}
			return c.oneGroup(http.StatusOK, g)
		})},
		{method: "GET", pattern: indicators, handle: in(func(c *call, e circle) *answer { return c.indicatorsIn(e, nil) })},
		{method: "GET", pattern: indicators + "/{" + names.indicatorType + "}", handle: in(func(c *call, e circle) *answer {
			t, bad := c.indicatorType(names.indicatorType)
			if bad != nil {
				return bad
			}
			return c.indicatorsIn(e, t)
		})},
	}
}

// groupsIn lists the groups of a circle that are of a type, or of all types when it is nil.
func (c *call) groupsIn(e circle, t *groupType) *answer {
	key := "group"
	if t != nil {
		key = t.entity
	}
	return c.page(key, true, func(take func() *jsonWriter) {
		for _, g := range e.owner.groups {
			if t != nil && g.typ != t || !e.has(g) {
				continue
			}
			if w := take(); w != nil {
				w.open()
				g.write(w, groupShape{list: true, generic: t == nil})
				w.close()
			}
		}
	})
}

// indicatorsIn lists the indicators of a circle that are of a type, or of all types when it is nil.
func (c *call) indicatorsIn(e circle, t *indicatorType) *answer {
	key := "indicator"
	if t != nil {
		key = t.Entity
	}
	return c.page(key, true, func(take func() *jsonWriter) {
		for _, i := range e.owner.indicators {
			if i.has(flagRemoved) || t != nil && i.typ != t || !e.has(i) {
				continue
			}
			if w := take(); w != nil {
				w.open()
				i.write(w, indicatorShape{list: true, generic: t == nil, read: true})
				w.close()
			}
		}
	})
}

// carriedBy reports whether a tag is on something.
func (t *tag) carriedBy(l linked) bool {
	m := l.hangers()
	return m != nil && slices.Contains(m.tags, t)
}

// carriedBy reports whether a label is on something.
func (l *SecurityLabel) carriedBy(on linked) bool {
	m := on.hangers()
	return m != nil && slices.Contains(m.labels, l)
}
