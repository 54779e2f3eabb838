package threatconnecttest

import (
	"net/http"
	"slices"
)

const (
	msgOwners = "The owners of the requested objects were different"
)

// associationRoutes are the routes of what is associated with what.
func associationRoutes() []route {
	names := circleNames{"associatedGroupType", "associatedGroupId", "associatedIndicatorType", "associatedIndicator"}
	var routes []route
	for _, p := range []struct {
		path       string
		find       func(*call) (holder, *answer)
		task       string // the word for an associated task; empty where there is no list of them
		victim     string // the word for an associated victim
		victims    bool   // whether victims are associated from here
		indicators bool   // whether indicators are
	}{
		{"/v2/groups/{type}/{id}", (*call).groupHolder, "", "victimId", true, true},
		{"/v2/indicators/{type}/{indicator}", (*call).indicatorHolder, "", "associatedVictimId", true, false},
		{"/v2/tasks/{id}", (*call).taskHolder, "associatedTaskId", "victimId", true, true},
		{"/v2/victims/{id}", (*call).victimHolder, "associatedTaskId", "associatedVictimId", false, false},
	} {
		around := func(c *call) (circle, *answer) {
			l, bad := c.end(p.find)
			if bad != nil {
				return circle{}, bad
			}
			return circleOf(l), nil
		}
		both := func(path string, other func(*call) (linked, *answer)) {
			routes = append(routes,
				route{method: "POST", pattern: p.path + path, handle: linkTo(p.find, other)},
				route{method: "DELETE", pattern: p.path + path, handle: unlinkFrom(p.find, other)})
		}
		routes = append(routes, circleRoutes(p.path, names, around)...)
		routes = append(routes, peopleRoutes(p.path, p.task, p.victim, around)...)
		both("/groups/{associatedGroupType}/{associatedGroupId}", (*call).otherGroup)
		if p.victims {
			both("/victims/{"+p.victim+"}", func(c *call) (linked, *answer) { return c.otherVictim(p.victim) })
			routes = append(routes, victimAssetRoutes(p.path, p.find)...)
		}
		if p.indicators {
			both("/indicators/{associatedIndicatorType}/{associatedIndicator}", (*call).otherIndicator)
		}
	}
	// Two indicators are linked in a way, and unlinked whatever it was.
	routes = append(routes, route{method: "DELETE", pattern: "/v2/indicators/{type}/{indicator}/indicators/{associatedIndicatorType}/{associatedIndicator}",
		handle: unlinkFrom((*call).indicatorHolder, (*call).otherIndicator)})
	return append(routes, wayRoutes()...)
}

// end is one end of an association, in the owner of the call.
func (c *call) end(find func(*call) (holder, *answer)) (linked, *answer) {
	h, bad := find(c)
	if bad != nil {
		return nil, bad
	}
	return h.(linked), nil
}

// circleOf is what is associated with something. With a victim are associated the indicators and
// victims that share a group with it, too.
func circleOf(l linked) circle {
	_, victims := l.(*victim)
	return circle{l.belongs(), func(other linked) bool {
		if l == other {
			return false
		}
		if areAssociated(l, other) {
			return true
		}
		switch other.(type) {
		case *indicator, *victim:
			return victims && shareGroup(l, other)
		}
		return false
	}}
}

func areAssociated(a, b linked) bool {
	if forgetful(a, b) {
		a, b = b, a
	}
	return slices.ContainsFunc(a.links(), func(l link) bool { return l.to == b })
}

// otherGroup is the group at the other end of an association.
func (c *call) otherGroup() (linked, *answer) {
	g, bad := c.groupAt("associatedGroupType", "associatedGroupId")
	if bad == nil {
		return g, nil
	}
	if g := c.groupByID[c.id("associatedGroupId")]; g != nil && g.typ == groupTypeByBranch(c.params.get("associatedGroupType")) {
		return nil, fail(http.StatusForbidden, msgOwners)
	}
	return nil, bad
}

// otherIndicator is the indicator at the other end of an association.
func (c *call) otherIndicator() (linked, *answer) {
	i, bad := c.indicatorAt("associatedIndicatorType", "associatedIndicator")
	if bad != nil {
		return nil, bad
	}
	return i, nil
}

// ends are both ends of an association that is to be changed.
func (c *call) ends(find func(*call) (holder, *answer), other func(*call) (linked, *answer)) (a, b linked, bad *answer) {
	if _, bad = c.writableOwner(); bad != nil {
		return nil, nil, bad
	}
	if a, bad = c.end(find); bad != nil {
		return nil, nil, bad
	}
	if b, bad = other(c); bad != nil {
		return nil, nil, bad
	}
	if a == b {
		return nil, nil, fail(http.StatusBadRequest, msgMalformed)
	}
	return a, b, nil
}

