package threatconnecttest

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// The states of a job.
const (
	jobCreated   = "Created"
	jobQueued    = "Queued"
	jobRunning   = "Running"
	jobCompleted = "Completed"
)

// job is a batch job.
type job struct {
	id          int64 // 0 if synchronous
	synchronous bool  // run immediately by createAndUpload
	config      batchConfig
	raw         string        // the configuration as received
	status      string        // Created, Queued or Completed; see state
	content     []byte        // nil after processing
	duration    time.Duration // processing time
	wanted      int           // polls until it completes
	size        int64
	sum         [sha256.Size]byte
	created     time.Time
	uploaded    time.Time
	completed   time.Time
	polls       int
	refused     int // uploads after the first
	tooEarly    int // early requests for the error file
	counts      batchCounts
	errors      []JobError
}

// batchCounts are the numbers of successful and failed items by kind.
type batchCounts struct {
	success, errors map[string]int // by kind of item
	unprocessed     int
}

// The kinds of items in a batch file, which are also its keys.
const (
	kindGroup       = "group"
	kindIndicator   = "indicator"
	kindAssociation = "association"
)

// JobError is an error of an item of a batch job.
type JobError struct {
	Code    string `json:"code,omitzero"`    // for example 0x1005
	Message string `json:"message,omitzero"` // error message
	Cause   string `json:"cause,omitzero"`   // exception, for the codes that have one
	Source  string `json:"source,omitzero"`  // summary of the indicator or xid of the group; may be empty

	kind, typ string // of the item
}

// JobRecord is the state of a batch job.
type JobRecord struct {
	ID                     int64      `json:"id,omitzero"`          // 0 if Synchronous
	Synchronous            bool       `json:"synchronous,omitzero"` // whether createAndUpload ran it immediately
	Config                 string     `json:"config,omitzero"`      // the configuration as received
	Version                string     `json:"version,omitzero"`
	Owner                  string     `json:"owner,omitzero"`
	Action                 string     `json:"action,omitzero"`
	Halt                   bool       `json:"halt,omitzero"`
	AttributeWriteType     string     `json:"attributeWriteType,omitzero"`
	TagWriteType           string     `json:"tagWriteType,omitzero"`
	SecurityLabelWriteType string     `json:"securityLabelWriteType,omitzero"`
	Status                 string     `json:"status,omitzero"`        // Created, Queued, Running or Completed
	ContentSize            int64      `json:"contentSize,omitzero"`   // bytes; 0 before the upload
	ContentSHA256          string     `json:"contentSha256,omitzero"` // hexadecimal; empty before the upload
	Created                time.Time  `json:"created,omitzero"`
	Uploaded               time.Time  `json:"uploaded,omitzero"`
	Completed              time.Time  `json:"completed,omitzero"`      // when its items were processed
	Polls                  int        `json:"polls,omitzero"`          // status requests after the upload
	RefusedUploads         int        `json:"refusedUploads,omitzero"` // uploads after the first
	Success                int        `json:"success,omitzero"`        // number of items
	Errors                 int        `json:"errors,omitzero"`         // number of items
	Unprocessed            int        `json:"unprocessed,omitzero"`    // number of items
	SuccessfulGroups       int        `json:"successfulGroups,omitzero"`
	SuccessfulIndicators   int        `json:"successfulIndicators,omitzero"`
	SuccessfulAssociations int        `json:"successfulAssociations,omitzero"`
	FailedGroups           int        `json:"failedGroups,omitzero"`
	FailedIndicators       int        `json:"failedIndicators,omitzero"`
	FailedAssociations     int        `json:"failedAssociations,omitzero"`
	Problems               []JobError `json:"problems,omitzero"`
}

// Jobs returns the batch jobs in creation order.
func (s *Server) Jobs() []JobRecord {
	defer s.view()()
	return recordsOf(slices.Values(s.jobs), func(j *job) JobRecord { return j.record(s.now()) })
}

