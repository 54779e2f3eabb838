package importer

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/threatconnect-go/threatconnect"
)

// report tells a person how the import gets on: with a bar on a terminal, in plain lines elsewhere.
// It is safe for concurrent use.
type report struct {
	mu      sync.Mutex
	out     io.Writer
	bar     *progressbar.ProgressBar // nil when out is no terminal
	done    func() int64             // bytes of the feed that were read
	invalid int64
	in      int64
	stop    chan struct{}
	stopped sync.WaitGroup
}

// newReport begins a report on out. total is the size of the feed in bytes, 0 when it is not known;
// done says how many of them were read.
func newReport(out io.Writer, terminal bool, total int64, done func() int64) *report {
	r := &report{out: out, done: done, stop: make(chan struct{})}
	if !terminal {
		return r
	}
	if total == 0 {
		total = -1 // the bar of an unknown length
	}
	r.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription("reading"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(total > 0),
	)
	r.stopped.Go(r.tick)
	return r
}

// tick moves the bar.
func (r *report) tick() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-t.C:
			r.mu.Lock()
			r.draw()
			r.mu.Unlock()
		}
	}
}

func (r *report) draw() {
	text := fmt.Sprintf("%d in", r.in)
	if r.invalid > 0 {
		text += fmt.Sprintf(", %d invalid", r.invalid)
	}
	r.bar.Describe(text)
	_ = r.bar.Set64(r.done())
}

// Write writes a record of the log, above the bar.
func (r *report) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	return r.out.Write(b)
}

// line writes a line, above the bar.
func (r *report) line(format string, args ...any) {
	_, _ = fmt.Fprintf(r, format+"\n", args...)
}

// left counts an entry that was left out.
func (r *report) left() {
	r.mu.Lock()
	r.invalid++
	r.mu.Unlock()
}

// event tells a step of the import: a line for every job that has ended.
func (r *report) event(e threatconnect.BatchEvent) {
	t := e.Stats.Total()
	r.mu.Lock()
	r.in = t.Succeeded
	plain := r.bar == nil
	r.mu.Unlock()
	if plain && e.Phase == threatconnect.BatchCompleted {
		r.line("job %d: %s done; %d of %d are in", e.JobID, count(int64(e.Items), "item"), t.Succeeded, t.Added)
	}
}

// end takes the bar away.
func (r *report) end() {
	if r.bar == nil {
		return
	}
	close(r.stop)
	r.stopped.Wait()
	_ = r.bar.Finish()
	_ = r.bar.Clear()
}
