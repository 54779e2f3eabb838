// Package parallel runs functions in goroutines and returns their results in order.
package parallel

import (
	"context"
	"iter"
	"runtime"
	"sync"
)

// Map calls work for each input and yields the results in the order of the inputs. At most limit
// calls are running or have a result that was not yielded yet. Map ranges over inputs in the goroutine
// of the loop, and takes an input only when there is room for its result.
//
// When the loop ends for any reason, Map cancels the calls that are still running and waits for them.
// A panic in work continues in the goroutine of the loop.
func Map[In, Out any](ctx context.Context, limit int, inputs iter.Seq[In], work func(context.Context, In) Out) iter.Seq[Out] {
	return func(yield func(Out) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer func() {
			cancel()
			running.Wait()
		}()
		var pending []*Future[Out] // in the order of the inputs
		yieldFirst := func() bool {
			first := pending[0]
			pending = pending[1:]
			return yield(first.Wait())
		}
		for in := range inputs {
			pending = append(pending, Go(&running, func() Out { return work(ctx, in) }))
			for len(pending) == limit || len(pending) > 0 && pending[0].ready() {
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

// Future is the result of a function that runs in its own goroutine.
type Future[T any] struct {
	done     chan struct{} // closed when the function ends
	value    T
	returned bool
	panicked any // the value of the panic; nil if the function called runtime.Goexit
}

// Go calls f in a new goroutine, which it adds to running.
func Go[T any](running *sync.WaitGroup, f func() T) *Future[T] {
	r := &Future[T]{done: make(chan struct{})}
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

// ready reports whether Wait returns at once.
func (r *Future[T]) ready() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Wait returns the result of the function. A panic of the function continues in the caller's goroutine,
// where it can be recovered. So does runtime.Goexit, which ends a test.
func (r *Future[T]) Wait() T {
	<-r.done
	if r.panicked != nil {
		panic(r.panicked)
	}
	if !r.returned {
		runtime.Goexit()
	}
	return r.value
}
