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
}

func (j *batchJob) begin(number int64) { j.number, j.after, j.spare, j.again = number, 0, 0, 0 }

// mostAgain is how often parts of a job are sent again to find the items that end it. When there are
// more of them than that, it is not the items.
const mostAgain = 64

// run brings a job in, part by part. What happens to its items is counted on the way; an error
// that ends the import is kept.
func (w *BatchWriter) run(ctx context.Context, j *batchJob) {
	parts := []part{j.all()}
	for len(parts) > 0 {
		p := parts[0]
		parts = parts[1:]
		if w.halted() != nil {
			w.unprocessed(j, p, 0)
			continue
		}
		more, err := w.runPart(ctx, j, p)
		parts = append(more, parts...)
		if err != nil {
			w.halt(err)
		}
	}
}

// runPart brings a part of a job in and returns what of it must be sent again, in smaller parts.
// These are the steps at which an import that was interrupted can go on: the part is encoded, a job
// has been made for it, and its errors are known. Whether the file was uploaded need not be
// remembered, because the platform knows.
func (w *BatchWriter) runPart(ctx context.Context, j *batchJob, p part) ([]part, error) {
	size := j.bytes(p, w.cfg.Version)
	if most := w.fileLimit(); size > most && p.len() > 1 {
		return j.split(p, w.cfg.Version, most), nil
	}
	ev := BatchEvent{Job: j.number, Items: p.len(), Bytes: size}
	w.tell(ev, BatchQueued)
	jobID, err := w.makeJob(ctx, j)
	if err != nil {
		w.unprocessed(j, p, 0)
		return nil, err
	}
	ev.JobID = jobID
	w.tell(ev, BatchCreated)
	u := upload{w: w, jobID: jobID, body: j.payload(p, w.cfg.Version)}
	err = u.run(ctx)
	ev.JobID = u.jobID
	switch {
	case errors.Is(err, ErrTooLarge):
		j.spare = u.jobID
		return w.tooLarge(j, p, size, err), nil
	case err != nil && !u.unknown:
		w.unprocessed(j, p, 0)
		return nil, err
	case err != nil:
		w.lose(j, p, u.jobID)
		return nil, err
	}
	w.mu.Lock()
	w.stats.Jobs++
	w.stats.Bytes += size
	w.mu.Unlock()
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

// makeJob makes a job on the platform, or takes one that was made before and not used.
func (w *BatchWriter) makeJob(ctx context.Context, j *batchJob) (jobID int64, err error) {
	if jobID, j.spare = j.spare, 0; jobID != 0 {
		return jobID, nil
	}
	err = w.patiently(ctx, func() error {
		jobID, err = w.s.create(ctx, w.body)
		return err
	})
	return jobID, err
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
	if errors.Is(err, ErrNotLicensed) || errors.Is(err, ErrBatchOff) || errors.Is(err, ErrValidation) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClockSkew) {
		return false
	}
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.StatusCode >= 500 || errors.Is(err, ErrResponse) || api.StatusCode == http.StatusTooManyRequests || api.StatusCode == http.StatusRequestTimeout
	}
	return errors.Is(err, ErrResponse) || !errors.Is(err, errUnsent) && !hopeless(err)
}

// foreign reports whether somebody else answered in the platform's place.
func foreign(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return errors.Is(err, errPage) || ok && api.StatusCode < 500 && errors.Is(err, ErrResponse)
}

// upload is the upload of one file, which happens once whatever happens on the way.
type upload struct {
	w       *BatchWriter
	jobID   int64
	body    payload
	unknown bool // an attempt may have arrived
	refused int  // attempts that the platform refused while the job had no file
	remade  int  // how often the job was made anew
}

// run uploads the file. An attempt without a clear answer is followed by a look at the job: as long
// as it is Created it has no file. With an error, unknown says whether the platform may have the
// file nevertheless.
func (u *upload) run(ctx context.Context) error {
	began := time.Now()
	for n := 1; ; n++ {
		_, err := u.w.s.upload(ctx, u.jobID, u.body)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrTooLarge) {
			return err
		}
		kept := refusal(err) || errors.Is(err, errUnsent) || neverConnected(err)
		u.unknown = u.unknown || !kept
		arrived, lookErr := u.look(ctx)
		switch {
		case lookErr != nil:
			return lookErr
		case arrived:
			return nil
		}
		if refusal(err) {
			u.refused++
		}
		wait := u.w.backoff(n, err)
		if u.refused > 2 || !passing(err) && !refusal(err) || time.Since(began)+wait > u.w.cfg.RetryFor {
			return err
		}
		if serr := sleep(ctx, wait); serr != nil {
			return fmt.Errorf("threatconnect: upload to %s: %w", jobName(u.jobID), errors.Join(serr, err))
		}
	}
}

// look asks whether the file has arrived. A job that has none is sure to wait for one, so that
// nothing is unknown any more; one that the platform has forgotten is made anew when no file can
// have reached it.
func (u *upload) look(ctx context.Context) (arrived bool, err error) {
	var st *BatchStatus
	err = u.w.patiently(ctx, func() error {
		st, err = u.w.s.Status(ctx, u.jobID)
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound) && !u.unknown && u.remade < 3:
		u.remade++
		var spare batchJob
		if u.jobID, err = u.w.makeJob(ctx, &spare); err != nil {
			return false, err
		}
		return false, nil
	case errors.Is(err, ErrNotFound):
		return false, fmt.Errorf("%w: %s: %w", ErrBatchLost, jobName(u.jobID), err)
	case err != nil:
		return false, err
	}
	if st.State == JobCreated {
		u.unknown = false
	}
	return st.State != JobCreated, nil
}

// refusal reports whether the platform itself has said that it did not take what was sent.
func refusal(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.StatusCode >= 400 && api.StatusCode < 500 && api.StatusCode != http.StatusRequestTimeout &&
		api.StatusCode != http.StatusTooManyRequests && !errors.Is(err, ErrResponse)
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
		w.refuse(j, p, err)
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

// await asks how a job stands until it is completed: at once, then after half of the time that the
// job before took, then less and less often.
func (w *BatchWriter) await(ctx context.Context, ev BatchEvent) (*BatchStatus, error) {
	began := time.Now()
	w.mu.Lock()
	p := pause{last: w.took / 3}
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
			w.took = took
			w.mu.Unlock()
			return st, nil
		case took > w.cfg.WaitFor:
			return nil, fmt.Errorf("%w: %s is %s after %s", ErrBatchWait, jobName(ev.JobID), quoteForeign(string(st.State)), took.Round(time.Second))
		}
		w.tell(ev, BatchRunning)
		if err := sleep(ctx, p.next()); err != nil {
			return nil, fmt.Errorf("threatconnect: waiting for %s: %w", jobName(ev.JobID), err)
		}
	}
}

// tell tells the caller a step.
func (w *BatchWriter) tell(ev BatchEvent, phase BatchPhase) {
	if w.cfg.OnEvent == nil {
		return
	}
	ev.Phase, ev.Stats = phase, w.Stats()
	w.telling.Lock()
	defer w.telling.Unlock()
	w.cfg.OnEvent(ev)
}
