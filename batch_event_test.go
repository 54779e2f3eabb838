package threatconnect_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestEventsTellHowFastAnImportIsAndHowLongItTakes(t *testing.T) {
	t.Parallel()
	for expect, left := range map[int64]time.Duration{0: 10 * time.Second, 120: 90 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.New(threatconnecttest.WithBatchDuration(10 * time.Second))
			cfg := appendConfig()
			cfg.MaxItems, cfg.Expect = 10, expect
			cfg.Exclude = func(_, value string) (string, bool) { return "", value == "h99.example" }
			var done []threatconnect.BatchEvent
			cfg.OnEvent = func(e threatconnect.BatchEvent) {
				switch e.Phase {
				case threatconnect.BatchCompleted:
					done = append(done, e)
				case threatconnect.BatchQueued:
					if e.Job == 1 {
						assert.Zero(t, e.Rate, "nothing is done yet")
						assert.Zero(t, e.Left)
					}
				}
			}
			w, err := srv.Client().Batch.NewWriter(cfg)
			require.NoError(t, err)
			for range 20 {
				addAll(t, w, batchHost(99)) // costs the platform nothing
			}
			for n := range 20 {
				addAll(t, w, batchHost(n))
			}
			require.NoError(t, w.Close(t.Context()))
			require.Len(t, done, 2)
			assert.InDelta(t, 10, done[0].Elapsed.Seconds(), 3)
			assert.InDelta(t, 1, done[0].Rate, 0.3)
			assert.InDelta(t, left.Seconds(), done[0].Left.Seconds(), left.Seconds()/3)
			assert.InDelta(t, 20/done[1].Elapsed.Seconds(), done[1].Rate, 1e-6)
			if expect == 0 {
				assert.Zero(t, done[1].Left)
			}
		})
	}
}

func TestJobsAreLookedAtAccordingToTheirSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.New(threatconnecttest.WithBatchDuration(30 * time.Second))
		w, err := srv.Client().Batch.NewWriter(appendConfig())
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
		assert.Less(t, jobs[1].Polls, jobs[0].Polls, "one of this size took half a minute")
		assert.Less(t, jobs[1].Polls, jobs[2].Polls, "a tenth is expected to take a tenth")
	})
}

func TestTheRateIsThatOfTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.New(threatconnecttest.WithBatchDuration(10 * time.Second))
		cfg := appendConfig()
		cfg.MaxItems, cfg.Spool = 7, newMemSpool()
		interrupt(t, srv, cfg, feed(40), 30)
		time.Sleep(time.Hour)
		var last threatconnect.BatchEvent
		cfg.OnEvent = func(e threatconnect.BatchEvent) { last = e }
		_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(feed(40)))
		require.Error(t, err, "of the items that break a rule")
		total := last.Stats.Total()
		assert.Less(t, last.Elapsed, 5*time.Minute)
		assert.Positive(t, last.Rate)
		assert.Less(t, last.Rate*last.Elapsed.Seconds(), float64(total.Succeeded)-1, "what the process before did does not count")
	})
}
