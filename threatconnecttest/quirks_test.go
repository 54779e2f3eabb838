package threatconnecttest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Events and incidents can be created by name alone; the platform then sets the date. The
// documentation says that the date is required.
func TestEventsWithoutADate(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	for branch, entity := range map[string]string{"events": "event", "incidents": "incident"} {
		create := line{method: "POST", target: "/api/v2/groups/" + branch, headers: []string{asJSON}, body: `{"name":"Example"}`}
		made := w.want(201, create)
		assert.Equal(t, made.at("data", entity, "dateAdded"), made.at("data", entity, "eventDate"))
		dated := create
		dated.body = `{"name":"Example","eventDate":"2026-01-02T03:04:05Z"}`
		assert.Equal(t, "2026-01-02T03:04:05Z", w.want(201, dated).at("data", entity, "eventDate"))
		one := "/api/v2/groups/" + branch + "/" + w.number(made, "data", entity, "id")
		w.want(200, line{method: "PUT", target: one, headers: []string{asJSON}, body: `{"name":"Other","eventDate":"2026-01-02T03:04:05Z"}`})
		renamed := w.want(200, line{method: "PUT", target: one, headers: []string{asJSON}, body: `{"name":"Third"}`})
		assert.Equal(t, "2026-01-02T03:04:05Z", renamed.at("data", entity, "eventDate"), "only a create sets the date")

		w.srv.SetOddities(OddityEventDateRequired)
		assert.Contains(t, w.want(400, create).at("message"), "eventDate")
		w.want(400, line{method: "POST", target: "/api/v2/groups/documents", headers: []string{asJSON}, body: `{"name":"Example"}`})
		w.want(200, line{method: "PUT", target: one, headers: []string{asJSON}, body: `{"name":"Fourth"}`})
		w.srv.SetOddities(0)
	}
}

// Documents and reports can be uploaded without a content type, which means octet-stream.
func TestUploadsWithoutAContentType(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	for branch, entity := range map[string]string{"documents": "document", "reports": "report"} {
		made := w.want(201, line{method: "POST", target: "/api/v2/groups/" + branch, headers: []string{asJSON}, body: `{"name":"Example","fileName":"example.txt"}`})
		one := "/api/v2/groups/" + branch + "/" + w.number(made, "data", entity, "id")
		upload := line{method: "POST", target: one + "/upload?updateIfExists=true", body: "first"}
		w.want(200, upload)
		assert.Equal(t, "first", w.want(200, line{method: "GET", target: one + "/download"}).raw)
		wrong := upload
		wrong.headers, wrong.body = []string{"Content-Type: text/plain"}, "second"
		w.want(415, wrong)
		w.srv.SetOddities(OddityUploadTypeRequired)
		w.want(415, upload)
		missing := upload
		missing.target = "/api/v2/groups/" + branch + "/1/upload"
		w.want(415, missing) // content types are checked first
		missing.headers = []string{asStream}
		w.want(404, missing)
		w.srv.SetOddities(0)
	}
}

// A list of adversary assets of one kind contains both the field of that kind and the name from lists
// of all kinds.
func TestAssetListsHaveFieldOfTheirKind(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	made := w.want(201, line{method: "POST", target: "/api/v2/groups/adversaries", headers: []string{asJSON}, body: `{"name":"Example"}`})
	assets := "/api/v2/groups/adversaries/" + w.number(made, "data", "adversary", "id") + "/adversaryAssets"
	for _, k := range [][3]string{{"handles", "handle", "adversaryHandle"}, {"phoneNumbers", "phoneNumber", "adversaryPhoneNumber"}, {"urls", "url", "adversaryUrl"}} {
		w.want(201, line{method: "POST", target: assets + "/" + k[0], headers: []string{asJSON}, body: `{"` + k[1] + `":"value"}`})
		list := w.want(200, line{method: "GET", target: assets + "/" + k[0]})
		assert.Equal(t, "value", list.at("data", k[2], 0, k[1]))
		assert.Equal(t, "value", list.at("data", k[2], 0, "name"))
	}
	all := w.want(200, line{method: "GET", target: assets})
	assert.NotContains(t, all.raw, `"handle":`)
	assert.Equal(t, "value", all.at("data", "bucketAsset", 0, "name"))
}

