package threatconnecttest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MetricRecord is a custom metric for seeding and assertions.
type MetricRecord struct {
	ID          int64         `json:"id,omitzero"` // chosen by the server if 0
	Name        string        `json:"name,omitzero"`
	DataType    string        `json:"dataType,omitzero"` // Average, Count, First, Last, Max, Min or Sum
	Interval    string        `json:"interval,omitzero"` // Hourly, Daily, Weekly, Monthly or Yearly
	Description string        `json:"description,omitzero"`
	Keyed       bool          `json:"keyed,omitzero"` // whether its values have names
	Points      []MetricPoint `json:"points,omitzero"`
}

// MetricPoint is a value that was added to a metric.
type MetricPoint struct {
	Name   string    `json:"name,omitzero"` // name of the value, if the metric is keyed
	Value  int64     `json:"value"`
	Weight int64     `json:"weight,omitzero"` // 1 if 0
	Date   time.Time `json:"date,omitzero"`   // server time if zero; stored as the start of its interval
}

func (r *MetricRecord) title() string   { return r.Name }
func (r *MetricRecord) wantedID() int64 { return r.ID }

func (r *MetricRecord) seed(s *seeder) error {
	if err := s.checkID(r.ID); err != nil {
		return err
	}
	m := &metric{id: r.ID}
	if err := s.fillMetric(m, r, nil); err != nil {
		return err
	}
	if m.id == 0 {
		m.id = s.nextID()
	}
	s.customMetrics = append(s.customMetrics, m)
	*r = m.record()
	return nil
}

// fillMetric fills an empty metric from a record, as requests would. had is the previous metric.
func (s *seeder) fillMetric(m *metric, r *MetricRecord, had *metric) error {
	switch {
	case !slices.Contains(metricDataTypes, r.DataType):
		return refuse("DataType", "must be one of "+strings.Join(metricDataTypes, ", "))
	case !slices.Contains(metricIntervals, r.Interval):
		return refuse("Interval", "must be one of "+strings.Join(metricIntervals, ", "))
	case slices.ContainsFunc(s.customMetrics, func(other *metric) bool { return other != had && other.name == r.Name }):
		return refuse("Name", msgMetricExists)
	}
	body := map[string]any{"name": r.Name, "dataType": r.DataType, "interval": r.Interval, "keyedValues": r.Keyed}
	if r.Description != "" {
		body["description"] = r.Description
	}
	_, f := s.request(body)
	if bad := m.read(f); bad != nil {
		return platformSays(bad.message, "")
	}
	given := *r
	given.Points = slices.Clone(r.Points)
	for n, p := range r.Points {
		body := map[string]any{"value": p.Value}
		if p.Name != "" {
			body["name"] = p.Name
		}
		if p.Weight != 0 {
			body["weight"] = p.Weight
		}
		if !p.Date.IsZero() {
			body["date"] = formatDate(p.Date, 0)
			given.Points[n].Date = startOf(r.Interval, p.Date)
		}
		c, f := s.request(body)
		if a := c.addToCustomMetric(m, f); a.message != "" {
			return refuse(fmt.Sprintf("Points[%d]", n), a.message)
		}
	}
	return checkKept(given, m.record())
}

func (r *MetricRecord) metric(s *seeder) (*metric, error) {
	m := first(s.customMetrics, func(m *metric) bool { return m.id == r.ID || r.ID == 0 && m.name == r.Name })
	if m == nil {
		return nil, refuse("Name", "there is no such metric")
	}
	return m, nil
}

func (r *MetricRecord) update(s *seeder) error {
	m, err := r.metric(s)
	if err != nil {
		return err
	}
	made := &metric{id: m.id}
	if err := s.fillMetric(made, r, m); err != nil {
		return err
	}
	*m = *made
	*r = m.record()
	return nil
}

func (r *MetricRecord) remove(s *seeder) error {
	return removeFound(s, r.metric, func(m *metric) { s.customMetrics = remove(s.customMetrics, m) })
}

func (m *metric) record() MetricRecord {
	r := MetricRecord{ID: m.id, Name: m.name, DataType: m.dataType, Interval: m.interval, Description: m.description, Keyed: m.keyed}
	for _, p := range m.points {
		r.Points = append(r.Points, MetricPoint{p.key, int64(p.value), int64(p.weight), p.start})
	}
	return r
}

// Metrics returns the custom metrics in creation order.
func (s *Server) Metrics() []MetricRecord {
	defer s.view()()
	return recordsOf(slices.Values(s.customMetrics), (*metric).record)
}
