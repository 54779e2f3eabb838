package threatconnecttest

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const source = "Example Source"

// config returns the configuration of a job. changes are names and values of members to add or
// replace; an empty value removes a member.
func config(changes ...string) string {
	members := map[string]string{"version": `"V2"`, "owner": `"` + source + `"`, "haltOnError": "false", "action": `"Create"`,
		"attributeWriteType": `"Replace"`, "tagWriteType": `"Append"`, "securityLabelWriteType": `"Append"`}
	for i := 0; i < len(changes); i += 2 {
		members[changes[i]] = changes[i+1]
	}
	var all []string
	for k, v := range members {
		if v != "" {
			all = append(all, fmt.Sprintf("%q:%s", k, v))
		}
	}
	return "{" + strings.Join(all, ",") + "}"
}

func (r rig) upload(id int, content string) reply {
	r.Helper()
	req := r.request("POST", fmt.Sprintf("/v2/batch/%d", id), content)
	req.Header.Set("Content-Type", "application/octet-stream")
	return r.send(req)
}

// batch runs a job and returns its record.
func (r rig) batch(cfg, content string) JobRecord {
	r.Helper()
	made := r.must(201, "POST", "/v2/batch", cfg)
	id := int(made.at("data", "batchId").(float64))
	require.Equal(r, 202, r.upload(id, content).status)
	return r.srv.Jobs()[id-1]
}

func (r rig) host(name string) IndicatorRecord {
	r.Helper()
	i, ok := r.srv.Indicator(source, "Host", name)
	require.True(r, ok, name)
	return i
}

func TestJobConfigurations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tc := range []struct {
		name   string
		cfg    string
		status int
		says   string
	}{
		{name: "a complete configuration is accepted", cfg: config(), status: 201},
		{name: "haltOnError may be a string", cfg: config("haltOnError", `"true"`), status: 201},
		{
			name:   "unknown members are accepted",
			cfg:    config("playbookTriggersEnabled", `"false"`, "removeOrphanIndicators", "false"),
			status: 201,
		},
		{name: "the owner is required", cfg: config("owner", ""), status: 400, says: "owner"},
		{name: "the owner must exist", cfg: config("owner", `"Nobody"`), status: 403, says: msgOwner},
		{name: "haltOnError is required", cfg: config("haltOnError", ""), status: 400, says: "haltOnError"},
		{name: "haltOnError must be a boolean", cfg: config("haltOnError", `"Replace"`), status: 400, says: "haltOnError"},
		{name: "the action is required", cfg: config("action", ""), status: 400, says: "action"},
		{name: "the action must be known", cfg: config("action", `"Update"`), status: 400, says: "Create, Delete"},
		{name: "the attribute write type is required", cfg: config("attributeWriteType", ""), status: 400, says: "attributeWriteType"},
		{
			name:   "the attribute write type must be known",
			cfg:    config("attributeWriteType", `"append"`),
			status: 400,
			says:   "Append, Replace, Singleton, Static",
		},
		{
			name:   "a V1 job has no Singleton",
			cfg:    config("version", `"V1"`, "attributeWriteType", `"Singleton"`),
			status: 400,
			says:   "attributeWriteType",
		},
		{name: "the tag write type must be known", cfg: config("tagWriteType", `"Static"`), status: 400, says: "tagWriteType"},
		{name: "the collision mode must be known", cfg: config("hashCollisionMode", `"Merge"`), status: 400, says: "hashCollisionMode"},
		{name: "the body must be an object", cfg: `[]`, status: 400, says: "properly formed"},
		{name: "the body must be JSON", cfg: `{`, status: 400, says: "properly formed"},
	} {
		got := r.do("POST", "/v2/batch", tc.cfg)
		require.Equal(t, tc.status, got.status, tc.name)
		assert.Contains(t, got.raw, tc.says, tc.name)
		if tc.status == 400 {
			assert.Equal(t, "Invalid", got.at("status"), tc.name)
			assert.NotEmpty(t, got.at("description"), tc.name)
		}
	}
	assert.Equal(t, "V1", newRig(t).batch(config("version", ""), `[]`).Version, "the default is V1")
	assert.Equal(t, "Replace", newRig(t).batch(config("tagWriteType", ""), `{}`).TagWriteType, "the default is Replace")
}

