package threatconnecttest

import (
	"net/http"
	"strconv"
	"strings"
)

// victim is a victim of an owner.
type victim struct {
	meta   metadata
	assets []*asset
	id     int64
	owner  *owner
	fields map[string]string
}

// victimFields are the fields of a victim in the order of responses.
var victimFields = []string{"name", "description", "org", "suborg", "workLocation", "nationality"}

func (v *victim) number() int64            { return v.id }
func (v *victim) belongs() *owner          { return v.owner }
func (v *victim) typeName() string         { return "Victim" }
func (v *victim) metadataOrNil() *metadata { return &v.meta }
func (v *victim) metadata() *metadata      { return &v.meta }
func (v *victim) changed(int64)            {} // victims have no dates
func (v *victim) assetList() *[]*asset     { return &v.assets }

func (v *victim) webLink() string {
	return webRoot + "/auth/victim/victim.xhtml?victim=" + strconv.FormatInt(v.id, 10)
}

func (w *world) victimByID(id int64) *victim {
	return first(w.victims, func(v *victim) bool { return v.id == id })
}

func victimRoutes() []route {
	all := []route{
		{method: "GET", pattern: "/v2/victims", handle: (*call).listVictims},
		{method: "POST", pattern: "/v2/victims", handle: fromBody((*call).createVictim)},
		{method: "GET", pattern: "/v2/victims/{id}", handle: with((*call).victim, (*call).getVictim)},
		{method: "PUT", pattern: "/v2/victims/{id}", handle: with((*call).victim, withBody((*call).updateVictim))},
		{method: "DELETE", pattern: "/v2/victims/{id}", handle: with((*call).victim, (*call).deleteVictim)},
	}
	return append(all, metadataRoutes("/v2/victims/{id}", (*call).victim)...)
}

// victim returns the victim in the path, in the call's owner.
func (c *call) victim() *victim { return c.victimAt("id") }

func (c *call) victimAt(id string) *victim {
	if v := c.victimByID(c.id(id)); v != nil && v.owner == c.owner {
		return v
	}
	return nil
}

func (c *call) listVictims() *answer {
	want, bad := c.filters(filterFields{"name": {filterText, "=^"}})
	if bad != nil {
		return bad
	}
	with := c.includes()
	all := where(c.victims, func(v *victim) bool {
		return v.owner == c.owner && want.match(func(name string) any { return v.fields[name] })
	})
	return pageOf(c, "victim", all, func(v *victim, w *jsonWriter) { v.write(w, true, with) })
}

// write writes a victim. The output never includes the owner, and lists omit the description.
func (v *victim) write(w *jsonWriter, list bool, with include) {
	w.id("id", v.id)
	for _, name := range victimFields {
		if name != "description" || !list {
			w.some(name, v.fields[name])
		}
	}
	w.str("webLink", v.webLink())
	v.meta.write(w, with)
}

func (c *call) oneVictim(status int, v *victim) *answer {
	return c.one(status, "victim", func(w *jsonWriter) { v.write(w, false, c.includes()) })
}

func (c *call) getVictim(v *victim) *answer { return c.oneVictim(http.StatusOK, v) }

func (c *call) createVictim(f fields) *answer {
	v := &victim{owner: c.owner, fields: map[string]string{}}
	if bad := v.read(f); bad != nil {
		return bad
	}
	c.addVictim(v)
	return c.oneVictim(http.StatusCreated, v)
}

func (c *call) updateVictim(v *victim, f fields) *answer {
	if bad := v.read(f); bad != nil {
		return bad
	}
	return c.oneVictim(http.StatusOK, v)
}

func (c *call) deleteVictim(v *victim) *answer {
	c.dropVictim(v)
	return success(http.StatusOK)
}

// read parses the members of a create or update. Both require the name.
func (v *victim) read(f fields) *answer {
	if name, _ := f.text("name"); strings.TrimSpace(name) == "" {
		return fail(http.StatusBadRequest, "The name for this Victim is invalid, please enter a name")
	}
	for _, name := range victimFields {
		if s, ok := f.text(name); ok {
			v.fields[name] = s
		}
	}
	return nil
}
