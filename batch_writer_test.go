package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const batchOwner = "Example Source"

func appendConfig() threatconnect.BatchConfig {
	return threatconnect.BatchConfig{Owner: batchOwner, Attributes: threatconnect.WriteAppend}
}

// batchHost is the nth host, with an attribute that shows how often it was imported.
func batchHost(n int, xids ...string) *threatconnect.Host {
	h := threatconnect.NewHost(fmt.Sprintf("h%d.example", n))
	h.Rating = new(3.0)
	h.Attributes = []threatconnect.Attribute{{Type: "Description", Value: fmt.Sprintf("host %d", n)}}
	h.Tags = []threatconnect.Tag{{Name: "batch"}}
	h.GroupXIDs = xids
	return h
}

func batchGroup(xid string, to ...string) *threatconnect.Threat {
	g := threatconnect.NewThreat("threat " + xid)
	g.XID, g.GroupXIDs = xid, to
	g.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "group"}}
	return g
}

func addAll(t *testing.T, w *threatconnect.BatchWriter, items ...threatconnect.BatchItem) {
	t.Helper()
	for _, item := range items {
		require.NoError(t, w.Add(t.Context(), item))
	}
}

func TestImportBringsItemsIn(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	var items []threatconnect.BatchItem
	items = append(items, batchGroup("x-1"))
	for n := range 1000 {
		items = append(items, batchHost(n, "x-1"))
	}
	stats, err := srv.Client().Batch.Import(t.Context(), appendConfig(), threatconnect.BatchItems(slices.Values(items)))
	require.NoError(t, err)
	assert.Equal(t, threatconnect.BatchCounts{Added: 1000, Succeeded: 1000}, stats.Indicators)
	assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, stats.Groups)
	assert.EqualValues(t, 1, stats.Jobs)
	assert.Equal(t, 1000, srv.IndicatorCount(batchOwner))
	got, ok := srv.Indicator(batchOwner, "Host", "h7.example")
	require.True(t, ok)
	assert.Equal(t, []string{"x-1"}, got.Groups)
	assert.Equal(t, []string{"batch"}, got.Tags)
	assert.Len(t, got.Attributes, 1)
	assert.Len(t, srv.Requests(), 3, "create, upload, look")
}

var _ = []any{context.Background, errors.Is, sync.NewCond, synctest.Test, time.Now, addAll}
