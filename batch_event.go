package threatconnect

import "time"

// BatchPhase says what has happened to a batch job.
type BatchPhase string

// The phases, in the order in which a job goes through them. A job that is split goes back to
// BatchQueued with each of its parts.
const (
	BatchQueued    BatchPhase = "queued"    // encoded, nothing has been sent
	BatchCreated   BatchPhase = "created"   // the platform gave it an id
	BatchUploaded  BatchPhase = "uploaded"  // the platform has the file and works on it
	BatchRunning   BatchPhase = "running"   // it was asked for and is not done yet
	BatchCompleted BatchPhase = "completed" // it is done and its errors are known
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
	Bytes int64      // size of the file; of a content, as far as it is known
	XID   string     // the group whose content was uploaded; empty in the other phases
	Stats BatchStats // how the import stands
	// Excluded is the exclusion, and nil in the phases other than BatchExcluded.
	Excluded *BatchExclusion

	// Elapsed is how long the writer has been at work.
	Elapsed time.Duration
	// Rate is how many items a second the platform has processed since the writer began; 0 before the
	// first.
	Rate float64
	// Left is how long the rest takes at this rate: the rest of BatchConfig.Expect items, or of those
	// that were added when that is 0. It is 0 when the rate is not known.
	Left time.Duration
}

// tell tells the caller a step.
func (w *BatchWriter) tell(ev BatchEvent, phase BatchPhase) {
	if w.cfg.OnEvent == nil {
		return
	}
	ev.Phase = phase
	w.mu.Lock()
	ev.Stats = w.standing()
	if !w.began.IsZero() {
		ev.Elapsed = time.Since(w.began)
	}
	before := w.before
	w.mu.Unlock()
	t := ev.Stats.Total()
	done := t.done()
	if processed := done - t.Excluded - before; ev.Elapsed > 0 && processed > 0 {
		ev.Rate = float64(processed) / ev.Elapsed.Seconds()
		rest := max(w.cfg.Expect-ev.Stats.Invalid, t.Added) - done
		ev.Left = time.Duration(float64(rest) / ev.Rate * float64(time.Second))
	}
	w.telling.Lock()
	defer w.telling.Unlock()
	w.cfg.OnEvent(ev)
}
