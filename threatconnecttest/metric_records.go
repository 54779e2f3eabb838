package threatconnecttest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// MetricRecord is a custom metric as tests see and seed it.
type MetricRecord struct {
	ID          int64         `json:"id,omitzero"` // chosen by the server when 0
	Name        string        `json:"name,omitzero"`
	DataType    string        `json:"dataType,omitzero"` // Average, Count, First, Last, Max, Min or Sum
	Interval    string        `json:"interval,omitzero"` // Hourly, Daily, Weekly, Monthly or Yearly
	Description string        `json:"description,omitzero"`
	Keyed       bool          `json:"keyed,omitzero"` // whether its values have names
	Points      []MetricPoint `json:"points,omitzero"`
}

// MetricPoint is a value that was added to a metric.
type MetricPoint struct {
	Name   string    `json:"name,omitzero"` // of the value of a keyed metric
	Value  int64     `json:"value"`
	Weight int64     `json:"weight,omitzero"` // 1 when 0
	Date   time.Time `json:"date,omitzero"`   // the server's clock when zero; kept as the beginning of its interval
}

func (r *MetricRecord) title() string   { return r.Name }
func (r *MetricRecord) wantedID() int64 { return r.ID }

func (r *MetricRecord) seed(s *seeder) error {
	if err := s.checkID(r.ID); err != nil {
		return err
	}
	m, err := r.make(s)
	if err != nil {
		return err
	}
	*r = m.record()
	return nil
}

// make creates a metric with its points, as requests would. If the record is refused, nothing is left
// of it.
func (r *MetricRecord) make(s *seeder) (*metric, error) {
	switch {
	case !slices.Contains(metricDataTypes, r.DataType):
		return nil, refuse("DataType", "must be one of "+strings.Join(metricDataTypes, ", "))
	case !slices.Contains(metricIntervals, r.Interval):
		return nil, refuse("Interval", "must be one of "+strings.Join(metricIntervals, ", "))
	}
	if err := checkText("", reflect.ValueOf(r)); err != nil {
		return nil, err
	}
	body := map[string]any{"name": r.Name, "dataType": r.DataType, "interval": r.Interval, "keyedValues": r.Keyed}
	if r.Description != "" {
		body["description"] = r.Description
	}
	c, f := s.request(body)
	if a := c.createCustomMetric(f); a.message != "" {
		field := "Name"
		if strings.Contains(a.message, "description") {
			field = "Description"
		}
		return nil, refuse(field, a.message)
	}
	m := s.customMetrics[len(s.customMetrics)-1]
	if r.ID != 0 {
		m.id = r.ID
	}
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
		}
		c, f := s.request(body)
		if a := c.addToCustomMetric(m, f); a.message != "" {
			s.customMetrics = remove(s.customMetrics, m)
			return nil, refuse(fmt.Sprintf("Points[%d]", n), a.message)
		}
	}
	return m, nil
}

func (r *MetricRecord) metric(s *seeder) (*metric, error) {
	for _, m := range s.customMetrics {
		if m.id == r.ID || r.ID == 0 && m.name == r.Name {
			return m, nil
		}
	}
	return nil, refuse("Name", "there is no such metric")
}

func (r *MetricRecord) update(s *seeder) error {
	m, err := r.metric(s)
	if err != nil {
		return err
	}
	at := slices.Index(s.customMetrics, m)
	others := s.customMetrics
	s.customMetrics = slices.Delete(slices.Clone(others), at, at+1)
	made, err := r.make(s)
	s.customMetrics = others
	if err != nil {
		return err
	}
	id := m.id
	*m = *made
	m.id = id
	*r = m.record()
	return nil
}

func (r *MetricRecord) remove(s *seeder) error {
	m, err := r.metric(s)
	if err != nil {
		return err
	}
	s.customMetrics = remove(s.customMetrics, m)
	return nil
}

func (m *metric) record() MetricRecord {
	r := MetricRecord{ID: m.id, Name: m.name, DataType: m.dataType, Interval: m.interval, Description: m.description, Keyed: m.keyed}
	for _, p := range m.points {
		r.Points = append(r.Points, MetricPoint{p.key, int64(p.value), int64(p.weight), p.start})
	}
	return r
}

// Metrics returns the custom metrics in the order in which they came.
func (s *Server) Metrics() []MetricRecord {
	defer s.view()()
	var all []MetricRecord
	for _, m := range s.customMetrics {
		all = append(all, m.record())
	}
	return all
}
