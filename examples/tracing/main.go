// Command tracing looks a value up and prints an OpenTelemetry span for each call and for each attempt of it.
// Spans have the route, such as /v2/indicators/hosts/{}, and never an indicator or a credential.
//
//	go run ./tracing www.example.com
//
// The environment names the instance: TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/threatconnect-go/threatconnect"
	tcotel "github.com/threatconnect-go/threatconnect/otel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 {
		log.Fatal("usage: tracing HOST")
	}
	observer, shutdown, err := tracing(os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-tracing/1.0"), threatconnect.WithObserver(observer))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Indicators.Hosts.Get(ctx, os.Args[1], nil)
	if err := errors.Join(err, shutdown(context.WithoutCancel(ctx))); err != nil {
		log.Fatal(err)
	}
}

// tracing returns an observer that prints spans, and a function that flushes them.
func tracing(w io.Writer) (observer threatconnect.Observer, shutdown func(context.Context) error, err error) {
	provider := sdk.NewTracerProvider(sdk.WithSyncer(printer{w})) // in production: WithBatcher and the OTLP exporter
	observer, err = tcotel.NewObserver(tcotel.WithTracerProvider(provider))
	return observer, provider.Shutdown, err
}

// printer prints spans.
type printer struct{ w io.Writer }

func (p printer) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	for _, s := range spans {
		if _, err := fmt.Fprintln(p.w, s.Name(), s.EndTime().Sub(s.StartTime()), s.Status().Code, s.Attributes()); err != nil {
			return err
		}
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }
