package threatconnecttest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bodiesOfRoutes contains the request bodies by route.
var bodiesOfRoutes = map[string]string{
	"POST /v2/indicators/{type}":                                              `{"hostName":"new.example.com","rating":3,"confidence":50}`,
	"PUT /v2/indicators/{type}/{indicator}":                                   `{"rating":4,"dnsActive":"true"}`,
	"POST /v2/indicators/{type}/{indicator}/observations":                     `{"count":2,"dateObserved":"1999-12-31T00:00:00Z"}`,
	"POST /v2/indicators/files/{indicator}/fileOccurrences":                   `{"fileName":"new.exe","path":"C:\\Temp","date":"1999-12-31T00:00:00Z"}`,
	"PUT /v2/indicators/files/{indicator}/fileOccurrences/{fileOccurrenceId}": `{"path":"C:\\Windows"}`,
	"POST /v2/groups/{type}":                                                  `{"name":"New incident","eventDate":"1999-12-31T00:00:00Z","status":"Open"}`,
	"PUT /v2/groups/{type}/{id}":                                              `{"status":"Closed"}`,
	"POST /v2/groups/{type}/{id}/publish":                                     `{"excludeUnlabeled":true,"securityLabelList":["TLP:RED"]}`,
	"POST /v2/groups/documents/{id}/upload":                                   "new text",
	"PUT /v2/groups/documents/{id}/upload":                                    "new text",
	"POST /v2/groups/reports/{id}/upload":                                     "new text",
	"PUT /v2/groups/reports/{id}/upload":                                      "new text",
	"POST /v2/exchange/db/{domain}/{dataType}/{rid}":                          `{"host":"www.example.com"}`,
	"POST /v2/exchange/db/{domain}/{dataType}/":                               `{"host":"www.example.com"}`,
	"POST /v2/exchange/db/{domain}/{dataType}/_search":                        `{"query":{"match":{"host":"www.example.com"}}}`,
	"POST /v2/exchange/db/{domain}/{dataType}/_mappings":                      `{"dynamic":false}`,
	"POST /v2/logs/app":                                                       `[{"timestamp":946684800000,"message":"Started","level":"INFO"}]`,
	"POST /v2/playbooks":                                                      `{"name":"New playbook","type":"Timer"}`,
	"POST /v2/playbooks/{idOrGroupXid}":                                       `{"name":"Example playbook","type":"Timer"}`,
	"POST /v2/tags":                                                           `{"name":"New tag","description":"A tag"}`,
	"PUT /v2/tags/{tagName}":                                                  `{"name":"Other tag"}`,
	"POST /v2/tasks":                                                          `{"name":"New task","dueDate":"2000-01-02T00:00:00Z","assignee":[{"userName":"analyst@example.com"}]}`,
	"PUT /v2/tasks/{id}":                                                      `{"status":"Completed"}`,
	"POST /v2/victims":                                                        `{"name":"New victim","org":"Example"}`,
	"PUT /v2/victims/{id}":                                                    `{"name":"Example victim","nationality":"Example"}`,
	"POST /v2/victims/{id}/victimAssets/{victimAssetType}":                    `{"address":"new@example.com","addressType":"work"}`,
	"PUT /v2/victims/{id}/victimAssets/{victimAssetType}/{assetId}":           `{"address":"other@example.com"}`,
	"POST /v2/groups/adversaries/{id}/adversaryAssets/handles":                `{"handle":"@new"}`,
	"PUT /v2/groups/adversaries/{id}/adversaryAssets/handles/{assetId}":       `{"handle":"@other"}`,
	"POST /v2/groups/adversaries/{id}/adversaryAssets/phoneNumbers":           `{"phoneNumber":"555-0100"}`,
	"PUT /v2/groups/adversaries/{id}/adversaryAssets/phoneNumbers/{assetId}":  `{"phoneNumber":"555-0101"}`,
	"POST /v2/groups/adversaries/{id}/adversaryAssets/urls":                   `{"url":"http://new.example.com/"}`,
	"PUT /v2/groups/adversaries/{id}/adversaryAssets/urls/{assetId}":          `{"url":"http://other.example.com/"}`,
	"POST /v2/customMetrics":                                                  `{"name":"New metric","dataType":"Sum","interval":"Daily"}`,
	"POST /v2/customMetrics/{metricId}/data":                                  `{"value":2}`,
	"POST /v2/notifications":                                                  `{"notificationType":"Example","priority":"Low","message":"Done","recipients":"analyst@example.com"}`,
	"POST /v2/batch":                                                          batchOfExchanges,
}

const (
	batchOfExchanges = `{"version":"V2","owner":"Example Organization","action":"Create","haltOnError":false,"attributeWriteType":"Replace","tagWriteType":"Append","securityLabelWriteType":"Append"}`
	fileOfExchanges  = `{"group":[{"type":"Incident","name":"Batch","xid":"batch-1","eventDate":"1999-12-31T00:00:00Z"}],` +
		`"indicator":[{"type":"Host","summary":"batch.example.com","associatedGroups":[{"groupXid":"batch-1"}]},{"type":"Address","summary":"no address"}]}`
)

// exchangeOfRoute makes a successful request of a route, after the requests that it depends on.
func exchangeOfRoute(t *testing.T, from seed, r route) exchange {
	t.Helper()
	name := r.method + " " + r.pattern
	s := from.newStage(t, name, r.odd)
	s.Route = name
	for _, l := range s.before(r) {
		s.play(l)
	}
	last := s.request(s.lineOf(r.method, r.pattern))
	want := 2
	if r.pattern == "/v2/tasks/{id}/tasks/{associatedTaskId}" { // no request associates two tasks
		want = 4
	}
	require.Equal(s, want, last.status/100, "%s: %s", name, last.raw)
	seen := lastRequest(s.srv)
	require.Equal(t, name, seen.Method+" "+seen.Route)
	return s.exchange
}

// before returns the requests on which a route depends.
func (s *stage) before(r route) []line {
	job := []line{s.lineOf("POST", "/v2/batch"), s.lineOf("POST", "/v2/batch/{id}")}
	branch, isDeleted := strings.CutSuffix(strings.TrimPrefix(r.pattern, "/v2/indicators/"), "/deleted")
	switch {
	case r.pattern == "/v2/batch/{id}" && r.method == http.MethodPost:
		return job[:1]
	case strings.HasPrefix(r.pattern, "/v2/batch/{id}"):
		return job
	case r.pattern == "/v2/indicators/deleted":
		return []line{{method: "DELETE", target: "/api/v2/indicators/mutexes/Example"}}
	case isDeleted:
		if named(branch) {
			branch = "mutexes"
		}
		return []line{{method: "DELETE", target: "/api/v2/indicators/" + branch + "/" + valuesOfExchanges[branch]}}
	case r.pattern == "/v2/indicators/observed":
		return []line{s.lineOf("POST", "/v2/indicators/{type}/{indicator}/observations")}
	case r.method == http.MethodDelete && slices.Contains(Routes(), "POST "+r.pattern) && !strings.HasPrefix(r.pattern, "/v2/indicators/{type}/{indicator}/indicators/"):
		return []line{s.lineOf("POST", r.pattern)}
	}
	return nil
}

// valuesOfExchanges contains the indicators of the seed by branch.
var valuesOfExchanges = map[string]string{
	"hosts": "www.example.com", "addresses": "192.0.2.1", "urls": "http%3A%2F%2Fexample.com%2Fplain",
	"files": "d41d8cd98f00b204e9800998ecf8427e", "emailAddresses": "a+b@example.com", "mutexes": "Example",
}

