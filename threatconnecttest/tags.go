package threatconnecttest

import (
	"net/http"
	"slices"
)

const msgTag = "The Name for this Tag is invalid, please enter a Name between 1-128 characters in length"

func tagRoutes() []route {
	const one = "/v2/tags/{tagName}"
	routes := []route{
		{method: "GET", pattern: "/v2/tags", handle: (*call).listTags},
		{method: "POST", pattern: "/v2/tags", handle: (*call).createTag},
		{method: "GET", pattern: one, handle: onTag((*call).getTag)},
		{method: "PUT", pattern: one, handle: onTag((*call).updateTag)},
		{method: "DELETE", pattern: one, handle: onTag((*call).deleteTag)},
	}
	names := circleNames{"associatedGroupType", "associatedGroupId", "associatedIndicatorType", ""}
	routes = append(routes, circleRoutes(one, names, (*call).tagCircle)...)
	return append(routes, peopleRoutes(one, "associatedTaskId", "associatedVictimId", (*call).tagCircle)...)
}

// tag is the tag that the path names, in the owner of the call.
func (c *call) tag() (*tag, *answer) {
	o, bad := c.owner()
	if bad != nil {
		return nil, bad
	}
	if t := o.tagByName[c.params.get("tagName")]; t != nil {
		return t, nil
	}
	return nil, missing()
}

func onTag(handle func(*call, *tag) *answer) func(*call) *answer {
	return func(c *call) *answer {
		t, bad := c.tag()
		switch {
		case bad != nil:
			return bad
		case c.req.Method != http.MethodGet && t.owner.ReadOnly:
			return denied()
		}
		return handle(c, t)
	}
}

func (c *call) tagCircle() (circle, *answer) {
	t, bad := c.tag()
	if bad != nil {
		return circle{}, bad
	}
	return circle{t.owner, t.carriedBy}, nil
}

func (t *tag) writeDetailed(w *jsonWriter) {
	t.write(w)
	w.some("description", t.description)
}

// carriers calls do with everything in an owner that things hang on.
func (w *world) carriers(o *owner, do func(*metadata)) {
	for _, i := range o.indicators {
		if i.more != nil {
			do(i.more)
		}
	}
	for _, g := range o.groups {
		do(&g.hung)
	}
	for _, t := range w.tasks {
		if t.owner == o {
			do(&t.hung)
		}
	}
	for _, v := range w.victims {
		if v.owner == o {
			do(&v.hung)
		}
	}
}

// weight is how often a tag is used.
func (w *world) weight(t *tag) (n int) {
	w.carriers(t.owner, func(m *metadata) {
		if slices.Contains(m.tags, t) {
			n++
		}
	})
	return n
}

func (c *call) listTags() *answer {
	o, bad := c.owner()
	if bad != nil {
		return bad
	}
	want, bad := c.filters(filterFields{"name": {filterText, "=^"}, "weight": {filterNumber, "=<>"}})
	if bad != nil {
		return bad
	}
	write := (*tag).write
	if c.flag("detailed") {
		write = (*tag).writeDetailed
	}
	return c.page("tag", true, func(take func() *jsonWriter) {
		for _, t := range o.tags {
			fits := want.match(func(name string) any {
				if name == "weight" {
					return float64(c.weight(t))
				}
				return t.name
			})
			if !fits {
				continue
			}
			if w := take(); w != nil {
				w.open()
				write(t, w)
				w.close()
			}
		}
	})
}

func (c *call) getTag(t *tag) *answer { return c.one(http.StatusOK, "tag", t.write) }

func (c *call) createTag() *answer {
	o, bad := c.writableOwner()
	if bad != nil {
		return bad
	}
	f, ok := readFields(c.body)
	if !ok {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	name, _ := f.text("name")
	if !validTag(name) {
		return fail(http.StatusBadRequest, msgTag)
	}
	t := o.tagNamed(name, c.world)
	if s, ok := f.text("description"); ok {
		t.description = s
	}
	return c.one(http.StatusCreated, "tag", t.writeDetailed)
}

// updateTag takes the old name in the path. A name that another tag has is refused.
func (c *call) updateTag(t *tag) *answer {
	f, ok := readFields(c.body)
	if !ok {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	if name, ok := f.text("name"); ok {
		if !validTag(name) {
			return fail(http.StatusBadRequest, msgTag)
		}
		if other := t.owner.tagByName[name]; other != nil && other != t {
			return fail(http.StatusBadRequest, "A tag with this name already exists")
		}
		delete(t.owner.tagByName, t.name)
		t.name = name
		t.owner.tagByName[name] = t
	}
	if s, ok := f.text("description"); ok {
		t.description = s
	}
	return c.one(http.StatusOK, "tag", t.writeDetailed)
}

func (c *call) deleteTag(t *tag) *answer {
	c.carriers(t.owner, func(m *metadata) { m.tags = remove(m.tags, t) })
	t.owner.tags = remove(t.owner.tags, t)
	delete(t.owner.tagByName, t.name)
	return success(http.StatusOK)
}
