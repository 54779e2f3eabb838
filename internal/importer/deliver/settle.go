package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// settlement finds out what the platform did with the items of a piece whose job is completed.
type settlement struct {
	d       *Deliverer
	f       *File
	part    item.Part
	job     int64
	counts  attribute.Counts
	outcome item.Outcome

	matcher  *attribute.Matcher
	failed   []bool // items that errors name
	lost     []bool // of those, the ones that are not on the platform
	refused  []int  // positions of items with content that are not on the platform
	entries  int    // entries of the list that were read
	more     int    // of those, the ones that were not reported
	nameless int    // of those, the ones that name no item
	poison   *attribute.Entry
	poisoned int           // position of the item that poison names, or -1
	full     *item.Failure // the owner takes no more
}

// settle returns what has become of the piece, and which parts of it are sent again.
func (s *settlement) settle(ctx context.Context) (*journal.Settled, error) {
	s.failed, s.lost, s.poisoned = make([]bool, s.part.Len()), make([]bool, s.part.Len()), -1
	if s.counts.Errors > 0 || s.counts.Unprocessed > 0 {
		s.matcher = attribute.New(s.f.File, s.part)
		err := s.read(ctx)
		if err != nil && (ctx.Err() != nil || s.d.down(ctx, s.job, err)) {
			return nil, fmt.Errorf("threatconnect: read the errors of %s: %w", JobName(s.job), err)
		}
		s.unlisted(err)
		s.leftOut()
	}
	if s.poison != nil {
		return s.bisect()
	}
	var rest []item.Part
	part := s.part
	if s.full != nil { // what was not processed can go in when there is room again
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

// FullError says that the owner takes no more indicators.
type FullError struct{ item.Failure }

func (e FullError) Error() string { return "threatconnect: the owner takes no more indicators" }

// named returns how many items errors name.
func (s *settlement) named() int {
	n := 0
	for _, failed := range s.failed {
		if failed {
			n++
		}
	}
	return n
}

// count counts the items at the front of the piece by what the platform says.
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

// unprocessed notes items that the platform has not looked at.
func (s *settlement) unprocessed(p item.Part, count bool) {
	for pos := p.From; pos < p.To; pos++ {
		if count {
			s.outcome.Kinds[s.f.KindAt(pos)].Unprocessed++
		}
		s.d.note(&s.outcome, s.f.failure(pos, item.Failure{Job: s.job, Unprocessed: true}))
		s.refused = append(s.refused, s.f.content(pos)...)
	}
}

// settled returns the record, with the parts that are sent again.
func (s *settlement) settled(again []item.Part) *journal.Settled {
	r := s.d.cut(s.f, again)
	r.Outcome, r.Refused = s.outcome, s.refused
	return r
}

// read reads the list of errors, and retries through an outage. The list can be late, or have the other name. An empty
// list of that name says nothing while an outage hides the first one.
func (s *settlement) read(ctx context.Context) error {
	list := func(name string) error {
		return s.d.retry(ctx, func() error { return s.d.Platform.Errors(ctx, s.job, name, s.entries, s.entry) })
	}
	var err error
	for wait := 500 * time.Millisecond; wait <= 16*time.Second; wait *= 2 {
		err = list("errors")
		if !s.d.fault(err).Early || sleep(ctx, wait) != nil {
			break
		}
	}
	if err != nil && s.entries == 0 && ctx.Err() == nil {
		other := list("results")
		if s.d.fault(other).Passing || other == nil && (s.entries > 0 || !s.d.fault(err).Passing) {
			return other
		}
	}
	return err
}

// reported returns how many entries of the list are reported. The list can be long whatever the job is, and each
// report is a call of the caller's function.
func (s *settlement) reported() int { return max(1000, 8*s.part.Len()) }

// entry takes one entry of the list. All entries count, but of a long list only the first entry of each item is
// reported.
func (s *settlement) entry(e attribute.Entry) {
	s.entries++
	if attribute.Fatal(e.Reason, e.Cause) {
		s.poison = &e
		if pos, known := s.matcher.Told(&e); known {
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
	if s.entries > s.reported() && !first {
		s.more++
		return
	}
	failure := e.Failure(s.job)
	if known {
		failure = s.f.failure(pos, failure)
	}
	s.d.note(&s.outcome, failure)
}

// unlisted notes that the platform has counted more errors than it has listed.
func (s *settlement) unlisted(err error) {
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

// leftOut notes that the list has more entries than are reported.
func (s *settlement) leftOut() {
	if s.more > 0 {
		s.d.note(&s.outcome, item.Failure{Seq: -1, Job: s.job, Err: fmt.Errorf(
			"threatconnect: %s has %d items, and %d more errors than are reported: look at them with client.Batch.Errors", JobName(s.job), s.part.Len(), s.more)})
	}
}

// bisect deals with an item that made the platform give up the job. The platform works from front to back, so its
// counts tell how many items it has processed. The others are sent again, without the item as soon as that is known. Only
// an item that ends a job alone, or that the platform names, is blamed.
func (s *settlement) bisect() (*journal.Settled, error) {
	processed := attribute.Processed(s.counts, s.part.Len())
	if s.poisoned >= 0 { // nothing behind the item that the platform names was processed, whatever the counts say
		processed = min(processed, s.poisoned-s.part.From)
	}
	rest := item.Part{From: s.part.From + processed, To: s.part.To}
	s.count(item.Part{From: s.part.From, To: rest.From}, attribute.Counts{Success: s.counts.Success, Apart: s.counts.Apart})
	s.f.Again++
	alone := rest.Len() == 1
	if alone || s.d.HaltOnError || s.f.Again > maxAgain {
		culprit := max(s.poisoned, rest.From)
		if alone || s.poisoned >= 0 {
			s.unprocessed(item.Part{From: rest.From, To: culprit}, true)
			s.outcome.Kinds[s.f.KindAt(culprit)].Failed++
			s.d.note(&s.outcome, s.f.failure(culprit, s.poison.Failure(s.job)))
			s.refused = append(s.refused, s.f.content(culprit)...)
			s.unprocessed(item.Part{From: culprit + 1, To: rest.To}, true)
		} else { // it is one of them, and nobody can say which
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
	s.d.tell(Event{File: s.f.Number, Job: s.job, Items: rest.Len()}, Split)
	return s.settled(attribute.Bisect(rest, suspect)), nil
}
