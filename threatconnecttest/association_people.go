package threatconnecttest

import (
	"net/http"
	"slices"
)

const msgNoAsset = "The Victim must have at least one Victim Asset before it can be associated"

// peopleRoutes are the routes that list the tasks and victims of a circle. A word that is empty
// leaves its list out.
func peopleRoutes(parent, taskID, victimID string, find func(*call) (circle, *answer)) []route {
	in := func(handle func(*call, circle) *answer) func(*call) *answer {
		return func(c *call) *answer {
			e, bad := find(c)
			if bad != nil {
				return bad
			}
			return handle(c, e)
		}
	}
	routes := []route{
		{method: "GET", pattern: parent + "/victims", handle: in((*call).victimsIn)},
		{method: "GET", pattern: parent + "/victims/{" + victimID + "}", handle: in(func(c *call, e circle) *answer {
			v := c.victimByID(c.id(victimID))
			if v == nil || v.owner != e.owner || !e.has(v) {
				return missing()
			}
			return c.oneVictim(http.StatusOK, v)
		})},
	}
	if taskID == "" {
		return routes
	}
	return append(routes,
		route{method: "GET", pattern: parent + "/tasks", handle: in((*call).tasksIn)},
		route{method: "GET", pattern: parent + "/tasks/{" + taskID + "}", handle: in(func(c *call, e circle) *answer {
			t := c.taskByID(c.id(taskID))
			if t == nil || t.owner != e.owner || !e.has(t) {
				return missing()
			}
			return c.oneTask(http.StatusOK, t)
		})})
}

func (c *call) victimsIn(e circle) *answer {
	return c.page("victim", true, func(take func() *jsonWriter) {
		for _, v := range c.victims {
			if v.owner != e.owner || !e.has(v) {
				continue
			}
			if w := take(); w != nil {
				w.open()
				v.write(w, true, 0)
				w.close()
			}
		}
	})
}

func (c *call) tasksIn(e circle) *answer {
	return c.page("task", true, func(take func() *jsonWriter) {
		for _, t := range c.tasks {
			if t.owner != e.owner || !e.has(t) {
				continue
			}
			if w := take(); w != nil {
				w.open()
				c.writeTask(w, t, true)
				w.close()
			}
		}
	})
}

// otherVictim is the victim at the other end of an association. One without assets cannot be
// associated.
func (c *call) otherVictim(param string) (linked, *answer) {
	o, bad := c.owner()
	if bad != nil {
		return nil, bad
	}
	v := c.victimByID(c.id(param))
	switch {
	case v == nil:
		return nil, missing()
	case v.owner != o:
		return nil, fail(http.StatusForbidden, msgOwners)
	case c.req.Method == http.MethodPost && len(v.assets) == 0:
		return nil, fail(http.StatusBadRequest, msgNoAsset)
	}
	return v, nil
}

// shareGroup reports whether two things are associated with one group.
func shareGroup(a, b linked) bool {
	for _, l := range a.links() {
		if g, ok := l.to.(*group); ok && areAssociated(b, g) {
			return true
		}
	}
	return false
}

// victimAssetRoutes are the routes of the assets that come with the victims of a resource.
func victimAssetRoutes(parent string, find func(*call) (holder, *answer)) []route {
	all := parent + "/victimAssets"
	ofType := all + "/{victimAssetType}"
	return []route{
		{method: "GET", pattern: all, handle: func(c *call) *answer { return c.relatedAssets(find, "victimAsset", nil) }},
		{method: "GET", pattern: ofType, handle: func(c *call) *answer {
			k := victimAssetKind(c.params.get("victimAssetType"))
			if k == nil {
				return missing()
			}
			return c.relatedAssets(find, k.entity, k)
		}},
		{method: "GET", pattern: ofType + "/{assetId}", handle: func(c *call) *answer {
			_, v, a, bad := c.relatedAsset(find)
			if bad != nil {
				return bad
			}
			return c.oneAsset(http.StatusOK, v, a)
		}},
		{method: "DELETE", pattern: ofType + "/{assetId}", handle: func(c *call) *answer {
			if _, bad := c.writableOwner(); bad != nil {
				return bad
			}
			l, _, a, bad := c.relatedAsset(find)
			if bad != nil {
				return bad
			}
			m := l.metadata()
			m.without = append(m.without, a)
			return success(http.StatusOK)
		}},
	}
}

func victimAssetKind(branch string) *assetKind {
	for i := range victimAssetKinds {
		if victimAssetKinds[i].branch == branch {
			return &victimAssetKinds[i]
		}
	}
	return nil
}

// eachAsset calls do with the assets that came with the victims of a thing and were not taken off
// it, until do returns false.
func eachAsset(l linked, do func(*victim, *asset) bool) {
	for _, to := range l.links() {
		v, ok := to.to.(*victim)
		if !ok {
			continue
		}
		for _, a := range v.assets {
			if !slices.Contains(l.hangers().without, a) && !do(v, a) {
				return
			}
		}
	}
}

func (c *call) relatedAssets(find func(*call) (holder, *answer), key string, k *assetKind) *answer {
	l, bad := c.end(find)
	if bad != nil {
		return bad
	}
	return c.page(key, true, func(take func() *jsonWriter) {
		eachAsset(l, func(v *victim, a *asset) bool {
			if k == nil || a.kind == k {
				if w := take(); w != nil {
					w.open()
					w.id("id", a.id)
					w.str("name", a.values[0])
					w.str("type", a.kind.name)
					w.str("webLink", v.webLink())
					w.close()
				}
			}
			return true
		})
	})
}

// relatedAsset is the asset that the path names, with the thing that it came to and its victim.
func (c *call) relatedAsset(find func(*call) (holder, *answer)) (l linked, of *victim, found *asset, bad *answer) {
	if l, bad = c.end(find); bad != nil {
		return nil, nil, nil, bad
	}
	k, id := victimAssetKind(c.params.get("victimAssetType")), c.id("assetId")
	eachAsset(l, func(v *victim, a *asset) bool {
		if a.id == id && a.kind == k {
			of, found = v, a
		}
		return found == nil
	})
	if found == nil {
		return nil, nil, nil, missing()
	}
	return l, of, found, nil
}
