package threatconnecttest

import (
	"net/http"
	"slices"
	"strings"
)

const (
	msgOwners = "The owners of the requested objects were different"
)

// associationRoutes returns the routes that create, list and delete associations.
func associationRoutes() []route {
	names := circleNames{
		groupType:     "associatedGroupType",
		group:         "associatedGroupId",
		indicatorType: "associatedIndicatorType",
		indicator:     "associatedIndicator",
	}
	var routes []route
	for _, p := range []struct {
		path       string
		find       func(*call) holder
		task       string // path parameter of an associated task; empty if there is no such list
		victim     string // path parameter of an associated victim
		victims    bool   // whether victims can be associated here
		indicators bool   // whether indicators can be associated here
	}{
		{path: "/v2/groups/{type}/{id}", find: end((*call).group), victim: "victimId", victims: true, indicators: true},
		{path: "/v2/indicators/{type}/{indicator}", find: end((*call).indicator), victim: "associatedVictimId", victims: true},
		{path: "/v2/tasks/{id}", find: end((*call).task), task: "associatedTaskId", victim: "victimId", victims: true, indicators: true},
		{path: "/v2/victims/{id}", find: end((*call).victim), task: "associatedTaskId", victim: "associatedVictimId"},
	} {
		around := func(c *call) *circle {
			if l := p.find(c); l != nil {
				return circleOf(l)
			}
			return nil
		}
		both := func(path string, other func(*call) (holder, *answer)) {
			routes = append(routes,
				route{method: "POST", pattern: p.path + path, handle: withEnds(p.find, other, (*call).linkEnds)},
				route{method: "DELETE", pattern: p.path + path, handle: withEnds(p.find, other, (*call).unlinkEnds)})
		}
		routes = append(routes, circleRoutes(p.path, names, around)...)
		routes = append(routes, peopleRoutes(p.path, p.task, p.victim, around)...)
		both("/groups/{associatedGroupType}/{associatedGroupId}", (*call).otherGroup)
		if p.victims {
			both("/victims/{"+p.victim+"}", func(c *call) (holder, *answer) { return c.otherVictim(p.victim) })
			routes = append(routes, victimAssetRoutes(p.path, p.find)...)
		}
		if p.indicators {
			both("/indicators/{associatedIndicatorType}/{associatedIndicator}", otherIndicator("associatedIndicatorType", "associatedIndicator"))
		}
	}
	// Association types link two indicators; this path unlinks them whatever their types are.
	const pair = "/v2/indicators/{type}/{indicator}/indicators/{associatedIndicatorType}/{associatedIndicator}"
	from, to := end((*call).indicator), otherIndicator("associatedIndicatorType", "associatedIndicator")
	routes = append(routes,
		route{method: "DELETE", pattern: pair, handle: withEnds(from, to, (*call).unlinkEnds)},
		route{method: "POST", pattern: pair, handle: withEnds(from, to, (*call).linkEnds), odd: OddityBareIndicatorLinks})
	return append(routes, wayRoutes()...)
}

// end converts a finder of one kind of item to a finder of an end of an association.
func end[T interface {
	comparable
	holder
}](find func(*call) T) func(*call) holder {
	return func(c *call) holder {
		var none T
		if t := find(c); t != none {
			return t
		}
		return nil
	}
}

// circleOf returns the items associated with an item. Those of a victim include the indicators and
// victims that share a group with it.
func circleOf(h holder) *circle {
	members := func() []holder {
		all := associated(h, nil)
		if _, ok := h.(*victim); !ok {
			return all
		}
		for _, g := range all {
			if _, ok := g.(*group); !ok {
				continue
			}
			for l := range links(g) {
				switch other := l.to(g).(type) {
				case *indicator, *victim:
					if other != h {
						all = append(all, other)
					}
				}
			}
		}
		return inOrder(all)
	}
	return &circle{owner: h.belongs(), members: members, has: func(other holder) bool {
		return areAssociated(h, other) || slices.Contains(members(), other)
	}}
}

// otherGroup returns the group at the other end of an association.
func (c *call) otherGroup() (holder, *answer) {
	if g := c.groupAt("associatedGroupType", "associatedGroupId"); g != nil {
		return g, nil
	}
	if g := c.groupByID[c.id("associatedGroupId")]; g != nil && g.typ == groupTypeByBranch(c.params.get("associatedGroupType")) {
		return nil, fail(http.StatusForbidden, msgOwners)
	}
	return nil, missing()
}

