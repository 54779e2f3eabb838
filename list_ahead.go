package threatconnect

import (
	"context"
	"sync"
)

// ahead reads the list with up to most pages asked for beyond the one whose items are being used.
// It reports whether the list goes on; from there on its pages come one by one.
//
// Where a page begins is known before the page in front of it is there only as long as every page
// is as long as the first one: on a list that shrinks or grows in between, or a platform that sends
// what it likes, what was asked for beyond an odd page is dropped. No goroutine is left when ahead
// ends, in whatever way the loop over the items does.
func (w *walk[T]) ahead(ctx context.Context, most, limit int) bool {
	p, err := w.fetch(ctx, w.start, limit)
	if err != nil || len(p.Items) == 0 || len(p.Items) > limit || len(p.Items) < limit && p.Total < 0 {
		return w.take(ctx, p, err, limit)
	}
	w.total = p.Total
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
	}()
	type answer struct {
		page     *page[T]
		err      error
		panicked any
	}
	size := len(p.Items)       // less than limit where the platform allows less
	begin := w.start + size    // of the next page that is asked for
	var coming []<-chan answer // in the order of the list
	for {
		if err == nil && len(p.Items) == size {
			for ; len(coming) < most && (w.total < 0 || int64(begin) < w.total); begin += size {
				c, at := make(chan answer, 1), begin
				coming = append(coming, c)
				running.Go(func() {
					var a answer
					defer func() {
						a.panicked = recover() // of the caller's transport, limiter or token source
						c <- a
					}()
					a.page, a.err = w.fetch(ctx, at, size)
				})
			}
		}
		due := w.start + size
		if !w.take(ctx, p, err, size) {
			return false
		}
		if len(coming) == 0 || w.start != due {
			return true
		}
		a := <-coming[0]
		if a.panicked != nil {
			panic(a.panicked) // in the goroutine that can recover it
		}
		coming, p, err = coming[1:], a.page, a.err
	}
}
