package deliver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// Deliverer delivers files. Its methods are safe for concurrent use.
type Deliverer struct {
	Platform    Platform
	Journal     *journal.Journal
	MaxBytes    int64         // size at which files are closed
	RetryFor    time.Duration // longest outage to retry through
	WaitFor     time.Duration // longest time from upload to completion
	HaltOnError bool
	Backoff     func(attempt int) time.Duration
	Event       func(Event)
	Failed      func(item.Failure)
	Stopped     func() bool // whether the import has ended, so nothing more is sent

	Pace    Pace
	limit   atomic.Int64 // largest file that the instance accepts; 0 if unknown
	reached atomic.Bool  // whether a call has ever succeeded
}

// File is a file in delivery. It is used by one goroutine at a time.
type File struct {
	*item.File
	Number    int64
	After     int64           // number of the last file that must be settled first
	Pieces    []journal.Piece // remaining pieces, in order
	Contents  []journal.Content
	Again     int   // number of bisections so far
	unusedJob int64 // a created job without a file, or 0
	sent      bool  // the first piece was uploaded
	settled   Event // of the completed piece that is not in the journal yet
	last      int64 // ID of the last job

	// What is known and in no record when the import ends.
	unrecorded item.Outcome
	failed     []bool // items of the first piece that errors name; nil unless their list could not be read to its end
}

// maxBisections limits the bisections of a file. If more are needed, the items are not the cause.
const maxBisections = 64

// Run delivers a file. An error ends the import, because later files may refer to missing items. The outcomes
// of items are in the journal; left contains those that are not, and with which a resumed import continues.
// Each failure that was reported is in one of them.
func (d *Deliverer) Run(ctx context.Context, f *File) (left item.Outcome, err error) {
	for len(f.Pieces) > 0 {
		if d.Stopped() {
			return d.Leave(f), nil
		}
		s, err := d.deliverPiece(ctx, f)
		if s != nil {
			s.File, s.Again = f.Number, f.Again
			jerr := d.Journal.Settle(ctx, s)
			f.Pieces, f.sent = s.Pieces, false
			if jerr != nil {
				f.unrecorded = s.Outcome
				return d.Leave(f), errors.Join(err, jerr)
			}
			if f.settled.Job != 0 {
				d.report(f.settled, Settled)
				f.settled = Event{}
			}
			for i := range f.Contents {
				if slices.Contains(s.Refused, f.Contents[i].Position) {
					f.Contents[i].Refused = true
				}
			}
		}
		if err != nil {
			return d.Leave(f), err
		}
	}
	return d.attach(ctx, f)
}

// Leave counts the remaining items and contents of a file when the import ends, and those whose outcome is known but in
// no record.
func (d *Deliverer) Leave(f *File) (o item.Outcome) {
	o.Plus(&f.unrecorded)
	for i, p := range f.Pieces {
		if p.Job != 0 {
			if o.Lost = append(o.Lost, p.Job); i == 0 && f.sent {
				o.Jobs, o.Bytes = 1, f.Bytes(p.Part)
			}
		}
		for pos := p.From; pos < p.To; pos++ {
			k := &o.Kinds[f.KindAt(pos)]
			switch {
			case i == 0 && f.failed != nil && f.failed[pos-p.From]:
				k.Failed++
			case p.Job != 0:
				k.Unknown++
			default:
				k.Unprocessed++
				d.note(&o, f.failure(pos, item.Failure{Unprocessed: true}))
			}
		}
	}
	o.Contents.Unprocessed += int64(len(f.Contents))
	f.Pieces, f.Contents = nil, nil
	return o
}

// note records and reports a failure.
func (d *Deliverer) note(o *item.Outcome, e item.Failure) {
	o.Note(e)
	d.Failed(e)
}

// failure sets the item that a failure concerns.
func (f *File) failure(pos int, e item.Failure) item.Failure {
	s, json, seq := f.At(pos)
	e.Seq = max(seq, ^seq)
	if s == item.Associations {
		e.Type, e.Name = "Association", ""
		return e
	}
	n := item.NameOf(json)
	e.Type, e.Name = n.Type, n.Ref
	return e
}

// deliverPiece delivers the first piece of a file and returns its outcome. The outcome is nil if a resumed
// import must continue with the piece.
//
// The journal contains everything needed to resume: the ID of the job before the upload, and then the
// outcome. It need not record the upload, because the platform knows whether a job has its file.
func (d *Deliverer) deliverPiece(ctx context.Context, f *File) (*journal.Settled, error) {
	p := f.Pieces[0]
	size := f.Bytes(p.Part)
	if limit := d.fileLimit(); size > limit && p.Len() > 1 && p.Job == 0 {
		return d.cut(f, f.Split(p.Part, limit)), nil
	}
	ev := Event{File: f.Number, Items: p.Len(), Bytes: size}
	d.report(ev, Queued)
	u := upload{d: d, f: f, job: p.Job, unknown: p.Job != 0} // an earlier process may have uploaded it
	if u.job == 0 {
		if err := u.create(ctx); err != nil {
			return nil, err
		}
	}
	ev.Job = u.job
	d.report(ev, Created)
	err := u.run(ctx)
	ev.Job = u.job
	switch fault := d.fault(err); {
	case fault.TooLarge:
		f.unusedJob, f.Pieces[0].Job = u.job, 0
		return d.tooLarge(f, size, fault.Limit, err), nil
	case errors.Is(err, ErrLost):
		return d.settleUnknown(f, u.job, size), err
	case err != nil:
		if !u.unknown {
			f.Pieces[0].Job = 0
		}
		return nil, err
	}
	f.sent, f.last = true, u.job
	d.report(ev, Uploaded)
	counts, err := d.await(ctx, ev)
	if errors.Is(err, ErrLost) {
		return d.settleUnknown(f, ev.Job, size), err
	}
	if err != nil {
		return nil, err
	}
	s := settlement{d: d, f: f, part: p.Part, job: ev.Job, counts: counts, outcome: item.Outcome{Jobs: 1, Bytes: size}}
	f.settled = ev
	return s.settle(ctx)
}