// otherIndicator returns a finder of the indicator at the other end of an association.
func otherIndicator(branch, value string) func(*call) (holder, *answer) {
	return func(c *call) (holder, *answer) {
		if i := c.indicatorAt(branch, value); i != nil {
			return i, nil
		}
		return nil, missing()
	}
}

// withEnds converts a handler of both ends of an association to a handler of a call.
func withEnds(find func(*call) holder, other func(*call) (holder, *answer), do func(c *call, a, b holder) *answer) func(*call) *answer {
	return with(find, func(c *call, a holder) *answer {
		b, bad := other(c)
		if bad != nil {
			return bad
		}
		if a == b {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		return do(c, a, b)
	})
}

// linkEnds responds to a POST at the path of both ends. A victim without assets cannot be
// associated.
func (c *call) linkEnds(a, b holder) *answer {
	for _, h := range []holder{a, b} {
		if v, ok := h.(*victim); ok && len(v.assets) == 0 {
			return fail(http.StatusBadRequest, msgNoAsset)
		}
	}
	associate(a, b, "")
	associatedAs(a, b, "").restoreAssets() // a victim brings all of its assets
	return success(http.StatusCreated)
}

// unlinkEnds responds to a DELETE at the path of both ends.
func (c *call) unlinkEnds(a, b holder) *answer {
	if !dissociate(a, b) {
		return missing()
	}
	return success(http.StatusOK)
}

// wayRoutes returns the routes of association types and file actions between indicators.
func wayRoutes() []route {
	const (
		ways    = "/v2/indicators/{type}/{indicator}/associations/{associationType}/indicators"
		actions = "/v2/indicators/files/{indicator}/actions/{fileAction}/indicators"
	)
	file := indicatorOfType("File")
	return slices.Concat(
		wayRoutesTo(ways+"/", "associationType", (*call).indicator, "targetType", "targetId"),
		wayRoutesTo(actions, "fileAction", file, "associatedIndicatorType", "associatedIndicator"),
		[]route{{method: "DELETE", pattern: actions + "/{associatedIndicatorType}/{associatedIndicator}",
			handle: withEnds(end(file), otherIndicator("associatedIndicatorType", "associatedIndicator"), (*call).unlinkWay)}})
}

// wayRoutesTo returns the routes for one word of the API. list is the path of all associations.
func wayRoutesTo(list, word string, find func(*call) *indicator, branch, value string) []route {
	ofType := strings.TrimSuffix(list, "/") + "/{" + branch + "}"
	return []route{
		{method: "GET", pattern: list, handle: with(find, func(c *call, i *indicator) *answer { return c.listWay(word, i, nil) })},
		{method: "GET", pattern: ofType, handle: with(find, func(c *call, i *indicator) *answer {
			t := c.typeByBranch(c.params.get(branch))
			if t == nil {
				return missing()
			}
			return c.listWay(word, i, t)
		})},
		{method: "POST", pattern: ofType + "/{" + value + "}", handle: withEnds(end(find), otherIndicator(branch, value), func(c *call, a, b holder) *answer {
			return c.linkWay(word, a.(*indicator), b.(*indicator))
		})},
	}
}

// way returns the association types or the file action in the path.
func (c *call) way(word string) []associationType {
	return slices.DeleteFunc(associationTypes(), func(t associationType) bool {
		return t.branch != c.params.get(word) || t.fileAction != (word == "fileAction") || t.ends == nil && !t.custom
	})
}

// listWay lists the indicators that an association type links to i, of type t or, if t is nil, of
// all types.
func (c *call) listWay(word string, i *indicator, t *indicatorType) *answer {
	ways := c.way(word)
	if len(ways) == 0 {
		return missing()
	}
	return c.indicatorsIn(&circle{owner: i.owner, members: func() []holder {
		return associated(i, func(l *link) bool { return l.label == ways[0].name })
	}}, t)
}

// linkWay links two indicators with the association type in the path.
func (c *call) linkWay(word string, a, b *indicator) *answer {
	for _, w := range c.way(word) {
		if w.joins(a.typ, b.typ) {
			associate(a, b, w.name)
			return success(http.StatusCreated)
		}
	}
	return fail(http.StatusBadRequest, msgMalformed)
}

// unlinkWay removes the file action in the path. Other associations of the two indicators stay.
func (c *call) unlinkWay(a, b holder) *answer {
	ways := c.way("fileAction")
	if len(ways) == 0 {
		return missing()
	}
	l := associatedAs(a, b, ways[0].name)
	if l == nil {
		return missing()
	}
	l.remove()
	return success(http.StatusOK)
}
