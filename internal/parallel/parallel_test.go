package parallel_test

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect/internal/parallel"
)

func TestMapYieldsInOrderWithinTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken := 0
		inputs := func(yield func(int) bool) {
			for ; taken < 20 && yield(taken); taken++ {
			}
		}
		yielded := 0
		for n := range parallel.Map(t.Context(), 4, inputs, func(_ context.Context, n int) int {
			time.Sleep(time.Duration(20-n) * time.Second) // later inputs are ready first
			return n
		}) {
			assert.Equal(t, yielded, n)
			assert.LessOrEqual(t, taken+1-yielded, 4, "too many calls are running or waiting for the loop")
			yielded++
		}
		assert.Equal(t, 20, yielded)
	})
}

func TestMapCancelsItsCallsWhenTheLoopEnds(t *testing.T) {
	t.Parallel()
	for name, loop := range map[string]func(iter.Seq[int]){
		"break": func(s iter.Seq[int]) {
			for range s {
				break
			}
		},
		"panic of the loop": func(s iter.Seq[int]) {
			for range s {
				panic("loop")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
				results := parallel.Map(t.Context(), 3, slices.Values([]int{0, 1, 2}), func(ctx context.Context, n int) int {
					if n > 0 {
						<-ctx.Done()
					}
					return n
				})
				func() {
					defer func() { _ = recover() }()
					loop(results)
				}()
			})
		})
	}
}

func TestWaitPropagatesPanic(t *testing.T) {
	t.Parallel()
	var running sync.WaitGroup
	f := parallel.Go(&running, func() int { panic("work") })
	assert.PanicsWithValue(t, "work", func() { f.Wait() })
	running.Wait()
}
