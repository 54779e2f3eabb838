package otel

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/threatconnect-go/threatconnect"
)

// The bounds of histograms, in seconds. Those of requests are the ones of the semantic conventions.
var (
	requestBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	callBounds    = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	jobBounds     = []float64{0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200}
)

func (c *config) meter() metric.Meter {
	return c.meters.Meter(scope, metric.WithInstrumentationVersion(threatconnect.Version), metric.WithSchemaURL(semconv.SchemaURL))
}

// instruments creates instruments and collects the errors.
type instruments struct {
	meter metric.Meter
	err   error
}

func (i *instruments) seconds(name, description string, bounds ...float64) metric.Float64Histogram {
	h, err := i.meter.Float64Histogram(name, metric.WithDescription(description), metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(bounds...))
	i.err = errors.Join(i.err, err)
	return h
}

func (i *instruments) count(name, description, unit string) metric.Int64Counter {
	n, err := i.meter.Int64Counter(name, metric.WithDescription(description), metric.WithUnit(unit))
	i.err = errors.Join(i.err, err)
	return n
}
