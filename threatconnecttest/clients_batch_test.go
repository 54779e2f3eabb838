package threatconnecttest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The configurations of two batch clients in other languages. One sends booleans as strings, and both
// send undocumented members.
const (
	tcexConfig = `{"action": "Create", "attributeWriteType": "Replace", "haltOnError": "false", "owner": "Example Community",
		"playbookTriggersEnabled": "false", "securityLabelWriteType": "Replace", "tagWriteType": "Replace", "version": "V2"}`
	javaConfig = `{"owner": "Example Community", "action": "Create", "attributeWriteType": "Append", "haltOnError": false,
		"removeOrphanIndicators": false, "version": "V2"}`
	foreignContent = `{"group": [{"name": "Example", "type": "Adversary", "xid": "example-1"}],
		"indicator": [
			{"type": "Address", "summary": "192.0.2.9", "rating": 3, "confidence": 50, "associatedGroups": [{"groupXid": "example-1"}]},
			{"type": "Host", "summary": "www.example.com", "flag1": true, "flag2": "true", "associatedGroups": ["example-1"]},
			{"type": "File", "summary": "D41D8CD98F00B204E9800998ECF8427E :  : ", "intValue1": 12}
		],
		"association": []}`
)

// form joins parts. Each part consists of its header, an empty line and its content.
func form(parts ...string) (header, body string) {
	const boundary = "2bb0c9ff"
	return "Content-Type: multipart/form-data; boundary=" + boundary,
		"--" + boundary + "\r\n" + strings.Join(parts, "\r\n--"+boundary+"\r\n") + "\r\n--" + boundary + "--\r\n"
}

func (w wireClient) holdsForeignContent() {
	w.Helper()
	address, ok := w.srv.Indicator("Example Community", "Address", "192.0.2.9")
	require.True(w, ok)
	assert.Equal(w, []string{"example-1"}, address.Groups)
	host, ok := w.srv.Indicator("Example Community", "Host", "www.example.com")
	require.True(w, ok)
	assert.Equal(w, []string{"example-1"}, host.Groups, "groups as bare strings")
	assert.True(w, host.DNSActive, "flag1 is dnsActive")
	assert.True(w, host.WhoisActive, "flag2 is whoisActive")
	file, ok := w.srv.Indicator("Example Community", "File", "d41d8cd98f00b204e9800998ecf8427e")
	require.True(w, ok, "a summary with one hash and two empty hashes")
	assert.EqualValues(w, 12, file.Size, "intValue1 is size")
}

// completed polls a job with the given query until it completes.
func (w wireClient) completed(id, query string) map[string]any {
	w.Helper()
	for range 20 {
		r := w.want(200, line{method: "GET", target: "/api/v2/batch/" + id + query, lower: true})
		status := r.json.(map[string]any)["data"].(map[string]any)["batchStatus"].(map[string]any)
		if status["status"] == "Completed" {
			return status
		}
	}
	require.Fail(w, "the job never ends", id)
	return nil
}

func TestMultipartBatchOfOtherClients(t *testing.T) {
	t.Parallel()
	const named, typed = "Content-Disposition: form-data; name=", "\r\nContent-Type: application/json; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: 8bit"
	for name, tc := range map[string]struct {
		query string
		parts []string
		line  line
	}{
		"with file names and no content types": {
			query: "?includeAdditional=true",
			parts: []string{named + `"config"; filename="config"` + "\r\n\r\n" + tcexConfig, named + `"content"; filename="content"` + "\r\n\r\n" + foreignContent},
		},
		"with content types and no file names": {
			query: "?owner=Example%20Community",
			parts: []string{named + `"config"` + typed + "\r\n\r\n" + javaConfig, named + `"content"` + typed + "\r\n\r\n" + foreignContent},
			line:  line{lower: true},
		},
		"the content first, in chunks, headers in lower case": {
			query: "?owner=Example+Community&createActivityLog=false",
			parts: []string{"content-disposition: form-data; name=content\r\n\r\n" + foreignContent, "content-disposition: form-data; name=config\r\n\r\n" + javaConfig},
			line:  line{lower: true, chunked: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWireClient(t)
			l := tc.line
			header, body := form(tc.parts...)
			l.method, l.target, l.headers, l.body = "POST", "/api/v2/batch/createAndUpload"+tc.query, []string{header}, body
			id := w.number(w.want(202, l), "data", "batchStatus", "id")
			assert.EqualValues(t, 0, w.completed(id, tc.query)["errorCount"])
			w.holdsForeignContent()
			w.want(404, line{method: "GET", target: "/api/v2/batch/" + id + "/errors/"})
		})
	}
}