// Job returns the batch job with the given ID and reports whether it exists.
func (s *Server) Job(id int64) (JobRecord, bool) {
	defer s.view()()
	j := s.jobByID[id]
	if j == nil {
		return JobRecord{}, false
	}
	return j.record(s.now()), true
}

func (j *job) record(now time.Time) JobRecord {
	r := JobRecord{
		ID: j.id, Synchronous: j.synchronous, Config: j.raw, Version: j.config.version, Owner: j.config.owner.Name, Action: j.config.action,
		Halt: j.config.halt, AttributeWriteType: j.config.attributes, TagWriteType: j.config.tags, SecurityLabelWriteType: j.config.labels,
		Status: j.state(now), ContentSize: j.size, Created: j.created, Uploaded: j.uploaded, Completed: j.completed,
		Polls: j.polls, RefusedUploads: j.refused,
		Success: sum(j.counts.success), Errors: sum(j.counts.errors), Unprocessed: j.counts.unprocessed,
		SuccessfulGroups: j.counts.success[kindGroup], SuccessfulIndicators: j.counts.success[kindIndicator],
		SuccessfulAssociations: j.counts.success[kindAssociation],
		FailedGroups:           j.counts.errors[kindGroup], FailedIndicators: j.counts.errors[kindIndicator],
		FailedAssociations: j.counts.errors[kindAssociation],
		Problems:           slices.Clone(j.errors),
	}
	if j.status != jobCreated {
		r.ContentSHA256 = hex.EncodeToString(j.sum[:])
	}
	return r
}

// state returns the status of a job at a time. A queued job becomes Running after a quarter of its
// duration or at its second poll.
func (j *job) state(now time.Time) string {
	if j.status == jobQueued && (j.polls > 1 || j.polls == 1 && j.wanted == 1 || j.duration > 0 && now.Sub(j.uploaded) >= j.duration/4) {
		return jobRunning
	}
	return j.status
}

func (j *job) due() time.Time { return j.uploaded.Add(j.duration) }

// view locks the server and runs the jobs that are due. It returns the function that unlocks the
// server.
func (s *Server) view() (unlock func()) {
	s.mu.Lock()
	s.runDueJobs(&s.settings, s.now())
	return s.mu.Unlock
}

// addJob stores a job and assigns its ID, unless the job is synchronous.
func (w *world) addJob(j *job) {
	w.jobs = append(w.jobs, j)
	if !j.synchronous {
		j.id = int64(len(w.jobByID) + 1)
		w.jobByID[j.id] = j
	}
}

// start stores the content of a job and runs the job if it takes neither time nor polls.
func (w *world) start(set *settings, j *job, content []byte, now time.Time) {
	j.status, j.content, j.uploaded = jobQueued, content, now
	j.size, j.sum = int64(len(content)), sha256.Sum256(content)
	if !j.synchronous {
		j.duration, j.wanted = set.batch.duration, set.batch.polls
	}
	switch {
	case j.duration == 0 && j.wanted == 0:
		w.run(set, j, now)
	case j.wanted == 0:
		n := slices.IndexFunc(w.dueJobs, func(other *job) bool { return other.due().After(j.due()) })
		if n < 0 {
			n = len(w.dueJobs)
		}
		w.dueJobs = slices.Insert(w.dueJobs, n, j)
	}
}

// runDueJobs runs the jobs whose time has passed, in order of completion. Each runs as of its
// completion time.
func (w *world) runDueJobs(set *settings, now time.Time) {
	for len(w.dueJobs) > 0 && !w.dueJobs[0].due().After(now) {
		j := w.dueJobs[0]
		w.dueJobs = slices.Delete(w.dueJobs, 0, 1)
		w.run(set, j, j.due())
	}
}

// poll counts a status request. A job that takes polls runs at the poll after the last of them.
func (w *world) poll(set *settings, j *job, now time.Time) {
	if j.status == jobCreated {
		return
	}
	j.polls++
	if j.status == jobQueued && j.wanted > 0 && j.polls > j.wanted && !j.due().After(now) {
		w.run(set, j, now)
	}
}
