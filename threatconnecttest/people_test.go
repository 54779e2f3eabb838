package threatconnecttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const analyst = "analyst@example.com"

func TestInvalidTaskRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&Owner{Name: "Feed", ReadOnly: true})
	for name, body := range map[string]string{
		"no body":            ``,
		"not an object":      `[]`,
		"no name":            `{"status":"Deferred"}`,
		"a blank name":       `{"name":" "}`,
		"an unknown status":  `{"name":"n","status":"Asleep"}`,
		"an invalid date":    `{"name":"n","dueDate":"soon"}`,
		"an invalid flag":    `{"name":"n","overdue":"maybe"}`,
		"an unknown user":    `{"name":"n","assignee":[{"userName":"nobody"}]}`,
		"users as text":      `{"name":"n","assignee":"` + analyst + `"}`,
		"users as an object": `{"name":"n","assignee":{"userName":["` + analyst + `"]}}`,
	} {
		t.Run(name, func(t *testing.T) { r.must(400, "POST", "/v2/tasks", body) })
	}
	r.must(401, "POST", "/v2/tasks?owner=Feed", `{"name":"n"}`)
	r.must(403, "GET", "/v2/tasks?owner=Nobody", "")
	assert.Empty(t, r.srv.Tasks("Example Organization"))

	made := &TaskRecord{Name: "n"}
	r.seed(made)
	at := "/v2/tasks/" + itoa(made.ID)
	r.must(200, "PUT", at, `{"assignee":{"userName":["`+analyst+`"]}}`)
	r.must(400, "PUT", at, `{"assignee":{"userName":["nobody"]}}`)
	r.must(400, "PUT", at, `{"assignee":7}`)
	assert.Equal(t, []string{analyst}, r.srv.Tasks("Example Organization")[0].Assignees)
	r.must(404, "GET", at+"?owner=Example%20Source", "")
	r.must(404, "PUT", "/v2/tasks/9", `{"name":"n"}`)
	r.must(404, "GET", "/v2/tasks/x/tags", "")
	for _, filter := range []string{"status%3EOpen", "dueDate%3D2026-01-01", "rating%3D3", "overdue%3Dmaybe"} {
		r.must(400, "GET", "/v2/tasks?filters="+filter, "")
	}
	feed := &TaskRecord{Owner: "Feed", Name: "n", Assignees: []string{analyst}}
	r.seed(feed)
	for _, call := range [][2]string{{"PUT", ""}, {"DELETE", ""}, {"POST", "/assignees/" + analyst}, {"DELETE", "/assignees/" + analyst}, {"POST", "/tags/x"}} {
		r.must(401, call[0], "/v2/tasks/"+itoa(feed.ID)+call[1]+"?owner=Feed", `{"name":"n"}`)
	}
}

func TestTasksAreFiltered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, task := range []TaskRecord{
		{Name: "Call", DueDate: past, Assignees: []string{analyst}, Escalated: true},
		{Name: "Call back", DueDate: past, Status: "Completed", Escalatees: []string{analyst, accessID}},
		{Name: "Write", DueDate: future, Reminded: true},
		{Name: "Wait", Overdue: true, Status: "Deferred"},
	} {
		r.seed(&task)
	}
	now := time.Now().UTC().Format("2006-01-02T15:04:05Z")
	for filter, want := range map[string]float64{
		"name%5EcALL": 2, "name%3DCall": 1, "status%3DCompleted": 1, "status%21Completed": 3, "assignee%3D" + analyst: 1, "assignee%3Dx": 0,
		"escalatee%3D" + accessID: 1, "overdue%3Dtrue": 2, "overdue%3Dfalse": 2, "escalated%3Dtrue": 1, "reminded%3Dtrue": 1,
		"dueDate%3C" + now: 2, "dueDate%3E" + now: 1, "dateAdded%3C2026-01-02": 0, "dateAdded%3E2026-01-02": 4,
		"overdue%3Dtrue,name%5ECall": 1, "overdue%3Dtrue,name%5ECall&orParams=true": 3,
	} {
		assert.InDelta(t, want, r.get("/v2/tasks?filters="+filter).at("data", "resultCount"), 0, filter)
	}
}

