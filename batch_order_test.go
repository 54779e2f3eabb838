package threatconnect_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestJobsWaitForWhatTheyReferToAndForNothingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		items []threatconnect.BatchItem
		waits []bool // whether a job was uploaded only after the one before it had ended, in the order of uploads
	}{
		"nothing in common":      {[]threatconnect.BatchItem{batchGroup("x-1"), batchHost(1), batchGroup("x-2")}, []bool{false, false}},
		"a reference":            {[]threatconnect.BatchItem{batchGroup("x-1"), batchHost(1, "x-1"), batchHost(2)}, []bool{false, true}},
		"the same group again":   {[]threatconnect.BatchItem{batchGroup("x-1"), batchGroup("x-1")}, []bool{true}},
		"a reference to a later": {[]threatconnect.BatchItem{batchHost(1, "x-1"), batchGroup("x-1")}, []bool{false, true}},
		"an association": {[]threatconnect.BatchItem{batchGroup("x-1"), batchGroup("x-2"),
			&threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")}}, []bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Minute))
				cfg := appendConfig()
				cfg.MaxItems, cfg.Concurrency = 1, 4
				w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
				require.NoError(t, err)
				addAll(t, w, c.items...)
				require.NoError(t, w.Close(t.Context()))
				jobs := srv.Jobs()
				require.Len(t, jobs, len(c.waits)+1)
				for n, waits := range c.waits {
					assert.Equal(t, waits, jobs[n+1].Uploaded.Sub(jobs[n].Uploaded) >= time.Minute, "job %d", n+2)
				}
			})
		})
	}
}

func TestFlushSendsWhatCanBeSent(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	addAll(t, w, batchHost(1, "x-1", "x-2"), batchGroup("x-1"))
	require.NoError(t, w.Flush(t.Context()))
	h, ok := srv.Indicator(batchOwner, "Host", "h1.example")
	require.True(t, ok)
	assert.Equal(t, []string{"x-1"}, h.Groups, "x-2 has not been added yet")
	require.NoError(t, w.Flush(t.Context()))
	assert.Len(t, srv.Jobs(), 1, "nothing new to send")
	addAll(t, w, batchGroup("x-2"))
	require.NoError(t, w.Close(t.Context()))
	h, _ = srv.Indicator(batchOwner, "Host", "h1.example")
	assert.ElementsMatch(t, []string{"x-1", "x-2"}, h.Groups)
	assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, w.Stats().Links, "the other reference is in the item")
}

func TestWhatWaitsIsSentAfterTheFlushInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Second))
		cfg := appendConfig()
		cfg.FlushInterval = time.Minute
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		in := func(after time.Duration) (int, int64) {
			time.Sleep(after)
			synctest.Wait()
			return srv.Counts(batchOwner).Indicators, w.Watermark().Seq
		}
		addAll(t, w, batchHost(0))
		time.Sleep(30 * time.Second)
		addAll(t, w, batchHost(1)) // the first item counts
		hosts, final := in(29 * time.Second)
		assert.Equal(t, []int64{0, 0}, []int64{int64(hosts), final})
		hosts, final = in(5 * time.Second)
		assert.Equal(t, []int64{2, 2}, []int64{int64(hosts), final})

		addAll(t, w, batchHost(2, "x-1"))
		hosts, final = in(65 * time.Second)
		assert.Equal(t, []int64{3, 2}, []int64{int64(hosts), final}, "its group was not added yet")
		addAll(t, w, batchGroup("x-1"))
		hosts, final = in(65 * time.Second)
		assert.Equal(t, []int64{3, 4}, []int64{int64(hosts), final})
		assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, w.Stats().Links)

		addAll(t, w, batchHost(3))
		require.NoError(t, w.Close(t.Context()))
		jobs := len(srv.Jobs())
		in(2 * time.Minute)
		assert.Len(t, srv.Jobs(), jobs, "nothing is sent after Close")
		assert.Equal(t, threatconnect.BatchWatermark{Seq: 5}, w.Watermark())
	})
}

// TestFlushAfterAResumeSendsWhatCanBeSent has references of an earlier process that wait for groups.
func TestFlushAfterAResumeSendsWhatCanBeSent(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems, cfg.Spool, cfg.Run = 1, newMemSpool(), "today"
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w, batchHost(1, "x-1", "x-2"))
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, w.Close(ended), context.Canceled)
	w, err = srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	groups := func() []string {
		h, ok := srv.Indicator(batchOwner, "Host", "h1.example")
		require.True(t, ok)
		return h.Groups
	}
	require.NoError(t, w.Flush(t.Context()))
	assert.Empty(t, groups())
	for n, xid := range []string{"x-1", "x-2"} {
		addAll(t, w, batchGroup(xid))
		require.NoError(t, w.Flush(t.Context()))
		assert.Len(t, groups(), n+1, "after %s", xid)
	}
	require.NoError(t, w.Close(t.Context()))
	assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 2}, w.Stats().Links)
}

func TestAnErrorFileThatBreaksOffIsReadOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(threatconnecttest.OddityPlainErrorFile))
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultCutBody, Route: "/v2/batch/{id}/errors", Times: 7},
			threatconnecttest.Fault{Kind: threatconnecttest.FaultTruncate, Route: "/v2/batch/{id}/errors", Times: 2}))
		w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		var want []string
		for n := range 20 {
			h := batchHost(n)
			h.Attributes[0].Type = "No Such Type"
			addAll(t, w, h)
			want = append(want, fmt.Sprintf("%d Host h%d.example: 0x2001", n, n))
		}
		assert.Equal(t, want, failures(t, w.Close(t.Context())), "each once and none left out")
		assert.EqualValues(t, 20, w.Stats().Indicators.Failed)
	})
}

func TestErrorsThatThePlatformDoesNotListAreCounted(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/errors") {
			return httpmock.NewStringResponse(200, `[]`), nil
		}
		return srv.RoundTrip(req)
	}))).Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	h := batchHost(1)
	h.Attributes[0].Type = "No Such Type"
	addAll(t, w, batchHost(0), h)
	err = w.Close(t.Context())
	require.ErrorContains(t, err, "1 of its errors are not listed")
	assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 1, Failed: 1}, w.Stats().Indicators)
}
