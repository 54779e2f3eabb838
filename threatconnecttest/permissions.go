package threatconnecttest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// subject determines the owner whose data a route reads or changes.
type subject int

const (
	anOwner  subject = iota // the owner in the query, or the API user's organization
	itsJob                  // the owner of the batch job in the path
	itsBody                 // the owner in the body, checked by the handler
	instance                // no owner: only Denied of the API user's organization applies
)

// aboutInstance sets the subject of routes to the instance.
func aboutInstance(routes []route) []route {
	for i := range routes {
		routes[i].about = instance
	}
	return routes
}

// answer responds to a call with verified credentials.
func (c *call) answer() *answer {
	c.owner = c.owners[0]
	switch names := c.query["owner"]; {
	case c.route.about == itsJob:
		if j := c.job(); j != nil {
			c.owner = j.config.owner
		}
	case c.route.about == anOwner && len(names) > 0:
		if c.owner = c.ownerByName(names[0]); c.owner == nil {
			return fail(http.StatusForbidden, msgOwner)
		}
	case c.route.about == anOwner && c.odd(OddityIDsOfEveryOwner):
		c.owner = cmp.Or(c.ownerOfID(), c.owner)
	}
	if c.route.about != itsBody && !c.allowed(c.owner) {
		return denied()
	}
	return c.route.handle(c)
}

// ownerOfID returns the owner of the group, task or victim whose ID is in the path, or nil.
func (c *call) ownerOfID() *owner {
	id := c.id("id")
	switch c.route.segments[1] {
	case "groups":
		if g := cmp.Or(c.groupByID[id], c.groupByXID[c.params.get("id")]); g != nil {
			return g.owner
		}
	case "tasks":
		if t := c.taskByID(id); t != nil {
			return t.owner
		}
	case "victims":
		if v := c.victimByID(id); v != nil {
			return v.owner
		}
	}
	return nil
}

// allowed reports whether the API user may make the call in an owner.
func (c *call) allowed(o *owner) bool {
	if o.ReadOnly && c.route.writes() {
		return false
	}
	return !slices.ContainsFunc(o.Denied, c.route.is)
}

// writes reports whether the route changes an owner's data.
func (e *route) writes() bool { return e.method != http.MethodGet && e.about != instance }

// is reports whether a name, such as "GET /v2/owners/{id}" or "* /v2/owners/{id}", matches the
// route.
func (e *route) is(name string) bool {
	method, pattern, _ := strings.Cut(name, " ")
	return pattern == e.pattern && (method == "*" || method == e.method)
}

func denied() *answer {
	return fail(http.StatusUnauthorized, "The requested resource was not changed - access was denied")
}
