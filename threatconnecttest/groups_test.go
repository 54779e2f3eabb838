package threatconnecttest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGroupTypesRequireFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	full := map[string]string{
		"fileName": `"a.txt"`, "subject": `"s"`, "header": `"h"`, "body": `"b"`, "eventDate": `"2026-01-02T03:04:05Z"`,
		"fileType": `"YARA"`, "fileText": `"rule a {}"`,
	}
	require.Len(t, groupTypes, 16)
	for _, typ := range groupTypes {
		body := []string{`"name":"Example"`}
		for _, f := range typ.fields {
			if f.create {
				without := append([]string{}, body...)
				r.must(400, "POST", "/v2/groups/"+typ.branch, "{"+strings.Join(without, ",")+"}")
				body = append(body, fmt.Sprintf("%q:%s", f.name, full[f.name]))
			}
		}
		made := r.must(201, "POST", "/v2/groups/"+typ.branch, "{"+strings.Join(body, ",")+"}")
		assert.Equal(t, []string{"id", "name", "owner", "dateAdded", "lastModified", "webLink"}, keysOf(t, made.raw, "data", typ.entity)[:6])
		r.must(400, "POST", "/v2/groups/"+typ.branch, "{"+strings.Join(body[1:], ",")+"}")

		id := int64(made.at("data", typ.entity, "id").(float64))
		one := fmt.Sprintf("/v2/groups/%s/%d", typ.branch, id)
		r.must(200, "GET", one, "")
		change := `{"name":"Changed"}`
		if typ.name == "Signature" {
			r.must(400, "PUT", one, change)
			change = `{"name":"Changed","fileName":"b.yar","fileType":"YARA"}`
		}
		assert.Equal(t, "Changed", r.must(200, "PUT", one, change).at("data", typ.entity, "name"))
		r.must(404, "GET", one+"?owner=Example%20Source", "")
		assert.InDelta(t, 1, r.get("/v2/groups/"+typ.branch).at("data", "resultCount"), 0)
		assert.Equal(t, "Example Organization", r.get("/v2/groups/"+typ.branch).at("data", typ.entity, 0, "ownerName"))
		r.must(200, "DELETE", one, "")
		r.must(404, "GET", one, "")
	}
	r.must(404, "GET", "/v2/groups/nothing", "")
}

func TestGroupResponses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := &GroupRecord{Type: "Incident", Name: "Phish", XID: "x1",
		Fields: map[string]string{"eventDate": "2026-01-02T03:04:05Z", "status": "Open"}, Tags: []string{"Example"}}
	r.seed(g)
	r.seed(&GroupRecord{Type: "Campaign", Name: "Sweep", FirstSeen: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)})

	list := r.get("/v2/groups")
	assert.Equal(t, []string{"id", "name", "type", "ownerName", "dateAdded", "lastModified", "webLink"}, keysOf(t, list.raw, "group"))
	one := r.get(fmt.Sprintf("/v2/groups/incidents/%d?includeAdditional=true&includeTags=true", g.ID))
	assert.Equal(t, []string{"id", "name", "owner", "createdBy", "dateAdded", "lastModified", "webLink", "xid", "communityOrSource",
		"additionalOwners", "tag", "eventDate", "status"}, keysOf(t, one.raw, "data", "incident"))
	assert.Nil(t, r.get(fmt.Sprintf("/v2/groups/incidents/%d", g.ID)).at("data", "incident", "status"))
	r.must(400, "PUT", fmt.Sprintf("/v2/groups/incidents/%d", g.ID), `{"status":"Sleeping"}`)
	r.must(404, "GET", fmt.Sprintf("/v2/groups/threats/%d", g.ID), "")

	for query, want := range map[string]float64{
		"/v2/groups?filters=name%5EPh":                        1,
		"/v2/groups/?filters=name%3DSweep":                    1,
		"/v2/groups/campaigns?filters=firstSeen%3C2026":       -1,
		"/v2/groups/campaigns?filters=firstSeen%3C2026-01":    -1,
		"/v2/groups/campaigns?filters=firstSeen<2026-01-01":   1,
		"/v2/groups/incidents?filters=eventDate%3E2027-01-01": 0,
		"/v2/groups?filters=eventDate%3E2027-01-01":           -1,
	} {
		got := r.get(query)
		if want < 0 {
			assert.Equal(t, 400, got.status, query)
			continue
		}
		assert.InDelta(t, want, got.at("data", "resultCount"), 0, query)
	}
}
