package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// upload is the upload of the first piece of a file, which happens once, whatever happens on the way.
type upload struct {
	d       *Deliverer
	f       *File
	job     int64
	unknown bool // an attempt may have arrived
	refused int  // attempts that the platform refused while the job had no file
	created int  // how often the job was created again
}

// create creates a job, or takes one that was created before and not used. It is in the journal before anything is
// sent to it.
func (u *upload) create(ctx context.Context) (err error) {
	if u.job, u.f.spare = u.f.spare, 0; u.job == 0 {
		err = u.d.retry(ctx, func() error {
			u.job, err = u.d.Platform.Create(ctx)
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := u.d.Journal.Create(ctx, journal.Created{File: u.f.Number, Job: u.job}); err != nil {
		return err
	}
	u.f.Pieces[0].Job = u.job
	return nil
}

// run uploads the piece. After an attempt without a clear answer it asks for the state of the job: a job that waits
// has no file. After an error, unknown says whether the platform may have the file nevertheless.
func (u *upload) run(ctx context.Context) error {
	if u.unknown {
		if arrived, err := u.look(ctx); arrived || err != nil {
			return err
		}
	}
	began := time.Now()
	for n := 1; ; n++ {
		err := u.d.Platform.Upload(ctx, u.job, u.f.Body(u.f.Pieces[0].Part))
		if err == nil {
			return nil
		}
		fault := u.d.fault(err)
		if fault.TooLarge {
			return err
		}
		u.unknown = !fault.Refused && !fault.Unsent
		arrived, lookErr := u.look(ctx)
		switch {
		case lookErr != nil:
			return lookErr
		case arrived:
			return nil
		}
		if fault.Refused {
			u.refused++
		}
		wait := max(u.d.Backoff(n), fault.RetryAfter)
		if u.refused > 2 || !fault.Passing && !fault.Refused || time.Since(began)+wait > u.d.RetryFor {
			return err
		}
		if serr := sleep(ctx, wait); serr != nil {
			return fmt.Errorf("threatconnect: upload to %s: %w", JobName(u.job), errors.Join(serr, err))
		}
	}
}

// look asks whether the file has arrived. If the job waits for a file, nothing is unknown. A job that the platform no
// longer knows is created again if no file can have reached it.
func (u *upload) look(ctx context.Context) (arrived bool, err error) {
	var st Status
	err = u.d.retry(ctx, func() error {
		st, err = u.d.Platform.Status(ctx, u.job)
		return err
	})
	switch gone := u.d.fault(err).NotFound; {
	case gone && u.unknown:
		return false, fmt.Errorf("%w: %s: %w", ErrLost, JobName(u.job), err)
	case gone && u.created < 3:
		u.created++
		return false, u.create(ctx)
	case err != nil:
		return false, err
	}
	if st.State == Waiting {
		u.unknown = false
	}
	return st.State != Waiting, nil
}
