package threatconnecttest

import "net/http"

const msgTag = "The Name for this Tag is invalid, please enter a Name between 1-128 characters in length"

func tagRoutes() []route {
	const one = "/v2/tags/{tagName}"
	routes := []route{
		{method: "GET", pattern: "/v2/tags", handle: (*call).listTags},
		{method: "POST", pattern: "/v2/tags", handle: fromBody((*call).createTag)},
		{method: "GET", pattern: one, handle: with((*call).tag, (*call).getTag)},
		{method: "PUT", pattern: one, handle: with((*call).tag, withBody((*call).updateTag))},
		{method: "DELETE", pattern: one, handle: with((*call).tag, (*call).deleteTag)},
	}
	names := circleNames{"associatedGroupType", "associatedGroupId", "associatedIndicatorType", ""}
	routes = append(routes, circleRoutes(one, names, (*call).tagCircle)...)
	return append(routes, peopleRoutes(one, "associatedTaskId", "associatedVictimId", (*call).tagCircle)...)
}

// tag returns the tag in the path, in the call's owner.
func (c *call) tag() *tag { return c.owner.tagByName[c.params.get("tagName")] }

func (c *call) tagCircle() *circle {
	t := c.tag()
	if t == nil {
		return nil
	}
	return &circle{owner: t.owner, has: t.isOn}
}

func (t *tag) writeDetailed(w *jsonWriter) {
	t.write(w)
	w.some("description", t.description)
}

func (c *call) listTags() *answer {
	want, bad := c.filters(filterFields{"name": {filterText, "=^"}, "weight": {filterNumber, "=<>"}})
	if bad != nil {
		return bad
	}
	fits := func(t *tag) bool {
		return want.match(func(name string) any {
			if name == "weight" {
				return float64(t.uses)
			}
			return t.name
		})
	}
	write := (*tag).write
	if c.flag("detailed") {
		write = (*tag).writeDetailed
	}
	return pageOf(c, "tag", where(c.owner.tags, fits), write)
}

func (c *call) getTag(t *tag) *answer { return c.one(http.StatusOK, "tag", t.write) }

func (c *call) createTag(f fields) *answer {
	name, _ := f.text("name")
	if !validTag(name) {
		return fail(http.StatusBadRequest, msgTag)
	}
	t := c.owner.tagNamed(name, c.world)
	if s, ok := f.text("description"); ok {
		t.description = s
	}
	return c.one(http.StatusCreated, "tag", t.writeDetailed)
}

// updateTag renames the tag in the path. It refuses the name of another tag.
func (c *call) updateTag(t *tag, f fields) *answer {
	if name, ok := f.text("name"); ok {
		if !validTag(name) {
			return fail(http.StatusBadRequest, msgTag)
		}
		if other := t.owner.tagByName[name]; other != nil && other != t {
			return fail(http.StatusBadRequest, "A tag with this name already exists")
		}
		t.rename(name)
	}
	if s, ok := f.text("description"); ok {
		t.description = s
	}
	return c.one(http.StatusOK, "tag", t.writeDetailed)
}

func (c *call) deleteTag(t *tag) *answer {
	c.dropTag(t)
	return success(http.StatusOK)
}
