package threatconnect_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// TestThreatErrorsOfAJobAreBounded has a platform that lists far more errors than a job has items.
func TestThreatErrorsOfAJobAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ items, listed, reported int }{
		{10, 1_000, 1_000}, // an item can have many errors
		{10, 1_001, 1_001}, // one of them says that there was one more
		{10, 468_001, 1_001},
		{500, 4_000, 4_000},
		{500, 10_000, 4_001},
	} {
		errors := `[` + strings.Repeat(`{"code":"0x1005","errorReason":"no"},`, c.listed-1) + `{"code":"0x1005","errorReason":"no"}]`
		s := wiretest.Func(func(req *http.Request) (*http.Response, error) {
			switch {
			case strings.HasSuffix(req.URL.Path, "/errors"):
				return wiretest.Reply(200, errors), nil
			case req.Method == http.MethodGet:
				return wiretest.Reply(200, fmt.Sprintf(`{"status":"Success","data":{"batchStatus":{"id":1,"status":"Completed","errorCount":%d,"successCount":0}}}`, c.items)), nil
			case strings.HasSuffix(req.URL.Path, "/v2/batch"):
				return wiretest.Reply(201, `{"batchId":"1"}`), nil
			}
			return wiretest.Reply(202, `{"status":"Queued"}`), nil
		})
		reported, told := 0, 0
		cfg := appendConfig()
		cfg.OnError = func(e threatconnect.BatchItemError) {
			reported++
			if strings.Contains(e.Error(), fmt.Sprintf(" %d more errors than are reported", c.listed-max(1000, 8*c.items))) {
				told++
			}
		}
		stats, err := clientOf(t, s).Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
			for i := range c.items {
				if !yield(threatconnect.NewHost(fmt.Sprintf("h%d.example", i)), nil) {
					return
				}
			}
		})
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.Equal(t, c.reported, reported, "%+v", c)
		assert.Equal(t, c.reported > max(1000, 8*c.items), told == 1, "%+v", c)
		assert.Equal(t, c.reported, len(b.Items)+b.More)
		assert.EqualValues(t, c.items, stats.Total().Failed, "%+v", c)
	}
}
