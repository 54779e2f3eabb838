package threatconnecttest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// webRoot is the prefix of web links.
const webRoot = "https://threatconnect.example"

func indicatorRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/indicators", handle: (*call).listIndicators},
		{method: "GET", pattern: "/v2/indicators/{type}", handle: with((*call).indicatorType, (*call).indicators)},
		{method: "POST", pattern: "/v2/indicators/{type}", handle: with((*call).indicatorType, withBody((*call).createIndicator))},
		{method: "GET", pattern: "/v2/indicators/{type}/{indicator}", handle: with((*call).indicator, (*call).getIndicator)},
		{method: "PUT", pattern: "/v2/indicators/{type}/{indicator}", handle: with((*call).indicator, withBody((*call).updateIndicator))},
		{method: "DELETE", pattern: "/v2/indicators/{type}/{indicator}", handle: with((*call).indicator, (*call).deleteIndicator)},
	}
}

// indicatorType returns the type in the path.
func (c *call) indicatorType() *indicatorType { return c.typeByBranch(c.params.get("type")) }

// indicator returns the indicator in the path, by type and value.
func (c *call) indicator() *indicator { return c.indicatorAt("type", "indicator") }

func (c *call) indicatorAt(branch, value string) *indicator {
	return c.indicatorOf(c.typeByBranch(c.params.get(branch)), c.params.get(value))
}

// indicatorOf returns the indicator with a type and value in the call's owner.
func (c *call) indicatorOf(t *indicatorType, value string) *indicator {
	if t == nil {
		return nil
	}
	v, ok := t.readSegment(value)
	if !ok {
		return nil
	}
	return c.owner.find(t, t.key(v))
}

// indicatorOfType returns a finder of the indicator of a fixed type whose value is in the path.
func indicatorOfType(name string) func(*call) *indicator {
	return func(c *call) *indicator { return c.indicatorOf(c.typeByName(name), c.params.get("indicator")) }
}

func (c *call) listIndicators() *answer { return c.indicators(nil) }

// indicators lists the indicators of type t, or of all types if t is nil.
func (c *call) indicators(t *indicatorType) *answer {
	want, bad := c.filters(indicatorFilters(t))
	if bad != nil {
		return bad
	}
	anyStatus := want.uses("active")
	since := int64(0)
	if c.query.Has("modifiedSince") && t == nil {
		at, ok := parseDate(c.query.Get("modifiedSince"))
		if !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		since = at.Unix()
	}
	with := c.includes()
	key := "indicator"
	if t != nil {
		key = t.Entity
	}
	all := where(c.owner.indicators, func(i *indicator) bool {
		return !i.has(flagRemoved) && (t == nil || i.typ == t) && i.modified >= since && (anyStatus || !i.has(flagInactive)) && want.match(i.property)
	})
	return pageOf(c, key, all, func(i *indicator, w *jsonWriter) {
		i.write(w, indicatorShape{list: true, generic: t == nil, read: true, with: with})
	})
}

// indicatorShape selects the members of an indicator in a response.
type indicatorShape struct {
	list    bool // in a list: with the owner's name instead of the owner
	generic bool // with type and summary instead of the typed fields
	read    bool // in a GET of one indicator, which also includes the analytics
	with    include
}

func (i *indicator) write(w *jsonWriter, s indicatorShape) {
	w.id("id", i.id)
	i.owner.writeTo(w, s.list)
	if s.generic || i.typ.custom {
		w.str("type", i.typ.Name)
	}
	w.date("dateAdded", i.added)
	w.date("lastModified", i.modified)
	if i.has(flagRated) {
		w.float("rating", i.score())
	}
	if i.has(flagConfident) {
		w.number("confidence", strconv.AppendInt(nil, int64(i.confidence), 10))
	}
	if s.read {
		i.writeAssessment(w)
	}
	w.str("webLink", i.webLink())
	w.some("source", i.more.displayed("Source"))
	w.some("description", i.more.displayed("Description"))
	if s.with&withAdditional != 0 {
		i.writeAdditional(w)
	}
	i.more.write(w, s.with)
	if s.generic {
		w.str("summary", i.value)
		return
	}
	parts := i.typ.split(i.value)
	for n, f := range i.typ.Fields {
		w.some(f, parts[n])
	}
	switch i.typ.Name {
	case "Host":
		w.stringBool("dnsActive", i.has(flagDNS))
		w.stringBool("whoisActive", i.has(flagWhois))
	case "File":
		if i.rest != nil && i.rest.size > 0 {
			w.int("size", i.rest.size)
		}
	}
}

