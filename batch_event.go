package threatconnect

import "time"

// BatchPhase is a step of a batch job.
type BatchPhase string

// The phases, in the order in which a job goes through them. A job that is split goes back to
// BatchQueued with each of its parts.
const (
	BatchQueued    BatchPhase = "queued"    // it is encoded, and nothing was sent
	BatchCreated   BatchPhase = "created"   // the platform has given it an id
	BatchUploaded  BatchPhase = "uploaded"  // the platform has the file and processes it
	BatchRunning   BatchPhase = "running"   // it was polled and is not done yet
	BatchCompleted BatchPhase = "completed" // it is done and its errors are known
	// BatchSplit comes when a job is sent again in parts, because it is too large for the instance or because
	// one of its items makes the platform give up.
	BatchSplit BatchPhase = "split"
	// BatchContentUploaded comes after the job, once for each content of a document or report that
	// is on the platform.
	BatchContentUploaded BatchPhase = "content uploaded"
	// BatchExcluded comes when an item is added, before it would be in a job, once for each indicator
	// that is excluded.
	BatchExcluded BatchPhase = "excluded"
)

// BatchEvent is a step of an import.
type BatchEvent struct {
	Phase BatchPhase
	Job   int64      // the writer's own number of the job, from 1; 0 in BatchExcluded
	JobID int64      // the id of the job on the platform; 0 before BatchCreated
	Items int        // items in the file
	Bytes int64      // size of the file; of content, -1 if it is not known
	XID   string     // the group whose content was uploaded; empty in the other phases
	Stats BatchStats // how far the import is, without the reasons of exclusions
	// Excluded is the exclusion, and nil in the phases other than BatchExcluded.
	Excluded *BatchExclusion
	// Watermark is how far the outcome of the import is final.
	Watermark BatchWatermark

	// Elapsed is the time since the first item of this process.
	Elapsed time.Duration
	// Rate is how many items per second the platform has processed in that time; 0 before the first.
	Rate float64
}

// BatchWatermark says up to which item the outcome of an import is final. A consumer of a queue commits the
// offsets of the items before Seq, or keeps those items when Failed or Unknown is above 0.
type BatchWatermark struct {
	// Seq is the first item whose outcome is not final, as counted by BatchWriter.Add. Items that wait in an
	// unfinished job, and items with references or associations that wait, are not final. Seq never passes an item that was
	// not processed.
	Seq int64
	// Failed and Unknown count the items before Seq, their references and their contents that failed or
	// whose outcome is unknown.
	Failed, Unknown int64
}
