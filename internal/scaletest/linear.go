package scaletest

import (
	"math"
	"runtime/debug"
	"testing"
	"time"
)

const (
	noise    = 50 * time.Microsecond // shorter times say nothing
	patience = 10 * time.Second
	memory   = 512 << 20
)

// RequireLinear fails the test if the time of the function that f returns for a size grows as the square of the size,
// rather than linearly: if factor times n takes 3 times as long or longer for each doubling. It compares the fastest of
// several runs, and continues for 10 seconds while other work on the machine may be the reason. Tests that call it must
// not be parallel.
func RequireLinear(t testing.TB, n, factor int, f func(n int) func()) {
	t.Helper()
	calls := [2]func(){f(n), f(factor * n)}
	fastest := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	limit := math.Pow(3, math.Log2(float64(factor)))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memory)) // the collector runs if it must
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	began := time.Now()
	for run := 1; ; run++ {
		for i, call := range calls {
			start := time.Now()
			call()
			fastest[i] = min(fastest[i], time.Since(start))
		}
		switch ratio := float64(fastest[1]) / float64(max(fastest[0], noise)); {
		case run == 1:
		case ratio < limit:
			return
		case time.Since(began) > patience:
			t.Fatalf("%d times the input takes %v instead of %v: %.1f times as long, want less than %.1f", factor, fastest[1], fastest[0], ratio, limit)
		}
	}
}
