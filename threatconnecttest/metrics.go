package threatconnecttest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// signals contains the data that integrations report about themselves.
type signals struct {
	customMetrics []*metric
	notifications []NotificationRecord
}

// metric is a custom metric of the API user's organization.
type metric struct {
	id                                    int64
	name, dataType, interval, description string
	keyed                                 bool
	points                                []point
}

// point is a value of a metric.
type point struct {
	key    string
	start  time.Time // start of its interval
	value  float64
	weight float64
}

var (
	metricDataTypes = []string{"Average", "Count", "First", "Last", "Max", "Min", "Sum"}
	metricIntervals = []string{"Hourly", "Daily", "Weekly", "Monthly", "Yearly"}
)

func metricRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/customMetrics", handle: (*call).listCustomMetrics},
		{method: "POST", pattern: "/v2/customMetrics", handle: fromBody((*call).createCustomMetric)},
		{method: "GET", pattern: "/v2/customMetrics/{metricId}", handle: with((*call).customMetric, (*call).getCustomMetric)},
		{method: "DELETE", pattern: "/v2/customMetrics/{metricId}", handle: with((*call).customMetric, (*call).deleteCustomMetric)},
		{method: "POST", pattern: "/v2/customMetrics/{metricId}/data", handle: with((*call).customMetric, withBody((*call).addToCustomMetric))},
	}
}

// customMetric returns the metric in the path, by name or ID.
func (c *call) customMetric() *metric {
	for _, m := range c.customMetrics {
		if m.name == c.params.get("metricId") {
			return m
		}
	}
	for _, m := range c.customMetrics {
		if m.id == c.id("metricId") {
			return m
		}
	}
	return nil
}

func (m *metric) write(w *jsonWriter) {
	w.id("id", m.id)
	w.str("name", m.name)
	w.str("dataType", m.dataType)
	w.str("interval", m.interval)
	w.bool("keyedValues", m.keyed)
	w.some("description", m.description)
}

func (c *call) listCustomMetrics() *answer {
	return pageOf(c, "customMetricConfig", slices.Values(c.customMetrics), (*metric).write)
}

func (c *call) getCustomMetric(m *metric) *answer {
	return c.one(http.StatusOK, "customMetricConfig", m.write)
}

func (c *call) createCustomMetric(f fields) *answer {
	m := &metric{}
	if bad := m.read(f); bad != nil {
		return bad
	}
	if slices.ContainsFunc(c.customMetrics, func(have *metric) bool { return have.name == m.name }) {
		return fail(http.StatusBadRequest, msgMetricExists)
	}
	m.id = c.nextID()
	c.customMetrics = append(c.customMetrics, m)
	return c.one(http.StatusCreated, "customMetricConfig", m.write)
}

const msgMetricExists = "A custom metric with this name already exists"

// read parses the members of a create.
func (m *metric) read(f fields) *answer {
	m.name, _ = f.text("name")
	m.dataType, _ = f.text("dataType")
	m.interval, _ = f.text("interval")
	m.description, _ = f.text("description")
	keyed, ok := f.flag("keyedValues")
	m.keyed = keyed
	n := utf8.RuneCountInString
	switch {
	case n(m.name) < 1 || n(m.name) > 45:
		return fail(http.StatusBadRequest, "The name for this custom metric is invalid, please enter a name between 1-45 characters in length")
	case f.has("description") && (n(m.description) < 1 || n(m.description) > 500):
		return fail(http.StatusBadRequest, "The description for this custom metric is invalid, please enter a description between 1-500 characters in length")
	case !slices.Contains(metricDataTypes, m.dataType), !slices.Contains(metricIntervals, m.interval), f.has("keyedValues") && !ok:
		return fail(http.StatusBadRequest, msgMalformed)
	}
	return nil
}

func (c *call) deleteCustomMetric(m *metric) *answer {
	c.customMetrics = remove(c.customMetrics, m)
	return success(http.StatusOK)
}

// addToCustomMetric responds with an empty body, or with the bare reading if the request asks for
// it.
func (c *call) addToCustomMetric(m *metric, f fields) *answer {
	p := point{value: 1, weight: 1}
	at := c.now
	p.key, _ = f.text("name")
	if (p.key != "") != m.keyed {
		return fail(http.StatusBadRequest, "The name for this value is invalid: keyed metrics need one, others have none")
	}
	for name, to := range map[string]*float64{"value": &p.value, "weight": &p.weight} {
		s, ok := f.text(name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		*to = float64(n)
	}
	if !f.has("value") && m.dataType != "Count" {
		return fail(http.StatusBadRequest, "A value is required for this custom metric")
	}
	if s, ok := f.text("date"); ok {
		if at, ok = parseDate(s); !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
	}
	p.start = startOf(m.interval, at)
	m.points = append(m.points, p)
	if !c.flag("returnValue") {
		return &answer{status: http.StatusNoContent, header: http.Header{}}
	}
	w := c.writer()
	w.open()
	w.float("value", m.reading(p.key, p.start))
	w.date("date", p.start.Unix())
	w.close()
	return jsonAnswer(http.StatusOK, w.b)
}

// startOf returns the start of the interval that contains a time. Weeks start on Monday.
func startOf(interval string, at time.Time) time.Time {
	year, month, day := at.UTC().Date()
	switch interval {
	case "Hourly":
		return at.UTC().Truncate(time.Hour)
	case "Weekly":
		day -= (int(at.UTC().Weekday()) + 6) % 7
	case "Monthly":
		day = 1
	case "Yearly":
		month, day = time.January, 1
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// reading returns the value of a metric in an interval with at least one point.
func (m *metric) reading(key string, start time.Time) float64 {
	var values []float64
	var total, weighted, weight float64
	for _, p := range m.points {
		if p.key == key && p.start.Equal(start) {
			values = append(values, p.value)
			total += p.value
			weighted += p.value * p.weight
			weight += p.weight
		}
	}
	switch m.dataType {
	case "Average":
		if weight == 0 {
			return 0
		}
		return weighted / weight
	case "Count":
		return float64(len(values))
	case "First":
		return values[0]
	case "Last":
		return values[len(values)-1]
	case "Max":
		return slices.Max(values)
	case "Min":
		return slices.Min(values)
	}
	return total
}
