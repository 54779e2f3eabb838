package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// settlement determines the outcome of the items of a piece whose job is completed.
type settlement struct {
	d       *Deliverer
	f       *File
	part    item.Part
	job     int64
	counts  attribute.Counts
	outcome item.Outcome

	matcher    *attribute.Matcher
	failed     []bool           // items that errors name
	lost       []bool           // failed items that are not on the platform
	refused    []int            // positions of items with content that are not on the platform
	entries    int              // number of entries read from the list of errors
	unreported int              // of these, entries that were not reported
	nameless   int              // of these, entries that name no item
	poison     *attribute.Entry // the error that aborted the job
	poisoned   int              // position of the item that poison names, or -1
	full       *item.Failure    // set if the owner accepts no more indicators
}

// settle returns the outcome of the piece and the parts to send again.
func (s *settlement) settle(ctx context.Context) (*journal.Settled, error) {
	s.failed, s.lost, s.poisoned = make([]bool, s.part.Len()), make([]bool, s.part.Len()), -1
	if s.counts.Errors > 0 || s.counts.Unprocessed > 0 {
		s.matcher = attribute.New(s.f.File, s.part)
		err := s.read(ctx)
		if err != nil && (ctx.Err() != nil || s.d.isDown(ctx, s.job, err)) {
			s.f.unrecorded, s.f.failed = s.outcome, s.failed
			return nil, fmt.Errorf("threatconnect: read the errors of %s: %w", JobName(s.job), err)
		}
		s.noteUnlisted(err)
		s.noteUnreported()
	}
	if s.poison != nil {
		return s.bisect()
	}
	var rest []item.Part
	part := s.part
	if s.full != nil { // unprocessed items can be sent when there is room again
		if tail := min(s.counts.Unprocessed, part.Len()-s.named()); tail > 0 {
			rest = []item.Part{{From: part.To - tail, To: part.To}}
			part.To -= tail
			s.counts.Unprocessed = 0
		}
	}
	s.count(part, s.counts)
	settled := s.settled(rest)
	switch {
	case s.full != nil:
		return settled, FullError{*s.full}
	case s.d.HaltOnError && (s.counts.Errors > 0 || s.counts.Unprocessed > 0):
		return settled, ErrHalted
	}
	return settled, nil
}

// FullError reports that the owner accepts no more indicators.
type FullError struct{ item.Failure }

func (e FullError) Error() string { return "threatconnect: the owner takes no more indicators" }

// named returns the number of items that errors name.
func (s *settlement) named() int {
	n := 0
	for _, failed := range s.failed {
		if failed {
			n++
		}
	}
	return n
}

// count counts the items at the front of the piece according to the counts of the platform.
func (s *settlement) count(p item.Part, c attribute.Counts) {
	v := attribute.Verdicts(s.f.File, p, c, s.failed[:p.Len()], s.nameless)
	tally := attribute.Tally(s.f.File, p, v, c, s.nameless)
	for k := range tally {
		s.outcome.Kinds[k].Plus(tally[k])
	}
	for i, verdict := range v {
		if verdict == item.Unprocessed {
			s.unprocessed(item.Part{From: p.From + i, To: p.From + i + 1}, false)
		}
	}
	unknown := int64(0)
	for k := range tally {
		unknown += tally[k].Unknown
	}
	if unknown > 0 {
		s.d.note(&s.outcome, item.Failure{Seq: -1, Job: s.job, Err: fmt.Errorf(
			"threatconnect: the platform has confirmed %d of the %d items of %s: look for them in the owner", c.Success, p.Len(), JobName(s.job))})
	}
}

// unprocessed records items that the platform did not process.
func (s *settlement) unprocessed(p item.Part, count bool) {
	for pos := p.From; pos < p.To; pos++ {
		if count {
			s.outcome.Kinds[s.f.KindAt(pos)].Unprocessed++
		}
		s.d.note(&s.outcome, s.f.failure(pos, item.Failure{Job: s.job, Unprocessed: true}))
		s.refused = append(s.refused, s.f.content(pos)...)
	}
}

// settled returns the record, with the parts to send again.
func (s *settlement) settled(again []item.Part) *journal.Settled {
	r := s.d.cut(s.f, again)
	r.Outcome, r.Refused = s.outcome, s.refused
	return r
}

// read reads the list of errors and retries through an outage. The list may be late, or be available only as
// "results". While "errors" fails because of an outage, an empty "results" proves nothing.
func (s *settlement) read(ctx context.Context) error {
	list := func(name string) error {
		return s.d.retry(ctx, func() error { return s.d.Platform.Errors(ctx, s.job, name, s.entries, s.entry) })
	}
	var err error
	for wait := 500 * time.Millisecond; wait <= 16*time.Second; wait *= 2 {
		err = list("errors")
		if !s.d.fault(err).NotReady || sleep(ctx, wait) != nil {
			break
		}
	}
	if err != nil && s.entries == 0 && ctx.Err() == nil {
		other := list("results")
		if s.d.fault(other).Temporary || other == nil && (s.entries > 0 || !s.d.fault(err).Temporary) {
			return other
		}
	}
	return err
}

