package threatconnecttest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// uploadContent sends bytes as a content has to be sent.

func (r rig) uploadContent(method, path, contentType, body string) reply {
	r.Helper()
	req := r.request(method, path, body)
	req.Header.Set("Content-Type", contentType)
	return r.send(req)
}

func TestContentsHaveRules(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const octets = "application/octet-stream"
	g, err := r.srv.AddGroup(GroupRecord{Type: "Document", Name: "Example", XID: "x/1", Fields: map[string]string{"fileName": "a.bin"}})
	require.NoError(t, err)
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

	m, err := r.srv.AddGroup(GroupRecord{Type: "Document", Name: "Malware", Fields: map[string]string{"fileName": "a.zip", "malware": "true", "password": "p"}})
	require.NoError(t, err)
	at = fmt.Sprintf("/v2/groups/documents/%d/upload", m.ID)
	header := func(flags, name string) string {
		return "PK\x03\x04\x14\x00" + flags + "\x00" + string(make([]byte, 18)) + string(rune(len(name))) + "\x00\x00\x00" + name
	}
	for body, want := range map[string]int{"MZ": 400, header("\x00", "a"): 400, header("\x01", "a"): 200, header("\x00", "d/") + header("\x01", "a"): 200, header("\x00", "d/"): 400, "PK\x03\x04": 400} {
		assert.Equal(t, want, r.uploadContent("POST", at+"?updateIfExists=true", octets, body).status, "%q", body)
	}
}