// Tasks and victims include their security labels on request, like groups and indicators.
func TestLabelsOfTasksAndVictims(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	for branch, entity := range map[string]string{"tasks": "task", "victims": "victim"} {
		made := w.want(201, line{method: "POST", target: "/api/v2/" + branch, headers: []string{asJSON}, body: `{"name":"Example"}`})
		one := "/api/v2/" + branch + "/" + w.number(made, "data", entity, "id")
		w.want(201, line{method: "POST", target: one + "/securityLabels/TLP%3AGREEN"})
		assert.NotContains(t, w.want(200, line{method: "GET", target: one}).raw, "securityLabel")
		shown := w.want(200, line{method: "GET", target: one + "?includes=labels"})
		assert.Equal(t, "TLP:GREEN", shown.at("data", entity, "securityLabel", 0, "name"))
		list := w.want(200, line{method: "GET", target: "/api/v2/" + branch + "?includes=additional&includes=labels"})
		assert.Equal(t, "TLP:GREEN", list.at("data", entity, 0, "securityLabel", 0, "name"))
	}
}

// The date of a metric is truncated to the start of its interval.
func TestDatesOfMetrics(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	for interval, want := range map[string]string{
		"Hourly": "2008-12-12T12:00:00Z", "Daily": "2008-12-12T00:00:00Z", "Weekly": "2008-12-08T00:00:00Z",
		"Monthly": "2008-12-01T00:00:00Z", "Yearly": "2008-01-01T00:00:00Z",
	} {
		w.want(201, line{method: "POST", target: "/api/v2/customMetrics", headers: []string{asJSON}, body: `{"name":"` + interval + `","dataType":"Sum","interval":"` + interval + `"}`})
		added := w.want(200, line{method: "POST", target: "/api/v2/customMetrics/" + interval + "/data?returnValue=true", headers: []string{asJSON},
			body: `{"value":42,"date":"2008-12-12T12:12:12Z"}`})
		assert.Equal(t, want, added.at("date"), interval)
	}
	sunday := w.want(200, line{method: "POST", target: "/api/v2/customMetrics/Weekly/data?returnValue=true", headers: []string{asJSON},
		body: `{"value":1,"date":"2008-12-14T23:59:59Z"}`})
	assert.Equal(t, "2008-12-08T00:00:00Z", sunday.at("date"), "weeks begin on Monday")
	assert.InDelta(t, 43, sunday.at("value"), 0)
}

// Filters accept dates without dashes.
func TestFiltersWithUndashedDates(t *testing.T) {
	t.Parallel()
	w := stocked(t)
	for filter, status := range map[string]int{
		"dateAdded%3E20151202": 200, "dateAdded%3C20151202": 200, "dateAdded%3E2015-12-02": 200, "dateAdded%3E20151302": 400, "dateAdded%3E2015120": 400,
	} {
		r := w.want(status, line{method: "GET", target: "/api/v2/indicators?owner=Example+Community&filters=" + filter})
		if status == 200 {
			assert.Equal(t, strings.Contains(filter, "%3E"), w.number(r, "data", "resultCount") != "0", filter)
		}
	}
}

// The DataStore accepts signed requests.
func TestDataStoreWithASignature(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	store := func(operation, body string) line {
		return line{method: "POST", target: "/api/v2/exchange/db/organization/example/one", headers: []string{asJSON, "DB-Method: " + operation}, body: body}
	}
	w.want(200, store("POST", `{"a":1}`))
	assert.InDelta(t, 1, w.want(200, store("GET", "")).at("_source", "a"), 0)
	w.srv.SetOddities(OddityDataStoreNeedsToken)
	w.want(401, store("GET", ""))
	tokened := store("GET", "")
	tokened.token = true
	w.want(200, tokened)
}

