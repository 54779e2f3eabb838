package threatconnecttest

import "time"

const (
	defaultBatchLimit      = 75_000_000 // bytes
	defaultBatchIndicators = 25_000
)

// batchSettings are how the instance runs batch jobs.
type batchSettings struct {
	limit       int64         // bytes of an upload
	indicators  int           // indicators of a job
	polls       int           // how often a job is asked for before it is done
	duration    time.Duration // how long a job takes
	synchronous int           // bytes below which createAndUpload is done at once
	lateErrors  int           // how often the error file is not there yet
}

// WithBatchLimit sets the largest upload in bytes; larger ones are refused with this number in the
// message. The default is 75,000,000.
func WithBatchLimit(bytes int64) Option { return func(s *Server) { s.batch.limit = bytes } }

// WithBatchIndicators sets how many indicators a job may have. The default is 25,000.
func WithBatchIndicators(n int) Option { return func(s *Server) { s.batch.indicators = n } }

// WithBatchPolls makes a batch job answer Queued and Running to its first n polls. Its items cannot
// be read before it is Completed. By default, a job is completed when its upload is answered.
func WithBatchPolls(n int) Option { return func(s *Server) { s.batch.polls = n } }

// WithBatchDuration makes a batch job take the time d by the server's clock: it is Queued for the
// first quarter, then Running. Its items cannot be read before it is Completed.
func WithBatchDuration(d time.Duration) Option { return func(s *Server) { s.batch.duration = d } }

// SetBatchDuration changes how long jobs take, as [WithBatchDuration] does. Jobs that were uploaded
// before keep their duration.
func (s *Server) SetBatchDuration(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch.duration = d
}

// WithSynchronousBatch makes createAndUpload process contents of fewer than n bytes at once and
// answer the counts without a job id, as the platform does below a system setting.
func WithSynchronousBatch(n int) Option { return func(s *Server) { s.batch.synchronous = n } }

// WithLateErrors makes the error file of a job answer 404 n times after the job is completed.
func WithLateErrors(n int) Option { return func(s *Server) { s.batch.lateErrors = n } }
