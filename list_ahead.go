package threatconnect

import (
	"context"
	"sync"
)

// ahead reads the list with up to most pages requested beyond the page whose items the loop uses. It
// reports whether the list goes on; from there on pages are read one by one.
//
// Prefetching assumes that every page has as many items as the first. When one does not, because the
// list shrinks or grows meanwhile, the pages after it are dropped. When the loop ends, in whatever way,
// no goroutine is left. A panic of a request continues in the goroutine of the loop.
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
		page *page[T]
		err  error
	}
	size := len(p.Items)         // less than limit where the platform allows less
	begin := w.start + size      // of the next page that is requested
	var coming []*future[answer] // in the order of the list
	for {
		if err == nil && len(p.Items) == size {
			for ; len(coming) < most && (w.total < 0 || int64(begin) < w.total); begin += size {
				at := begin
				coming = append(coming, async(&running, func() answer {
					p, err := w.fetch(ctx, at, size)
					return answer{p, err}
				}))
			}
		}
		due := w.start + size
		if !w.take(ctx, p, err, size) {
			return false
		}
		if len(coming) == 0 || w.start != due {
			return true
		}
		a := coming[0].wait()
		coming, p, err = coming[1:], a.page, a.err
	}
}
