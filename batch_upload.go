package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// upload is the upload of one file, which happens once whatever happens on the way.
type upload struct {
	w       *BatchWriter
	j       *batchJob // the file is that of its first piece
	jobID   int64
	body    payload
	unknown bool // an attempt may have arrived
	refused int  // attempts that the platform refused while the job had no file
	remade  int  // how often the job was made anew
}

// makeJob makes a job on the platform, or takes one that was made before and not used. It is kept
// before anything is sent to it.
func (u *upload) makeJob(ctx context.Context) (err error) {
	if u.jobID, u.j.spare = u.j.spare, 0; u.jobID == 0 {
		err = u.w.patiently(ctx, func() error {
			u.jobID, err = u.w.s.create(ctx, u.w.body)
			return err
		})
	}
	if err != nil {
		return err
	}
	u.j.pieces[0].jobID = u.jobID
	return u.w.keepProgress(u.j)
}

// run uploads the file. An attempt without a clear answer is followed by a look at the job: as long
// as it is Created it has no file. With an error, unknown says whether the platform may have the
// file nevertheless.
func (u *upload) run(ctx context.Context) error {
	if u.unknown {
		if arrived, err := u.look(ctx); arrived || err != nil {
			return err
		}
	}
	began := time.Now()
	for n := 1; ; n++ {
		_, err := u.w.s.upload(ctx, u.jobID, u.body)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrRequestTooLarge) {
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
		return false, u.makeJob(ctx)
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
		api.StatusCode != http.StatusTooManyRequests && !errors.Is(err, ErrBadResponse)
}
