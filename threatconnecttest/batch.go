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

// WithBatchPolls makes a job answer Queued and Running to its first n polls. Nothing of it can be
// read before it is Completed. Without it, a job is done when its upload is answered.
func WithBatchPolls(n int) Option { return func(s *Server) { s.batch.polls = n } }

// WithBatchDuration makes a job take as long, by the server's clock: Queued for the first quarter
// of it, then Running. Nothing of it can be read before it is Completed.
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
