package threatconnect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// TestHeldAssociationsAreKeptBeyondMemory imports associations, which are sent at the end, and more of them than are kept
// in memory. The first that sends them gives up in the middle.
func TestHeldAssociationsAreKeptBeyondMemory(t *testing.T) { // not in parallel: it measures memory
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	const n = 40_000
	var platform acceptor
	client, err := tc.NewClient(batchBase, tc.Token("token"), tc.WithTransport(&platform))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cfg := appendConfig()
	cfg.MaxBytes = 200_000
	cfg.OnEvent = func(e tc.BatchEvent) {
		if e.Stats.Associations.Succeeded > 0 {
			cancel()
		}
	}
	w, err := client.Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	padding := fmt.Sprintf("%0200d", 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		item := &tc.Association{From: tc.IndicatorEnd(tc.NewMutex(fmt.Sprint(i, padding))), To: tc.AssociationEnd{GroupType: tc.GroupThreat, ID: 1}}
		require.NoError(t, w.Add(t.Context(), item))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(5<<20), "of 10 MB")

	require.ErrorIs(t, w.Flush(ctx), context.Canceled)
	require.NoError(t, w.Close(t.Context()))
	assert.Equal(t, tc.BatchCounts{Added: n, Succeeded: n}, w.Stats().Associations)
	seen := map[string]bool{}
	for _, text := range platform.all().Association {
		var item struct {
			Ref string `json:"ref_1"`
		}
		require.NoError(t, json.Unmarshal(text, &item))
		require.False(t, seen[item.Ref], "%s is sent once", item.Ref)
		seen[item.Ref] = true
	}
	assert.Equal(t, n, len(seen)) // Len would print them
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "no file is left behind")
}

func TestAssociationsThatSayTheSameAreSentOnce(t *testing.T) {
	t.Parallel()
	host := func(id int64) tc.AssociationEnd { return tc.AssociationEnd{Indicator: tc.TypeHost, ID: id} }
	url := func(id int64) tc.AssociationEnd { return tc.AssociationEnd{Indicator: tc.TypeURL, ID: id} }
	group := func(typ tc.GroupType, xid string) tc.AssociationEnd {
		return tc.AssociationEnd{GroupType: typ, GroupXID: xid}
	}
	named := tc.IndicatorEnd(tc.NewHost("a.example"))
	others := []tc.BatchItem{
		&tc.Association{From: tc.GroupEnd("x-1"), To: tc.GroupEnd("x-3")},
		&tc.Association{From: tc.AssociationEnd{GroupType: tc.GroupThreat, ID: 1}, To: tc.GroupEnd("x-2")},
		&tc.Association{From: tc.IndicatorEnd(tc.NewMutex("a.example")), To: tc.GroupEnd("x-1")},
		&tc.Association{From: host(7), To: url(9), Type: "Address to Indicators"},
	}
	for name, same := range map[string][]*tc.Association{
		"groups": {
			{From: tc.GroupEnd("x-1"), To: tc.GroupEnd("x-2")}, {From: tc.GroupEnd("x-2"), To: tc.GroupEnd("x-1")},
			{From: group(tc.GroupThreat, "x-1"), To: group(tc.GroupIncident, "x-2")},
		},
		"a group and an indicator": {{From: named, To: tc.GroupEnd("x-1")}, {From: group(tc.GroupThreat, "x-1"), To: named}},
		"indicators":               {{From: host(7), To: url(9), Type: "URL Host"}, {From: url(9), To: host(7), Type: "URL Host"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := append([]tc.BatchItem{}, others...)
			for _, a := range same {
				items = append(items, a)
			}
			file, stats := uploaded(t, appendConfig(), items...)
			assert.EqualValues(t, len(same)-1, stats.Duplicates)
			assert.Len(t, file.Association, len(others)+1)
			first, _ := encoded(t, tc.BatchCreate, same[0])
			assert.Contains(t, file.Association, json.RawMessage(first), "the first of several counts")
		})
	}
}

func TestAnEndThatIsTooLongIsRefusedAlone(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	long := strings.Repeat("\x01", 64<<10) // which JSON makes six times as long
	mutex := tc.NewMutex("m")
	mutex.GroupXIDs = []string{long + "1"}
	listing := batchGroup("x-1")
	listing.Associated = []tc.IndicatorRef{{Type: tc.TypeMutex, Value: "a" + strings.Repeat("b", 64<<10)}}
	for _, in := range []tc.BatchItem{mutex, listing,
		&tc.Association{From: tc.GroupEnd(strings.Repeat("x", 64<<10+1)), To: tc.GroupEnd("x-2")}} {
		require.ErrorIs(t, w.Add(t.Context(), in), tc.ErrValidation)
	}
	longest := strings.Repeat("é", 32<<10)
	addAll(t, w, &tc.Association{From: tc.GroupEnd(longest), To: tc.GroupEnd(longest)}, batchHost(1))
	require.Error(t, w.Close(t.Context()), "there is no such group")
	assert.EqualValues(t, 3, w.Stats().Invalid)
	assert.EqualValues(t, 1, w.Stats().Indicators.Succeeded, "the rest is imported")
}

// TestAFlushThatCannotKeepWhatWaitsEndsTheImport takes the place for temporary files away after more was held than there
// is memory for.
func TestAFlushThatCannotKeepWhatWaitsEndsTheImport(t *testing.T) {
	temporary := os.TempDir()
	setTemporary := func(dir string) {
		t.Setenv("TMPDIR", dir)
		t.Setenv("TMP", dir)
	}
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Spool, cfg.Run = newMemSpool(), "today"
	host := batchHost(0)
	items := []tc.BatchItem{host}
	for n := range 10_000 {
		xid := fmt.Sprintf("x-%090d", n)
		host.GroupXIDs = append(host.GroupXIDs, xid)
		items = append(items, batchGroup(xid))
	}
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w, host)
	require.NoError(t, w.Flush(t.Context()), "no group is there, so all keep waiting")
	setTemporary(filepath.Join(t.TempDir(), "is not there"))
	require.ErrorIs(t, w.Flush(t.Context()), fs.ErrNotExist)
	setTemporary(temporary)
	require.ErrorIs(t, w.Add(t.Context(), items[1]), tc.ErrBatchHalted)
	var b *tc.BatchError
	require.ErrorAs(t, w.Close(t.Context()), &b)
	require.ErrorIs(t, b.Err, fs.ErrNotExist)
	assert.True(t, b.Kept)

	stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	require.NoError(t, err)
	assert.Equal(t, tc.BatchCounts{Added: 10_000, Succeeded: 10_000}, stats.Links)
}