func TestJobCreationErrors(t *testing.T) {
	t.Parallel()
	off := newRig(t, WithBatchOff()).do("POST", "/v2/batch", config())
	assert.Equal(t, 503, off.status)
	assert.Contains(t, off.raw, "batchJobEnabled")
	assert.Contains(t, off.header.Get("Content-Type"), "text/plain")
	r := newRig(t)
	r.seed(&Owner{Name: "Feed", ReadOnly: true})
	denied := r.do("POST", "/v2/batch", config("owner", `"Feed"`))
	assert.Equal(t, 401, denied.status)
	assert.Contains(t, denied.header.Get("Content-Type"), "text/plain")
}

func TestJobLifecycle(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithBatchPolls(2))
	r.must(201, "POST", "/v2/batch", config())
	state := func() any {
		return r.must(200, "GET", "/v2/batch/1?includeAdditional=true", "").at("data", "batchStatus", "status")
	}
	assert.Equal(t, "Created", state())
	assert.Equal(t, 415, r.do("POST", "/v2/batch/1", `{}`).status, "the content type must be octet-stream")
	up := r.upload(1, `{"indicator":[{"type":"Host","summary":"www.example.com"},{"type":"Host","summary":"a_b.example.com"}]}`)
	assert.Equal(t, 202, up.status)
	assert.JSONEq(t, `{"status":"Success","data":{"batchStatus":{"id":1,"status":"Queued","errorCount":0,"successCount":0,"unprocessCount":0}}}`, up.raw)
	again := r.upload(1, `{}`)
	assert.Equal(t, 400, again.status)
	assert.Contains(t, again.at("description"), "Queued")

	assert.Equal(t, "Queued", state())
	assert.False(t, r.srv.Has(source, "Host", "www.example.com"), "items are invisible until the job completes")
	assert.Equal(t, "Batch still in Queued state", r.must(400, "GET", "/v2/batch/1/errors", "").at("description"))
	assert.Equal(t, "Running", state())
	r.must(400, "GET", "/v2/batch/1/results", "")
	done := r.get("/v2/batch/1?includeAdditional=true")
	assert.Equal(t, []string{"id", "status", "errorCount", "successCount", "unprocessCount", "successIndicatorCount", "errorIndicatorCount",
		"successGroupCount", "errorGroupCount", "successAssociationCount", "errorAssociationCount"}, keysOf(t, done.raw, "batchStatus"))
	assert.Equal(t, "Completed", done.at("data", "batchStatus", "status"))
	assert.InDelta(t, 1, done.at("data", "batchStatus", "errorCount"), 0)
	assert.True(t, r.srv.Has(source, "Host", "www.example.com"))
	job := r.srv.Jobs()[0]
	assert.Equal(t, 3, job.Polls)
	assert.Equal(t, 1, job.RefusedUploads)
	r.must(404, "GET", "/v2/batch/2", "")
	assert.Equal(t, 404, r.upload(2, `{}`).status)
}

func TestJobsTakeTimeOnAFakeClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithBatchDuration(time.Hour))
		r.must(201, "POST", "/v2/batch", config())
		r.upload(1, `{"indicator":[{"type":"Host","summary":"www.example.com"}]}`)
		for _, want := range []string{"Queued", "Running", "Running", "Completed"} {
			assert.Equal(t, want, r.get("/v2/batch/1").at("data", "batchStatus", "status"))
			time.Sleep(20 * time.Minute)
		}
		r.must(201, "POST", "/v2/batch", config())
		r.upload(2, `{"indicator":[{"type":"Host","summary":"a.example.com"}]}`)
		time.Sleep(time.Hour)
		assert.True(t, r.srv.Has(source, "Host", "a.example.com"), "the job must complete without polls")
	})
}

func TestErrorFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithLateErrors(2))
	job := r.batch(config(), `{"indicator":[{"type":"Host","summary":"a_b.example.com"},{"type":"Host","summary":"www.example.com","tag":[{"name":""}]}]}`)
	assert.Equal(t, 2, job.Errors)
	r.must(404, "GET", "/v2/batch/1/errors", "")
	r.must(404, "GET", "/v2/batch/1/errors/", "")
	got := r.must(200, "GET", "/v2/batch/1/errors/", "")
	assert.Empty(t, got.header.Get("Content-Encoding"), "the transport must decompress like net/http")
	assert.JSONEq(t, `[{"errorReason":"Error (0x1005): Host a_b.example.com is not valid","errorSource":"a_b.example.com"},
		{"errorReason":"Error (0x2001): The Name for this Tag is invalid, please enter a Name between 1-128 characters in length","errorSource":"www.example.com"}]`, got.raw)
	req := r.request("GET", "/v2/batch/1/errors", "")
	req.Header.Set("Accept-Encoding", "gzip")
	packed := r.send(req)
	assert.Equal(t, "gzip", packed.header.Get("Content-Encoding"))
	assert.True(t, strings.HasPrefix(packed.raw, "\x1f\x8b"))
	assert.Contains(t, packed.header.Get("Content-Type"), "application/octet-stream")

	results := func(query string) int {
		list, _ := r.must(200, "GET", "/v2/batch/1/results"+query, "").json.([]any)
		return len(list)
	}
	assert.Equal(t, 2, results(""))
	assert.Equal(t, 1, results("?code=0x1005"))
	assert.Equal(t, 1, results("?severity=warn"))
	assert.Equal(t, 1, results("?contains=not%20valid"))
	assert.Equal(t, []string{"code", "severity", "errorReason", "errorMessage"}, keysOf(t, r.get("/v2/batch/1/results").raw))
	r.must(400, "GET", "/v2/batch/1/results?severity=bad", "")
	r.must(400, "GET", "/v2/batch/1/results?code=1005", "")

	r.batch(config(), `{}`)
	r.must(404, "GET", "/v2/batch/2/errors", "")
	r.must(404, "GET", "/v2/batch/2/results", "")
}

func TestJobLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithBatchLimit(60), WithBatchIndicators(1))
	r.must(201, "POST", "/v2/batch", config())
	big := r.upload(1, `{"indicator":[`+strings.Repeat(" ", 60)+`]}`)
	assert.Equal(t, 400, big.status)
	assert.JSONEq(t, `{"status":"Invalid","description":"File size greater than allowable limit of 60"}`, big.raw)
	assert.Equal(t, 202, r.upload(1, `{}`).status, "a smaller upload can follow")
	many := newRig(t, WithBatchIndicators(1)).batch(config(),
		`{"indicator":[{"type":"Host","summary":"a.example.com"},{"type":"Host","summary":"b.example.com"},{"type":"Host","summary":"c.example.com"}]}`)
	assert.Equal(t, []int{1, 1, 1}, []int{many.Success, many.Errors, many.Unprocessed})

	full := newRig(t, WithIndicatorLimit(1))
	job := full.batch(config(), `{"indicator":[{"type":"Host","summary":"a.example.com"},{"type":"Host","summary":"b.example.com"},{"type":"Host","summary":"c.example.com"}]}`)
	assert.Equal(t, "0x1008", job.Problems[0].Code)
	assert.Contains(t, job.Problems[0].Message, "would exceed the number of allowed indicators")
	assert.Equal(t, 1, job.Unprocessed)
}

func TestInvalidDateAbortsJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	job := r.batch(config(), `{"group":[{"type":"Threat","name":"a","xid":"x1"},{"type":"Incident","name":"b","xid":"x2","eventDate":"yesterday"},
		{"type":"Threat","name":"c","xid":"x3"}],"indicator":[{"type":"Host","summary":"www.example.com"}]}`)
	assert.Equal(t, []int{1, 1, 0}, []int{job.Success, job.Errors, job.Unprocessed})
	require.Len(t, job.Problems, 1)
	p := job.Problems[0]
	assert.Equal(t, "0x1003", p.Code)
	assert.Contains(t, p.Message, "Encountered an unexpected Exception while processing batch job")
	assert.Contains(t, p.Message, "$.group[1]")
	assert.Contains(t, p.Cause, "JsonSyntaxException")
	assert.Equal(t, "Completed", job.Status)
	assert.False(t, r.srv.Has(source, "Host", "www.example.com"))
}

