package otel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestImportItemsAndJobsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		c := newTelemetry(t)
		threat := threatconnect.NewThreat("Example")
		threat.XID = threatconnect.XID("acme", "Threat", "1")
		items := []threatconnect.BatchItem{threat}
		for n := range 10 {
			items = append(items, threatconnect.NewHost(fmt.Sprintf("h%d.example", n)))
		}
		refused := threatconnect.NewHost("refused.example")
		refused.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
		items = append(items, refused)

		var seen []threatconnect.BatchEvent
		stats, err := srv.Client().Batch.Import(t.Context(), threatconnect.BatchConfig{
			Owner: "Example Source", Attributes: threatconnect.WriteReplace, MaxItems: 4,
			Exclude: func(_, value string) (string, bool) { return "internal", strings.HasPrefix(value, "h0") },
			OnEvent: c.onEvent(func(e threatconnect.BatchEvent) { seen = append(seen, e) }),
		}, threatconnect.BatchItems(slices.Values(items)))
		require.Error(t, err)

		assert.Equal(t, map[string]int64{
			"threatconnect.batch.kind=group threatconnect.batch.outcome=succeeded":     1,
			"threatconnect.batch.kind=indicator threatconnect.batch.outcome=succeeded": 9,
			"threatconnect.batch.kind=indicator threatconnect.batch.outcome=failed":    1,
			"threatconnect.batch.kind=indicator threatconnect.batch.outcome=excluded":  1,
		}, c.points("threatconnect.batch.items"))
		assert.Equal(t, stats.Jobs, c.total("threatconnect.batch.job.duration"))
		assert.Equal(t, int64(3), stats.Jobs)
		assert.NotEmpty(t, seen)
	})
}

// The items in the first event were counted by an earlier process. Counts that decrease are not subtracted.
func TestEventCountsAreIncremental(t *testing.T) {
	t.Parallel()
	c := newTelemetry(t)
	onEvent := c.onEvent(nil)
	for _, n := range []int64{100, 110, 105, 120} {
		onEvent(threatconnect.BatchEvent{Phase: threatconnect.BatchCompleted, Job: n, Stats: threatconnect.BatchStats{Associations: threatconnect.BatchCounts{Unknown: n}}})
	}
	assert.Equal(t, map[string]int64{"threatconnect.batch.kind=association threatconnect.batch.outcome=unknown": 20}, c.points("threatconnect.batch.items"))
	assert.Empty(t, c.points("threatconnect.batch.job.duration"), "no upload was seen")
}
