package threatconnecttest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
)

// getJobErrors responds with the error file: compressed JSON that is not labeled as JSON.
func (c *call) getJobErrors(j *job) *answer {
	if bad := c.unfinished(j); bad != nil {
		return bad
	}
	late := c.batch.lateErrors
	if late == 0 && c.odd(OddityLateErrors) {
		late = 1
	}
	if len(j.errors) == 0 {
		return missing()
	}
	if j.tooEarly < late {
		j.tooEarly++
		return missing()
	}
	w := c.writer()
	w.openArray()
	for _, e := range j.errors {
		w.open()
		w.str("errorReason", "Error ("+e.Code+"): "+e.Message)
		c.errorSource(w, e)
		w.close()
	}
	w.closeArray()
	if c.odd(OddityPlainErrorFile) {
		a := text(http.StatusOK, "")
		a.body = w.b
		return a
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(w.b) // writes to memory
	_ = z.Close()
	return &answer{
		status: http.StatusOK,
		header: http.Header{"Content-Type": {"application/octet-stream ; boundary="}, "Content-Encoding": {"gzip"}},
		body:   packed.Bytes(),
	}
}

// errorSource writes the item of an error: a text, or an object with its summary or xid.
func (c *call) errorSource(w *jsonWriter, e JobError) {
	source := e.Source
	if c.odd(OddityDoubledSpaces) && e.kind == kindIndicator {
		source = strings.ReplaceAll(source, " : ", "  :  ")
	}
	key := map[string]string{kindIndicator: "summary", kindGroup: "xid"}[e.kind]
	if source == "" || key == "" || !c.odd(OddityErrorObjects) {
		w.some("errorSource", source)
		return
	}
	w.key("errorSource")
	w.open()
	w.str("type", e.typ)
	w.str(key, source)
	w.close()
}

// unfinished refuses results of a job that has not completed.
func (c *call) unfinished(j *job) *answer {
	if j.status != jobCompleted {
		return invalid(http.StatusBadRequest, "Batch still in "+j.state(c.now)+" state")
	}
	return nil
}

// getJobResults responds with the errors as JSON, filtered by code, severity and text.
func (c *call) getJobResults(j *job) *answer {
	if bad := c.unfinished(j); bad != nil {
		return bad
	}
	code, contains := c.query.Get("code"), c.query.Get("contains")
	if c.query.Has("code") && !strings.HasPrefix(code, "0x") || len(c.query["code"]) > 1 {
		return invalid(http.StatusBadRequest, msgMalformed)
	}
	severity := ""
	switch c.query.Get("severity") {
	case "":
	case "err", "error":
		severity = "Error"
	case "warn", "warning":
		severity = "Warning"
	case "info":
		severity = "Info"
	default:
		return invalid(http.StatusBadRequest, msgMalformed)
	}
	w := c.writer()
	w.openArray()
	for _, e := range j.errors {
		reason := e.Cause
		if reason == "" {
			reason = e.Message
		}
		if code != "" && !strings.EqualFold(code, e.Code) || severity != "" && severity != e.severity() ||
			!strings.Contains(reason, contains) && !strings.Contains(e.Message, contains) {
			continue
		}
		w.open()
		w.str("code", e.Code)
		w.str("severity", e.severity())
		w.str("errorReason", reason)
		w.str("errorMessage", e.Message)
		w.close()
	}
	w.closeArray()
	if len(j.errors) == 0 {
		return missing()
	}
	return jsonAnswer(http.StatusOK, w.b)
}

// severity distinguishes items that lost a part from refused items.
func (e JobError) severity() string {
	if strings.HasPrefix(e.Code, "0x1") {
		return "Error"
	}
	return "Warning"
}