// The examples of the Java SDK associate two indicators without an association type. The documentation
// has only DELETE for this path.
func TestLinksOfIndicatorsWithoutAType(t *testing.T) {
	t.Parallel()
	w := stocked(t)
	pair := line{method: "POST", target: "/api/v2/indicators/hosts/www.example.com/indicators/addresses/192.0.2.1?owner=Example+Community"}
	assert.Equal(t, "DELETE", w.want(405, pair).header.Get("Allow"))
	w.srv.SetOddities(OddityBareIndicatorLinks)
	w.want(201, pair)
	list := w.want(200, line{method: "GET", target: "/api/v2/indicators/hosts/www.example.com/indicators?owner=Example+Community"})
	assert.Equal(t, "192.0.2.1", list.at("data", "indicator", 0, "summary"))
	pair.method = "DELETE"
	w.want(200, pair)
}

// A file action is listed and deleted at the path where it was created.
func TestFileActionPaths(t *testing.T) {
	t.Parallel()
	w := stocked(t)
	traffic := "/api/v2/indicators/files/d41d8cd98f00b204e9800998ecf8427e/actions/traffic/indicators"
	one := line{method: "POST", target: traffic + "/addresses/192.0.2.1?owner=Example+Community"}
	w.want(201, one)
	list := line{method: "GET", target: traffic + "/addresses?owner=Example+Community"}
	assert.Equal(t, "192.0.2.1", w.want(200, list).at("data", "address", 0, "ip"))
	one.method = "DELETE"
	w.want(200, one)
	assert.Nil(t, w.want(200, list).at("data", "address", 0))
	w.want(404, one)
}

// Clients omit the owner in paths with IDs, which are unique in the instance. The documentation says
// that such calls apply to the API user's organization.
func TestIDsOfOtherOwners(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	create := func(path, entity, owner string) string {
		made := w.want(201, line{method: "POST", target: "/api/v2/" + path + "?owner=" + owner, headers: []string{asJSON}, body: `{"name":"Example","fileName":"example.txt"}`})
		return "/api/v2/" + path + "/" + w.number(made, "data", entity, "id")
	}
	document := create("groups/documents", "document", "Example+Community")
	threat := create("groups/threats", "threat", "Example+Community")
	other := create("groups/threats", "threat", "Example+Source")
	xid := w.want(200, line{method: "GET", target: document + "?owner=Example+Community&includeAdditional=true"}).at("data", "document", "xid").(string)
	lines := []line{
		{method: "POST", target: document + "/upload?updateIfExists=true", body: "text"},
		{method: "POST", target: "/api/v2/groups/documents/" + xid + "/upload?updateIfExists=true", body: "text"},
		{method: "GET", target: document + "/download"},
		{method: "GET", target: threat + "/groups"},
		{method: "PUT", target: create("tasks", "task", "Example+Community"), headers: []string{asJSON}, body: `{"name":"Other"}`},
		{method: "GET", target: create("victims", "victim", "Example+Community") + "/victimAssets"},
		{method: "DELETE", target: threat},
	}
	for _, l := range lines {
		w.want(404, l)
	}
	w.srv.SetOddities(OddityIDsOfEveryOwner)
	link := line{method: "POST", target: threat + strings.TrimPrefix(other, "/api/v2")}
	assert.Equal(t, msgOwners, w.want(403, link).at("message"))
	for _, l := range lines {
		w.want(200, l)
	}
	w.want(404, line{method: "GET", target: other + "?owner=Example+Community"}) // searches only the given owner
	w.srv.SetOddities(0)
	w.want(404, line{method: "GET", target: other})
}
