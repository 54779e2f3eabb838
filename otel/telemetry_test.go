package otel_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/threatconnect-go/threatconnect"
	tcotel "github.com/threatconnect-go/threatconnect/otel"
)

// telemetry collects the spans and metrics of a test.
type telemetry struct {
	t      *testing.T
	spans  *tracetest.InMemoryExporter
	reader *metric.ManualReader
	opts   []tcotel.Option
}

func newTelemetry(t *testing.T) *telemetry {
	t.Helper()
	c := &telemetry{t: t, spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	c.opts = []tcotel.Option{
		tcotel.WithTracerProvider(trace.NewTracerProvider(trace.WithSyncer(c.spans))),
		tcotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(c.reader))),
	}
	return c
}

func (c *telemetry) observer() threatconnect.Option {
	c.t.Helper()
	o, err := tcotel.NewObserver(c.opts...)
	require.NoError(c.t, err)
	return threatconnect.WithObserver(o)
}

func (c *telemetry) onEvent(next func(threatconnect.BatchEvent)) func(threatconnect.BatchEvent) {
	c.t.Helper()
	f, err := tcotel.OnEvent(next, c.opts...)
	require.NoError(c.t, err)
	return f
}

func (c *telemetry) metrics() metricdata.ResourceMetrics {
	c.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(c.t, c.reader.Collect(c.t.Context(), &all))
	return all
}

// points returns the value of each series of a metric by its attributes. For a histogram, it is the number of values.
func (c *telemetry) points(name string) map[string]int64 {
	c.t.Helper()
	points := map[string]int64{}
	for _, scope := range c.metrics().ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					points[text(p.Attributes.ToSlice())] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					points[text(p.Attributes.ToSlice())] = int64(p.Count)
				}
			default:
				require.Fail(c.t, "unknown kind of metric", "%T", data)
			}
		}
	}
	return points
}

// total returns the sum of the series of a metric.
func (c *telemetry) total(name string) (n int64) {
	c.t.Helper()
	for v := range maps.Values(c.points(name)) {
		n += v
	}
	return n
}

// exported returns all spans and metrics as formatted by %+v, and the metrics also in JSON.
func (c *telemetry) exported() string {
	c.t.Helper()
	spans, metrics := c.spans.GetSpans(), c.metrics()
	encoded, err := json.Marshal(metrics)
	require.NoError(c.t, err)
	return fmt.Sprintf("%+v\n%+v\n%s", spans, metrics, encoded)
}

// text returns attributes as "key=value key=value".
func text(attrs []attribute.KeyValue) (s string) {
	for i, a := range attrs {
		if i > 0 {
			s += " "
		}
		s += string(a.Key) + "=" + a.Value.String()
	}
	return s
}
