package otel

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// scope is the name of the instrumentation.
const scope = "github.com/threatconnect-go/threatconnect/otel"

// Option configures [NewObserver] and [OnEvent].
type Option func(*config) error

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
}

// WithTracerProvider sets the provider of spans. The default is the global one. Nil is an error.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("otel: tracer provider is nil; leave the option out to use the global one")
		}
		c.tracers = p
		return nil
	}
}

// WithMeterProvider sets the provider of metrics. The default is the global one. Nil is an error.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("otel: meter provider is nil; leave the option out to use the global one")
		}
		c.meters = p
		return nil
	}
}

func newConfig(opts []Option) (*config, error) {
	c := &config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, o := range opts {
		if err := o(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}
