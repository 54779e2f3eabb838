package otel_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/threatconnect-go/threatconnect"
	tcotel "github.com/threatconnect-go/threatconnect/otel"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleNewObserver() {
	exporter := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter)) // in production: WithBatcher and the OTLP exporter
	observer, err := tcotel.NewObserver(tcotel.WithTracerProvider(provider))
	if err != nil {
		log.Fatal(err)
	}
	client := threatconnecttest.New().Client(threatconnect.WithObserver(observer))

	_, err = client.Indicators.Hosts.Get(context.Background(), "absent.example", nil)
	fmt.Println(err)
	for _, span := range exporter.GetSpans() {
		fmt.Println(span.SpanKind, span.Name, span.Status.Code)
	}
	// Output:
	// threatconnect: GET /v2/indicators/hosts/{}: 404 Not Found: "The requested resource was not found"
	// client GET /v2/indicators/hosts/{} Error
	// internal GET /v2/indicators/hosts/{} Error
}

func ExampleOnEvent() {
	client := threatconnecttest.New().Client()
	onEvent, err := tcotel.OnEvent(func(e threatconnect.BatchEvent) { fmt.Println(e.Phase, e.Items) })
	if err != nil {
		log.Fatal(err)
	}
	hosts := []*threatconnect.Host{threatconnect.NewHost("one.example"), threatconnect.NewHost("two.example")}
	_, err = client.Batch.Import(context.Background(), threatconnect.BatchConfig{
		Owner: "Example Source", Attributes: threatconnect.WriteReplace, OnEvent: onEvent,
	}, threatconnect.BatchItems(slices.Values(hosts)))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// queued 2
	// created 2
	// uploaded 2
	// completed 2
}
