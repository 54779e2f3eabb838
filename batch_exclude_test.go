package threatconnect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// excluding returns a BatchConfig.Exclude that excludes the numbered hosts and appends each call's arguments to asked.
func excluding(asked *[]string, hosts ...int) func(typ, value string) (string, bool) {
	return func(typ, value string) (string, bool) {
		*asked = append(*asked, typ+" "+value)
		for _, n := range hosts {
			if value == fmt.Sprintf("h%d.example", n) {
				return "known good", true
			}
		}
		return "not asked for", false
	}
}

func TestExcludeDropsIndicatorsAndReferences(t *testing.T) {
	t.Parallel()
	end := func(n int) threatconnect.AssociationEnd {
		return threatconnect.AssociationEnd{Indicator: threatconnect.TypeHost, Summary: fmt.Sprintf("H%d.example", n)}
	}
	ref := func(n int) threatconnect.IndicatorRef {
		return threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: end(n).Summary}
	}
	pair := func(from, to int) *threatconnect.Association {
		return &threatconnect.Association{From: end(from), To: end(to), Type: "Host to Indicators"}
	}
	for _, c := range []struct {
		maxItems int
		merged   bool
	}{{1, false}, {25_000, false}, {1, true}, {25_000, true}} {
		maxItems := c.maxItems
		t.Run(fmt.Sprintf("%d items in a job, merged: %t", maxItems, c.merged), func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t)
			cfg := appendConfig()
			cfg.MaxItems = maxItems
			var asked []string
			cfg.Exclude = excluding(&asked, 1, 3)
			var told []threatconnect.BatchExclusion
			cfg.OnEvent = func(e threatconnect.BatchEvent) {
				require.Equal(t, e.Phase == threatconnect.BatchExcluded, e.Excluded != nil)
				if e.Excluded != nil {
					told = append(told, *e.Excluded)
					assert.LessOrEqual(t, int64(len(told)), e.Stats.Indicators.Excluded+e.Stats.Associations.Excluded+e.Stats.Links.Excluded)
				}
			}
			w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
			require.NoError(t, err)
			g := batchGroup("x-1")
			g.Associated = []threatconnect.IndicatorRef{ref(1), ref(2), ref(3)}
			only := batchGroup("x-2")
			only.Associated = []threatconnect.IndicatorRef{ref(3)}
			items := []threatconnect.BatchItem{
				pair(1, 2), batchHost(1, "x-1"), batchHost(2), only, pair(2, 3), batchHost(3), g,
				&threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: end(3)}, &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")},
			}
			if c.merged {
				items = merged(t, items)
			}
			addAll(t, w, items...)
			require.NoError(t, w.Close(t.Context()))

			stats := w.Stats()
			assert.Equal(t, threatconnect.BatchCounts{Added: 3, Succeeded: 1, Excluded: 2}, stats.Indicators)
			assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 2}, stats.Groups)
			assert.Equal(t, threatconnect.BatchCounts{Added: 4, Succeeded: 1, Excluded: 3}, stats.Associations)
			links := threatconnect.BatchCounts{Added: 4, Succeeded: 1, Excluded: 3}
			if maxItems > 1 { // the host carries the reference
				links = threatconnect.BatchCounts{Added: 3, Excluded: 3}
			}
			assert.Equal(t, links, stats.Links)
			assert.Equal(t, map[string]int64{"known good": 8}, stats.ExclusionReasons)
			host := func(n int) threatconnect.IndicatorRef {
				return threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: fmt.Sprintf("h%d.example", n)}
			}
			assert.Equal(t, []threatconnect.BatchExclusion{
				{Seq: 0, Indicator: host(1), Reference: true, Reason: "known good"}, {Seq: 1, Indicator: host(1), Reason: "known good"},
				{Seq: 3, Indicator: host(3), Reference: true, Reason: "known good"}, {Seq: 4, Indicator: host(3), Reference: true, Reason: "known good"},
				{Seq: 5, Indicator: host(3), Reason: "known good"},
				{Seq: 6, Indicator: host(1), Reference: true, Reason: "known good"}, {Seq: 6, Indicator: host(3), Reference: true, Reason: "known good"},
				{Seq: 7, Indicator: host(3), Reference: true, Reason: "known good"},
			}, told)
			assert.Equal(t, []string{"Host h1.example", "Host h1.example", "Host h2.example", "Host h3.example", "Host h2.example", "Host h3.example", "Host h3.example",
				"Host h1.example", "Host h2.example", "Host h3.example", "Host h3.example"}, asked)
			assert.Equal(t, 1, srv.Counts(batchOwner).Indicators)
			got, ok := srv.Indicator(batchOwner, "Host", "h2.example")
			require.True(t, ok)
			assert.Equal(t, []string{"x-1"}, got.Groups)
			assert.Empty(t, got.Associated)
			for _, j := range srv.Jobs() {
				assert.Zero(t, j.Errors)
			}
		})
	}
}