// A synchronous job has no ID, so such clients do not wait for it.
func TestSynchronousMultipartBatch(t *testing.T) {
	t.Parallel()
	w := newWireClient(t, WithSynchronousBatch(1<<20))
	header, body := form("Content-Disposition: form-data; name=\"config\"\r\n\r\n"+tcexConfig, "Content-Disposition: form-data; name=\"content\"\r\n\r\n"+foreignContent)
	r := w.want(200, line{method: "POST", target: "/api/v2/batch/createAndUpload?includeAdditional=true", headers: []string{header}, body: body})
	assert.NotContains(t, r.json.(map[string]any)["data"].(map[string]any)["batchStatus"], "id")
	w.holdsForeignContent()
}

func TestTwoStepBatchOfOtherClients(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	const query = "?owner=Example%20Community&createActivityLog=false"
	id := w.number(w.want(201, line{method: "POST", target: "/api/v2/batch" + query, headers: []string{asJSON}, body: javaConfig, lower: true}), "data", "batchId")
	w.want(202, line{method: "POST", target: "/api/v2/batch/" + id + "?owner=Example%20Community", headers: []string{asStream}, body: foreignContent, lower: true, chunked: true})
	assert.EqualValues(t, 4, w.completed(id, query)["successCount"])
	w.holdsForeignContent()

	id = w.number(w.want(201, line{method: "POST", target: "/api/v2/batch", headers: []string{asJSON}, body: strings.Replace(tcexConfig, "Create", "Delete", 1)}), "data", "batchId")
	w.want(202, line{method: "POST", target: "/api/v2/batch/" + id, headers: []string{asStream}, body: strings.Replace(foreignContent, `"association": []`, `"association": [], "file": {}`, 1)})
	assert.EqualValues(t, 0, w.completed(id, "?includeAdditional=true")["errorCount"])
	assert.Zero(t, w.srv.Counts("Example Community").Indicators)
}

// The browser client sends version 1: a bare array, with paging parameters in every call.
func TestV1BatchOfOtherClients(t *testing.T) {
	t.Parallel()
	const config = `"owner": "Example Community", "haltOnError": false, "attributeWriteType": "Append", "action": "Create"}`
	for name, tc := range map[string]struct{ config, content string }{
		"a bare array":                {`{"version": "V1", ` + config, `[{"type": "Address", "summary": "192.0.2.9", "confidence": "50"}, {"type": "File", "summary": {"md5": "d41d8cd98f00b204e9800998ecf8427e"}}, {"type": "None", "summary": "x"}]`},
		"a bare array and no version": {`{` + config, `[{"type": "Address", "summary": "192.0.2.9", "confidence": 50}, {"type": "File", "summary": "d41d8cd98f00b204e9800998ecf8427e"}, {"type": "None", "summary": "x"}]`},
		"the array of a bulk report":  {`{"version": "V1", ` + config, `{"indicator": [{"type": "Address", "summary": "192.0.2.9", "confidence": 50}, {"type": "File", "summary": "d41d8cd98f00b204e9800998ecf8427e"}, {"type": "None", "summary": "x"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWireClient(t)
			const query = "?resultLimit=10000&owner=Example+Community"
			id := w.number(w.want(201, line{method: "POST", target: "/api/v2/batch" + query, headers: []string{asJSON}, body: tc.config}), "data", "batchId")
			w.want(202, line{method: "POST", target: "/api/v2/batch/" + id + query + "&resultStart=10000", headers: []string{asStream}, body: tc.content})
			status := w.completed(id, query+"&resultStart=20000")
			assert.EqualValues(t, 2, status["successCount"])
			assert.EqualValues(t, 1, status["errorCount"])
			assert.True(t, w.srv.Has("Example Community", "File", "d41d8cd98f00b204e9800998ecf8427e"))
			errs := w.want(200, line{method: "GET", target: "/api/v2/batch/" + id + "/errors/" + query})
			assert.NotEmpty(t, errs.raw)
		})
	}
}
