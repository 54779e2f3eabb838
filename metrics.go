package threatconnect

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// MetricDataType is the function that combines the values of an interval.
type MetricDataType string

// The data types of metrics.
const (
	MetricAverage MetricDataType = "Average" // the mean, weighted if the points have weights
	MetricCount   MetricDataType = "Count"   // the number of values
	MetricFirst   MetricDataType = "First"
	MetricLast    MetricDataType = "Last"
	MetricMax     MetricDataType = "Max"
	MetricMin     MetricDataType = "Min"
	MetricSum     MetricDataType = "Sum"
)

var metricDataTypes = []MetricDataType{MetricAverage, MetricCount, MetricFirst, MetricLast, MetricMax, MetricMin, MetricSum}

// MetricInterval is the time over which a metric combines values.
type MetricInterval string

// The intervals of metrics.
const (
	MetricHourly  MetricInterval = "Hourly"
	MetricDaily   MetricInterval = "Daily"
	MetricWeekly  MetricInterval = "Weekly"
	MetricMonthly MetricInterval = "Monthly"
	MetricYearly  MetricInterval = "Yearly"
)

var metricIntervals = []MetricInterval{MetricHourly, MetricDaily, MetricWeekly, MetricMonthly, MetricYearly}

// Metric is a number over time that an integration stores on the platform for dashboards.
type Metric struct {
	ID          int64          `json:"id,omitzero"`          // read only
	Name        string         `json:"name"`                 // required and unique; 1 to 45 characters; the platform reads a name of digits as an ID
	DataType    MetricDataType `json:"dataType"`             // required
	Interval    MetricInterval `json:"interval"`             // required
	Keyed       bool           `json:"keyedValues"`          // whether each value has a key
	Description string         `json:"description,omitzero"` // up to 500 characters

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// MetricPoint is one value of a metric.
type MetricPoint struct {
	Value  *int64    `json:"value,omitzero"`  // may be nil only for metrics of the type MetricCount
	Key    string    `json:"name,omitzero"`   // required for keyed metrics; empty for others
	Date   time.Time `json:"date,omitzero"`   // zero means now
	Weight int       `json:"weight,omitzero"` // weight in an average; 0 means the platform's default
}

// MetricReading is the value of a metric in an interval.
type MetricReading struct {
	Value float64   `json:"value"`
	Date  time.Time `json:"date"` // the hour of the value
}

const (
	maxMetricName        = 45
	maxMetricDescription = 500
)

// MetricsService manages the custom metrics of the API user's organization, which dashboards show. Create a metric once,
// then add a value with Add after each run. The client's owner is ignored. A metric cannot be changed: delete it and
// create another.
//
// The service is safe for concurrent use.
type MetricsService struct{ service }

// List returns one page of the metrics. It costs one request.
//
//	API: GET /v2/customMetrics
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) List(ctx context.Context, opts *ListOptions) (*Page[Metric], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over the metrics and requests a page only when the loop reaches it. If a
// request fails, the iterator yields the error and stops.
//
//	API: GET /v2/customMetrics
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) All(ctx context.Context, opts *ListOptions) iter.Seq2[Metric, error] {
	return s.lister(opts).all(ctx)
}

func (s MetricsService) lister(opts *ListOptions) lister[Metric] {
	return lister[Metric]{client: s.c, options: copyOf(opts), route: at("v2", "customMetrics"), keys: []string{"customMetricConfig"}, read: readMetric}
}

// Get returns one metric by its name. If it does not exist, the error matches [ErrNotFound]. It costs one
// request.
//
//	API: GET /v2/customMetrics/{metricId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) Get(ctx context.Context, name string) (Metric, error) {
	r, err := metricNamed(name)
	if err != nil {
		return Metric{}, err
	}
	return s.get(ctx, r)
}

// GetByID returns one metric by its ID; see Get.
//
//	API: GET /v2/customMetrics/{metricId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) GetByID(ctx context.Context, metricID int64) (Metric, error) {
	if metricID <= 0 {
		return Metric{}, &ValidationError{Field: "metric id", Rule: "must be a positive number"}
	}
	return s.get(ctx, at("v2", "customMetrics", id(metricID)))
}

func (s MetricsService) get(ctx context.Context, r route) (Metric, error) {
	return one(ctx, s.c, &call{method: http.MethodGet, route: r}, []string{"customMetricConfig"}, readMetric)
}

