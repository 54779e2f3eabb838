package threatconnect_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// sawtooth imports groups and hosts that refer to them forwards and backwards, in several small
// jobs, and returns the stats.
func sawtooth(t *testing.T, client *threatconnect.Client, cfg threatconnect.BatchConfig, hosts int) threatconnect.BatchStats {
	t.Helper()
	w, err := client.Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	group := func(n int) string { return fmt.Sprintf("x-%d", n) }
	for n := range hosts {
		addAll(t, w, batchHost(n, group(n/10), group((n/10+3)%(hosts/10))))
		if n%10 == 9 {
			addAll(t, w, batchGroup(group(n/10), group((n/10+1)%(hosts/10))))
		}
	}
	err = w.Close(t.Context())
	require.NoError(t, err, "%+v", err)
	return w.Stats()
}

// checkSawtooth compares what the server holds with what sawtooth has added.
func checkSawtooth(t *testing.T, srv *threatconnecttest.Server, hosts int) {
	t.Helper()
	require.Equal(t, hosts, srv.Counts(batchOwner).Indicators)
	groups := hosts / 10
	for _, h := range srv.Indicators(batchOwner) {
		require.Len(t, h.Attributes, 1, "%s was imported once", h.Summary)
		var n int
		_, err := fmt.Sscanf(h.Summary, "h%d.example", &n)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{fmt.Sprintf("x-%d", n/10), fmt.Sprintf("x-%d", (n/10+3)%groups)}, h.Groups, h.Summary)
	}
	all := srv.Groups(batchOwner)
	require.Len(t, all, groups)
	for _, g := range all {
		require.Len(t, g.Attributes, 1, "%s was imported once", g.XID)
		var n int
		_, err := fmt.Sscanf(g.XID, "x-%d", &n)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{fmt.Sprintf("x-%d", (n+1)%groups), fmt.Sprintf("x-%d", (n+groups-1)%groups)}, g.Groups, g.XID)
	}
	for _, j := range srv.Jobs() {
		if j.Status == "Created" {
			assert.Zero(t, j.ContentSize, "a job that was made twice has no file")
		}
	}
}

func TestFaultsNeitherLoseNorRepeatItems(t *testing.T) {
	t.Parallel()
	kinds := []threatconnecttest.FaultKind{
		threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultCutBody, threatconnecttest.FaultTruncate,
		threatconnecttest.FaultHTML, threatconnecttest.FaultGarbage, threatconnecttest.FaultEmpty,
	}
	struck, imports := 0, 0
	for seed := uint64(0); struck < scaletest.N(10_000) && !t.Failed(); seed++ {
		imports++
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				oddities := threatconnecttest.Oddity(0)
				if seed%3 == 1 {
					oddities = threatconnecttest.OddityAll
				}
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(oddities), threatconnecttest.WithBatchDuration(time.Duration(seed)*time.Second))
				require.NoError(t, srv.Inject(
					threatconnecttest.FaultMix(seed, 0.3, kinds...),
					threatconnecttest.Fault{Kind: threatconnecttest.FaultLateStatus, Status: http.StatusBadGateway, Probability: 0.1, Seed: seed, Times: -1},
					threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusInternalServerError, Probability: 0.1, Seed: seed + 1, Times: -1},
					threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusTooManyRequests, Probability: 0.1, Seed: seed + 2, Times: -1,
						Header: http.Header{"Retry-After": {"7"}}},
					threatconnecttest.Fault{Kind: threatconnecttest.FaultLateStatus, Status: http.StatusServiceUnavailable, Probability: 0.1, Seed: seed + 3, Times: -1,
						Header: http.Header{"Retry-After": {"3"}}},
				))
				cfg := appendConfig()
				cfg.MaxItems, cfg.Concurrency = 6, 1+int(seed%3)
				stats := sawtooth(t, srv.Client(), cfg, 200)
				srv.ClearFaults()
				checkSawtooth(t, srv, 200)
				assert.Equal(t, threatconnect.BatchCounts{Added: 200, Succeeded: 200}, stats.Indicators)
				assert.Equal(t, threatconnect.BatchCounts{Added: 20, Succeeded: 20}, stats.Groups)
				assert.Equal(t, stats.Links.Added, stats.Links.Succeeded)
				assert.Len(t, srv.FaultCounts(), len(kinds)+2, "every kind of fault struck")
				for _, n := range srv.FaultCounts() {
					struck += n
				}
			})
		})
	}
	t.Logf("%d faults struck, in %d imports of 220 items", struck, imports)
}

func TestReferencesHoldWithoutFaults(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 2, 4} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(3*time.Second))
			cfg := appendConfig()
			cfg.MaxItems, cfg.Concurrency = 10, concurrency
			stats := sawtooth(t, srv.Client(), cfg, 200)
			checkSawtooth(t, srv, 200)
			assert.Positive(t, stats.Links.Added)
		})
	}
}
