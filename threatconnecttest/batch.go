package threatconnecttest

import "time"

const (
	defaultBatchLimit      = 75_000_000 // bytes
	defaultBatchIndicators = 25_000
)

// batchSettings configures batch jobs.
type batchSettings struct {
	limit       int64         // size of an upload in bytes
	indicators  int           // indicators per job
	polls       int           // polls until a job is done
	duration    time.Duration // processing time of a job
	synchronous int           // bytes below which createAndUpload runs a job immediately
	lateErrors  int           // times that the error file is missing
}

// WithBatchLimit sets the maximum size of an upload in bytes. The error for a larger upload
// contains this number. The default is 75,000,000.
func WithBatchLimit(bytes int64) Option { return func(s *Server) { s.batch.limit = bytes } }

// WithBatchIndicators sets the maximum number of indicators per job. The default is 25,000.
func WithBatchIndicators(n int) Option { return func(s *Server) { s.batch.indicators = n } }

// WithBatchPolls makes a batch job report Queued and Running to its first n polls. Its items are
// visible once it is Completed. By default, a job completes before the upload returns.
func WithBatchPolls(n int) Option { return func(s *Server) { s.batch.polls = n } }

// WithBatchDuration makes a batch job take the time d by the server's clock. The job is Queued for
// the first quarter of d, then Running. Its items are visible once it is Completed.
func WithBatchDuration(d time.Duration) Option { return func(s *Server) { s.batch.duration = d } }

// SetBatchDuration changes the duration of jobs; see [WithBatchDuration]. Jobs that have already
// been uploaded keep their duration.
func (s *Server) SetBatchDuration(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch.duration = d
}

// WithSynchronousBatch makes createAndUpload process contents of fewer than n bytes immediately and
// return the counts without a job ID, as the platform does below a configured size.
func WithSynchronousBatch(n int) Option { return func(s *Server) { s.batch.synchronous = n } }

// WithLateErrors makes the error file of a job return status 404 n times after the job completes.
func WithLateErrors(n int) Option { return func(s *Server) { s.batch.lateErrors = n } }