func TestTaskResponses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made := r.must(201, "POST", "/v2/tasks/", `{"name":"Call","description":"d","dueDate":"2026-01-02T03:04:05+01:00","reminderDate":"2026-01-01",
		"escalationDate":"2026-01-03","assignee":[{"userName":"`+analyst+`"},{"userName":"`+analyst+`"}],"escalatee":[{"userName":"`+accessID+`"}],"escalated":"true","overdue":null}`)
	assert.Equal(t, []string{"id", "name", "owner", "dateAdded", "webLink", "status", "escalated", "reminded", "overdue", "dueDate", "reminderDate",
		"escalationDate", "assignee", "escalatee"}, keysOf(t, made.raw, "data", "task"))
	assert.Equal(t, "2026-01-02T02:04:05Z", made.at("data", "task", "dueDate"))
	assert.Equal(t, "Not Started", made.at("data", "task", "status"))
	assert.Equal(t, "Analyst", made.at("data", "task", "assignee", 0, "lastName"))
	assert.Nil(t, made.at("data", "task", "assignee", 1))
	list := r.get("/v2/tasks?includeTags=true&includeAttributes=true")
	assert.Equal(t, []string{"id", "name", "ownerName", "dateAdded", "webLink", "status", "escalated", "reminded", "overdue", "dueDate", "reminderDate",
		"escalationDate", "assignee", "escalatee", "attribute", "tag"}, keysOf(t, list.raw, "task"))

	at := "/v2/tasks/" + itoa(int64(made.at("data", "task", "id").(float64)))
	changed := r.must(200, "PUT", at, `{"escalated":false,"status":"Completed"}`)
	assert.NotNil(t, changed.at("data", "task", "lastModified"))
	assert.Equal(t, true, changed.at("data", "task", "escalated"), "updates ignore the flags")
	require.NoError(t, r.srv.Update(&Owner{Name: "Example Organization"}))
	assert.Equal(t, analyst, r.get(at).at("data", "task", "assignee", 0, "userName"), "a former member is still the assignee")
	assert.Equal(t, "d", r.srv.Tasks("Example Organization")[0].Description)
	assert.Nil(t, r.srv.Tasks("Nobody"))
}

func TestTaskAssigneesAndEscalatees(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	task := &TaskRecord{Name: "n", Assignees: []string{analyst}}
	r.seed(task)
	id, ok := r.srv.UserID(analyst)
	require.True(t, ok)
	at := "/v2/tasks/" + itoa(task.ID)
	assert.Equal(t, "Alex", r.get(at+"/assignees/"+itoa(id)).at("data", "user", "firstName"))
	assert.Equal(t, "Alex", r.get(at+"/assignees/"+analyst).at("data", "user", "firstName"))
	r.must(404, "GET", at+"/escalatees/"+analyst, "")
	r.must(404, "GET", at+"/escalatees/"+itoa(id), "")
	r.must(404, "GET", at+"/assignees/99", "")
	r.must(200, "POST", at+"/escalatees/"+accessID, "")
	r.must(200, "POST", at+"/escalatees/"+accessID, "")
	assert.InDelta(t, 1, r.get(at+"/escalatees").at("data", "resultCount"), 0)
	r.must(404, "POST", at+"/escalatees/nobody", "")
	r.must(404, "DELETE", at+"/escalatees/"+analyst, "")
	r.must(200, "DELETE", at+"/assignees/"+analyst, "")
	r.must(404, "GET", "/v2/tasks/9/assignees", "")
	got := r.srv.Tasks("Example Organization")[0]
	assert.Empty(t, got.Assignees)
	assert.Equal(t, []string{accessID}, got.Escalatees)
	_, ok = r.srv.UserID("nobody")
	assert.False(t, ok)
}

func TestInvalidVictimRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&Owner{Name: "Feed", ReadOnly: true})
	v := &VictimRecord{Name: "Jo", Org: "Example Inc", Assets: []AssetRecord{{Type: "NetworkAccount", Values: []string{"jo"}}}}
	r.seed(v)
	at, asset := "/v2/victims/"+itoa(v.ID), itoa(v.Assets[0].ID)
	for _, call := range [][3]string{
		{"POST", "/v2/victims", ``}, {"POST", "/v2/victims", `{"org":"o"}`}, {"PUT", at, `{"org":"o"}`}, {"PUT", at, `{"name":" "}`},
		{"POST", at + "/victimAssets/networkAccounts", ``}, {"POST", at + "/victimAssets/networkAccounts", `{"network":"n"}`},
		{"POST", at + "/victimAssets/phoneNumbers", `{"phoneNumber":"555-0100"}`}, {"PUT", at + "/victimAssets/networkAccounts/" + asset, `{"network":"n"}`},
		{"GET", "/v2/victims?filters=org%3Do", ``},
	} {
		r.must(400, call[0], call[1], call[2])
	}
	for _, call := range [][2]string{
		{"GET", "/v2/victims/9"}, {"GET", at + "?owner=Example%20Source"}, {"DELETE", "/v2/victims/9"}, {"GET", at + "/victimAssets/networkAccounts/9"},
		{"GET", at + "/victimAssets/phoneNumbers/" + asset}, {"GET", "/v2/victims/9/victimAssets"}, {"GET", "/v2/victims/9/tags"},
	} {
		r.must(404, call[0], call[1], "")
	}
	r.must(405, "PUT", at+"/victimAssets/networkAccounts", `{"account":"jo"}`)
	r.must(404, "GET", at+"/victimAssets/callsigns", "")
	r.must(404, "POST", at+"/victimAssets/callsigns", `{"account":"jo"}`)
	feed := &VictimRecord{Owner: "Feed", Name: "Jo"}
	r.seed(feed)
	for _, call := range [][2]string{{"PUT", ""}, {"DELETE", ""}, {"POST", "/victimAssets/webSites"}, {"POST", "/tags/x"}} {
		r.must(401, call[0], "/v2/victims/"+itoa(feed.ID)+call[1]+"?owner=Feed", `{"name":"n","webSite":"w"}`)
	}
	r.must(401, "POST", "/v2/victims?owner=Feed", `{"name":"n"}`)
	assert.Equal(t, []VictimRecord{*v}, r.srv.Victims("Example Organization"))
}