// lineOf returns a request of a route. It replaces the names in the pattern by items of the seed.
func (s *stage) lineOf(method, pattern string) line {
	segments := strings.Split(pattern, "/")
	for i, name := range segments {
		if named(name) {
			segments[i] = s.segment(pattern, segments[:i], strings.Trim(name, "{}"))
		}
	}
	l := line{method: method, target: "/api" + strings.Join(segments, "/")}
	route := method + " " + pattern
	if l.body = bodiesOfRoutes[route]; l.body == "" && strings.HasSuffix(pattern, "/attributes") || strings.HasSuffix(pattern, "/attributes/{attributeId}") {
		l.body = map[string]string{"POST": `{"type":"Description","value":"new","displayed":true}`, "PUT": `{"value":"other"}`}[method]
	}
	switch {
	case strings.HasSuffix(pattern, "/upload"):
		l.target, l.headers = l.target+"?updateIfExists=true", []string{asStream}
	case pattern == "/v2/batch/{id}" && method == "POST":
		l.headers, l.body = []string{asStream}, fileOfExchanges
	case pattern == "/v2/batch/createAndUpload":
		header, body := form("Content-Disposition: form-data; name=\"config\"\r\n\r\n"+batchOfExchanges, "Content-Disposition: form-data; name=\"content\"\r\n\r\n"+fileOfExchanges)
		l.headers, l.body = []string{header}, body
	case l.body != "":
		l.headers = []string{asJSON}
	}
	switch {
	case strings.HasPrefix(pattern, "/v2/exchange/") && strings.HasSuffix(pattern, "/"):
		l.headers = append(l.headers, "DB-Method: POST")
	case strings.HasPrefix(pattern, "/v2/exchange/") && strings.HasSuffix(pattern, "/_search"):
		l.headers = append(l.headers, "DB-Method: GET")
	case strings.HasPrefix(pattern, "/v2/exchange/"):
		l.headers = append(l.headers, "DB-Method: PUT")
	case pattern == renewalPattern:
		l.bare, l.target = true, l.target+"?expiredToken="+url.QueryEscape(s.srv.Token())
	case pattern == "/v2/playbooks/search":
		l.target += "?name=example"
	}
	return l
}

// segment returns the replacement of a name in a pattern. before contains the preceding segments.
func (s *stage) segment(pattern string, before []string, name string) string {
	noun := before[2]
	switch name {
	case "id":
		switch last := before[len(before)-1]; {
		case noun == "groups" || noun == "tasks" || noun == "victims":
			return s.ids[last]
		case noun == "owners" || noun == "batch":
			return "1"
		}
	case "type":
		if noun == "groups" {
			return "incidents"
		}
		return "hosts"
	case "indicator":
		return valuesOfExchanges[before[len(before)-1]]
	case "custom Indicator type":
		return "mutexes"
	case "associatedGroupType", "groupType":
		return "adversaries"
	case "associatedGroupId", "groupId":
		return s.ids["adversaries"]
	case "associatedIndicatorType", "targetType":
		return "addresses"
	case "associatedIndicator", "targetId":
		return valuesOfExchanges["addresses"]
	case "indicatorType":
		if noun == "types" {
			return "host"
		}
		return "hosts"
	case "victimId", "associatedVictimId":
		if noun == "victims" {
			return s.ids["other victim"]
		}
		return s.ids["victims"]
	case "taskId", "associatedTaskId":
		return s.ids["tasks"]
	case "victimAssetType":
		return "emailAddresses"
	case "assetId":
		return s.ids[before[len(before)-1]]
	case "attributeId":
		return s.ids["attribute of "+before[2]]
	case "fileOccurrenceId":
		return s.ids["occurrence"]
	case "fileAction":
		return "traffic"
	case "associationType":
		if noun == "types" {
			return "File%20Traffic"
		}
		return "dnsPtrRecord"
	case "attributeTypeName":
		return "Description"
	case "securityLabelName":
		return "TLP%3AGREEN"
	case "tagName":
		return "Example%20tag"
	case "userName":
		return analyst
	case "assigneeId", "escalateeId":
		return "2"
	case "domain":
		return "organization"
	case "dataType":
		return "examples"
	case "rid":
		return "one"
	case "idOrGroupXid":
		return s.ids["playbook"]
	case "metricId":
		return "Example%20metric"
	case "format":
		return "json"
	}
	require.Fail(s, "no replacement for {"+name+"}", pattern)
	return ""
}