// linkTo answers a POST at the path of both ends.
func linkTo(find func(*call) (holder, *answer), other func(*call) (linked, *answer)) func(*call) *answer {
	return func(c *call) *answer {
		a, b, bad := c.ends(find, other)
		if bad != nil {
			return bad
		}
		associate(a, b, "")
		if v, ok := b.(*victim); ok { // its assets come with it, also those that were taken off
			m := a.metadata()
			m.without = slices.DeleteFunc(m.without, func(e *asset) bool { return slices.Contains(v.assets, e) })
		}
		return success(http.StatusCreated)
	}
}

// unlinkFrom answers a DELETE at the path of both ends.
func unlinkFrom(find func(*call) (holder, *answer), other func(*call) (linked, *answer)) func(*call) *answer {
	return func(c *call) *answer {
		a, b, bad := c.ends(find, other)
		if bad != nil {
			return bad
		}
		if !dissociate(a, b) {
			return missing()
		}
		return success(http.StatusOK)
	}
}

// wayRoutes are the routes of the ways in which two indicators are associated.
func wayRoutes() []route {
	const (
		ways    = "/v2/indicators/{type}/{indicator}/associations/{associationType}/indicators"
		actions = "/v2/indicators/files/{indicator}/actions/{fileAction}/indicators"
	)
	file := func(c *call) (holder, *answer) {
		i, bad := c.file()
		if bad != nil {
			return nil, bad
		}
		return i, nil
	}
	target := func(c *call) (linked, *answer) {
		i, bad := c.indicatorAt("targetType", "targetId")
		if bad != nil {
			return nil, bad
		}
		return i, nil
	}
	return []route{
		{method: "GET", pattern: ways + "/", handle: func(c *call) *answer { return c.listWay((*call).indicatorHolder, "associationType", nil) }},
		{method: "GET", pattern: ways + "/{targetType}", handle: func(c *call) *answer {
			t, bad := c.indicatorType("targetType")
			if bad != nil {
				return bad
			}
			return c.listWay((*call).indicatorHolder, "associationType", t)
		}},
		{method: "POST", pattern: ways + "/{targetType}/{targetId}", handle: func(c *call) *answer {
			return c.linkWay((*call).indicatorHolder, target, "associationType")
		}},
		{method: "GET", pattern: actions + "/{associatedIndicatorType}", handle: func(c *call) *answer {
			t, bad := c.indicatorType("associatedIndicatorType")
			if bad != nil {
				return bad
			}
			return c.listWay(file, "fileAction", t)
		}},
		{method: "DELETE", pattern: actions + "/{associatedIndicatorType}/{associatedIndicator}", handle: func(c *call) *answer {
			return c.unlinkWay(file, (*call).otherIndicator, "fileAction")
		}},
		{method: "GET", pattern: actions, handle: func(c *call) *answer { return c.listWay(file, "fileAction", nil) }},
		{method: "POST", pattern: actions + "/{associatedIndicatorType}/{associatedIndicator}", handle: func(c *call) *answer {
			return c.linkWay(file, (*call).otherIndicator, "fileAction")
		}},
	}
}

// way is the association type or file action that a path names.
func (c *call) way(param string) []associationType {
	return slices.DeleteFunc(associationTypes(), func(t associationType) bool {
		return t.branch != c.params.get(param) || t.fileAction != (param == "fileAction") || t.ends == nil && !t.custom
	})
}

// listWay lists the indicators that are associated with one in a way, of a type or of all types.
func (c *call) listWay(find func(*call) (holder, *answer), param string, t *indicatorType) *answer {
	l, bad := c.end(find)
	if bad != nil {
		return bad
	}
	ways := c.way(param)
	if len(ways) == 0 {
		return missing()
	}
	return c.indicatorsIn(circle{l.belongs(), func(other linked) bool {
		return slices.Contains(l.links(), link{other, ways[0].name})
	}}, t)
}

// linkWay associates two indicators in a way.
func (c *call) linkWay(find func(*call) (holder, *answer), other func(*call) (linked, *answer), param string) *answer {
	a, b, bad := c.ends(find, other)
	if bad != nil {
		return bad
	}
	for _, w := range c.way(param) {
		if w.joins(a.(*indicator).typ, b.(*indicator).typ) {
			associate(a, b, w.name)
			return success(http.StatusCreated)
		}
	}
	return fail(http.StatusBadRequest, msgMalformed)
}

// unlinkWay undoes one association of two indicators; others stay.
func (c *call) unlinkWay(find func(*call) (holder, *answer), other func(*call) (linked, *answer), param string) *answer {
	a, b, bad := c.ends(find, other)
	if bad != nil {
		return bad
	}
	ways := c.way(param)
	if len(ways) == 0 || !slices.Contains(a.links(), link{b, ways[0].name}) {
		return missing()
	}
	a.hangers().unlinkAs(b, ways[0].name)
	b.hangers().unlinkAs(a, ways[0].name)
	return success(http.StatusOK)
}
