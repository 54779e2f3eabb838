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

func TestJobsWaitOnlyForReferencedJobs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		items []threatconnect.BatchItem
		waits []bool // for each upload after the first: whether it waited for the end of the previous job
	}{
		"nothing in common":            {[]threatconnect.BatchItem{batchGroup("x-1"), batchHost(1), batchGroup("x-2")}, []bool{false, false}},
		"a reference":                  {[]threatconnect.BatchItem{batchGroup("x-1"), batchHost(1, "x-1"), batchHost(2)}, []bool{false, true}},
		"the same group again":         {[]threatconnect.BatchItem{batchGroup("x-1"), batchGroup("x-1")}, []bool{true}},
		"a reference to a later group": {[]threatconnect.BatchItem{batchHost(1, "x-1"), batchGroup("x-1")}, []bool{false, true}},
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

func TestFlushDefersUnresolvedReferences(t *testing.T) {
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

func TestFlushIntervalSendsPendingItems(t *testing.T) {
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
		addAll(t, w, batchHost(1)) // the interval starts with the first item
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

// TestFlushAfterResumeSendsResolvedReferences has references of an earlier process that wait for groups.
func TestFlushAfterResumeSendsResolvedReferences(t *testing.T) {
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

func TestErrorFileReadResumesAfterBreak(t *testing.T) {
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
		assert.Equal(t, want, failures(t, w.Close(t.Context())), "every error exactly once")
		assert.EqualValues(t, 20, w.Stats().Indicators.Failed)
	})
}

func TestUnlistedErrorsAreCounted(t *testing.T) {
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

func TestEventsReportImportRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(10*time.Second))
		cfg := appendConfig()
		cfg.MaxItems = 10
		cfg.Exclude = func(_, value string) (string, bool) { return "", value == "h99.example" }
		var done []threatconnect.BatchEvent
		cfg.OnEvent = func(e threatconnect.BatchEvent) {
			switch e.Phase {
			case threatconnect.BatchCompleted:
				done = append(done, e)
			case threatconnect.BatchQueued:
				if e.Job == 1 {
					assert.Zero(t, e.Rate, "nothing is done yet")
				}
			}
		}
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		for range 20 {
			addAll(t, w, batchHost(99)) // excluded, so not sent
		}
		for n := range 20 {
			addAll(t, w, batchHost(n))
		}
		require.NoError(t, w.Close(t.Context()))
		require.Len(t, done, 2)
		assert.InDelta(t, 10, done[0].Elapsed.Seconds(), 3)
		assert.InDelta(t, 1, done[0].Rate, 0.3)
		assert.InDelta(t, 20/done[1].Elapsed.Seconds(), done[1].Rate, 1e-6)
	})
}

func TestPollingAdaptsToJobSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(30*time.Second))
		w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		for _, hosts := range []int{100, 100, 10} {
			for n := range hosts {
				addAll(t, w, batchHost(n))
			}
			require.NoError(t, w.Flush(t.Context()))
		}
		require.NoError(t, w.Close(t.Context()))
		jobs := srv.Jobs()
		require.Len(t, jobs, 3)
		assert.Less(t, jobs[1].Polls, jobs[0].Polls, "the previous job of this size took half a minute")
		assert.Less(t, jobs[1].Polls, jobs[2].Polls, "a tenth of the items is expected to take a tenth of the time")
	})
}

func TestRateCountsOnlyThisProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(10*time.Second))
		cfg := appendConfig()
		cfg.MaxItems, cfg.Spool, cfg.Run = 7, newMemSpool(), "today"
		interrupt(t, srv, cfg, feed(40), 30)
		time.Sleep(time.Hour)
		var last threatconnect.BatchEvent
		cfg.OnEvent = func(e threatconnect.BatchEvent) { last = e }
		_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
		require.Error(t, err, "the invalid items are errors")
		total := last.Stats.Total()
		assert.Less(t, last.Elapsed, 5*time.Minute)
		assert.Positive(t, last.Rate)
		assert.Less(t, last.Rate*last.Elapsed.Seconds(), float64(total.Succeeded)-1, "the work of the previous process does not count")
	})
}

func TestAnItemIsSentAfterTheFlushInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Second))
		cfg := appendConfig()
		cfg.FlushInterval = time.Minute
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		for n := range 3 {
			addAll(t, w, batchHost(n), &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")})
			if n == 1 {
				addAll(t, w, batchGroup("x-1"), batchGroup("x-2"))
			}
			time.Sleep(59 * time.Second)
			require.Equal(t, n, srv.Counts(batchOwner).Indicators, "not before the interval has passed")
			time.Sleep(10 * time.Second)
			require.Equal(t, n+1, srv.Counts(batchOwner).Indicators, "the writer sends without another call")
			assert.Equal(t, n > 0, w.Stats().Associations.Succeeded > 0, "the association waits for its groups")
		}
		addAll(t, w, batchHost(3))
		require.NoError(t, w.Close(t.Context()))
		time.Sleep(time.Hour)
		assert.Equal(t, 4, srv.Counts(batchOwner).Indicators)
		assert.EqualValues(t, 4, w.Stats().Indicators.Succeeded)
	})
}

// TestWatermarkPassesOnlyFinalItems checks the watermark after each step of an import.
func TestWatermarkPassesOnlyFinalItems(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems = 2
	var last threatconnect.BatchWatermark
	cfg.OnEvent = func(e threatconnect.BatchEvent) {
		assert.GreaterOrEqual(t, e.Watermark.Seq, last.Seq, "it never goes back")
		last = e.Watermark
	}
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	at := func(want threatconnect.BatchWatermark, why string) {
		t.Helper()
		require.NoError(t, w.Flush(t.Context()))
		assert.Equal(t, want, w.Watermark(), why)
	}
	at(threatconnect.BatchWatermark{}, "nothing was added")
	addAll(t, w, batchHost(0), batchHost(1))
	at(threatconnect.BatchWatermark{Seq: 2}, "a job is done")
	bad := batchHost(2)
	bad.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
	addAll(t, w, bad)
	require.Error(t, w.Add(t.Context(), threatconnect.NewHost("no host")))
	at(threatconnect.BatchWatermark{Seq: 4, Failed: 1}, "refused items are final, and failed ones are counted")
	addAll(t, w, batchHost(4), batchHost(5, "x-later"), batchHost(6))
	at(threatconnect.BatchWatermark{Seq: 4, Failed: 1}, "the reference of item 5 waits for its group, and its job with it")
	addAll(t, w, batchGroup("x-later"))
	at(threatconnect.BatchWatermark{Seq: 8, Failed: 1}, "everything is in")
	require.Equal(t, []string{"2 Host h2.example: 0x2001"}, failures(t, w.Close(t.Context())))
}

func TestWatermarkStopsAtUnprocessedItem(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems, cfg.HaltOnError = 3, true
	bad := batchHost(4)
	bad.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w, batchHost(0), batchHost(1), batchHost(2), batchHost(3), bad, batchHost(5))
	require.Error(t, w.Close(t.Context()))
	assert.Equal(t, threatconnect.BatchWatermark{Seq: 3}, w.Watermark())
	assert.EqualValues(t, 1, w.Stats().Indicators.Unprocessed)
}

func TestBatchStatsString(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "no items; jobs 0, bytes 0", threatconnect.BatchStats{}.String())
	s := threatconnect.BatchStats{
		Indicators: threatconnect.BatchCounts{Added: 1000, Succeeded: 970, Failed: 20, Unprocessed: 5, Unknown: 3, Excluded: 2},
		Groups:     threatconnect.BatchCounts{Added: 3, Succeeded: 3},
		Links:      threatconnect.BatchCounts{Added: 1, Succeeded: 1},
		Invalid:    4, Duplicates: 1, Jobs: 2, Bytes: 81920,
	}
	assert.Equal(t, "indicators 970 of 1000 (20 failed, 5 unprocessed, 3 unknown, 2 excluded), groups 3 of 3, links 1 of 1, invalid 4, duplicates 1; jobs 2, bytes 81920", s.String())
	assert.Equal(t, s.String(), fmt.Sprint(s))
}
