package threatconnecttest

import (
	"iter"
	"net/http"
	"slices"
)

const msgNoAsset = "The Victim must have at least one Victim Asset before it can be associated"

// peopleRoutes are the routes that list the tasks and victims of a circle. A word that is empty
// leaves its list out.
func peopleRoutes(parent, taskID, victimID string, find func(*call) *circle) []route {
	routes := []route{
		{method: "GET", pattern: parent + "/victims", handle: with(find, (*call).victimsIn)},
		{method: "GET", pattern: parent + "/victims/{" + victimID + "}", handle: with(find, func(c *call, e *circle) *answer {
			v := c.victimAt(victimID)
			if v == nil || !e.has(v) {
				return missing()
			}
			return c.oneVictim(http.StatusOK, v)
		})},
	}
	if taskID == "" {
		return routes
	}
	return append(routes,
		route{method: "GET", pattern: parent + "/tasks", handle: with(find, (*call).tasksIn)},
		route{method: "GET", pattern: parent + "/tasks/{" + taskID + "}", handle: with(find, func(c *call, e *circle) *answer {
			t := c.taskAt(taskID)
			if t == nil || !e.has(t) {
				return missing()
			}
			return c.oneTask(http.StatusOK, t)
		})})
}

func (c *call) victimsIn(e *circle) *answer {
	return c.pageOfVictims(0, func(v *victim) bool { return e.has(v) })
}

func (c *call) tasksIn(e *circle) *answer {
	return c.pageOfTasks(func(t *task) bool { return e.has(t) })
}

// otherVictim is the victim at the other end of an association. One without assets cannot be
// associated.
func (c *call) otherVictim(param string) (linked, *answer) {
	v := c.victimByID(c.id(param))
	switch {
	case v == nil:
		return nil, missing()
	case v.owner != c.owner:
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
func victimAssetRoutes(parent string, find func(*call) linked) []route {
	all := parent + "/victimAssets"
	ofType := all + "/{victimAssetType}"
	on := func(do func(*call, linked, *victim, *asset) *answer) func(*call) *answer {
		return with(find, func(c *call, l linked) *answer {
			v, a := c.relatedAsset(l)
			if a == nil {
				return missing()
			}
			return do(c, l, v, a)
		})
	}
	return []route{
		{method: "GET", pattern: all, handle: with(find, func(c *call, l linked) *answer { return c.relatedAssets(l, "victimAsset", nil) })},
		{method: "GET", pattern: ofType, handle: with(find, func(c *call, l linked) *answer {
			return with((*call).victimAssetKind, func(c *call, k *assetKind) *answer { return c.relatedAssets(l, k.entity, k) })(c)
		})},
		{method: "GET", pattern: ofType + "/{assetId}", handle: on(func(c *call, _ linked, v *victim, a *asset) *answer {
			return c.oneAsset(http.StatusOK, v, a)
		})},
		{method: "DELETE", pattern: ofType + "/{assetId}", handle: on(func(_ *call, l linked, _ *victim, a *asset) *answer {
			m := l.metadata()
			m.without = append(m.without, a)
			return success(http.StatusOK)
		})},
	}
}

// assetsOf iterates over the assets that came with the victims of a thing and were not taken off it.
func assetsOf(l linked) iter.Seq2[*victim, *asset] {
	return func(yield func(*victim, *asset) bool) {
		for _, to := range l.links() {
			v, ok := to.to.(*victim)
			if !ok {
				continue
			}
			for _, a := range v.assets {
				if !slices.Contains(l.hangers().without, a) && !yield(v, a) {
					return
				}
			}
		}
	}
}

func (c *call) relatedAssets(l linked, key string, k *assetKind) *answer {
	return c.page(key, true, func(take func() *jsonWriter) {
		for v, a := range assetsOf(l) {
			if k != nil && a.kind != k {
				continue
			}
			if w := take(); w != nil {
				w.open()
				a.writeShort(w, v)
				w.close()
			}
		}
	})
}

// relatedAsset is the asset that the path names, with its victim.
func (c *call) relatedAsset(l linked) (*victim, *asset) {
	k, id := c.victimAssetKind(), c.id("assetId")
	for v, a := range assetsOf(l) {
		if a.id == id && a.kind == k {
			return v, a
		}
	}
	return nil, nil
}
