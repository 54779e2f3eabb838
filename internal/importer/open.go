package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/deliver"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// OtherRun is the error for an unfinished import of another name in the store.
type OtherRun struct{ Run string }

func (e *OtherRun) Error() string {
	return "threatconnect: batch spool holds an import of another name that has not ended"
}

// ErrOther reports that the store contains a different import.
var ErrOther = fmt.Errorf("%w contains a different import", journal.ErrStore)

// Open resumes the import in the store, or begins a new one. If finished is true, the import has already
// completed: Stats returns its counts, and nothing can be added.
//
// After an error, Begun reports whether Open has sent files of the import, which has ended then.
func (e *Engine) Open(ctx context.Context) (finished bool, err error) {
	j, err := journal.Open(ctx, e.opts.Store, e.opts.Concurrency+1, e.opts.Errors, e.refuse)
	if err != nil {
		return false, err
	}
	var begun journal.Start
	var end *journal.End
	j.View(func(s *journal.State) { begun, end = s.Start, s.End })
	start := e.opts.Start
	switch {
	case begun.Run == "" || end != nil && (begun.Run != start.Run || !end.Remember):
		if err := j.Begin(ctx, e.start()); err != nil {
			return false, err
		}
		e.setJournal(j)
		return false, nil
	case end != nil:
		e.setJournal(j)
		e.restoreTotals()
		return true, nil
	}
	e.setJournal(j)
	return false, e.restore(ctx)
}

// refuse returns an error for an unfinished import that differs from the options.
func (e *Engine) refuse(s *journal.State) error {
	begun, start := s.Start, e.opts.Start
	switch {
	case begun.Run == "" || s.End != nil:
		return nil
	case begun.Instance != start.Instance:
		return fmt.Errorf("%w: it is for another base URL: finish it there, or use another spool", ErrOther)
	case begun.Settings != start.Settings:
		return fmt.Errorf("%w: its owner, action or write types differ: finish it with those, or use another spool", ErrOther)
	case begun.Run != start.Run:
		return &OtherRun{begun.Run}
	}
	return nil
}

// Begun reports whether the engine has an import.
func (e *Engine) Begun() bool { return e.journal != nil }

// restoreTotals restores the counts of added items.
func (e *Engine) restoreTotals() {
	e.journal.View(func(s *journal.State) {
		e.totals, e.made = s.Totals.Clone(), s.Made
		t := s.Outcome.Total()
		e.before = t.Total() + e.totals.Excluded[item.Indicator] + e.totals.Excluded[item.Association]
	})
	e.resumed = e.totals
	e.packer.Deferred, e.packer.Links = e.totals.Deferred, e.totals.Kinds[item.Link]
}

// restore resumes the import at the end of the journal and sends the remaining files. An error ends the
// import.
func (e *Engine) restore(ctx context.Context) error {
	e.restoreTotals()
	e.began = time.Now()
	var files []journal.File
	e.journal.View(func(s *journal.State) {
		for _, f := range s.Files {
			files = append(files, *f)
		}
	})
	err := e.journal.Known(ctx, e.packer.Restore)
	if err == nil {
		err = e.journal.Waiting(ctx, e.packer.Hold)
	}
	for err == nil && len(files) > 0 {
		if err = e.resend(ctx, &files[0]); err == nil {
			files = files[1:]
		}
	}
	if err != nil {
		e.abort(err, len(files))
	}
	return err
}

// abort ends an import whose last unread files were not read.
func (e *Engine) abort(err error, unread int) {
	e.Stop(err)
	e.running.Wait()
	e.free = nil
	var left item.Outcome
	e.journal.View(func(s *journal.State) {
		for _, f := range s.Files[len(s.Files)-unread:] {
			verdict := item.Unprocessed
			for _, p := range f.Pieces {
				if p.Job != 0 {
					verdict, left.Lost = item.Unknown, append(left.Lost, p.Job)
				}
			}
			for k, n := range f.Unsettled {
				left.Kinds[k].Add(verdict, n)
			}
			left.Contents.Unprocessed += int64(len(f.Contents))
		}
	})
	e.mu.Lock()
	e.left.Plus(&left)
	e.mu.Unlock()
	_ = e.countUnsent() // the import has its error
}

// resend queues a file from the journal. If its items cannot be read, their outcome is unknown.
func (e *Engine) resend(ctx context.Context, f *journal.File) error {
	into, err := e.newFile(ctx)
	if err != nil {
		return err
	}
	if err := e.journal.Payload(ctx, f, into); err != nil {
		into.Reset()
		e.free <- into
		if !errors.Is(err, journal.ErrRecord) {
			return err
		}
		return e.settleUnreadable(ctx, f, err)
	}
	e.enqueue(&deliver.File{File: into, Number: f.Number, After: f.After, Pieces: slices.Clone(f.Pieces), Contents: slices.Clone(f.Contents), Again: f.Again})
	return nil
}

// settleUnreadable settles a file whose items cannot be read.
func (e *Engine) settleUnreadable(ctx context.Context, f *journal.File, err error) error {
	s := &journal.Settled{File: f.Number}
	for k := range s.Outcome.Kinds {
		s.Outcome.Kinds[k].Unknown = f.Unsettled[k]
	}
	for _, p := range f.Pieces {
		if p.Job != 0 {
			s.Outcome.Lost = append(s.Outcome.Lost, p.Job)
		}
	}
	failure := item.Failure{Seq: -1, Err: err}
	s.Outcome.Note(failure)
	e.opts.Failed(failure)
	if err := e.journal.Settle(ctx, s); err != nil {
		return err
	}
	for range f.Contents {
		if err := e.journal.Attach(ctx, &journal.Attached{File: f.Number, Outcome: item.Outcome{Contents: item.Counts{Unknown: 1}}}); err != nil {
			return err
		}
	}
	return nil
}
