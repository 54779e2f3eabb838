package threatconnect

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The writer finds items by the counts of a job, so that a count which is none must not get there.
func TestCountsOfJobsAreCounts(t *testing.T) {
	t.Parallel()
	keys := []string{"successCount", "errorCount", "unprocessCount", "unprocessedCount", "successIndicatorCount", "errorIndicatorCount",
		"successGroupCount", "errorGroupCount", "successAssociationCount", "errorAssociationCount"}
	for _, key := range keys {
		for n, ok := range map[string]bool{"0": true, "7": true, `"7"`: true, "2147483647": true, "-1": false, "2147483648": false, "9223372036854775807": false} {
			_, err := readBatchAnswer([]byte(fmt.Sprintf(`{"id":9223372036854775807,"status":"Completed","%s":%s}`, key, n)))
			assert.Equal(t, ok, err == nil, "%s %s: %v", key, n, err)
		}
	}
	a, err := readBatchAnswer([]byte(`{"data":{"batchStatus":{"id":9223372036854775807,"status":"Completed","errorCount":5,"errorIndicatorCount":2147483647,"errorGroupCount":2147483647,"errorAssociationCount":1}}}`))
	require.NoError(t, err)
	assert.Equal(t, int64(math.MaxInt64), a.ID)
	assert.Equal(t, mostCounted, a.errors(), "the sum does not turn over")
}
