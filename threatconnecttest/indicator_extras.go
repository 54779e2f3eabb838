package threatconnecttest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// observation is a number of sightings of an indicator at a time.
type observation struct {
	user  string
	count int
	at    int64
}

// falsePositive is a report of an indicator as a false positive.
type falsePositive struct {
	user string
	at   int64
}

type occurrence struct {
	id int64
	Occurrence
}

func indicatorExtraRoutes() []route {
	routes := []route{
		{method: "GET", pattern: "/v2/indicators/deleted", handle: (*call).listDeleted},
		{method: "GET", pattern: "/v2/indicators/{custom Indicator type}/deleted", handle: (*call).listDeleted,
			when: func(p params) bool { return p.get("custom Indicator type") != "bulk" }},
		{method: "GET", pattern: "/v2/indicators/observed", handle: (*call).listObserved},
		{method: "GET", pattern: "/v2/indicators/{type}/{indicator}/owners", about: instance, handle: with((*call).indicatorType, (*call).listOwnersOfIndicator)},
		{method: "GET", pattern: "/v2/indicators/{type}/{indicator}/observations", handle: with((*call).indicator, (*call).listObservations)},
		{method: "POST", pattern: "/v2/indicators/{type}/{indicator}/observations", handle: with((*call).indicator, withBody((*call).addObservation))},
		{method: "GET", pattern: "/v2/indicators/{type}/{indicator}/observationCount", handle: with((*call).indicator, (*call).getObservationCount)},
		{method: "POST", pattern: "/v2/indicators/{type}/{indicator}/falsePositive", handle: with((*call).indicator, (*call).reportFalsePositive)},
	}
	for _, branch := range []string{"hosts", "addresses", "urls", "files", "emailAddresses"} {
		routes = append(routes, route{method: "GET", pattern: "/v2/indicators/" + branch + "/deleted", handle: (*call).listDeleted})
	}
	return routes
}

// listDeleted lists the deleted indicators of the type in the path, or of all types.
func (c *call) listDeleted() *answer {
	t := c.typeOfDeleted()
	if t == nil && c.route.pattern != "/v2/indicators/deleted" {
		return missing()
	}
	since := int64(0)
	if v := c.query.Get("deletedSince"); v != "" {
		at, ok := parseDate(v)
		if !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		since = at.Unix()
	}
	all := where(c.owner.deleted, func(d deletedIndicator) bool { return (t == nil || d.typ == t) && d.at >= since })
	return pageOf(c, "indicator", all, func(d deletedIndicator, w *jsonWriter) {
		w.str("ownerName", c.owner.Name)
		w.str("type", d.typ.Name)
		w.date("dateAdded", d.added)
		w.str("summary", d.value)
	})
}

func (c *call) typeOfDeleted() *indicatorType {
	branch := c.params.get("custom Indicator type")
	if branch == "" && len(c.route.segments) == 4 {
		branch = c.route.segments[2]
	}
	return c.typeByBranch(branch)
}

// everywhere returns the indicator in the path in every owner that has it.
func (c *call) everywhere(t *indicatorType, value string) []*indicator {
	var all []*indicator
	for _, o := range c.owners {
		if i := o.find(t, t.key(value)); i != nil {
			all = append(all, i)
		}
	}
	return all
}

func (c *call) listOwnersOfIndicator(t *indicatorType) *answer {
	value, ok := t.readSegment(c.params.get("indicator"))
	if !ok {
		return missing()
	}
	all := c.everywhere(t, value)
	if len(all) == 0 {
		return missing()
	}
	with := c.includes()
	return uncounted(c, "owner", slices.Values(all), func(i *indicator, w *jsonWriter) {
		i.owner.write(w)
		if with&withAdditional != 0 {
			w.str("itemId", strconv.FormatInt(i.id, 10))
		}
	})
}

// observed returns the total number of observations and the time of the last one.
func (i *indicator) observed() (count int, last int64) {
	for _, o := range i.extra().observations {
		count += o.count
		last = max(last, o.at)
	}
	return count, last
}

func (c *call) listObservations(i *indicator) *answer {
	return pageOf(c, "observation", slices.Values(i.extra().observations), func(o observation, w *jsonWriter) {
		w.int("count", int64(o.count))
		w.observed("dateObserved", o.at)
	})
}

func (c *call) addObservation(i *indicator, f fields) *answer {
	s, _ := f.text("count")
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return fail(http.StatusBadRequest, "The count for this Observation is invalid, please enter a count between 1-2147483647")
	}
	at := c.now
	if s, ok := f.text("dateObserved"); ok {
		if at, ok = parseDate(s); !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
	}
	d := i.details()
	d.observations = append(d.observations, observation{c.accessID, n, at.Unix()})
	return success(http.StatusOK)
}

func (c *call) getObservationCount(i *indicator) *answer {
	all, last := 0, int64(0)
	for _, same := range c.everywhere(i.typ, i.value) {
		n, at := same.observed()
		all, last = all+n, max(last, at)
	}
	own, ownLast := i.observed()
	return c.one(http.StatusOK, "observationCount", func(w *jsonWriter) {
		w.int("count", int64(all))
		if all > 0 {
			w.observed("lastObserved", last)
		}
		w.int("yourCount", int64(own))
		if own > 0 {
			w.observed("yourLastObserved", ownLast)
		}
	})
}

// reportFalsePositive counts at most one report per user, indicator and day.
func (c *call) reportFalsePositive(i *indicator) *answer {
	d := i.details()
	const day = 24 * 60 * 60
	n := len(d.falsePositives)
	if n == 0 || d.falsePositives[n-1].at/day != c.seconds()/day {
		d.falsePositives = append(d.falsePositives, falsePositive{c.accessID, c.seconds()})
		n++
	}
	return c.one(http.StatusOK, "falsePositive", func(w *jsonWriter) {
		w.int("count", int64(n))
		w.date("lastReported", d.falsePositives[n-1].at)
	})
}

// listObserved lists the indicators observed since the day before the given date, or since
// yesterday.
func (c *call) listObserved() *answer {
	from := c.now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	until := c.now
	if v := c.query.Get("dateObserved"); v != "" {
		day, err := time.Parse("2006-01-02", v)
		if err != nil {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		from, until = day, day.AddDate(0, 0, 1)
	}
	sightings := func(i *indicator) (n int, last int64) {
		for _, ob := range i.extra().observations {
			if ob.at >= from.Unix() && ob.at <= until.Unix() {
				n, last = n+ob.count, max(last, ob.at)
			}
		}
		return n, last
	}
	all := where(c.owner.indicators, func(i *indicator) bool {
		n, _ := sightings(i)
		return n > 0 && !i.has(flagRemoved)
	})
	return pageOf(c, "indicator", all, func(i *indicator, w *jsonWriter) {
		n, last := sightings(i)
		w.str("summary", i.value)
		w.int("observationCount", int64(n))
		w.date("lastObserved", last)
		writeAll(w, "userObservedList", []string{c.accessID}, func(user string, w *jsonWriter) {
			w.str("userName", user)
			w.date("userLastObservedDate", last)
			w.int("count", int64(n))
		})
	})
}
