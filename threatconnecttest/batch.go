package threatconnecttest

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"time"
)

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

// WithSynchronousBatch makes createAndUpload process contents of fewer than n bytes at once and
// answer the counts without a job id, as the platform does below a system setting.
func WithSynchronousBatch(n int) Option { return func(s *Server) { s.batch.synchronous = n } }

// WithLateErrors makes the error file of a job answer 404 n times after the job is completed.
func WithLateErrors(n int) Option { return func(s *Server) { s.batch.lateErrors = n } }

// The states of a job.
const (
	jobCreated   = "Created"
	jobQueued    = "Queued"
	jobRunning   = "Running"
	jobCompleted = "Completed"
)

// job is one batch job.
type job struct {
	id       int64
	config   batchConfig
	raw      string // the configuration as it came
	status   string
	content  []byte // until it is processed
	size     int64
	sum      [sha256.Size]byte
	created  time.Time
	uploaded time.Time
	polls    int
	refused  int // uploads after the first
	tooEarly int // looks for the error file when it should not be there yet
	counts   batchCounts
	errors   []JobError
}

// batchCounts are how many items of each kind went well and did not.
type batchCounts struct {
	success, errors map[string]int // by kind of item
	unprocessed     int
}

// The kinds of items in a batch file, which are its keys too.
const (
	kindGroup       = "group"
	kindIndicator   = "indicator"
	kindAssociation = "association"
)

// JobError is something that went wrong with an item of a job.
type JobError struct {
	Code    string // such as 0x1005
	Message string // in words
	Cause   string // the exception, for the codes that have one
	Source  string // the summary of the indicator, the xid of the group; may be empty

	kind, typ string // of the item
}

// JobRecord is a batch job as tests see it.
type JobRecord struct {
	ID                    int64
	Config                string // as it came
	Version               string
	Owner                 string
	Action                string
	Halt                  bool
	AttributeWriteType    string
	TagWriteType          string
	SecurityLabelType     string
	Status                string // Created, Queued, Running or Completed
	ContentSize           int64  // bytes; 0 before the upload
	ContentSHA256         [sha256.Size]byte
	Created, Uploaded     time.Time
	Polls                 int // how often its status was asked for after the upload
	RefusedUploads        int // uploads that came when there had been one
	Success, Errors       int // items
	Unprocessed           int
	SuccessfulGroups      int
	SuccessfulIndicators  int
	FailedGroups          int
	FailedIndicators      int
	SuccessfulAssociation int
	FailedAssociations    int
	Problems              []JobError
}

// Jobs returns the batch jobs, oldest first.
func (s *Server) Jobs() []JobRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDueJobs(&s.settings, s.now())
	all := make([]JobRecord, 0, len(s.jobs))
	for _, j := range s.jobs {
		all = append(all, JobRecord{
			ID: j.id, Config: j.raw, Version: j.config.version, Owner: j.config.owner.Name, Action: j.config.action,
			Halt: j.config.halt, AttributeWriteType: j.config.attributes, TagWriteType: j.config.tags, SecurityLabelType: j.config.labels,
			Status: j.status, ContentSize: j.size, ContentSHA256: j.sum, Created: j.created, Uploaded: j.uploaded,
			Polls: j.polls, RefusedUploads: j.refused,
			Success: sum(j.counts.success), Errors: sum(j.counts.errors), Unprocessed: j.counts.unprocessed,
			SuccessfulGroups: j.counts.success[kindGroup], SuccessfulIndicators: j.counts.success[kindIndicator],
			FailedGroups: j.counts.errors[kindGroup], FailedIndicators: j.counts.errors[kindIndicator],
			SuccessfulAssociation: j.counts.success[kindAssociation], FailedAssociations: j.counts.errors[kindAssociation],
			Problems: append([]JobError(nil), j.errors...),
		})
	}
	return all
}

func batchRoutes() []route {
	return []route{
		{method: "POST", pattern: "/v2/batch", about: itsBody, handle: (*call).createJob},
		{method: "POST", pattern: "/v2/batch/{id}", about: itsJob, handle: with((*call).job, (*call).uploadJob)},
		{method: "GET", pattern: "/v2/batch/{id}", about: itsJob, handle: with((*call).job, (*call).getJob)},
		{method: "GET", pattern: "/v2/batch/{id}/errors", about: itsJob, handle: with((*call).job, (*call).getJobErrors)},
		{method: "GET", pattern: "/v2/batch/{id}/results", about: itsJob, handle: with((*call).job, (*call).getJobResults)},
		{method: "POST", pattern: "/v2/batch/createAndUpload", about: itsBody, handle: (*call).createAndUpload},
	}
}

const msgBatchOff = "Batch job api is not available. Ensure that batchJobEnabled is true and document storage is configured."

// newJob makes a job of a configuration.
func (c *call) newJob(config []byte) (*job, *answer) {
	if c.batchOff {
		if c.odd(OddityForbiddenBatch) {
			return nil, notAuthorized("Document storage not enabled for this instance")
		}
		return nil, text(http.StatusServiceUnavailable, msgBatchOff)
	}
	cfg, bad := c.readConfig(config)
	if bad != nil {
		return nil, bad
	}
	j := &job{
		id: int64(len(c.jobs) + 1), config: cfg, raw: string(config), status: jobCreated, created: c.now,
		counts: batchCounts{success: map[string]int{}, errors: map[string]int{}},
	}
	return j, nil
}