func TestInvalidBatchFiles(t *testing.T) {
	t.Parallel()
	for content, says := range map[string]string{
		``:                         "End of input",
		`{"indicator":[`:           "End of input",
		`{"indicator":[{"type":"H`: "End of input",
		`[]`:                       "BEGIN_OBJECT",
		`{"group":null}`:           "BEGIN_ARRAY",
		`{"indicator":["x"]}`:      "Expected BEGIN_OBJECT but was STRING",
		`{"indicator":[{"type":"Host" "summary":1}]}`: "Malformed",
		`{"indicator":[{"type":1.}]}`:                 "Malformed",
		`{"group":[]`:                                 "End of input",
		`{"group":{}}`:                                "Expected BEGIN_ARRAY but was BEGIN_OBJECT",
		`{"group":[]} {"group":[]}`:                   "Malformed",
		"{}\x00":                                      "Malformed",
		"{\"\xff\":[]}":                               "MalformedInputException",
		strings.Repeat("[", 1000):                     "Expected BEGIN_OBJECT",
		`{"x":` + strings.Repeat("[", 100_000):        "nested",
		`{"indicator":[{"type":"Host","summary":"www.example.com","confidence":"high"}]}`:                 "NumberFormatException",
		`{"indicator":[{"type":"Host","summary":"www.example.com","tag":{"name":"x"}}]}`:                  "cannot unmarshal",
		`{"group":[{"type":"Threat","name":"x","xid":"x","associatedGroupXid":[{}]}]}`:                    "Expected a string but was BEGIN_OBJECT",
		`{"indicator":[{"type":"File","md5":"d41d8cd98f00b204e9800998ecf8427e","fileOccurrence":["x"]}]}`: "Expected BEGIN_OBJECT but was STRING",
	} {
		job := newRig(t).batch(config(), content)
		require.Len(t, job.Problems, 1, content)
		assert.Equal(t, "0x1003", job.Problems[0].Code, content)
		assert.Contains(t, job.Problems[0].Cause, says, content)
	}
}

func TestHaltOnErrorLeavesRestUnprocessed(t *testing.T) {
	t.Parallel()
	const content = `{"indicator":[{"type":"Host","summary":"a.example.com"},{"type":"Host","summary":"bad"},
		{"type":"Host","summary":"b.example.com"}],"group":[{"type":"Threat","name":"x","xid":"x1"}]}`
	halted := newRig(t).batch(config("haltOnError", `"true"`), content)
	assert.Equal(t, []int{1, 1, 2}, []int{halted.Success, halted.Errors, halted.Unprocessed})
	through := newRig(t).batch(config(), content)
	assert.Equal(t, []int{3, 1, 0}, []int{through.Success, through.Errors, through.Unprocessed})
}

func TestCreateAndUpload(t *testing.T) {
	t.Parallel()
	const content = `{"indicator":[{"type":"Host","summary":"www.example.com"}]}`
	form := func(r rig, cfg string, named bool) reply {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for name, body := range map[string]string{"config": cfg, "content": content} {
			h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"`}}
			if named {
				h = textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"; filename="` + name + `"`},
					"Content-Type": {"application/json; charset=UTF-8"}, "Content-Transfer-Encoding": {"8bit"}}
			}
			p, err := w.CreatePart(h)
			require.NoError(r, err)
			_, _ = p.Write([]byte(body))
		}
		require.NoError(r, w.Close())
		req := r.request("POST", "/v2/batch/createAndUpload?includeAdditional=true", b.String())
		req.Header.Set("Content-Type", w.FormDataContentType())
		return r.send(req)
	}
	r := newRig(t)
	for n, named := range []bool{true, false} {
		got := form(r, config(), named)
		assert.Equal(t, 202, got.status, got.raw)
		assert.InDelta(t, n+1, got.at("data", "batchStatus", "id"), 0)
		assert.Equal(t, "Queued", got.at("data", "batchStatus", "status"))
	}
	assert.True(t, r.srv.Has(source, "Host", "www.example.com"))
	assert.Equal(t, 400, form(r, config("action", `"Delete"`), true).status)
	r.must(400, "POST", "/v2/batch/createAndUpload", config())

	at := newRig(t, WithSynchronousBatch(1000))
	once := form(at, config(), true)
	assert.Nil(t, once.at("data", "batchStatus", "id"))
	assert.InDelta(t, 1, once.at("data", "batchStatus", "successIndicatorCount"), 0)
	jobs := at.srv.Jobs()
	require.Len(t, jobs, 1)
	assert.True(t, jobs[0].Synchronous)
	assert.Zero(t, jobs[0].ID)
	assert.Equal(t, []int{1, 1}, []int{jobs[0].Success, jobs[0].SuccessfulIndicators})
	assert.InDelta(t, len(content), jobs[0].ContentSize, 0)
	at.must(201, "POST", "/v2/batch", config())
	job, ok := at.srv.Job(1)
	assert.True(t, ok)
	assert.Equal(t, "Created", job.Status)
	_, ok = at.srv.Job(0)
	assert.False(t, ok)
}

func TestChunkedUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(201, "POST", "/v2/batch", config())
	req := r.request("POST", "/v2/batch/1?owner=Example%20Source&createActivityLog=false", `{}`)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.ContentLength = -1
	assert.Equal(t, http.StatusAccepted, r.send(req).status)
}