func TestVictimAndAssetResponses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := &VictimRecord{Name: "Jo", Description: "d", Org: "o", Tags: []string{"VIP"}, Assets: []AssetRecord{
		{Type: "NetworkAccount", Values: []string{"jo", "AD"}}, {Type: "Phone", Values: []string{"555-0100"}}}}
	r.seed(v)
	at := "/v2/victims/" + itoa(v.ID)
	assert.Equal(t, []string{"id", "name", "description", "org", "webLink", "attribute", "tag"},
		keysOf(t, r.get(at+"?includeTags=true&includeAttributes=true").raw, "data", "victim"))
	assert.Equal(t, []string{"id", "name", "org", "webLink"}, keysOf(t, r.get("/v2/victims?filters=name%5Ej").raw, "victim"))
	all := r.get(at + "/victimAssets")
	assert.Equal(t, []string{"id", "name", "type", "webLink"}, keysOf(t, all.raw, "victimAsset"))
	assert.InDelta(t, 2, all.at("data", "resultCount"), 0)
	assert.Equal(t, "555-0100", r.get(at+"/victimAssets/phoneNumbers").at("data", "victimPhone", 0, "name"))
	one := r.get(at + "/victimAssets/networkAccounts/" + itoa(v.Assets[0].ID))
	assert.Equal(t, []string{"id", "type", "webLink", "account", "network"}, keysOf(t, one.raw, "data", "victimNetworkAccount"))
	one = r.must(200, "PUT", at+"/victimAssets/networkAccounts/"+itoa(v.Assets[0].ID), `{"account":"jo2"}`)
	assert.Equal(t, "AD", one.at("data", "victimNetworkAccount", "network"))

	g := &GroupRecord{Type: "Adversary", Name: "Bad"}
	r.seed(g)
	adversary := "/v2/groups/adversaries/" + itoa(g.ID)
	made := r.must(201, "POST", adversary+"/adversaryAssets/urls", `{"url":"http://example.com"}`)
	assert.Equal(t, []string{"id", "type", "webLink", "url"}, keysOf(t, made.raw, "data", "adversaryUrl"))
	r.must(400, "POST", adversary+"/adversaryAssets/handles", `{}`)
	r.must(404, "GET", adversary+"/adversaryAssets/handles/"+itoa(int64(made.at("data", "adversaryUrl", "id").(float64))), "")
	assert.Equal(t, "URL", r.get(adversary+"/adversaryAssets").at("data", "bucketAsset", 0, "type"))
	assert.Equal(t, "http://example.com", r.get(adversary+"/adversaryAssets/urls").at("data", "adversaryUrl", 0, "name"))
	threat := &GroupRecord{Type: "Threat", Name: "Bad"}
	r.seed(threat)
	r.must(404, "GET", "/v2/groups/adversaries/"+itoa(threat.ID)+"/adversaryAssets", "")
}

func TestSeedRejectsInvalidTasksAndVictims(t *testing.T) {
	t.Parallel()
	s := New()
	for name, rec := range map[string]TaskRecord{
		"an unknown owner": {Owner: "Nobody", Name: "n"}, "no name": {}, "a wrong status": {Name: "n", Status: "Asleep"},
		"an unknown user": {Name: "n", Escalatees: []string{"nobody"}}, "an empty tag": {Name: "n", Tags: []string{""}},
	} {
		require.Error(t, s.Seed(&rec), name)
	}
	for name, rec := range map[string]VictimRecord{
		"an unknown owner": {Owner: "Nobody", Name: "n"}, "no name": {}, "an unknown label": {Name: "n", Labels: []string{"x"}},
		"an unknown asset": {Name: "n", Assets: []AssetRecord{{Type: "Callsign", Values: []string{"x"}}}},
		"an empty asset":   {Name: "n", Assets: []AssetRecord{{Type: "Phone", Values: []string{""}}}},
		"too many values":  {Name: "n", Assets: []AssetRecord{{Type: "Phone", Values: []string{"1", "2"}}}},
	} {
		require.Error(t, s.Seed(&rec), name)
	}
	assert.Empty(t, s.Tasks("Example Organization"))
	assert.Empty(t, s.Victims("Example Organization"))
}

func TestDeletedTasksAndVictimsLoseAssociations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	task := &TaskRecord{Name: "n", Labels: []string{"TLP:RED"}, Attributes: []AttributeRecord{{Type: "Description", Value: "v"}}}
	r.seed(task)
	assert.Equal(t, []string{"TLP:RED"}, task.Labels)
	v := &VictimRecord{Name: "n"}
	r.seed(v)
	a, b := r.srv.taskByID(task.ID), r.srv.victimByID(v.ID)
	associate(a, b, "")
	require.Len(t, associated(b, nil), 1)
	r.must(200, "DELETE", "/v2/tasks/"+itoa(task.ID), "")
	assert.Empty(t, associated(b, nil))
	r.seed(&TaskRecord{Name: "m"})
	a = r.srv.tasks[0]
	associate(a, b, "")
	require.Len(t, associated(a, nil), 1)
	r.must(200, "DELETE", "/v2/victims/"+itoa(v.ID), "")
	assert.Empty(t, associated(a, nil))
}