func TestFullyExcludedImportSendsNothing(t *testing.T) {
	t.Parallel()
	for _, action := range []threatconnect.BatchAction{threatconnect.BatchCreate, threatconnect.BatchDelete} {
		srv := threatconnecttest.NewT(t)
		cfg := appendConfig()
		cfg.Action = action
		cfg.Exclude = func(_, value string) (string, bool) { return strings.TrimSuffix(value, ".example"), true }
		stats, err := srv.Client().Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
			for n := range 150 {
				_ = yield(batchHost(n%120), nil)
			}
			yield(threatconnect.NewHost("no host"), nil)
		})
		require.ErrorIs(t, itemError(t, err), threatconnect.ErrValidation)
		assert.ErrorContains(t, err, "1 of 151 items failed, 150 were excluded; the first: ")
		assert.Equal(t, threatconnect.BatchCounts{Added: 150, Excluded: 150}, stats.Total())
		assert.Empty(t, srv.Requests())
		require.Len(t, stats.ExclusionReasons, 101)
		assert.EqualValues(t, 2, stats.ExclusionReasons["h29"])
		assert.EqualValues(t, 1, stats.ExclusionReasons["h99"])
		assert.EqualValues(t, 20, stats.ExclusionReasons["other"])
	}
}

// foreignHost is an item type of another package.
type foreignHost struct{ *threatconnect.Host }

func TestExcludePanicPropagatesFromAdd(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	calls := 0
	cfg.Exclude = func(string, string) (string, bool) {
		if calls++; calls <= 2 {
			panic("mine")
		}
		return "", calls == 3
	}
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for _, item := range []threatconnect.BatchItem{batchHost(0), foreignHost{batchHost(0)}} {
		assert.PanicsWithValue(t, "mine", func() { _ = w.Add(t.Context(), item) })
	}
	require.ErrorIs(t, w.Add(t.Context(), foreignHost{}), threatconnect.ErrValidation, "a panic of the item is an invalid item")
	require.ErrorIs(t, w.Add(t.Context(), threatconnect.NewHost("no host")), threatconnect.ErrValidation)
	require.Equal(t, 2, calls, "Exclude is not called for an invalid item")
	addAll(t, w, batchHost(0), foreignHost{batchHost(1)})
	require.NoError(t, w.Close(t.Context()))
	assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 1, Excluded: 1}, w.Stats().Indicators)
	assert.Equal(t, map[string]int64{"no reason given": 1}, w.Stats().ExclusionReasons)
	assert.EqualValues(t, 2, w.Stats().Invalid)
}

func TestExclusionReasonsAreTruncated(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Exclude = func(string, string) (string, bool) { return strings.Repeat("ä", 151), true }
	cut := strings.Repeat("ä", 150) + " (cut)"
	cfg.OnEvent = func(e threatconnect.BatchEvent) {
		if e.Excluded != nil {
			assert.Equal(t, cut, e.Excluded.Reason)
		}
	}
	_, err := srv.Client().Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
		_ = yield(batchHost(0), nil) && yield(threatconnect.NewHost("no host"), nil)
	})
	var failed *threatconnect.BatchError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, map[string]int64{cut: 1}, failed.Stats.ExclusionReasons)
}
