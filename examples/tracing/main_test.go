package main

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestACallHasASpanForEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 503}))
		exporter := tracetest.NewInMemoryExporter()
		provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
		client := srv.Client(threatconnect.WithObserver(observer(provider.Tracer("test"))))

		_, err := client.Indicators.Hosts.Get(t.Context(), "hidden.example", nil)
		require.ErrorIs(t, err, threatconnect.ErrNotFound)
		spans := exporter.GetSpans()
		require.Len(t, spans, 3)
		call := spans[2]
		assert.Equal(t, "GET /v2/indicators/hosts/{}", call.Name)
		assert.Len(t, call.Events, 1, "one wait between the attempts")
		for _, attempt := range spans[:2] {
			assert.Equal(t, call.SpanContext.SpanID(), attempt.Parent.SpanID())
		}
		assert.NotContains(t, fmt.Sprintf("%+v", spans), "hidden.example")
		require.NoError(t, printer{}.ExportSpans(t.Context(), spans.Snapshots()))
	})
}
