package threatconnecttest

import (
	"net/http"
	"slices"
)

const msgNoAsset = "The Victim must have at least one Victim Asset before it can be associated"

// peopleRoutes returns the routes that list the tasks and victims of a circle. An empty parameter
// name omits the list.
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
	return pageOf(c, "victim", in(e, c.victims, func(*victim) bool { return true }), func(v *victim, w *jsonWriter) { v.write(w, true, 0) })
}

func (c *call) tasksIn(e *circle) *answer {
	return pageOf(c, "task", in(e, c.tasks, func(*task) bool { return true }), func(t *task, w *jsonWriter) { c.writeTask(w, t, true) })
}

// otherVictim returns the victim at the other end of an association.
func (c *call) otherVictim(param string) (holder, *answer) {
	v := c.victimByID(c.id(param))
	switch {
	case v == nil:
		return nil, missing()
	case v.owner != c.owner:
		return nil, fail(http.StatusForbidden, msgOwners)
	}
	return v, nil
}

// victimAssetRoutes returns the routes of the assets that come with associated victims.
func victimAssetRoutes(parent string, find func(*call) holder) []route {
	all := parent + "/victimAssets"
	ofType := all + "/{victimAssetType}"
	ofKind := func(do func(*call, holder, *assetKind) *answer) func(*call) *answer {
		return with(find, func(c *call, l holder) *answer {
			k := c.victimAssetKind()
			if k == nil {
				return missing()
			}
			return do(c, l, k)
		})
	}
	on := func(do func(*call, holder, victimsAsset) *answer) func(*call) *answer {
		return ofKind(func(c *call, l holder, k *assetKind) *answer {
			id := c.id("assetId")
			for _, a := range assetsOf(l, k) {
				if a.id == id {
					return do(c, l, a)
				}
			}
			return missing()
		})
	}
	return []route{
		{method: "GET", pattern: all, handle: with(find, func(c *call, l holder) *answer { return c.relatedAssets(l, "victimAsset", nil) })},
		{method: "GET", pattern: ofType, handle: ofKind(func(c *call, l holder, k *assetKind) *answer { return c.relatedAssets(l, k.entity, k) })},
		{method: "GET", pattern: ofType + "/{assetId}", handle: on(func(c *call, _ holder, a victimsAsset) *answer {
			return c.oneAsset(http.StatusOK, a.of, a.asset)
		})},
		{method: "DELETE", pattern: ofType + "/{assetId}", handle: on(func(_ *call, l holder, a victimsAsset) *answer {
			associatedAs(l, a.of, "").removeAsset(a.asset)
			return success(http.StatusOK)
		})},
	}
}

// victimsAsset is an asset with its victim.
type victimsAsset struct {
	*asset
	of *victim
}

// assetsOf returns the assets of kind k, or of all kinds if k is nil, that come with the associated
// victims of an item and have not been removed from it.
func assetsOf(l holder, k *assetKind) []victimsAsset {
	var all []victimsAsset
	for link := range links(l) {
		v, ok := link.to(l).(*victim)
		if !ok {
			continue
		}
		for _, a := range v.assets {
			if (k == nil || a.kind == k) && !slices.Contains(link.without, a) {
				all = append(all, victimsAsset{a, v})
			}
		}
	}
	return all
}

func (c *call) relatedAssets(l holder, key string, k *assetKind) *answer {
	return pageOf(c, key, slices.Values(assetsOf(l, k)), func(a victimsAsset, w *jsonWriter) { a.writeShort(w, a.of) })
}
