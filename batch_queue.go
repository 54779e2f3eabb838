package threatconnect

import (
	"context"
	"slices"
)

// send puts the current job into the queue, after it was kept where there is a spool. When it cannot
// be kept because ctx has ended, it stays the current one; when it cannot be kept at all it is not
// sent, and nothing more can be added or kept.
func (w *BatchWriter) send(ctx context.Context) error {
	j := w.current
	j.pieces = []piece{{part: j.all()}}
	if err := w.keep(ctx, j); err != nil {
		if ctx.Err() != nil {
			return withContextErr(ctx, err)
		}
		w.current = nil
		w.spool.stop(err)
		w.jam(err)
		w.leave(j)
		j.reset()
		w.free <- j // there is room for all jobs
		return nil
	}
	w.current = nil
	w.enqueue(j)
	return nil
}

func (w *BatchWriter) enqueue(j *batchJob) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, j)
	w.dispatch()
}

// dispatch starts the jobs that can be started: as many as the configuration allows, and each after
// those that it must follow. It is called with mu held.
func (w *BatchWriter) dispatch() {
	for i := 0; i < len(w.queue) && len(w.open) < w.cfg.Concurrency; {
		j := w.queue[i]
		waits := func(o *batchJob) bool { return o.number <= j.after }
		if slices.ContainsFunc(w.open, waits) || slices.ContainsFunc(w.queue[:i], waits) {
			i++
			continue
		}
		w.queue = slices.Delete(w.queue, i, i+1)
		w.open = append(w.open, j)
		w.running.Go(func() {
			w.run(w.work, j)
			w.finish(j)
		})
	}
}

// finish gives a job's memory back and starts what waited for it.
func (w *BatchWriter) finish(j *batchJob) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = slices.DeleteFunc(w.open, func(o *batchJob) bool { return o == j })
	j.reset()
	w.free <- j // there is room for all jobs
	close(w.changed)
	w.changed = make(chan struct{})
	w.dispatch()
}

// wait waits until all jobs up to a number have ended.
func (w *BatchWriter) wait(ctx context.Context, number int64) error {
	before := func(j *batchJob) bool { return j.number <= number }
	for {
		w.mu.Lock()
		changed := w.changed
		busy := slices.ContainsFunc(w.open, before) || slices.ContainsFunc(w.queue, before)
		w.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return contextErr(ctx)
		}
	}
}
