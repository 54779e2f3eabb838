package threatconnect

// outcome is what has become of items: of those of one job, or of all.
type outcome struct {
	kinds [itemKinds]BatchCounts // without what was added
	files BatchCounts            // contents of documents and reports
	jobs  int64                  // jobs that were uploaded
	bytes int64                  // of their files
	items []BatchItemError       // the first errors of items
	more  int                    // how many there are beyond those
	lost  []int64                // ids of jobs whose end was not seen
}

// plus adds what has become of other items.
func (o *outcome) plus(d *outcome) {
	for k := range o.kinds {
		o.kinds[k].plus(d.kinds[k])
	}
	o.files.plus(d.files)
	o.jobs += d.jobs
	o.bytes += d.bytes
	o.lost = append(o.lost, d.lost...)
	o.more += d.more
	for _, e := range d.items {
		o.note(e, mostItemErrors)
	}
}

// note keeps the error of an item when there are fewer than most, and reports whether it did.
func (o *outcome) note(e BatchItemError, most int) bool {
	if len(o.items) >= most {
		o.more++
		return false
	}
	o.items = append(o.items, e)
	return true
}

// count changes what is known of a job's items, and of all.
func (w *BatchWriter) count(j *batchJob, change func(*outcome)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.outcome)
	change(&j.outcome)
}

// note keeps the error of an item and tells it. j is nil for an item that is in no job.
func (w *BatchWriter) note(j *batchJob, e BatchItemError) {
	w.mu.Lock()
	most := mostItemErrors
	if !w.outcome.note(e, most) {
		most = 0 // what is not kept of all need not be kept of the job
	}
	if j != nil {
		j.outcome.note(e, most)
	}
	w.mu.Unlock()
	if w.cfg.OnError != nil {
		w.telling.Lock()
		defer w.telling.Unlock()
		w.cfg.OnError(e)
	}
}

// fail counts and notes an item that failed.
func (w *BatchWriter) fail(j *batchJob, pos int, e BatchItemError) {
	w.describe(&e, j, pos)
	list, _, seq := j.item(pos)
	w.count(j, func(o *outcome) { o.kinds[kindOf(list, seq)].Failed++ })
	j.refuse(pos)
	w.note(j, e)
}

// unprocessed counts and notes items that the platform has not looked at.
func (w *BatchWriter) unprocessed(j *batchJob, p part, jobID int64) {
	for pos := p.from; pos < p.to; pos++ {
		list, _, seq := j.item(pos)
		w.count(j, func(o *outcome) { o.kinds[kindOf(list, seq)].Unprocessed++ })
		e := BatchItemError{JobID: jobID, Unprocessed: true}
		w.describe(&e, j, pos)
		w.note(j, e)
		j.refuse(pos)
	}
}

// lose counts the items of a job whose end was not seen.
func (w *BatchWriter) lose(j *batchJob, p part, jobID int64) {
	w.count(j, func(o *outcome) {
		for pos := p.from; pos < p.to; pos++ {
			list, _, seq := j.item(pos)
			o.kinds[kindOf(list, seq)].Unknown++
		}
		o.lost = append(o.lost, jobID)
	})
	for pos := p.from; pos < p.to; pos++ {
		j.refuse(pos)
	}
}

// tally counts items that were processed. Of those that no error was found for, further ones have
// failed nevertheless: the first ones that are not links stand for them.
func (w *BatchWriter) tally(j *batchJob, p part, m *matcher, further int) {
	var d outcome
	if m == nil && further == 0 {
		for k, n := range j.kinds(p) {
			d.kinds[k].Succeeded = n
		}
		w.count(j, func(o *outcome) { o.plus(&d) })
		return
	}
	for pos := p.from; pos < p.to; pos++ {
		list, _, seq := j.item(pos)
		c := &d.kinds[kindOf(list, seq)]
		switch {
		case m != nil && m.taken[pos-m.part.from]:
			c.Failed++
		case further > 0:
			further--
			c.Failed++
		default:
			c.Succeeded++
		}
	}
	w.count(j, func(o *outcome) { o.plus(&d) })
}
