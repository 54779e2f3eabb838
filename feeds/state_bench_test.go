package feeds

import (
	"fmt"
	"iter"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// many yields n hosts, of which every hundredth changes with the version.
func many(n, version int) iter.Seq2[threatconnect.BatchItem, error] {
	return func(yield func(threatconnect.BatchItem, error) bool) {
		h := threatconnect.NewHost("")
		rating := 0.0
		h.Rating = &rating
		for i := range n {
			h.HostName, rating = fmt.Sprintf("h%d.example", i), 1
			if i%100 == 0 {
				rating = float64(version)
			}
			if !yield(h, nil) {
				return
			}
		}
	}
}

// importMany runs an import in which everything succeeds. It returns the number of items that were sent.
func importMany(t testing.TB, store Store, n, version int, each func()) int64 {
	s := openState(t, store)
	var stats threatconnect.BatchStats
	for range s.Changed(many(n, version)) {
		stats.Indicators.Added++
		each()
	}
	each()
	require.NoError(t, s.Save(t.Context(), stats, nil))
	require.NoError(t, s.Close())
	return stats.Indicators.Added
}

func TestTimeGrowsWithTheNumberOfItems(t *testing.T) {
	scaletest.RequireLinear(t, scaletest.N(10_000), 8, func(n int) func() {
		return func() {
			store := fileStoreIn(t)
			assert.EqualValues(t, n, importMany(t, store, n, 1, func() {}))
			assert.EqualValues(t, n/100, importMany(t, store, n, 2, func() {}))
		}
	})
}

// BenchmarkState runs a first and a second import of a million items, of which 1% have changed in the second.
func BenchmarkState(b *testing.B) {
	const n = 1_000_000
	peak, count := uint64(0), 0
	sample := func() {
		if count++; count%(n/10) == 1 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	for b.Loop() {
		store := fileStoreIn(b)
		require.EqualValues(b, n, importMany(b, store, n, 1, sample))
		require.EqualValues(b, n/100, importMany(b, store, n, 2, sample))
	}
	b.ReportMetric(float64(peak)/(1<<20), "live-MiB")
}