// Create creates a metric and returns it with its ID. It costs one request and is not retried after an unknown outcome;
// use Get to find out whether the metric exists.
//
//	API: POST /v2/customMetrics
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) Create(ctx context.Context, metric Metric) (Metric, error) {
	name, err := trimmedName("metric name", metric.Name, maxMetricName)
	if err != nil {
		return Metric{}, err
	}
	switch {
	case metric.DataType == "":
		return Metric{}, &ValidationError{Field: "metric data type", Rule: "is missing", Fix: "use one of the constants, as MetricSum"}
	case metric.Interval == "":
		return Metric{}, &ValidationError{Field: "metric interval", Rule: "is missing", Fix: "use one of the constants, as MetricDaily"}
	case utf8.RuneCountInString(metric.Description) > maxMetricDescription:
		return Metric{}, &ValidationError{Field: "metric description", Rule: "is longer than 500 characters", Fix: "shorten it"}
	}
	if err := firstError(oneOf("metric data type", metric.DataType, metricDataTypes), oneOf("metric interval", metric.Interval, metricIntervals)); err != nil {
		return Metric{}, err
	}
	var w wire.Writer
	w.BeginObject()
	w.Key("name")
	w.Text(name)
	w.Key("dataType")
	w.Text(string(metric.DataType))
	w.Key("interval")
	w.Text(string(metric.Interval))
	w.Key("keyedValues")
	w.Bool(metric.Keyed)
	text(&w, "description", metric.Description)
	w.EndObject()
	if err := w.Err(); err != nil {
		return Metric{}, &ValidationError{Field: "metric description", Rule: err.Error()}
	}
	return one(ctx, s.c, &call{method: http.MethodPost, route: at("v2", "customMetrics"), body: jsonBody(w.Buf)}, []string{"customMetricConfig"}, readMetric)
}

// Delete deletes a metric and all of its values by the metric's name. It costs one request.
//
//	API: DELETE /v2/customMetrics/{metricId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) Delete(ctx context.Context, name string) error {
	r, err := metricNamed(name)
	if err != nil {
		return err
	}
	return s.c.remove(ctx, r, "")
}

// Add adds a value to a metric by the metric's name. It costs one request and is not retried after an unknown outcome,
// because a retry could count the value twice.
//
//	API: POST /v2/customMetrics/{metricId}/data
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) Add(ctx context.Context, name string, point MetricPoint) error {
	call, err := point.call(name)
	if err != nil {
		return err
	}
	_, err = s.c.exchange(ctx, call, nil, nil)
	return err
}

// AddAndRead adds a value and returns the new value of the metric in its interval; see Add.
//
//	API: POST /v2/customMetrics/{metricId}/data
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/custom_metrics/custom_metrics.html
func (s MetricsService) AddAndRead(ctx context.Context, name string, point MetricPoint) (MetricReading, error) {
	call, err := point.call(name)
	if err != nil {
		return MetricReading{}, err
	}
	call.query = url.Values{"returnValue": {"true"}}
	var m MetricReading
	err = s.c.do(ctx, call, func(resp *http.Response) error {
		buf := s.c.buffer()
		defer s.c.release(buf)
		if err := s.c.readBody(resp, buf); err != nil {
			return err
		}
		// The response can be the bare reading, so read its two members as items.
		env, err := readEnvelope(buf.Bytes(), s.c.valueLimit(), []string{"value"}, func(r *wire.Reader) { m.Value = r.Float64() })
		if err == nil {
			_, err = readEnvelope(buf.Bytes(), s.c.valueLimit(), []string{"date"}, func(r *wire.Reader) { m.Date = r.Time() })
		}
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrBadResponse, err)
		case !env.success():
			return newAPIError(call, resp, buf.Bytes())
		case !env.found:
			return fmt.Errorf("%w: it holds no value", ErrBadResponse)
		}
		return nil
	})
	if err != nil {
		return MetricReading{}, err
	}
	return m, nil
}

// metricNamed returns the route of the metric with a name.
func metricNamed(name string) (route, error) {
	name, err := trimmedName("metric name", name, maxMetricName)
	if err != nil {
		return route{}, err
	}
	return at("v2", "customMetrics", value(name)), nil
}

// call returns the call that adds the point to a metric.
func (p *MetricPoint) call(name string) (*call, error) {
	r, err := metricNamed(name)
	if err != nil {
		return nil, err
	}
	if p.Weight < 0 {
		return nil, &ValidationError{Field: "metric weight", Rule: "must be 1 or more, or 0 for none"}
	}
	key := p.Key
	if key != "" {
		if key, err = trimmedName("metric key", key, 0); err != nil {
			return nil, err
		}
	}
	var w wire.Writer
	w.BeginObject()
	text(&w, "name", key)
	if p.Value != nil {
		w.Key("value")
		w.Int64(*p.Value)
	}
	when(&w, "date", p.Date)
	if p.Weight > 0 {
		w.Key("weight")
		w.Int64(int64(p.Weight))
	}
	w.EndObject()
	if err := w.Err(); err != nil {
		return nil, &ValidationError{Field: "metric date", Rule: "cannot be written: " + err.Error()}
	}
	return &call{method: http.MethodPost, route: r.under("data"), body: jsonBody(w.Buf)}, nil
}

func readMetric(r *wire.Reader) Metric {
	var m Metric
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "id":
			m.ID = r.ID()
		case "name":
			m.Name = r.Text()
		case "dataType":
			m.DataType = MetricDataType(r.Text())
		case "interval":
			m.Interval = MetricInterval(r.Text())
		case "keyedValues":
			m.Keyed = r.Bool()
		case "description":
			m.Description = r.Text()
		default:
			keepExtra(&m.Extra, r)
		}
	}
	return m
}
