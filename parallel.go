package threatconnect

import (
	"context"
	"iter"
	"runtime"
	"sync"
)

const (
	defaultParallel = 16
	maxParallel     = 64
)

// inOrder calls work for every input and yields the results in the order of the inputs. Up to most
// calls have begun whose results are not yielded yet, each in a goroutine of its own. inputs is ranged
// over in the goroutine of the caller, and an input is taken only when there is room for its result.
//
// When the loop ends, in whatever way, the calls that still run are cancelled and waited for. A panic
// of a call continues in the goroutine of the caller.
func inOrder[In, Out any](ctx context.Context, most int, inputs iter.Seq[In], work func(context.Context, In) Out) iter.Seq[Out] {
	return func(yield func(Out) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer func() {
			cancel()
			running.Wait()
		}()
		var pending []*future[Out] // in the order of the inputs
		yieldFirst := func() bool {
			first := pending[0]
			pending = pending[1:]
			return yield(first.wait())
		}
		for in := range inputs {
			pending = append(pending, async(&running, func() Out { return work(ctx, in) }))
			for len(pending) == most || len(pending) > 0 && pending[0].ready() {
				if !yieldFirst() {
					return
				}
			}
		}
		for len(pending) > 0 {
			if !yieldFirst() {
				return
			}
		}
	}
}

// future is the result of a function that runs in a goroutine of its own.
type future[T any] struct {
	done     chan struct{} // closed when the function has ended
	value    T
	returned bool
	panicked any // what the function panicked with; nil when it has called runtime.Goexit
}

// async calls f in a goroutine of its own, which running counts.
func async[T any](running *sync.WaitGroup, f func() T) *future[T] {
	r := &future[T]{done: make(chan struct{})}
	running.Go(func() {
		defer close(r.done)
		defer func() {
			if !r.returned {
				r.panicked = recover()
			}
		}()
		r.value = f()
		r.returned = true
	})
	return r
}

// ready reports whether wait returns at once.
func (r *future[T]) ready() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// wait returns the result. A panic of the function continues in the goroutine of the caller, where it
// can be recovered; so does runtime.Goexit, by which a test ends.
func (r *future[T]) wait() T {
	<-r.done
	if r.panicked != nil {
		panic(r.panicked)
	}
	if !r.returned {
		runtime.Goexit()
	}
	return r.value
}
