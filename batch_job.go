package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// batchJob is what is sent in one go. It becomes one job on the platform, or several when the file
// is too large for it or an item makes it give up.
type batchJob struct {
	content
	number int64 // from 1
	after  int64 // number of the last job that must have ended before
	spare  int64 // id of a job on the platform that was made and has no file
	again  int   // how often parts of it were sent again because of items that end jobs

	pieces  []piece // what is still to be sent or waited for, in order
	outcome outcome // what has become of the rest
	files   []jobFile
}

func (j *batchJob) begin(number int64) {
	j.number, j.after, j.spare, j.again = number, 0, 0, 0
	j.pieces, j.outcome, j.files = nil, outcome{}, nil
}

// piece is a part of a job that has a file of its own.
type piece struct {
	part
	jobID int64 // the job on the platform that was made for it, which may have the file; 0 for none
}

// mostAgain is how often parts of a job are sent again to find the items that end it. When there are
// more of them than that, it is not the items.
const mostAgain = 64

// run brings a job in, piece by piece. What happens to its items is counted on the way; an error
// that ends the import is kept.
func (w *BatchWriter) run(ctx context.Context, j *batchJob) {
	for len(j.pieces) > 0 {
		if w.stopped() {
			w.leave(j)
			break
		}
		more, err := w.runPiece(ctx, j)
		if err != nil {
			w.halt(err) // what comes after the job may refer to what is not in
		}
		var next []piece
		for _, p := range more {
			next = append(next, piece{part: p})
		}
		j.pieces = append(next, j.pieces[1:]...)
		if err != nil && !settled(err) {
			continue // what is kept of the job is the state before, in which it can be gone on with
		}
		if err := w.keepProgress(j); err != nil {
			w.jam(err)
		}
	}
	w.uploadFiles(ctx, j)
}

// leave counts what is left of a job that the import has ended before.
func (w *BatchWriter) leave(j *batchJob) {
	for _, p := range j.pieces {
		if p.jobID != 0 {
			w.lose(j, p.part, p.jobID)
		} else {
			w.unprocessed(j, p.part, 0)
		}
	}
	j.pieces = j.pieces[:0]
}

// settled reports whether an error that ended the import came after all was known of a piece.
func settled(err error) bool {
	_, full := errors.AsType[*BatchItemError](err)
	return full || errors.Is(err, errHalted) || errors.Is(err, ErrBatchLost)
}

// runPiece brings the first piece of a job in and returns what of it must be sent again, in smaller
// parts.
//
// What is kept on the way is enough to go on after an end of the process: the job on the platform,
// before it can get the file, and then what has become of the items. Whether it has got the file
// need not be kept, because the platform knows.
func (w *BatchWriter) runPiece(ctx context.Context, j *batchJob) ([]part, error) {
	p := j.pieces[0].part
	size := j.bytes(p, w.cfg.Version)
	if most := w.fileLimit(); size > most && p.len() > 1 && j.pieces[0].jobID == 0 {
		return j.split(p, w.cfg.Version, most), nil
	}
	ev := BatchEvent{Job: j.number, Items: p.len(), Bytes: size}
	w.tell(ev, BatchQueued)
	u := upload{w: w, j: j, body: j.payload(p, w.cfg.Version)}
	if u.jobID = j.pieces[0].jobID; u.jobID != 0 {
		u.unknown = true // an earlier process may have uploaded it
	} else if err := u.makeJob(ctx); err != nil {
		w.unprocessed(j, p, 0)
		return nil, err
	}
	ev.JobID = u.jobID
	w.tell(ev, BatchCreated)
	err := u.run(ctx)
	ev.JobID = u.jobID
	switch {
	case errors.Is(err, ErrRequestTooLarge):
		j.spare = u.jobID
		return w.tooLarge(j, p, size, err), nil
	case err != nil && !u.unknown:
		w.unprocessed(j, p, 0)
		return nil, err
	case err != nil:
		w.lose(j, p, u.jobID)
		return nil, err
	}
	w.count(j, func(o *outcome) { o.jobs++; o.bytes += size })
	w.tell(ev, BatchUploaded)
	st, err := w.await(ctx, ev)
	if err != nil {
		w.lose(j, p, ev.JobID)
		return nil, err
	}
	more, err := w.settle(ctx, j, p, ev.JobID, st)
	w.tell(ev, BatchCompleted)
	return more, err
}

