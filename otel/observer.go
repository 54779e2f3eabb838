package otel

import (
	"context"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/threatconnect-go/threatconnect"
)

// NewObserver returns an observer that reports each call and each attempt as a span and in metrics. It returns an
// error if an option is invalid or the meter provider refuses an instrument. The observer is safe for concurrent
// use, also by several clients.
func NewObserver(opts ...Option) (threatconnect.Observer, error) {
	c, err := newConfig(opts)
	if err != nil {
		return threatconnect.Observer{}, err
	}
	o := &observer{tracer: c.tracers.Tracer(scope, trace.WithInstrumentationVersion(threatconnect.Version), trace.WithSchemaURL(semconv.SchemaURL))}
	i := instruments{meter: c.meter()}
	o.attempts = i.seconds("http.client.request.duration", "Duration of HTTP client requests.", requestBounds...)
	o.calls = i.seconds("threatconnect.call.duration", "Duration of calls with their waits.", callBounds...)
	o.waits = i.seconds("threatconnect.call.wait", "Wait between two attempts of a call.", callBounds...)
	o.retries = i.count("threatconnect.call.retries", "Attempts after the first of a call.", "{retry}")
	if i.err != nil {
		return threatconnect.Observer{}, i.err
	}
	return threatconnect.Observer{
		CallStart:    o.callStart,
		CallEnd:      o.callEnd,
		AttemptStart: o.attemptStart,
		AttemptEnd:   o.attemptEnd,
		Wait:         o.wait,
	}, nil
}

// observer makes the spans and metrics of calls.
type observer struct {
	tracer                 trace.Tracer
	attempts, calls, waits metric.Float64Histogram
	retries                metric.Int64Counter
}

// The keys of the spans of an observer in a context. Another observer can start spans of its own after this one,
// so the current span of a context is not always one of this observer.
type (
	callKey    struct{ *observer }
	attemptKey struct{ *observer }
)

func (o *observer) callStart(ctx context.Context, c threatconnect.Call) context.Context {
	ctx, span := o.tracer.Start(ctx, c.Method+" "+c.Route, trace.WithAttributes(request(c.Method, c.Route, c.Server)...))
	return context.WithValue(ctx, callKey{o}, span)
}

func (o *observer) callEnd(ctx context.Context, c threatconnect.Call) {
	result := outcome(0, c.Err)
	end(ctx.Value(callKey{o}), result, c.Err)
	o.calls.Record(ctx, c.Duration.Seconds(), metric.WithAttributes(append(request(c.Method, c.Route, c.Server), result...)...))
}

func (o *observer) attemptStart(ctx context.Context, a threatconnect.Attempt) context.Context {
	attrs := request(a.Method, a.Route, a.Server)
	if a.Number > 1 {
		o.retries.Add(ctx, 1, metric.WithAttributes(attrs...))
		attrs = append(attrs, semconv.HTTPRequestResendCount(a.Number-1))
	}
	ctx, span := o.tracer.Start(ctx, a.Method+" "+a.Route, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return context.WithValue(ctx, attemptKey{o}, span)
}

func (o *observer) attemptEnd(ctx context.Context, a threatconnect.Attempt) {
	result := outcome(a.Status, a.Err)
	end(ctx.Value(attemptKey{o}), result, a.Err)
	o.attempts.Record(ctx, a.Duration.Seconds(), metric.WithAttributes(append(request(a.Method, a.Route, a.Server), result...)...))
}

func (o *observer) wait(ctx context.Context, w threatconnect.Wait) {
	result := outcome(0, w.Err)
	if span, ok := ctx.Value(callKey{o}).(trace.Span); ok {
		span.AddEvent("retry", trace.WithAttributes(append(result, seconds("threatconnect.wait", w.Duration), seconds("threatconnect.retry_after", w.RetryAfter))...))
	}
	o.waits.Record(ctx, w.Duration.Seconds(), metric.WithAttributes(append(request(w.Method, w.Route, w.Server), result...)...))
}

// end ends the span of a call or an attempt.
func end(value any, result []attribute.KeyValue, err error) {
	span, ok := value.(trace.Span)
	if !ok {
		return // another observer replaced the context
	}
	span.SetAttributes(result...)
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// request returns the attributes of a request.
func request(method, route, server string) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs, semconv.HTTPRequestMethodKey.String(method), semconv.URLTemplate(route))
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return attrs // an event that is not from a client
	}
	attrs = append(attrs, semconv.ServerAddress(host))
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, semconv.ServerPort(n))
	}
	return attrs
}

func seconds(key string, d time.Duration) attribute.KeyValue {
	return attribute.Float64(key, d.Seconds())
}