// maxReports returns the number of entries that are reported. The list can be much longer than the job, and
// each report calls a function of the user.
func (s *settlement) maxReports() int { return max(1000, 8*s.part.Len()) }

// entry handles one entry of the list. Every entry counts. Beyond maxReports, only the first entry of each
// item is reported.
func (s *settlement) entry(e attribute.Entry) {
	s.entries++
	if attribute.Fatal(e.Reason, e.Cause) {
		s.poison = &e
		if pos, known := s.matcher.FindNamed(&e); known {
			s.poisoned = pos
		}
		return
	}
	if attribute.Full(e.Code, e.Reason, e.Cause) {
		s.full = &item.Failure{Seq: -1, Code: attribute.CodeLimit, Job: s.job}
	}
	pos, known := s.matcher.Find(&e)
	first := false
	if known {
		i := pos - s.part.From
		first, s.failed[i] = !s.failed[i], true
		if !s.lost[i] && !attribute.Partial(e.Code) {
			s.lost[i] = true
			s.refused = append(s.refused, s.f.content(pos)...)
		}
	} else {
		s.nameless++
	}
	if s.entries > s.maxReports() && !first {
		s.unreported++
		return
	}
	failure := e.Failure(s.job)
	if known {
		failure = s.f.failure(pos, failure)
	}
	s.d.note(&s.outcome, failure)
}

// noteUnlisted records that the platform counted more errors than it listed.
func (s *settlement) noteUnlisted(err error) {
	n := s.counts.Errors - s.entries
	if n <= 0 || s.poison != nil {
		return
	}
	s.nameless += n
	missing := fmt.Errorf("threatconnect: %s: %d of its errors are not listed", JobName(s.job), n)
	if err != nil {
		missing = fmt.Errorf("%w: %w", missing, err)
	}
	s.d.note(&s.outcome, item.Failure{Seq: -1, Job: s.job, Err: missing})
}

// noteUnreported records that entries of the list were not reported.
func (s *settlement) noteUnreported() {
	if s.unreported > 0 {
		s.d.note(&s.outcome, item.Failure{Seq: -1, Job: s.job, Err: fmt.Errorf(
			"threatconnect: %s has %d items, and %d more errors than are reported: look at them with client.Batch.Errors", JobName(s.job), s.part.Len(), s.unreported)})
	}
}

// bisect handles an item that made the platform abort the job. The platform processes items in order, so its
// counts show how many it has processed. The remaining items are sent again in smaller parts, and without the
// item once it is known. An item is blamed only if it aborts a job alone or if the platform names it.
func (s *settlement) bisect() (*journal.Settled, error) {
	processed := attribute.Processed(s.counts, s.part.Len())
	if s.poisoned >= 0 { // items after it were not processed, whatever the counts say
		processed = min(processed, s.poisoned-s.part.From)
	}
	rest := item.Part{From: s.part.From + processed, To: s.part.To}
	s.count(item.Part{From: s.part.From, To: rest.From}, attribute.Counts{Success: s.counts.Success, Apart: s.counts.Apart})
	s.f.Again++
	alone := rest.Len() == 1
	if alone || s.d.HaltOnError || s.f.Again > maxBisections {
		culprit := max(s.poisoned, rest.From)
		if alone || s.poisoned >= 0 {
			s.unprocessed(item.Part{From: rest.From, To: culprit}, true)
			s.outcome.Kinds[s.f.KindAt(culprit)].Failed++
			s.d.note(&s.outcome, s.f.failure(culprit, s.poison.Failure(s.job)))
			s.refused = append(s.refused, s.f.content(culprit)...)
			s.unprocessed(item.Part{From: culprit + 1, To: rest.To}, true)
		} else { // the culprit is among them and unknown
			s.d.note(&s.outcome, s.poison.Failure(s.job))
			s.unprocessed(rest, true)
		}
		if s.d.HaltOnError {
			return s.settled(nil), ErrHalted
		}
		return s.settled(nil), nil
	}
	suspect := -1
	switch {
	case s.poisoned >= 0:
		suspect = max(s.poisoned, rest.From)
	case processed > 0:
		suspect = rest.From
	}
	s.d.report(Event{File: s.f.Number, Job: s.job, Items: rest.Len()}, Split)
	return s.settled(attribute.Bisect(rest, suspect)), nil
}