func (c *call) createJob() *answer {
	j, bad := c.newJob(c.body)
	if bad != nil {
		return bad
	}
	c.jobs = append(c.jobs, j)
	id := strconv.FormatInt(j.id, 10)
	if c.odd(OddityBareBatchID) {
		return jsonAnswer(http.StatusCreated, []byte(`{"batchId":"`+id+`"}`))
	}
	w := c.writer()
	w.open()
	w.str("status", "Success")
	w.key("data")
	w.open()
	w.id("batchId", j.id)
	w.close()
	w.close()
	return jsonAnswer(http.StatusCreated, w.b)
}

// job is the job that the path names.
func (c *call) job() *job {
	if id := c.id("id"); id >= 1 && id <= int64(len(c.jobs)) {
		return c.jobs[id-1]
	}
	return nil
}

func (c *call) uploadJob(j *job) *answer {
	mediaType, _, _ := strings.Cut(headerValue(c.req.Header, "Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/octet-stream") {
		return text(http.StatusUnsupportedMediaType, "Cannot consume content type")
	}
	if j.status != jobCreated {
		j.refused++
		return invalid(http.StatusBadRequest, "Batch "+strconv.FormatInt(j.id, 10)+" is in "+j.status+" state and does not take a file")
	}
	if bad := c.tooLarge(c.body); bad != nil {
		return bad
	}
	c.start(j, c.body)
	if c.odd(OddityBareStatus) {
		return jsonAnswer(http.StatusAccepted, []byte(`{"status":"Queued"}`))
	}
	return c.jobStatus(http.StatusAccepted, &job{id: j.id, status: jobQueued})
}

func (c *call) tooLarge(content []byte) *answer {
	if c.batch.limit > 0 && int64(len(content)) > c.batch.limit {
		return invalid(http.StatusBadRequest, "File size greater than allowable limit of "+strconv.FormatInt(c.batch.limit, 10))
	}
	return nil
}

// start queues a job with its content, and runs it when jobs take no time.
func (c *call) start(j *job, content []byte) {
	j.status, j.content, j.uploaded = jobQueued, content, c.now
	j.size, j.sum = int64(len(content)), sha256.Sum256(content)
	if c.batch.polls == 0 && c.batch.duration == 0 {
		c.run(c.settings, j)
	}
}

// runDueJobs runs the jobs whose time is over, in the order of their uploads.
func (w *world) runDueJobs(s *settings, now time.Time) {
	if s.batch.duration == 0 || s.batch.polls > 0 {
		return
	}
	for w.firstOpen < len(w.jobs) && w.jobs[w.firstOpen].status == jobCompleted {
		w.firstOpen++
	}
	for _, j := range w.jobs[w.firstOpen:] {
		w.advance(s, j, now)
	}
}

// advance moves an uploaded job on by the clock and by the times it was asked for.
func (w *world) advance(s *settings, j *job, now time.Time) {
	if j.status == jobCreated || j.status == jobCompleted {
		return
	}
	took := now.Sub(j.uploaded)
	asked := s.batch.polls == 0 || j.polls > s.batch.polls
	switch {
	case took >= s.batch.duration && asked:
		w.run(s, j)
	case j.polls > 1 || s.batch.polls == 1 || s.batch.duration > 0 && took >= s.batch.duration/4:
		j.status = jobRunning
	}
}

func (c *call) getJob(j *job) *answer {
	if j.status != jobCreated {
		j.polls++
	}
	c.advance(c.settings, j, c.now)
	switch {
	case j.status != jobCompleted && c.odd(OddityBareStatus):
		return jsonAnswer(http.StatusOK, []byte(`{"status":"`+j.status+`"}`))
	case j.status == jobCompleted && c.odd(OddityBareCompleted):
		w := c.writer()
		w.open()
		c.writeJob(w, &job{status: j.status, counts: j.counts})
		w.close()
		return jsonAnswer(http.StatusOK, w.b)
	}
	return c.jobStatus(http.StatusOK, j)
}

// jobStatus answers a job. One without an id was processed at once.
func (c *call) jobStatus(status int, j *job) *answer {
	return c.one(status, "batchStatus", func(w *jsonWriter) { c.writeJob(w, j) })
}

func (c *call) writeJob(w *jsonWriter, j *job) {
	if j.id != 0 {
		w.id("id", j.id)
	}
	w.str("status", j.status)
	count := func(name string, n int) {
		if n > 0 || !c.odd(OddityMissingCounts) {
			w.int(name, int64(n))
		}
	}
	total := func(counts map[string]int) int {
		if c.odd(OddityAssociationsApart) {
			return sum(counts) - counts[kindAssociation]
		}
		return sum(counts)
	}
	count("errorCount", total(j.counts.errors))
	count("successCount", total(j.counts.success))
	count("unprocessCount", j.counts.unprocessed)
	if c.includes()&withAdditional == 0 || j.status != jobCompleted {
		return
	}
	count("successIndicatorCount", j.counts.success[kindIndicator])
	count("errorIndicatorCount", j.counts.errors[kindIndicator])
	count("successGroupCount", j.counts.success[kindGroup])
	count("errorGroupCount", j.counts.errors[kindGroup])
	count("successAssociationCount", j.counts.success[kindAssociation])
	count("errorAssociationCount", j.counts.errors[kindAssociation])
}
