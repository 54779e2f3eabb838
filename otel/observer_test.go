package otel_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/threatconnect-go/threatconnect"
	tcotel "github.com/threatconnect-go/threatconnect/otel"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestCallAndAttemptSpans(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 503, Header: http.Header{"Retry-After": {"7"}}}))
		c := newTelemetry(t)
		client := srv.Client(c.observer(), threatconnect.WithRetry(threatconnect.RetryPolicy{BaseDelay: time.Second, MaxDelay: time.Second}))

		_, err := client.Indicators.Hosts.Get(t.Context(), "very-evil.example", nil)
		require.ErrorIs(t, err, threatconnect.ErrNotFound)

		const request = "http.request.method=GET url.template=/v2/indicators/hosts/{} server.address=threatconnect.example server.port=443"
		spans := c.spans.GetSpans()
		require.Len(t, spans, 3)
		call := spans[2]
		assert.Equal(t, "GET /v2/indicators/hosts/{}", call.Name)
		assert.Equal(t, trace.SpanKindInternal, call.SpanKind)
		assert.Equal(t, request+" http.response.status_code=404 error.type=404", text(call.Attributes))
		assert.Equal(t, codes.Error, call.Status.Code)
		require.Len(t, call.Events, 1)
		assert.Equal(t, "retry", call.Events[0].Name)
		assert.Regexp(t, `^http.response.status_code=503 error.type=503 threatconnect.wait=[78](\.\d+)? threatconnect.retry_after=7$`, text(call.Events[0].Attributes))
		for i, want := range []string{
			request + " http.response.status_code=503 error.type=503",
			request + " http.request.resend_count=1 http.response.status_code=404 error.type=404",
		} {
			attempt := spans[i]
			assert.Equal(t, "GET /v2/indicators/hosts/{}", attempt.Name)
			assert.Equal(t, trace.SpanKindClient, attempt.SpanKind)
			assert.Equal(t, want, text(attempt.Attributes))
			assert.Equal(t, call.SpanContext.SpanID(), attempt.Parent.SpanID())
			assert.Equal(t, codes.Error, attempt.Status.Code)
			assert.Empty(t, attempt.Status.Description)
		}

		const series = "http.request.method=GET server.address=threatconnect.example server.port=443 url.template=/v2/indicators/hosts/{}"
		assert.Equal(t, map[string]int64{
			"error.type=503 http.request.method=GET http.response.status_code=503 server.address=threatconnect.example server.port=443 url.template=/v2/indicators/hosts/{}": 1,
			"error.type=404 http.request.method=GET http.response.status_code=404 server.address=threatconnect.example server.port=443 url.template=/v2/indicators/hosts/{}": 1,
		}, c.points("http.client.request.duration"))
		assert.Equal(t, map[string]int64{series: 1}, c.points("threatconnect.call.retries"))
		assert.Equal(t, int64(1), c.total("threatconnect.call.duration"))
		assert.Equal(t, int64(1), c.total("threatconnect.call.wait"))
	})
}

func TestSuccessfulCallHasNoError(t *testing.T) {
	t.Parallel()
	c := newTelemetry(t)
	_, err := threatconnecttest.NewT(t).Client(c.observer()).Owners.Whoami(t.Context())
	require.NoError(t, err)
	spans := c.spans.GetSpans()
	require.Len(t, spans, 2)
	for _, s := range spans {
		assert.Equal(t, codes.Unset, s.Status.Code)
		assert.NotContains(t, text(s.Attributes), "error.type")
	}
	assert.Contains(t, text(spans[0].Attributes), "http.response.status_code=200")
	assert.Zero(t, c.total("threatconnect.call.retries"))
}

// With two observers, the current span at the end of a call is that of the second. Each observer must end its own.
func TestSpansEndWithTwoObservers(t *testing.T) {
	t.Parallel()
	c := newTelemetry(t)
	_, err := threatconnecttest.NewT(t).Client(c.observer(), c.observer()).Owners.Whoami(t.Context())
	require.NoError(t, err)
	spans := c.spans.GetSpans()
	require.Len(t, spans, 4, "two observers, a call and an attempt each")
	ended := map[trace.SpanID]bool{}
	for _, s := range spans {
		ended[s.SpanContext.SpanID()] = true
	}
	assert.Len(t, ended, 4)
}

func TestErrorTypes(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	t.Cleanup(stop)
	for want, tc := range map[string]struct {
		ctx   context.Context
		fault threatconnecttest.FaultKind
		body  string
	}{
		"canceled":     {ctx: canceled},
		"timeout":      {ctx: late},
		"connection":   {fault: threatconnecttest.FaultReset},
		"bad_response": {fault: threatconnecttest.FaultGarbage},
		"failure":      {fault: threatconnecttest.FaultStatus, body: `{"status":"Failure","message":"no"}`},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			srv, ctx := threatconnecttest.NewT(t), t.Context()
			if tc.ctx != nil {
				ctx = tc.ctx
			} else {
				f := threatconnecttest.Fault{Kind: tc.fault, Body: tc.body}
				if tc.body != "" {
					f.Status = http.StatusOK
				}
				require.NoError(t, srv.Inject(f))
			}
			c := newTelemetry(t)
			_, err := srv.Client(c.observer(), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})).Owners.Whoami(ctx)
			require.Error(t, err)
			for _, s := range c.spans.GetSpans() {
				assert.Contains(t, text(s.Attributes), "error.type="+want, "%v", err)
			}
			assert.NotEmpty(t, c.spans.GetSpans())
		})
	}
}

func TestOptionsRejectNil(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]tcotel.Option{
		"tracer provider is nil": tcotel.WithTracerProvider(nil),
		"meter provider is nil":  tcotel.WithMeterProvider(nil),
	} {
		_, err := tcotel.NewObserver(o)
		require.ErrorContains(t, err, want)
		_, err = tcotel.OnEvent(nil, o)
		require.ErrorContains(t, err, want)
	}
	_, err := tcotel.NewObserver(tcotel.WithMeterProvider(noop.NewMeterProvider()))
	require.NoError(t, err, "the global tracer provider")
}
