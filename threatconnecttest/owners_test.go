package threatconnecttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOwners(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&Owner{Name: "Feed", Type: "Source", ReadOnly: true})
	list := r.get("/v2/owners")
	assert.InDelta(t, 4, list.at("data", "resultCount"), 0)
	assert.Equal(t, []string{"id", "name", "type"}, keysOf(t, list.raw, "owner"))
	one := r.get("/v2/owners/4")
	assert.Equal(t, "Feed", one.at("data", "owner", "name"))
	assert.InDelta(t, 1, one.at("data", "resultCount"), 0)
	assert.Equal(t, "Example Organization", r.get("/v2/owners/mine").at("data", "owner", "name"))
	r.must(404, "GET", "/v2/owners/99", "")
	r.must(404, "GET", "/v2/owners/x", "")
	require.Error(t, r.srv.Seed(&Owner{Name: "Feed"}))
	assert.Len(t, r.srv.Owners(), 4)

	members := r.get("/v2/owners/mine/members")
	assert.Equal(t, []string{"userName", "firstName", "lastName"}, keysOf(t, members.raw, "user"))
	require.NoError(t, r.srv.Update(&Owner{Name: "Example Organization", Anonymous: true, Members: []User{{Pseudonym: "one"}}}))
	anonymous := r.get("/v2/owners/mine/members")
	assert.Equal(t, map[string]any{"anonymous": true, "status": "Success", "resultCount": 1.0,
		"members": []any{map[string]any{"pseudonym": "one"}}}, anonymous.json)

	me := r.get("/v2/whoami")
	assert.Equal(t, []string{"userName", "firstName", "lastName", "pseudonym", "role"}, keysOf(t, me.raw, "user"))

	r.must(401, "POST", "/v2/indicators/hosts?owner=Feed", `{"hostName":"www.example.com"}`)
	r.must(401, "POST", "/v2/groups/threats?owner=Feed", `{"name":"x"}`)
}

// Existing definitions can be seeded again, also with data of another server that has empty lists
// instead of nil.
func TestSeedAcceptsExistingDefinitions(t *testing.T) {
	t.Parallel()
	records := func() []Record {
		return []Record{
			&Owner{Name: "Feed"}, &Owner{Name: "Example Organization"},
			&AttributeType{Name: "Own"}, &IndicatorType{Name: "Card", Branch: "cards", Entity: "card", Fields: []string{"Number"}},
			&SecurityLabel{Name: "Own", Description: "d", Color: "00ff00", DateAdded: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))},
		}
	}
	first := NewT(t)
	require.NoError(t, first.Seed(records()...))
	require.NoError(t, first.Seed(records()...))
	second := NewT(t)
	require.NoError(t, second.Seed(first.Data().Records()...))
	require.NoError(t, second.Seed(records()...))
	require.NoError(t, second.Seed(&AttributeType{Name: "Own", Types: []string{}}, &Owner{Name: "Feed", Members: []User{}, Denied: []string{}}))
	assert.Equal(t, first.Data(), second.Data())
	require.ErrorContains(t, second.Seed(&Owner{Name: "Feed", Members: []User{{UserName: "u"}}}), "with other fields")
}

func TestOwnerMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rating := 4.0
	r.seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com", Rating: &rating})
	one := r.get("/v2/owners/1/metrics?resultLimit=1")
	assert.Len(t, one.at("data", "ownerMetric"), 30)
	assert.InDelta(t, 1, one.at("data", "ownerMetric", 0, "totalHost"), 0)
	assert.InDelta(t, 4, one.at("data", "ownerMetric", 0, "averageIndicatorRating"), 0)
	assert.InDelta(t, 0, one.at("data", "ownerMetric", 1, "totalHost"), 0)
	assert.Len(t, keysOf(t, one.raw, "ownerMetric"), 34)
	assert.Len(t, r.get("/v2/owners/metrics").at("data", "ownerMetric"), 45)
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	lost := r.must(500, "GET", "/v2/nowhere", "")
	assert.Contains(t, lost.raw, "Could not find resource for relative")
	assert.Contains(t, lost.header.Get("Content-Type"), "text/plain")
	wrong := r.must(405, "PATCH", "/v2/owners", "")
	assert.Equal(t, "GET", wrong.header.Get("Allow"))
	r.must(200, "GET", "/v2/owners/", "")

	req := r.request("GET", "/v2/owners", "")
	req.URL.Path = "/v2/owners"
	r.sign(req)
	page := r.send(req)
	assert.Equal(t, 404, page.status)
	assert.Contains(t, page.header.Get("Content-Type"), "text/html")
}