// cut returns a record that replaces the first piece of a file with parts.
func (d *Deliverer) cut(f *File, parts []item.Part) *journal.Settled {
	s := &journal.Settled{}
	for _, p := range parts {
		s.Pieces = append(s.Pieces, journal.Piece{Part: p})
	}
	s.Pieces = append(s.Pieces, f.Pieces[1:]...)
	return s
}

// settleUnknown returns a record that settles the first piece with an unknown outcome.
func (d *Deliverer) settleUnknown(f *File, job, size int64) *journal.Settled {
	s := d.cut(f, nil)
	p := f.Pieces[0]
	s.Outcome.Jobs, s.Outcome.Bytes, s.Outcome.Lost = 1, size, []int64{job}
	for pos := p.From; pos < p.To; pos++ {
		s.Outcome.Kinds[f.KindAt(pos)].Unknown++
		s.Refused = append(s.Refused, f.content(pos)...)
	}
	return s
}

// content returns pos in a slice if the item at pos has content, and otherwise nil.
func (f *File) content(pos int) []int {
	if slices.ContainsFunc(f.Contents, func(c journal.Content) bool { return c.Position == pos }) {
		return []int{pos}
	}
	return nil
}

// tooLarge records the largest file that the platform accepts, and cuts the first piece accordingly. A single
// item that is too large fails.
func (d *Deliverer) tooLarge(f *File, size, limit int64, err error) *journal.Settled {
	p := f.Pieces[0]
	if p.Len() == 1 {
		s := d.cut(f, nil)
		s.Outcome.Kinds[f.KindAt(p.From)].Failed++
		d.note(&s.Outcome, f.failure(p.From, item.Failure{Err: err}))
		s.Refused = f.content(p.From)
		return s
	}
	if limit <= 0 || limit >= size {
		limit = size / 2
	}
	for have := d.limit.Load(); (have == 0 || limit < have) && !d.limit.CompareAndSwap(have, limit); have = d.limit.Load() {
	}
	d.report(Event{File: f.Number, Items: p.Len(), Bytes: size}, Split)
	return d.cut(f, f.Split(p.Part, limit))
}

// Limit returns the size at which a file is closed: MaxBytes, or less if the platform is known to accept
// less.
func (d *Deliverer) Limit() int64 {
	if limit := d.limit.Load(); limit != 0 {
		return min(limit, d.MaxBytes)
	}
	return d.MaxBytes
}

// fileLimit returns the size above which a file is cut. Only a limit of the platform cuts files.
func (d *Deliverer) fileLimit() int64 {
	if limit := d.limit.Load(); limit != 0 {
		return limit
	}
	return math.MaxInt64
}

// fault classifies an error. The fault of nil is zero.
func (d *Deliverer) fault(err error) Fault {
	if err == nil {
		return Fault{}
	}
	return d.Platform.Classify(err)
}

// retry retries a call that is safe to repeat, through an outage of up to RetryFor.
func (d *Deliverer) retry(ctx context.Context, call func() error) error {
	began := time.Now()
	for n := 1; ; n++ {
		err := call()
		if err == nil {
			d.reached.Store(true)
			return nil
		}
		// An HTML page is temporary if the API was reached before. Otherwise the base URL is wrong.
		fault := d.fault(err)
		wait := max(d.Backoff(n), fault.RetryAfter)
		if !fault.Temporary || fault.Foreign && !d.reached.Load() || time.Since(began)+wait > d.RetryFor {
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// isDown reports whether a call failed because the platform is unreachable, so that a resumed import can
// repeat it. If only this call fails, waiting for it would block every resume. So isDown reads the status of
// a job, where any answer shows that the platform is up.
func (d *Deliverer) isDown(ctx context.Context, job int64, err error) bool {
	if !d.fault(err).Temporary {
		return false
	}
	_, err = d.Platform.Status(ctx, job)
	return d.fault(err).Temporary
}

// await polls a job until it is completed.
func (d *Deliverer) await(ctx context.Context, ev Event) (counts attribute.Counts, err error) {
	began := time.Now()
	next := pollDelays(d.Pace.expect(ev.Bytes))
	running := time.Duration(0)
	for {
		if err := sleep(ctx, next()); err != nil {
			return counts, fmt.Errorf("threatconnect: wait for %s: %w", JobName(ev.Job), err)
		}
		var st Status
		err := d.retry(ctx, func() (err error) {
			st, err = d.Platform.Status(ctx, ev.Job)
			return err
		})
		took := time.Since(began)
		switch {
		case d.fault(err).NotFound:
			return counts, fmt.Errorf("%w: %s: %w", ErrLost, JobName(ev.Job), err)
		case err != nil:
			return counts, err
		case st.State == Completed:
			d.Pace.learn(ev.Bytes, running, took)
			return st.Counts, nil
		case took > d.WaitFor:
			return counts, fmt.Errorf("%w: %s is %s after %s", ErrWait, JobName(ev.Job), st.Name, took.Round(time.Second))
		}
		running = took
		d.report(ev, Running)
	}
}

func (d *Deliverer) report(ev Event, phase Phase) {
	ev.Phase = phase
	d.Event(ev)
}

// JobName returns the name of a job for error texts.
func JobName(job int64) string { return "batch job " + strconv.FormatInt(job, 10) }

// sleep waits, or returns the error of ctx.
func sleep(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return journal.ContextErr(ctx)
	}
}
