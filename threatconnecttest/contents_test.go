package threatconnecttest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

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

func TestBulkReportsAreMadeOnceADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		state := func() any { return r.get("/v2/indicators/bulk?owner=Example%20Source").at("bulkStatus", "status") }
		r.must(404, "GET", "/v2/indicators/bulk/json?owner=Example%20Source", "")
		assert.Nil(t, state())
		require.Error(t, r.srv.SetBulkReports("Nobody", BulkReports{}))
		require.NoError(t, r.srv.SetBulkReports("Example Source", BulkReports{JSON: true, Takes: time.Minute}))
		assert.Equal(t, "Complete", state())
		r.must(404, "GET", "/v2/indicators/bulk/csv?owner=Example%20Source", "")
		_, err := r.srv.AddIndicator(IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "www.example.com"})
		require.NoError(t, err)
		count := func(query string) int {
			list, _ := r.must(200, "GET", "/v2/indicators/bulk/json?owner=Example%20Source"+query, "").at("indicator").([]any)
			return len(list)
		}
		assert.Zero(t, count(""))
		time.Sleep(24*time.Hour + 30*time.Second)
		assert.Equal(t, "Running", state(), "the daily run has begun")
		time.Sleep(2 * time.Minute)
		assert.Equal(t, 1, count(""))
		_, err = r.srv.AddIndicator(IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "www.example.net"})
		require.NoError(t, err)
		assert.Equal(t, 1, count("&runNow=true"), "the latest report is the old one")
		time.Sleep(time.Minute)
		assert.Equal(t, 2, count(""))
	})
}

func TestDataStoreAndLogsTakeOnlyWhatThePlatformTakes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(401, "POST", "/v2/exchange/db/local/x/1", "{}")
	token := func(operation, path, body string) int {
		t.Helper()
		req := r.request("POST", path, body)
		req.Header.Set("Authorization", "TC-Token "+r.srv.Token())
		if operation != "" {
			req.Header.Set("DB-Method", operation)
		}
		return r.send(req).status
	}
	for _, tc := range []struct {
		operation, path, body string
		want                  int
	}{
		{"GET", "/v2/exchange/db/global/x/1", "", 404}, {"", "/v2/exchange/db/local/x/1", "", 400}, {"GET", "/v2/exchange/db/local/x/1", "", 404},
		{"PUT", "/v2/exchange/db/local/x/1", "no JSON", 400}, {"PUT", "/v2/exchange/db/local/x/1", "{}", 200}, {"GET", "/v2/exchange/db/local/x/1", "", 200},
		{"GET", "/v2/exchange/db/local/x/", "", 200}, {"GET", "/v2/exchange/db/local/x/_search", `{"query":{"wildcard":{}}}`, 400},
		{"PUT", "/v2/exchange/db/local/x/_search", `{}`, 400}, {"DELETE", "/v2/exchange/db/local/x/", "", 400}, {"DELETE", "/v2/exchange/db/local/x/1", "", 200},
	} {
		assert.Equal(t, tc.want, token(tc.operation, tc.path, tc.body), "%s %s %s", tc.operation, tc.path, tc.body)
	}
	r.must(200, "POST", "/v2/logs/app", `[{"timestamp":1767225600007,"message":"m","level":"INFO"}]`)
	for _, bad := range []string{`{}`, `[{"timestamp":"now","message":"m","level":"INFO"}]`, `[{"message":"m","level":"INFO"}]`, `[{"timestamp":1,"message":"m","level":"LOUD"}]`} {
		r.must(400, "POST", "/v2/logs/app", bad)
	}
	assert.Equal(t, []LogRecord{{Time: time.UnixMilli(1767225600007).UTC(), Level: "INFO", Message: "m"}}, r.srv.Logs())
}

func TestPlaybooksHaveRules(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, err := r.srv.AddPlaybook(Playbook{Name: "Example", GroupXID: "g"})
	require.NoError(t, err)
	_, err = r.srv.AddPlaybook(Playbook{Name: "Other", GroupXID: "g"})
	require.Error(t, err)
	_, err = r.srv.AddPlaybook(Playbook{})
	require.Error(t, err)
	r.must(200, "GET", fmt.Sprintf("/v2/playbooks/%d", p.ID), "")
	r.must(404, "GET", "/v2/playbooks/nobody", "")
	r.must(400, "POST", "/v2/playbooks", "no JSON")
	r.must(400, "POST", "/v2/playbooks/g", `{"type":"x"}`)
	r.must(400, "GET", "/v2/playbooks/search?status=Asleep", "")
	r.must(400, "GET", "/v2/playbooks/g/export?format=zip", "")
	assert.InDelta(t, 1, r.get("/v2/playbooks/search?name=exam").at("data", "resultCount"), 0)
	assert.InDelta(t, 0, r.get("/v2/playbooks/search?triggerType=Timer").at("data", "resultCount"), 0)
}
