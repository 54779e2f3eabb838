package threatconnecttest

import (
	"net/http"
	"slices"
	"time"
)

func ownerRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/owners", handle: (*call).listOwners},
		{method: "GET", pattern: "/v2/owners/{id}", handle: with((*call).ownerOfPath, (*call).oneOwner)},
		{method: "GET", pattern: "/v2/owners/metrics", handle: (*call).listMetrics},
		{method: "GET", pattern: "/v2/owners/{id}/metrics", handle: with((*call).ownerOfPath, (*call).listMetricsOfOwner)},
		{method: "GET", pattern: "/v2/owners/mine", handle: (*call).getOwnOwner},
		{method: "GET", pattern: "/v2/owners/mine/members", handle: (*call).listMembers},
		{method: "GET", pattern: "/v2/whoami", handle: (*call).whoAmI},
	}
}

func (o *owner) write(w *jsonWriter) {
	w.int("id", o.ID)
	w.str("name", o.Name)
	w.str("type", o.Type)
}

func (c *call) listOwners() *answer {
	return pageOf(c, "owner", slices.Values(c.owners), (*owner).write)
}

func (c *call) ownerOfPath() *owner { return c.ownerByID(c.id("id")) }

func (c *call) getOwnOwner() *answer { return c.oneOwner(c.owners[0]) }

// oneOwner responds with a single owner, which still comes with a count.
func (c *call) oneOwner(o *owner) *answer {
	return c.data(http.StatusOK, func(w *jsonWriter) {
		if !c.odd(OddityMissingResultCount) {
			w.int("resultCount", 1)
		}
		w.object("owner", o.write)
	})
}

// listMembers responds in one of two shapes: for anonymous organizations, without an envelope.
func (c *call) listMembers() *answer {
	o := c.owners[0]
	if !o.Anonymous {
		return uncounted(c, "user", slices.Values(o.Members), User.write)
	}
	w := c.writer()
	w.open()
	w.bool("anonymous", true)
	w.str("status", "Success")
	w.int("resultCount", int64(len(o.Members)))
	writeAll(w, "members", o.Members, func(u User, w *jsonWriter) { w.str("pseudonym", u.Pseudonym) })
	w.close()
	return jsonAnswer(http.StatusOK, w.b)
}

func (u User) write(w *jsonWriter) {
	w.str("userName", u.UserName)
	w.str("firstName", u.FirstName)
	w.str("lastName", u.LastName)
}

func (c *call) whoAmI() *answer {
	me := User{UserName: c.accessID, Role: "Api User"}
	if m := c.owners[0].Members; len(m) > 0 {
		me = m[0]
	}
	return c.one(http.StatusOK, "user", func(w *jsonWriter) {
		me.write(w)
		w.str("pseudonym", me.Pseudonym)
		w.str("role", me.Role)
	})
}

const (
	metricDaysOfOne = 30
	metricDaysOfAll = 15
)

func (c *call) listMetricsOfOwner(o *owner) *answer {
	return c.metrics(metricDaysOfOne, false, o)
}

func (c *call) listMetrics() *answer { return c.metrics(metricDaysOfAll, true, c.owners...) }

// metrics responds with one element per day and owner, newest day first.
func (c *call) metrics(days int, paged bool, owners ...*owner) *answer {
	if !paged {
		c.query.Del("resultStart")
		c.query.Del("resultLimit")
	}
	today := c.now.UTC().Truncate(24 * time.Hour)
	type ownersDay struct {
		owner *owner
		day   time.Time
	}
	var all []ownersDay
	for _, o := range owners {
		for d := range days {
			all = append(all, ownersDay{o, today.AddDate(0, 0, -d)})
		}
	}
	return uncounted(c, "ownerMetric", slices.Values(all), func(e ownersDay, w *jsonWriter) {
		e.owner.measure(e.day.AddDate(0, 0, 1)).write(w, e.day)
	})
}

// ownerMetric contains the numbers of an owner at the end of a day.
type ownerMetric struct {
	indicators, groups, observed         map[string]int // by type
	indicatorAttributes, groupAttributes int
	rating, confidence                   float64
	rated, confident                     int
	observations, falsePositives         int
	tags                                 int
}

func (o *owner) measure(until time.Time) ownerMetric {
	m := ownerMetric{indicators: map[string]int{}, groups: map[string]int{}, observed: map[string]int{}, tags: len(o.tags)}
	for _, i := range o.indicators {
		if i.has(flagRemoved) || i.added >= until.Unix() {
			continue
		}
		m.indicators[i.typ.Name]++
		if i.has(flagRated) {
			m.rating += i.score()
			m.rated++
		}
		if i.has(flagConfident) {
			m.confidence += float64(i.confidence)
			m.confident++
		}
		if i.more != nil {
			m.indicatorAttributes += len(i.more.attributes)
		}
		m.falsePositives += len(i.extra().falsePositives)
		n, _ := i.observed()
		m.observations += n
		if n > 0 {
			m.observed[i.typ.Name]++
		}
	}
	for _, g := range o.groups {
		if g.added < until.Unix() {
			m.groups[g.typ.name]++
			m.groupAttributes += len(g.meta.attributes)
		}
	}
	return m
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func mean(total float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(int(total/float64(n)*100)) / 100
}

func (m ownerMetric) write(w *jsonWriter, day time.Time) {
	w.str("metricDate", day.Format("2006-01-02"))
	for _, e := range []struct {
		name string
		n    int
	}{
		{"totalIndicator", sum(m.indicators)}, {"totalHost", m.indicators["Host"]}, {"totalAddress", m.indicators["Address"]},
		{"totalEmailAddress", m.indicators["EmailAddress"]}, {"totalFile", m.indicators["File"]}, {"totalUrl", m.indicators["URL"]},
		{"totalGroup", sum(m.groups)}, {"totalThreat", m.groups["Threat"]}, {"totalIncident", m.groups["Incident"]},
		{"totalEmail", m.groups["Email"]}, {"totalCampaign", m.groups["Campaign"]}, {"totalAdversary", m.groups["Adversary"]},
		{"totalSignature", m.groups["Signature"]}, {"totalTask", 0}, {"totalDocument", m.groups["Document"]},
		{"totalTag", m.tags}, {"totalTrack", 0}, {"totalResult", 0},
		{"totalIndicatorAttribute", m.indicatorAttributes}, {"totalGroupAttribute", m.groupAttributes},
	} {
		w.int(e.name, int64(e.n))
	}
	w.float("averageIndicatorRating", mean(m.rating, m.rated))
	w.float("averageIndicatorConfidence", mean(m.confidence, m.confident))
	for _, e := range []struct {
		name string
		n    int
	}{
		{"totalEnrichedIndicator", 0}, {"totalGroupIndicator", 0}, {"totalObservationDaily", m.observations},
		{"totalObservationIndicator", sum(m.observed)}, {"totalObservationAddress", m.observed["Address"]},
		{"totalObservationEmailAddress", m.observed["EmailAddress"]}, {"totalObservationFile", m.observed["File"]},
		{"totalObservationHost", m.observed["Host"]}, {"totalObservationUrl", m.observed["URL"]},
		{"totalFalsePositiveDaily", m.falsePositives}, {"totalFalsePositive", m.falsePositives},
	} {
		w.int(e.name, int64(e.n))
	}
}
