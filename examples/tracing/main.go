// Command tracing looks a value up and writes an OpenTelemetry span for each call and for each attempt of
// it. Spans have the route, such as /v2/indicators/hosts/{}, and never an indicator or a credential.
//
//	go run ./tracing www.example.com
//
// The environment names the instance: TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/threatconnect-go/threatconnect"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 {
		log.Fatal("usage: tracing HOST")
	}
	provider := sdk.NewTracerProvider(sdk.WithSyncer(printer{})) // in production: the OTLP exporter
	client, err := threatconnect.NewClientFromEnv(
		threatconnect.WithUserAgent("acme-tracing/1.0"),
		threatconnect.WithObserver(observer(provider.Tracer("acme"))),
	)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Indicators.Hosts.Get(ctx, os.Args[1], nil)
	if shutdown := provider.Shutdown(ctx); shutdown != nil {
		log.Print(shutdown)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// observer makes a span of each call, with a child span for each attempt.
func observer(tracer trace.Tracer) threatconnect.Observer {
	start := func(ctx context.Context, method, route string, more ...attribute.KeyValue) context.Context {
		ctx, _ = tracer.Start(ctx, method+" "+route, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(more...),
			trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("url.template", route)))
		return ctx
	}
	end := func(ctx context.Context, err error) {
		span := trace.SpanFromContext(ctx)
		if err != nil {
			span.SetStatus(codes.Error, err.Error()) // errors of the client do not contain values
		}
		span.End()
	}
	return threatconnect.Observer{
		CallStart: func(ctx context.Context, c threatconnect.Call) context.Context { return start(ctx, c.Method, c.Route) },
		CallEnd:   func(ctx context.Context, c threatconnect.Call) { end(ctx, c.Err) },
		AttemptStart: func(ctx context.Context, a threatconnect.Attempt) context.Context {
			return start(ctx, a.Method, a.Route, attribute.Int("http.request.resend_count", a.Number-1))
		},
		AttemptEnd: func(ctx context.Context, a threatconnect.Attempt) {
			trace.SpanFromContext(ctx).SetAttributes(attribute.Int("http.response.status_code", a.Status))
			end(ctx, a.Err)
		},
		Wait: func(ctx context.Context, w threatconnect.Wait) {
			trace.SpanFromContext(ctx).AddEvent("retry", trace.WithAttributes(attribute.String("wait", w.Duration.String())))
		},
	}
}

// printer writes spans to standard output.
type printer struct{}

func (printer) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	for _, s := range spans {
		fmt.Println(s.Name(), s.EndTime().Sub(s.StartTime()), s.Status().Description, s.Attributes())
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }
