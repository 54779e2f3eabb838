package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// settle counts what happened to the items of a part whose job is completed, and returns what must
// be sent again because an item ended the job.
func (w *BatchWriter) settle(ctx context.Context, j *batchJob, p part, jobID int64, st *BatchStatus) ([]part, error) {
	if st.errors() == 0 && st.Unprocessed == 0 {
		w.tally(j, p, nil, 0)
		return nil, nil
	}
	s := settlement{w: w, j: j, part: p, jobID: jobID, status: st, errors: newMatcher(&j.content, p), poisoned: -1}
	err := s.read(ctx)
	if err != nil && ctx.Err() != nil {
		w.lose(j, p, jobID)
		return nil, err
	}
	s.unlisted(err)
	if s.poison != nil {
		return s.bisect()
	}
	done := part{p.from, p.to - min(st.Unprocessed, p.len()-s.errors.failed)}
	rest := part{done.to, p.to}
	failed := max(s.errors.failed+s.unknown, s.status.errors())
	w.tally(j, done, s.errors, failed-s.errors.failed)
	switch {
	case s.full != nil && rest.len() > 0:
		return []part{rest}, s.full // it can go in when there is room again
	case s.full != nil:
		return nil, s.full
	case w.cfg.HaltOnError:
		err = errHalted
	default:
		err = nil
	}
	w.unprocessed(j, rest, jobID)
	return nil, err
}

var errHalted = errors.New("threatconnect: the platform refused an item and HaltOnError is set")

// settlement is the end of a part's job that had errors.
type settlement struct {
	w        *BatchWriter
	j        *batchJob
	part     part
	jobID    int64
	status   *BatchStatus
	errors   *matcher
	entries  int       // how many errors of the list were taken
	unknown  int       // how many of them are about no item that is known
	poison   *jobError // the error that made the platform give up the job
	poisoned int       // position of the item that it is about, or -1
	full     error     // the owner takes no more
}

// read reads the list of errors, which can be late, or in the other place.
func (s *settlement) read(ctx context.Context) error {
	var err error
	for wait := 500 * time.Millisecond; wait <= 16*time.Second; wait *= 2 {
		err = s.w.s.readErrors(ctx, s.jobID, "errors", nil, &s.entries, s.entry)
		early := errors.Is(err, ErrNotFound) || errors.Is(err, ErrBadRequest)
		if err == nil || !early && !passing(err) || sleep(ctx, wait) != nil {
			break
		}
	}
	if err != nil && s.entries == 0 && ctx.Err() == nil {
		if other := s.w.s.readErrors(ctx, s.jobID, "results", nil, &s.entries, s.entry); other == nil {
			return nil
		}
	}
	return err
}

// entry takes one error of the list.
func (s *settlement) entry(e *jobError) bool {
	item := e.item(s.jobID)
	pos, fresh, known := 0, false, false
	if item.poison() {
		s.poison = e
		if pos, known = s.errors.told(e); known {
			s.poisoned = pos
		}
		return true
	}
	if item.limit() {
		s.full = &BatchItemError{Seq: -1, Code: CodeIndicatorLimit, JobID: s.jobID}
	}
	if pos, fresh, known = s.errors.find(e); known {
		s.w.describe(&item, s.j, pos)
		if !item.Code.Partial() {
			s.j.refuse(pos)
		}
	} else {
		s.unknown++
	}
	if fresh || !known || item.Seq >= 0 {
		s.w.note(s.j, item)
	}
	return true
}

// unlisted notes that the platform has counted more errors than it has listed.
func (s *settlement) unlisted(err error) {
	if n := s.status.errors() - s.entries; n > 0 && s.poison == nil {
		missing := fmt.Errorf("threatconnect: %s: %d of its errors are not listed", jobName(s.jobID), n)
		if err != nil {
			missing = fmt.Errorf("%w: %w", missing, err)
		}
		s.w.note(s.j, BatchItemError{Seq: -1, JobID: s.jobID, Err: missing})
	}
}

// bisect deals with an item that made the platform give up. The platform works through a file from
// front to back, so that its counts tell how many items it has processed; what it has not is sent
// again, without the item as soon as that is known.
func (s *settlement) bisect() ([]part, error) {
	w, p := s.w, s.part
	most := p.len() - 1
	processed := min(min(s.status.Success, most)+min(max(s.status.errors()-1, 0), most), most)
	rest := part{p.from + processed, p.to}
	if s.poisoned >= 0 {
		s.poisoned = max(s.poisoned, rest.from)
	} else if processed > 0 {
		s.poisoned = rest.from
	}
	s.status.Errors, s.status.ErrorIndicators, s.status.ErrorGroups, s.status.ErrorAssociations = 0, 0, 0, 0 // they have been told
	w.tally(s.j, part{p.from, rest.from}, s.errors, s.unknown)
	s.j.again++
	alone := rest.len() == 1
	if alone || w.cfg.HaltOnError || s.j.again > mostAgain {
		if at := s.poisoned; alone || at >= 0 {
			at = max(at, rest.from)
			w.unprocessed(s.j, part{rest.from, at}, s.jobID)
			w.fail(s.j, at, s.poison.item(s.jobID))
			w.unprocessed(s.j, part{at + 1, rest.to}, s.jobID)
		} else { // it is one of them, and nobody can say which
			w.note(s.j, s.poison.item(s.jobID))
			w.unprocessed(s.j, rest, s.jobID)
		}
		if w.cfg.HaltOnError {
			return nil, errHalted
		}
		return nil, nil
	}
	var parts []part
	if s.poisoned >= 0 {
		parts = []part{{rest.from, s.poisoned}, {s.poisoned, s.poisoned + 1}, {s.poisoned + 1, rest.to}}
	} else {
		half := rest.from + rest.len()/2
		parts = []part{{rest.from, half}, {half, rest.to}}
	}
	kept := parts[:0]
	for _, p := range parts {
		if p.len() > 0 {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

// describe says which item of a job an error is about.
func (w *BatchWriter) describe(e *BatchItemError, j *batchJob, pos int) {
	list, text, seq := j.item(pos)
	e.Seq = seq
	if seq < 0 {
		e.Seq = ^seq
	}
	if list == inAssociations {
		e.Type, e.Ref = "Association", ""
		return
	}
	name := nameOf(text)
	e.Type, e.Ref = name.typ, name.ref
}
