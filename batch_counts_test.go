package threatconnect_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// The writer finds items by the counts of a job, so that a count which is none must not get there.
func TestCountsOfJobsAreCounts(t *testing.T) {
	t.Parallel()
	keys := []string{"successCount", "errorCount", "unprocessCount", "unprocessedCount", "successIndicatorCount", "errorIndicatorCount",
		"successGroupCount", "errorGroupCount", "successAssociationCount", "errorAssociationCount"}
	m, client := batchMock(t, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	for _, key := range keys {
		for n, ok := range map[string]bool{"0": true, "7": true, `"7"`: true, "2147483647": true, "-1": false, "2147483648": false, "9223372036854775807": false} {
			m.RegisterResponder("GET", batchBase+"/v2/batch/9223372036854775807", httpmock.NewStringResponder(200, fmt.Sprintf(`{"id":9223372036854775807,"status":"Completed","%s":%s}`, key, n)))
			got, err := client.Batch.Status(t.Context(), math.MaxInt64)
			if !ok {
				assert.ErrorIs(t, err, threatconnect.ErrBadResponse, "%s %s", key, n)
				continue
			}
			require.NoError(t, err, "%s %s", key, n)
			assert.Equal(t, int64(math.MaxInt64), got.ID)
		}
	}
}