// patiently tries a call that may be repeated until it is answered, for as long as the
// configuration says.
func (w *BatchWriter) patiently(ctx context.Context, try func() error) error {
	began := time.Now()
	for n := 1; ; n++ {
		err := try()
		if err == nil {
			w.reached.Store(true)
			return nil
		}
		// A page for people in the place of the API passes when the API was there before. When it was
		// not, the base URL is wrong.
		wait := w.backoff(n, err)
		if !passing(err) || foreign(err) && !w.reached.Load() || time.Since(began)+wait > w.cfg.RetryFor {
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// backoff is the wait before attempt n+1, not less than the platform asked for.
func (w *BatchWriter) backoff(n int, err error) time.Duration {
	d := w.s.c.cfg.retry.backoff(n + 2)
	if api, ok := errors.AsType[*APIError](err); ok {
		d = max(d, api.RetryAfter)
	}
	return d
}

// passing reports whether an error may go away by waiting: an outage, an overload, an answer that
// somebody else gave in the platform's place.
func passing(err error) bool {
	if errors.Is(err, ErrNotLicensed) || errors.Is(err, ErrBatchDisabled) || errors.Is(err, ErrValidation) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClockSkew) {
		return false
	}
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.StatusCode >= 500 || errors.Is(err, ErrBadResponse) || api.StatusCode == http.StatusTooManyRequests || api.StatusCode == http.StatusRequestTimeout
	}
	return errors.Is(err, ErrBadResponse) || !errors.Is(err, errUnsent) && !permanent(err)
}

// foreign reports whether somebody else answered in the platform's place.
func foreign(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return errors.Is(err, errPage) || ok && api.StatusCode < 500 && errors.Is(err, ErrBadResponse)
}

// tooLarge learns the largest file that the platform takes, and cuts a part accordingly. An item
// that is too large alone fails alone.
func (w *BatchWriter) tooLarge(j *batchJob, p part, size int64, err error) []part {
	most := size / 2
	if api, ok := errors.AsType[*APIError](err); ok {
		if n, found := allowed(api.Message); found && n < size {
			most = n
		}
	}
	if p.len() == 1 {
		w.fail(j, p.from, BatchItemError{Err: err})
		return nil
	}
	for have := w.limit.Load(); most < have && !w.limit.CompareAndSwap(have, most); have = w.limit.Load() {
	}
	return j.split(p, w.cfg.Version, most)
}

// allowed reads the number in "File size greater than allowable limit of 2000000".
func allowed(message string) (int64, bool) {
	_, rest, ok := strings.Cut(message, "limit of ")
	if !ok {
		return 0, false
	}
	end := 0
	for end < len(rest) && isDigit(rest[end]) {
		end++
	}
	n, err := strconv.ParseInt(rest[:end], 10, 64)
	return n, err == nil && n > 0
}

func (w *BatchWriter) fileLimit() int64 {
	if limit := w.limit.Load(); limit < int64(w.cfg.MaxBytes) {
		return limit
	}
	return math.MaxInt64 // only a limit of the platform cuts what is encoded
}

// await asks how a job stands until it is completed: at once, then after half of the time that one
// of its size took last, then less and less often.
func (w *BatchWriter) await(ctx context.Context, ev BatchEvent) (*BatchStatus, error) {
	began := time.Now()
	w.mu.Lock()
	p := pause{last: time.Duration(w.pace * float64(ev.Bytes) / 3 * float64(time.Second))}
	w.mu.Unlock()
	for {
		var st *BatchStatus
		err := w.patiently(ctx, func() (err error) {
			st, err = w.s.Status(ctx, ev.JobID)
			return err
		})
		took := time.Since(began)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, fmt.Errorf("%w: %s: %w", ErrBatchLost, jobName(ev.JobID), err)
		case err != nil:
			return nil, err
		case st.State == JobCompleted:
			w.mu.Lock()
			w.pace = took.Seconds() / float64(max(ev.Bytes, 1))
			w.mu.Unlock()
			return st, nil
		case took > w.cfg.WaitFor:
			return nil, fmt.Errorf("%w: %s is %s after %s", ErrBatchWait, jobName(ev.JobID), st.State.known(), took.Round(time.Second))
		}
		w.tell(ev, BatchRunning)
		if err := sleep(ctx, p.next()); err != nil {
			return nil, fmt.Errorf("threatconnect: waiting for %s: %w", jobName(ev.JobID), err)
		}
	}
}
