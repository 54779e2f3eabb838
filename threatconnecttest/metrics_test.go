package threatconnecttest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMetricAggregation(t *testing.T) {
	t.Parallel()
	for dataType, want := range map[string]float64{"Average": 3.5, "Count": 3, "First": 2, "Last": 1, "Max": 5, "Min": 1, "Sum": 8} {
		t.Run(dataType, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.must(201, "POST", "/v2/customMetrics", `{"name":"m","dataType":"`+dataType+`","interval":"Weekly","keyedValues":true}`)
			add := "/v2/customMetrics/m/data"
			r.must(204, "POST", add, `{"name":"a","value":2,"date":"2026-03-02T10:00:00Z"}`)
			r.must(204, "POST", add, `{"name":"a","value":5,"weight":2,"date":"2026-03-04T10:00:00Z"}`)
			r.must(204, "POST", add, `{"name":"b","value":100,"date":"2026-03-04T10:00:00Z"}`)
			r.must(204, "POST", add, `{"name":"a","value":200,"date":"2026-03-09T10:00:00Z"}`)
			got := r.must(200, "POST", add+"?returnValue=true", `{"name":"a","value":1,"date":"2026-03-08T11:45:10Z"}`)
			if dataType == "Average" {
				want = (2 + 5*2 + 1) / 4.0
			}
			assert.InDelta(t, want, got.at("value"), 0)
			assert.Equal(t, "2026-03-02T00:00:00Z", got.at("date"))
			assert.Nil(t, got.at("status"))
		})
	}
}

func TestMetricIntervals(t *testing.T) {
	t.Parallel()
	for interval, want := range map[string]float64{"Hourly": 1, "Daily": 2, "Weekly": 3, "Monthly": 4, "Yearly": 5} {
		r := newRig(t)
		r.must(201, "POST", "/v2/customMetrics", `{"name":"m","dataType":"Count","interval":"`+interval+`"}`)
		for _, date := range []string{"2026-01-20", "2026-03-20", "2026-03-12", "2026-03-10T05:00:00Z"} {
			r.must(204, "POST", "/v2/customMetrics/m/data", `{"date":"`+date+`"}`)
		}
		got := r.must(200, "POST", "/v2/customMetrics/m/data?returnValue=true", `{"date":"2026-03-10T23:00:00Z"}`)
		assert.InDelta(t, want, got.at("value"), 0, interval)
	}
}

// A value without a date belongs to the interval of the current time in UTC, whatever the machine's
// time zone: midnight in UTC is another day in New York.
func TestMetricsUseUTC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.must(201, "POST", "/v2/customMetrics", `{"name":"m","dataType":"Count","interval":"Daily"}`)
		r.must(204, "POST", "/v2/customMetrics/m/data", `{}`)
		now := time.Now().UTC().Format(time.RFC3339)
		got := r.must(200, "POST", "/v2/customMetrics/m/data?returnValue=true", `{"date":"`+now+`"}`)
		assert.InDelta(t, 2, got.at("value"), 0)
	})
}

func TestInvalidMetricRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{``, `{"name":"","dataType":"Sum","interval":"Daily"}`, `{"name":"m","dataType":"sum","interval":"Daily"}`,
		`{"name":"m","dataType":"Sum","interval":"Always"}`, `{"name":"m","dataType":"Sum","interval":"Daily","description":""}`,
		`{"name":"m","dataType":"Sum","interval":"Daily","keyedValues":"maybe"}`} {
		r.must(400, "POST", "/v2/customMetrics", body)
	}
	made := r.must(201, "POST", "/v2/customMetrics/", `{"name":"m","dataType":"Sum","interval":"Daily","description":"d"}`)
	assert.Equal(t, []string{"id", "name", "dataType", "interval", "keyedValues", "description"}, keysOf(t, made.raw, "data", "customMetricConfig"))
	r.must(400, "POST", "/v2/customMetrics", `{"name":"m","dataType":"Sum","interval":"Daily"}`)
	for _, body := range []string{``, `{}`, `{"value":"x"}`, `{"value":1.5}`, `{"value":1,"name":"k"}`, `{"value":1,"date":"soon"}`} {
		r.must(400, "POST", "/v2/customMetrics/m/data", body)
	}
	for _, call := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/data"}} {
		r.must(404, call[0], "/v2/customMetrics/n"+call[1], `{"value":1}`)
	}
	r.must(200, "DELETE", "/v2/customMetrics/"+itoa(int64(made.at("data", "customMetricConfig", "id").(float64))), "")
}

func TestInvalidNotifications(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{``,
		`{"priority":"Low","message":"m","isOrganization":true}`,
		`{"notificationType":"System","priority":"Low","message":"m","isOrganization":true}`,
		`{"notificationType":"A","priority":"Urgent","message":"m","isOrganization":true}`,
		`{"notificationType":"A","priority":"Low","isOrganization":true}`,
		`{"notificationType":"A","priority":"Low","message":"m"}`,
		`{"notificationType":"A","priority":"Low","message":"m","ownerId":"x"}`,
		`{"notificationType":"A","priority":"Low","message":"m","recipients":["` + analyst + `"]}`,
		`{"notificationType":"A","priority":"Low","message":"m","recipients":"` + analyst + `, nobody"}`,
	} {
		got := r.must(400, "POST", "/v2/notifications", body)
		assert.Equal(t, "Failure", got.at("status"))
	}
	assert.Empty(t, r.srv.Notifications())
	r.must(200, "POST", "/v2/notifications", `{"notificationType":"A","priority":"hIgH","message":"m","isOrganization":true}`)
	assert.Equal(t, []NotificationRecord{{Type: "A", Priority: "hIgH", Message: "m", Organization: true}}, r.srv.Notifications())
}
