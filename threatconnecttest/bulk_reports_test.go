package threatconnecttest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBulkReportsAreCreatedDaily(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		state := func() any { return r.get("/v2/indicators/bulk?owner=Example%20Source").at("bulkStatus", "status") }
		r.must(404, "GET", "/v2/indicators/bulk/json?owner=Example%20Source", "")
		assert.Nil(t, state())
		require.Error(t, r.srv.SetBulkReports("Nobody", BulkReports{}))
		require.NoError(t, r.srv.SetBulkReports("Example Source", BulkReports{JSON: true, Duration: time.Minute}))
		assert.Equal(t, "Complete", state())
		r.must(404, "GET", "/v2/indicators/bulk/csv?owner=Example%20Source", "")
		r.seed(&IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "www.example.com"})
		count := func(query string) int {
			list, _ := r.must(200, "GET", "/v2/indicators/bulk/json?owner=Example%20Source"+query, "").at("indicator").([]any)
			return len(list)
		}
		assert.Zero(t, count(""))
		time.Sleep(24*time.Hour + 30*time.Second)
		assert.Equal(t, "Running", state(), "the daily run must have started")
		time.Sleep(2 * time.Minute)
		assert.Equal(t, 1, count(""))
		r.seed(&IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "www.example.net"})
		assert.Equal(t, 1, count("&runNow=true"), "still the previous report")
		time.Sleep(time.Minute)
		assert.Equal(t, 2, count(""))
	})
}
