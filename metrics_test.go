package threatconnect_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestMetricsAreReadAndWritten(t *testing.T) {
	t.Parallel()
	const metric = `{"id":"3","name":"alerts/day","dataType":"Sum","interval":"Daily","keyedValues":"true","description":"d","x":1}`
	const single = `{"status":"Success","data":{"customMetricConfig":` + metric + `}}`
	client := scripted(t,
		wiretest.Want{Method: "GET", Target: "/v2/customMetrics?resultLimit=500", Answer: `{"status":"Success","data":{"resultCount":1,"customMetricConfig":[` + metric + `]}}`},
		wiretest.Want{Method: "GET", Target: "/v2/customMetrics/alerts%2Fday", Answer: single},
		wiretest.Want{Method: "GET", Target: "/v2/customMetrics/3", Answer: single},
		wiretest.Want{Method: "POST", Target: "/v2/customMetrics", Status: http.StatusCreated, Answer: single,
			Body: `{"name":"alerts/day","dataType":"Sum","interval":"Daily","keyedValues":true,"description":"d"}`},
		wiretest.Want{Method: "DELETE", Target: "/v2/customMetrics/alerts%2Fday"},
	)
	want := threatconnect.Metric{ID: 3, Name: "alerts/day", DataType: threatconnect.MetricSum, Interval: threatconnect.MetricDaily, Keyed: true, Description: "d",
		Extra: map[string]json.RawMessage{"x": json.RawMessage(`1`)}}
	all, err := client.Metrics.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.Metric{want}, all.Items)
	got, err := client.Metrics.Get(t.Context(), " alerts/day")
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = client.Metrics.GetByID(t.Context(), 3)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = client.Metrics.Create(t.Context(), want)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	require.NoError(t, client.Metrics.Delete(t.Context(), "alerts/day"))
}

func TestMetricPointsAreAddedWithAndWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 12, 30, 0, 0, time.FixedZone("", 2*60*60))
	const add = "/v2/customMetrics/alerts/data"
	client := scripted(t,
		wiretest.Want{Method: "POST", Target: add, Body: `{"name":"k","value":0,"date":"2026-03-04T10:30:00Z","weight":2}`, Status: http.StatusNoContent, Answer: " "},
		wiretest.Want{Method: "POST", Target: add, Body: `{}`, Status: http.StatusNoContent, Answer: " "},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"value":4.5,"date":"2026-03-04T10:00:00Z"}`},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"status":"Success","data":{"date":"2026-03-04T10:00:00","value":"4"}}`},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Status: http.StatusNoContent, Answer: " "},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"status":"Failure","message":"no","value":3}`},
		wiretest.Want{Method: "POST", Target: add + "?returnValue=true", Body: `{"value":2}`, Answer: `{"value":"many"}`},
	)
	require.NoError(t, client.Metrics.Add(t.Context(), "alerts", threatconnect.MetricPoint{Key: " k", Value: new(int64(0)), Date: at, Weight: 2}))
	require.NoError(t, client.Metrics.Add(t.Context(), "alerts", threatconnect.MetricPoint{}))
	two := threatconnect.MetricPoint{Value: new(int64(2))}
	got, err := client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.NoError(t, err)
	hour := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	assert.Equal(t, threatconnect.MetricReading{Value: 4.5, Date: hour}, got)
	got, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.MetricReading{Value: 4, Date: hour}, got)
	_, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.ErrorIs(t, err, threatconnect.ErrBadResponse, "no reading is not a reading of 0")
	_, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	var refusal *threatconnect.APIError
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, "no", string(refusal.Foreign))
	_, err = client.Metrics.AddAndRead(t.Context(), "alerts", two)
	require.ErrorIs(t, err, threatconnect.ErrBadResponse)
}

func TestMetricThatThePlatformWouldRefuseIsNotSent(t *testing.T) {
	t.Parallel()
	s := scripted(t).Metrics
	good := threatconnect.Metric{Name: strings.Repeat("\u00fc", 45), DataType: threatconnect.MetricCount, Interval: threatconnect.MetricHourly}
	for name, c := range map[string]struct {
		change func(*threatconnect.Metric)
		field  string
	}{
		"no name":               {func(m *threatconnect.Metric) { m.Name = "" }, "metric name"},
		"46 characters":         {func(m *threatconnect.Metric) { m.Name += "x" }, "metric name"},
		"no data type":          {func(m *threatconnect.Metric) { m.DataType = "" }, "metric data type"},
		"an unknown data type":  {func(m *threatconnect.Metric) { m.DataType = "Median" }, "metric data type"},
		"no interval":           {func(m *threatconnect.Metric) { m.Interval = "" }, "metric interval"},
		"an unknown interval":   {func(m *threatconnect.Metric) { m.Interval = "daily" }, "metric interval"},
		"501 characters":        {func(m *threatconnect.Metric) { m.Description = strings.Repeat("x", 501) }, "metric description"},
		"a text that is binary": {func(m *threatconnect.Metric) { m.Description = "\xff" }, "metric description"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := good
			c.change(&m)
			_, err := s.Create(t.Context(), m)
			peopleRefused(t, err, c.field, "\u00fc")
		})
	}
	for name, c := range map[string]struct {
		metric string
		point  threatconnect.MetricPoint
		field  string
	}{
		"no name":                 {"", threatconnect.MetricPoint{}, "metric name"},
		"a name that is too long": {good.Name + "x", threatconnect.MetricPoint{}, "metric name"},
		"a blank key":             {"m", threatconnect.MetricPoint{Key: " "}, "metric key"},
		"a negative weight":       {"m", threatconnect.MetricPoint{Weight: -1}, "metric weight"},
		"a year that dates lack":  {"m", threatconnect.MetricPoint{Date: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "metric date"},
	} {
		t.Run(name+" to add to", func(t *testing.T) {
			t.Parallel()
			peopleRefused(t, s.Add(t.Context(), c.metric, c.point), c.field, "")
			_, err := s.AddAndRead(t.Context(), c.metric, c.point)
			peopleRefused(t, err, c.field, "")
		})
	}
	_, err := s.Get(t.Context(), "")
	peopleRefused(t, err, "metric name", "")
	_, err = s.GetByID(t.Context(), 0)
	peopleRefused(t, err, "metric id", "")
	peopleRefused(t, s.Delete(t.Context(), ""), "metric name", "")
}

func TestLifeOfAMetric(t *testing.T) {
	t.Parallel()
	for name, odd := range peopleOddities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client, ctx := srv.Client(), t.Context()
			none, err := client.Metrics.List(ctx, nil)
			require.NoError(t, err)
			assert.Empty(t, none.Items)
			made, err := client.Metrics.Create(ctx, threatconnect.Metric{Name: "Alerts / day", DataType: threatconnect.MetricSum, Interval: threatconnect.MetricDaily, Keyed: true})
			require.NoError(t, err)
			_, err = client.Metrics.Create(ctx, made)
			require.ErrorIs(t, err, threatconnect.ErrExists)
			byID, err := client.Metrics.GetByID(ctx, made.ID)
			require.NoError(t, err)
			byName, err := client.Metrics.Get(ctx, made.Name)
			require.NoError(t, err)
			assert.Equal(t, made, byID)
			assert.Equal(t, made, byName)

			point := threatconnect.MetricPoint{Value: new(int64(2)), Key: "mail", Date: time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)}
			require.NoError(t, client.Metrics.Add(ctx, made.Name, point))
			got, err := client.Metrics.AddAndRead(ctx, made.Name, point)
			require.NoError(t, err)
			assert.InDelta(t, 4, got.Value, 0)
			assert.Equal(t, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), got.Date)
			require.ErrorIs(t, client.Metrics.Add(ctx, made.Name, threatconnect.MetricPoint{Value: new(int64(2))}), threatconnect.ErrBadRequest)

			asked, all := peopleRoutes(srv, "/v2/customMetrics")
			assert.NotContains(t, asked, "DELETE /v2/customMetrics/{metricId}")
			require.NoError(t, client.Metrics.Delete(ctx, made.Name))
			require.ErrorIs(t, client.Metrics.Delete(ctx, made.Name), threatconnect.ErrNotFound)
			asked, _ = peopleRoutes(srv, "/v2/customMetrics")
			assert.Equal(t, all, asked)
			assert.Len(t, all, 5)
		})
	}
}
