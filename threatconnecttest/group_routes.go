package threatconnecttest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

func groupRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/groups", handle: (*call).listGroups},
		{method: "GET", pattern: "/v2/groups/{type}", handle: with((*call).groupType, (*call).groupsOf)},
		{method: "POST", pattern: "/v2/groups/{type}", handle: with((*call).groupType, withBody((*call).createGroup))},
		{method: "GET", pattern: "/v2/groups/{type}/{id}", handle: with((*call).group, (*call).getGroup)},
		{method: "PUT", pattern: "/v2/groups/{type}/{id}", handle: with((*call).group, withBody((*call).updateGroup))},
		{method: "DELETE", pattern: "/v2/groups/{type}/{id}", handle: with((*call).group, (*call).deleteGroup)},
	}
}

// group returns the group in the path, by type and ID.
func (c *call) group() *group { return c.groupAt("type", "id") }

func (c *call) groupAt(branch, id string) *group {
	return c.groupOf(groupTypeByBranch(c.params.get(branch)), c.id(id))
}

// groupOf returns the group with a type and ID in the call's owner.
func (c *call) groupOf(t *groupType, id int64) *group {
	if g := c.groupByID[id]; g != nil && g.owner == c.owner && g.typ == t {
		return g
	}
	return nil
}

// groupOfType returns a finder of the group of a fixed type whose ID is in the path.
func groupOfType(name string) func(*call) *group {
	return func(c *call) *group { return c.groupOf(groupTypeByName(name), c.id("id")) }
}

// groupType returns the type in the path.
func (c *call) groupType() *groupType { return groupTypeByBranch(c.params.get("type")) }

func (c *call) listGroups() *answer { return c.groupsOf(nil) }

// groupFilters returns the filter fields of type t, or of the list of all types if t is nil.
func groupFilters(t *groupType) filterFields {
	f := filterFields{"name": {filterText, "=^"}, "dateAdded": {filterDate, "<>"}}
	switch {
	case t == nil:
	case t.name == "Campaign":
		f["firstSeen"] = filterField{filterDate, "<>"}
	case t.name == "Document":
		f["fileType"] = filterField{filterText, "="}
	case t.name == "Incident":
		f["eventDate"] = filterField{filterDate, "<>"}
	}
	return f
}

// groupsOf lists the groups of type t, or of all types if t is nil.
func (c *call) groupsOf(t *groupType) *answer {
	want, bad := c.filters(groupFilters(t))
	if bad != nil {
		return bad
	}
	with := c.includes()
	key := "group"
	if t != nil {
		key = t.entity
	}
	all := where(c.owner.groups, func(g *group) bool { return (t == nil || g.typ == t) && want.match(g.property) })
	return pageOf(c, key, all, func(g *group, w *jsonWriter) { g.write(w, groupShape{list: true, generic: t == nil, with: with}) })
}

// property returns the value of a filter field.
func (g *group) property(name string) any {
	switch name {
	case "name":
		return g.name
	case "dateAdded":
		return time.Unix(g.added, 0)
	case "firstSeen", "eventDate":
		if v, ok := g.values[name]; ok {
			return time.Unix(seconds(v), 0)
		}
	case "fileType":
		if v := g.values[name]; v != "" {
			return v
		}
		if i := strings.LastIndexByte(g.values["fileName"], '.'); i >= 0 {
			return g.values["fileName"][i+1:]
		}
	}
	return nil
}

// groupShape selects the members of a group in a response.
type groupShape struct {
	list    bool // in a list: with the owner's name instead of the owner
	generic bool // with the type and without the fields of the type
	with    include
}

func (g *group) write(w *jsonWriter, s groupShape) {
	w.id("id", g.id)
	w.str("name", g.name)
	if s.generic {
		w.str("type", g.typ.name)
	}
	g.owner.writeTo(w, s.list)
	if s.with&withAdditional != 0 {
		w.str("createdBy", g.createdBy)
	}
	w.date("dateAdded", g.added)
	w.date("lastModified", g.modified)
	w.str("webLink", g.webLink())
	if s.with&withAdditional != 0 {
		w.str("xid", g.xid)
		w.bool("communityOrSource", g.owner.Type != "Organization")
		g.outsideDates().write(w)
		w.texts("additionalOwners", nil)
	}
	g.meta.write(w, s.with)
	if !s.generic {
		g.writeFields(w, s.with)
	}
}

func (g *group) writeFields(w *jsonWriter, with include) {
	for _, f := range g.typ.fields {
		v, ok := g.values[f.name]
		if !ok || f.hidden || f.additional && with&withAdditional == 0 {
			continue
		}
		switch f.kind {
		case groupDate:
			w.date(f.name, seconds(v))
		case groupBool:
			w.bool(f.name, v == "true")
		default:
			w.str(f.name, v)
		}
	}
	if g.typ.name == "Document" || g.typ.name == "Report" {
		status := "Awaiting Upload"
		if g.content != nil {
			status = "Success"
		}
		w.str("status", status)
	}
}

func (g *group) webLink() string {
	entity := strings.ToLower(g.typ.entity)
	return webRoot + "/auth/" + entity + "/" + entity + ".xhtml?" + entity + "=" + strconv.FormatInt(g.id, 10)
}

func (c *call) getGroup(g *group) *answer { return c.oneGroup(http.StatusOK, g) }

func (c *call) oneGroup(status int, g *group) *answer {
	return c.one(status, g.typ.entity, func(w *jsonWriter) { g.write(w, groupShape{with: c.includes()}) })
}

func (c *call) createGroup(t *groupType, f fields) *answer {
	need := needForCreate
	if c.odd(OddityEventDateRequired) {
		need = needForDatedCreate
	}
	name, values, msg := t.read(f, need)
	if msg != "" {
		return fail(http.StatusBadRequest, msg)
	}
	g := c.newGroup(c.owner, t, name, "", c.seconds())
	g.set(values)
	for _, field := range t.fields {
		if field.filled && g.values[field.name] == "" {
			g.set(map[string]string{field.name: strconv.FormatInt(c.seconds(), 10)})
		}
	}
	return c.oneGroup(http.StatusCreated, g)
}

func (c *call) updateGroup(g *group, f fields) *answer {
	name, values, msg := g.typ.read(f, needForUpdate)
	if msg != "" {
		return fail(http.StatusBadRequest, msg)
	}
	if name != "" {
		g.name = name
	}
	g.set(values)
	g.modified = c.seconds()
	return c.oneGroup(http.StatusOK, g)
}

func (c *call) deleteGroup(g *group) *answer {
	c.dropGroup(g)
	return success(http.StatusOK)
}