// seed makes the requests at the start of every exchange.
func (s *stage) seed() {
	post := func(path, body string, key ...any) string {
		s.Helper()
		l := line{method: "POST", target: "/api/v2/" + path, body: body}
		if body != "" {
			l.headers = []string{asJSON}
		}
		id, _ := s.play(l).at(append(key, "id")...).(float64)
		return itoa(int64(id))
	}
	made := func(branch, path, entity, body string) string {
		s.Helper()
		s.ids[branch] = post(path, body, "data", entity)
		return path + "/" + s.ids[branch]
	}
	for _, in := range []string{"", "?owner=Example+Community"} {
		for _, i := range [][2]string{
			{"addresses", `{"ip":"192.0.2.1"}`}, {"urls", `{"text":"http://example.com/plain"}`}, {"urls", `{"text":"http://example.com/a b?x=1&y=%2F#frag"}`},
			{"emailAddresses", `{"address":"a+b@example.com"}`}, {"mutexes", `{"Mutex":"Example"}`},
			{"files", `{"md5":"D41D8CD98F00B204E9800998ECF8427E","sha1":"DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"}`},
			{"hosts", `{"hostName":"www.example.com","rating":3,"confidence":50,"dnsActive":"true"}`},
		} {
			post("indicators/"+i[0]+in, i[1])
		}
	}
	const host, address, file = "indicators/hosts/www.example.com", "indicators/addresses/192.0.2.1", "indicators/files/d41d8cd98f00b204e9800998ecf8427e"
	incident := made("incidents", "groups/incidents", "incident", `{"name":"Example incident","eventDate":"1999-12-31T00:00:00Z","status":"New"}`)
	adversary := made("adversaries", "groups/adversaries", "adversary", `{"name":"Example adversary"}`)
	made("handles", adversary+"/adversaryAssets/handles", "adversaryHandle", `{"handle":"@example"}`)
	made("phoneNumbers", adversary+"/adversaryAssets/phoneNumbers", "adversaryPhoneNumber", `{"phoneNumber":"555-0199"}`)
	made("urls", adversary+"/adversaryAssets/urls", "adversaryUrl", `{"url":"http://example.com/"}`)
	made("signatures", "groups/signatures", "signature", `{"name":"Example signature","fileName":"example.rules","fileType":"Snort","fileText":"alert ip any any -> any any"}`)
	for _, typ := range [][2]string{{"documents", "document"}, {"reports", "report"}} {
		one := made(typ[0], "groups/"+typ[0], typ[1], `{"name":"Example","fileName":"example.txt"}`)
		s.play(line{method: "POST", target: "/api/v2/" + one + "/upload", headers: []string{asStream}, body: "example text"})
	}
	task := made("tasks", "tasks", "task", `{"name":"Example task","dueDate":"2000-01-03T00:00:00Z","assignee":[{"userName":"analyst@example.com"}],"escalatee":[{"userName":"analyst@example.com"}]}`)
	victim := made("victims", "victims", "victim", `{"name":"Example victim","org":"Example"}`)
	made("emailAddresses", victim+"/victimAssets/emailAddresses", "victimEmailAddress", `{"address":"victim@example.com","addressType":"work"}`)
	other := made("other victim", "victims", "victim", `{"name":"Other victim"}`)
	post(other+"/victimAssets/phoneNumbers", `{"phoneType":"555-0198"}`)
	made("occurrence", file+"/fileOccurrences", "fileOccurrence", `{"fileName":"example.exe","path":"C:\\Temp"}`)
	made("playbook", "playbooks", "playbook", `{"name":"Example playbook","type":"Timer"}`)
	post("customMetrics", `{"name":"Example metric","dataType":"Sum","interval":"Daily"}`)
	post(host+"/observations", `{"count":2,"dateObserved":"1999-12-31T00:00:00Z"}`)
	for _, one := range []string{incident, host, task, victim, adversary} {
		noun, _, _ := strings.Cut(one, "/")
		attribute := post(one+"/attributes", `{"type":"Description","value":"Example","displayed":true}`, "data", "attribute")
		if s.ids["attribute of "+noun] == "" {
			s.ids["attribute of "+noun] = attribute
		}
		post(one+"/attributes/"+attribute+"/securityLabels/TLP%3AGREEN", "")
		post(one+"/tags/Example%20tag", "")
		post(one+"/securityLabels/TLP%3AGREEN", "")
		if one != adversary {
			post(one+"/"+adversary, "")
		}
		if noun == "groups" || noun == "tasks" {
			post(one+"/"+address, "")
		}
		if noun != "victims" {
			post(one+"/"+victim, "")
		}
	}
	post(other+"/"+adversary, "")
	s.ids["threats"] = post("groups/threats"+community, `{"name":"Example threat"}`, "data", "threat")
	post(host+"/associations/dnsPtrRecord/"+address, "")
	post(file+"/actions/traffic/"+address, "")
	s.play(s.lineOf("POST", "/v2/exchange/db/{domain}/{dataType}/{rid}"))
	s.play(line{method: "GET", target: "/api/v2/indicators/bulk/json?runNow=true"}) // generates both reports from the current data
}
