package threatconnect

import "time"

// BatchPhase is a step of a batch job.
type BatchPhase string

// The phases of a job, in order. A job that is split returns to BatchQueued with each of its parts.
const (
	BatchQueued    BatchPhase = "queued"    // encoded; nothing was sent
	BatchCreated   BatchPhase = "created"   // has an ID on the platform
	BatchUploaded  BatchPhase = "uploaded"  // the platform has the file and processes it
	BatchRunning   BatchPhase = "running"   // was polled and is not completed yet
	BatchCompleted BatchPhase = "completed" // completed, and its errors are known
	// BatchSplit reports that a job is sent again in parts, because it is too large for the instance or
	// because one of its items makes the platform abort the job.
	BatchSplit BatchPhase = "split"
	// BatchContentUploaded reports that the content of a document or report is on the platform. It follows
	// the job, once for each content.
	BatchContentUploaded BatchPhase = "content uploaded"
	// BatchExcluded reports an excluded indicator. It precedes the job of the item that is or refers to the
	// indicator.
	BatchExcluded BatchPhase = "excluded"
)

// BatchEvent reports a step of an import to BatchConfig.OnEvent.
type BatchEvent struct {
	Phase BatchPhase
	Job   int64      // number of the job in this import, from 1; 0 in BatchExcluded
	JobID int64      // ID of the job on the platform; 0 before BatchCreated
	Items int        // items in the file
	Bytes int64      // size of the file; for content, -1 if unknown
	XID   string     // xid of the group whose content was uploaded; otherwise empty
	Stats BatchStats // counts of the import so far, without ExclusionReasons
	// Excluded is the exclusion in BatchExcluded, and otherwise nil.
	Excluded *BatchExclusion
	// Watermark is the position up to which outcomes are final.
	Watermark BatchWatermark

	// Elapsed is the time since the first item of this process.
	Elapsed time.Duration
	// Rate is the number of items per second that the platform processed in that time; 0 before the first.
	Rate float64
}

// BatchWatermark is the position up to which the outcome of an import is final. A consumer of a queue commits
// the offsets of the items before Seq, or keeps those items if Failed or Unknown is above 0.
type BatchWatermark struct {
	// Seq is the first item whose outcome is not final, counted by BatchWriter.Add. Items in an unfinished
	// job are not final, and neither are items whose references or associations wait. Seq never passes an
	// item that was not processed.
	Seq int64
	// Failed and Unknown count the items before Seq, their references and their contents that failed or have
	// an unknown outcome.
	Failed, Unknown int64
}
