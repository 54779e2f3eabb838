package threatconnecttest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// uploadContent uploads bytes as the content of a group.
func (r rig) uploadContent(method, path, contentType, body string) reply {
	r.Helper()
	req := r.request(method, path, body)
	req.Header.Set("Content-Type", contentType)
	return r.send(req)
}

func TestContentUploadRules(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const octets = "application/octet-stream"
	g := &GroupRecord{Type: "Document", Name: "Example", XID: "x/1", Fields: map[string]string{"fileName": "a.bin"}}
	r.seed(g)
	at := fmt.Sprintf("/v2/groups/documents/%d/upload", g.ID)
	assert.Equal(t, 400, r.uploadContent("PUT", at, octets, "x").status, "nothing to replace")
	assert.Equal(t, 400, r.uploadContent("POST", at, octets, "").status)
	assert.Equal(t, 415, r.uploadContent("POST", at, "text/plain", "x").status)
	r.must(404, "GET", fmt.Sprintf("/v2/groups/documents/%d/download", g.ID), "")
	assert.Equal(t, 404, r.uploadContent("POST", fmt.Sprintf("/v2/groups/reports/%d/upload", g.ID), octets, "x").status)
	assert.Equal(t, 404, r.uploadContent("POST", at+"?owner=Example%20Source", octets, "x").status)
	assert.Equal(t, 200, r.uploadContent("POST", "/v2/groups/documents/x%2F1/upload", octets, "first").status)
	again := r.uploadContent("POST", at, octets, "second")
	assert.Equal(t, 401, again.status)
	assert.Equal(t, msgContentExists, message(again))
	down := r.must(200, "GET", fmt.Sprintf("/v2/groups/documents/%d/download", g.ID), "")
	assert.Equal(t, "first", down.raw)
	assert.Equal(t, octets, down.header.Get("Content-Type"))
	assert.Equal(t, 200, r.uploadContent("POST", at+"?updateIfExists=true", octets, "second").status)
	assert.Equal(t, 200, r.uploadContent("PUT", at, octets, "third").status)
	record, _ := r.srv.Group("x/1")
	assert.Equal(t, "third", string(record.Content))
	r.must(400, "GET", fmt.Sprintf("/v2/groups/documents/%d/pdf", g.ID), "")
	r.must(200, "POST", fmt.Sprintf("/v2/groups/documents/%d/publish", g.ID), "")
	r.must(400, "POST", fmt.Sprintf("/v2/groups/documents/%d/publish", g.ID), `{"securityLabelList":"TLP:RED"}`)

	m := &GroupRecord{Type: "Document", Name: "Malware", Fields: map[string]string{"fileName": "a.zip", "malware": "true", "password": "p"}}
	r.seed(m)
	at = fmt.Sprintf("/v2/groups/documents/%d/upload", m.ID)
	header := func(flags, name string) string {
		return "PK\x03\x04\x14\x00" + flags + "\x00" + string(make([]byte, 18)) + string(rune(len(name))) + "\x00\x00\x00" + name
	}
	for body, want := range map[string]int{"MZ": 400, header("\x00", "a"): 400, header("\x01", "a"): 200, header("\x00", "d/") + header("\x01", "a"): 200, header("\x00", "d/"): 400, "PK\x03\x04": 400} {
		assert.Equal(t, want, r.uploadContent("POST", at+"?updateIfExists=true", octets, body).status, "%q", body)
	}
}

// Some clients compare content types for equality and discard responses with a charset.
func TestResponseContentTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text := "rule a {}"
	sig := &GroupRecord{Type: "Signature", Name: "s", Fields: map[string]string{"fileName": "a.yar", "fileType": "YARA", "fileText": text}}
	r.seed(sig)
	doc := &GroupRecord{Type: "Document", Name: "d", Fields: map[string]string{"fileName": "a.bin"}, Content: []byte("x")}
	r.seed(doc)
	require.NoError(t, r.srv.SetBulkReports("Example Organization", BulkReports{JSON: true, CSV: true}))
	playbook := &Playbook{Name: "p", PBX: []byte("{}")}
	r.seed(playbook)
	r.batch(config(), `{"indicator":[{"type":"Host","summary":"a_b.example.com"}]}`)
	unsigned := r.request("GET", "/v2/owners", "")
	unsigned.Header.Set("Authorization", "TC "+r.srv.AccessID()+":wrong")
	token := r.request("POST", "/v2/exchange/db/local/x/1", `{"a":1}`)
	token.Header.Set("Authorization", "TC-Token "+r.srv.Token())
	token.Header.Set("DB-Method", "POST")
	get := func(path string) *http.Request { return r.request("GET", path, "") }
	for _, tc := range []struct {
		name   string
		req    *http.Request
		status int
		want   string
	}{
		{name: "a list", req: get("/v2/owners"), status: 200, want: "application/json"},
		{
			name:   "a created item",
			req:    r.request("POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`),
			status: 201,
			want:   "application/json",
		},
		{name: "a missing item", req: get("/v2/indicators/hosts/none.example.com"), status: 404, want: "application/json"},
		{
			name:   "a refused value",
			req:    r.request("POST", "/v2/indicators/hosts", `{"hostName":"a_b.example.com"}`),
			status: 400,
			want:   "application/json",
		},
		{name: "a refused signature", req: unsigned, status: 401, want: "text/plain"},
		{name: "a method that the path does not support", req: r.request("PATCH", "/v2/owners", ""), status: 405, want: "text/plain"},
		{name: "a path that does not exist", req: get("/v2/nowhere"), status: 500, want: "text/plain"},
		{name: "the text of a signature", req: get("/v2/groups/signatures/" + itoa(sig.ID) + "/download"), status: 200, want: "text/plain"},
		{name: "a document", req: get("/v2/groups/documents/" + itoa(doc.ID) + "/download"), status: 200, want: "application/octet-stream"},
		{name: "a group as a PDF file", req: get("/v2/groups/signatures/" + itoa(sig.ID) + "/pdf"), status: 200, want: "application/pdf"},
		{name: "the state of bulk reports", req: get("/v2/indicators/bulk"), status: 200, want: "application/json"},
		{name: "a bulk report in JSON", req: get("/v2/indicators/bulk/json"), status: 200, want: "application/json"},
		{name: "a bulk report in CSV", req: get("/v2/indicators/bulk/csv"), status: 200, want: "text/csv"},
		{name: "a batch job", req: get("/v2/batch/1"), status: 200, want: "application/json"},
		{name: "the errors of a batch job", req: get("/v2/batch/1/errors"), status: 200, want: "application/octet-stream ; boundary="},
		{name: "the results of a batch job", req: get("/v2/batch/1/results"), status: 200, want: "application/json"},
		{name: "a batch file of another type", req: r.request("POST", "/v2/batch/1", "{}"), status: 415, want: "text/plain"},
		{
			name:   "a batch job without permission",
			req:    r.request("POST", "/v2/batch", config("owner", `"Nobody"`)),
			status: 403,
			want:   "application/json",
		},
		{name: "a document of the DataStore", req: token, status: 200, want: "application/json"},
		{name: "an exported playbook", req: get("/v2/playbooks/" + itoa(playbook.ID) + "/export"), status: 200, want: "application/octet-stream"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := rig{t, r.srv}.send(tc.req)
			assert.Equal(t, tc.status, got.status, got.raw)
			assert.Equal(t, []string{tc.want}, got.header["Content-Type"])
		})
	}
	r.srv.SetOddities(OddityPlainTextErrors)
	assert.Equal(t, []string{"text/plain"}, r.get("/v2/indicators/hosts/none.example.com").header["Content-Type"])
}
