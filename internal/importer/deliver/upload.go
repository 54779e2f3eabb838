package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// upload is the upload of the first piece of a file, which happens exactly once.
type upload struct {
	d       *Deliverer
	f       *File
	job     int64
	unknown bool // an attempt may have reached the platform
	refused int  // attempts that the platform refused while the job had no file
	created int  // number of times that the job was created again
}

// create creates a job, or takes an unused one. The journal contains the job before anything is sent to it.
func (u *upload) create(ctx context.Context) (err error) {
	if u.job, u.f.unusedJob = u.f.unusedJob, 0; u.job == 0 {
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

// run uploads the piece. After an attempt without a clear answer it reads the state of the job: a waiting job
// has no file. After an error, unknown reports whether the platform may have the file.
func (u *upload) run(ctx context.Context) error {
	if u.unknown {
		if arrived, err := u.arrived(ctx); arrived || err != nil {
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
		arrived, statusErr := u.arrived(ctx)
		switch {
		case statusErr != nil:
			return statusErr
		case arrived:
			return nil
		}
		if fault.Refused {
			u.refused++
		}
		wait := max(u.d.Backoff(n), fault.RetryAfter)
		if u.refused > 2 || !fault.Temporary && !fault.Refused || time.Since(began)+wait > u.d.RetryFor {
			return err
		}
		if serr := sleep(ctx, wait); serr != nil {
			return fmt.Errorf("threatconnect: upload to %s: %w", JobName(u.job), errors.Join(serr, err))
		}
	}
}

// arrived reports whether the job has its file. If the job waits for a file, no attempt is unknown. A job
// that no longer exists is created again if no file can have reached it.
func (u *upload) arrived(ctx context.Context) (arrived bool, err error) {
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
