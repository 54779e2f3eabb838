package threatconnecttest

import (
	"strconv"
)

// group is a group of an owner.
type group struct {
	meta      metadata
	id        int64
	owner     *owner
	typ       *groupType
	name      string
	xid       string
	createdBy string
	values    map[string]string // fields of the type; dates in Unix seconds
	dates     itemDates
	content   []byte   // of a document or report; nil before the upload
	assets    []*asset // of an adversary
	added     int64
	modified  int64
}

func (g *group) number() int64            { return g.id }
func (g *group) belongs() *owner          { return g.owner }
func (g *group) typeName() string         { return g.typ.name }
func (g *group) metadataOrNil() *metadata { return &g.meta }
func (g *group) metadata() *metadata      { return &g.meta }
func (g *group) changed(now int64)        { g.modified = now }

// set sets the values of the type's fields.
func (g *group) set(values map[string]string) {
	if g.values == nil && len(values) > 0 {
		g.values = map[string]string{}
	}
	for k, v := range values {
		if v == "" {
			delete(g.values, k)
			continue
		}
		g.values[k] = v
	}
}

// seconds parses a date stored in a group's values.
func seconds(v string) int64 {
	n, _ := strconv.ParseInt(v, 10, 64)
	return n
}

// outsideDates returns the dates that require includeAdditional. The firstSeen of a campaign is a
// field of its type instead.
func (g *group) outsideDates() *itemDates {
	d := g.dates
	if g.typ.hasField("firstSeen") {
		d[0] = 0
	}
	return &d
}
