package threatconnecttest

import (
	"net/http"
	"strconv"
	"strings"
)

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

// newJob creates a job from a configuration.
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
	return &job{config: cfg, raw: string(config), status: jobCreated, created: c.now}, nil
}

func (c *call) createJob() *answer {
	j, bad := c.newJob(c.body)
	if bad != nil {
		return bad
	}
	c.addJob(j)
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

// job returns the job in the path, or nil.
func (c *call) job() *job { return c.jobByID[c.id("id")] }

func (c *call) uploadJob(j *job) *answer {
	mediaType, _, _ := strings.Cut(headerValue(c.req.Header, "Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/octet-stream") {
		return text(http.StatusUnsupportedMediaType, "Cannot consume content type")
	}
	if j.status != jobCreated {
		j.refused++
		return invalid(http.StatusBadRequest, "Batch "+strconv.FormatInt(j.id, 10)+" is in "+j.state(c.now)+" state and does not take a file")
	}
	if bad := c.tooLarge(c.body); bad != nil {
		return bad
	}
	c.start(c.settings, j, c.body, c.now)
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

func (c *call) getJob(j *job) *answer {
	c.poll(c.settings, j, c.now)
	switch {
	case j.status != jobCompleted && c.odd(OddityBareStatus):
		return jsonAnswer(http.StatusOK, []byte(`{"status":"`+j.state(c.now)+`"}`))
	case j.status == jobCompleted && c.odd(OddityBareCompleted):
		w := c.writer()
		w.open()
		c.writeJob(w, &job{status: j.status, counts: j.counts})
		w.close()
		return jsonAnswer(http.StatusOK, w.b)
	}
	return c.jobStatus(http.StatusOK, j)
}

// jobStatus responds with the status of a job. A job without an ID was run immediately.
func (c *call) jobStatus(status int, j *job) *answer {
	return c.one(status, "batchStatus", func(w *jsonWriter) { c.writeJob(w, j) })
}

func (c *call) writeJob(w *jsonWriter, j *job) {
	if j.id != 0 {
		w.id("id", j.id)
	}
	w.str("status", j.state(c.now))
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