// writeTo writes the owner as a name in lists and as an object elsewhere.
func (o *owner) writeTo(w *jsonWriter, list bool) {
	if list && w.odd&OddityOwnerObjectInLists == 0 {
		w.str("ownerName", o.Name)
		return
	}
	w.object("owner", o.write)
}

func (i *indicator) assessment() ThreatAssess {
	if a := i.extra().assessed; a != nil {
		return *a
	}
	a := ThreatAssess{Rating: 3, Confidence: 50}
	if i.has(flagRated) {
		a.Rating = i.score()
	}
	if i.has(flagConfident) {
		a.Confidence = float64(i.confidence)
	}
	a.Score = int(a.Rating*150 + a.Confidence*2.5)
	return a
}

func (i *indicator) writeAssessment(w *jsonWriter) {
	a := i.assessment()
	w.float("threatAssessRating", a.Rating)
	w.float("threatAssessConfidence", a.Confidence)
	w.int("threatAssessScore", int64(a.Score))
	if i.extra().assessed != nil {
		if a.CALScore > 0 {
			w.int("calScore", int64(a.CALScore))
		}
		w.int("calIndicatorStatus", int64(a.CALStatus))
	}
}

// writeAdditional writes the members of includeAdditional. It omits events that never happened.
func (i *indicator) writeAdditional(w *jsonWriter) {
	observed, last := i.observed()
	w.int("observationCount", int64(observed))
	if observed > 0 {
		w.date("lastObserved", last)
	}
	reports := i.extra().falsePositives
	w.int("falsePositiveCount", int64(len(reports)))
	if n := len(reports); n > 0 {
		w.date("falsePositiveLastReported", reports[n-1].at)
	}
	w.bool("privateFlag", i.has(flagPrivate))
	w.bool("active", !i.has(flagInactive))
	w.bool("activeLocked", i.has(flagActiveLocked))
	w.bool("communityOrSource", i.owner.Type != "Organization")
	if i.rest != nil {
		i.rest.dates.write(w)
	}
	w.texts("additionalOwners", nil)
}

func (i *indicator) webLink() string {
	value := i.value
	if i.typ.Name == "File" {
		value = i.typ.key(value)
	}
	entity := strings.ToLower(i.typ.Entity)
	if i.typ.custom {
		entity, value = "customIndicator", strconv.FormatInt(i.id, 10)
		return webRoot + "/auth/indicators/details/customIndicator.xhtml?id=" + value + "&owner=" + url.QueryEscape(i.owner.Name)
	}
	return webRoot + "/auth/indicators/details/" + entity + ".xhtml?" + entity + "=" + url.QueryEscape(value) +
		"&owner=" + url.QueryEscape(i.owner.Name)
}

func (c *call) getIndicator(i *indicator) *answer {
	return c.oneIndicator(http.StatusOK, i, indicatorShape{read: true, with: c.includes()})
}

func (c *call) oneIndicator(status int, i *indicator, s indicatorShape) *answer {
	return c.one(status, i.typ.Entity, func(w *jsonWriter) { i.write(w, s) })
}

func (c *call) deleteIndicator(i *indicator) *answer {
	i.owner.drop(i, c.seconds())
	return success(http.StatusOK)
}

// property returns the value of a filter field.
func (i *indicator) property(name string) any {
	switch name {
	case "active":
		return !i.has(flagInactive)
	case "summary":
		return i.value
	case "dateAdded":
		return time.Unix(i.added, 0)
	case "rating":
		if !i.has(flagRated) {
			return nil
		}
		return i.score()
	case "confidence":
		if !i.has(flagConfident) {
			return nil
		}
		return float64(i.confidence)
	case "threatAssessScore":
		return float64(i.assessment().Score)
	case "threatAssessRating":
		return i.assessment().Rating
	case "threatAssessConfidence":
		return i.assessment().Confidence
	case "falsePositive":
		return float64(len(i.extra().falsePositives))
	case "whoisActive":
		return i.has(flagWhois)
	case "dnsActive":
		return i.has(flagDNS)
	}
	if v, ok := i.extra().location[name]; ok {
		if name == "asn" {
			n, _ := strconv.ParseFloat(v, 64)
			return n
		}
		return v
	}
	return nil
}
