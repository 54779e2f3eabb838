package threatconnecttest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script describes an exchange: requests and their expected statuses. Targets contain IDs of the seed
// in the form {incidents}.
type script struct {
	name  string
	odd   Oddity
	steps []step
}

type step struct {
	status int
	line   line
}

func (s script) play(t *testing.T, from seed) exchange {
	t.Helper()
	on := from.newStage(t, s.name, s.odd)
	for _, st := range s.steps {
		for of, id := range on.ids {
			st.line.target = strings.ReplaceAll(st.line.target, "{"+of+"}", id)
		}
		r := on.request(st.line)
		require.Equal(t, st.status, r.status, "%s: %s %s: %s", s.name, st.line.method, st.line.target, r.raw)
	}
	return on.exchange
}

func once(name string, status int, l line) script {
	return script{name: name, steps: []step{{status, l}}}
}

const (
	urls      = "/api/v2/indicators/urls/"
	community = "?owner=Example+Community"
)

// linesOfClients are requests of clients in other languages for one value or one list.
var linesOfClients = []script{
	once("a token and no timestamp", 200, line{method: "GET", target: "/api/v2/owners?createActivityLog=false", token: true}),
	once("header names in lower case", 200, line{method: "GET", target: "/api/v2/owners", lower: true}),
	once("a content type on a GET", 200, line{method: "GET", target: "/api/v2/owners", headers: []string{asJSON}}),
	once("a URL with %20 in path and query", 200, line{method: "GET", target: urls + "http%3A%2F%2Fexample.com%2Fa%20b%3Fx%3D1%26y%3D%252F%23frag?owner=Example%20Community&createActivityLog=false", lower: true}),
	once("a plus for the space of the owner", 200, line{method: "GET", target: urls + "http%3A%2F%2Fexample.com%2Fa%20b%3Fx%3D1%26y%3D%252F%23frag?resultLimit=10000&owner=Example+Community"}),
	once("a plus in a path is a plus", 404, line{method: "GET", target: urls + "http%3A%2F%2Fexample.com%2Fa+b%3Fx%3D1%26y%3D%2F%23frag" + community}),
	once("a URL that was escaped twice", 404, line{method: "GET", target: urls + "http%253A%252F%252Fexample.com%252Fplain" + community}),
	once("a URL whose slashes are raw", 500, line{method: "GET", target: urls + "http:/example.com/plain" + community}),
	once("lower-case escapes", 200, line{method: "GET", target: urls + "http%3a%2f%2fexample.com%2fplain" + community}),
	once("a raw at sign and plus in an address", 200, line{method: "GET", target: "/api/v2/indicators/emailAddresses/a+b@example.com" + community + "&createActivityLog=false"}),
	once("an escaped at sign and plus", 200, line{method: "GET", target: "/api/v2/indicators/emailAddresses/a%2Bb%40example.com?owner=Example%20Community"}),
	once("a file by one hash", 200, line{method: "GET", target: "/api/v2/indicators/files/d41d8cd98f00b204e9800998ecf8427e" + community + "&createActivityLog=false"}),
	once("filters with escaped commas", 200, line{method: "GET", target: "/api/v2/indicators?filters=rating%3E2%2Cconfidence%3C50%2Csummary%5E10.&resultLimit=10000&resultStart=0&createActivityLog=false"}),
	once("filters with bare symbols", 200, line{method: "GET", target: "/api/v2/indicators?filters=rating>2,confidence<50,summary^10."}),
	once("filters of which one must hold", 200, line{method: "GET", target: "/api/v2/indicators?resultLimit=500&owner=Example+Community&filters=rating%3E2%2Csummary%5E10.&orParams=true"}),
	once("a slash before the query", 200, line{method: "GET", target: "/api/v2/groups/?filters=name%3DIncident"}),
	once("includes more than once", 200, line{method: "GET", target: "/api/v2/indicators/addresses/192.0.2.1" + community + "&includes=additional&includes=labels"}),
	once("a boolean with a capital", 200, line{method: "GET", target: "/api/v2/indicators/addresses/192.0.2.1" + community + "&includeAdditional=True"}),
	once("resolutions in the singular", 200, line{method: "GET", target: "/api/v2/indicators/hosts/www.example.com/dnsResolution" + community}),
	once("deleted indicators since a time", 200, line{method: "GET", target: "/api/v2/indicators/deleted" + community + "&deletedSince=2026-01-01T00:00:00Z"}),
	once("a page on a POST", 201, line{method: "POST", target: "/api/v2/indicators/addresses/192.0.2.1/tags/Nation%20State?resultLimit=10000&owner=Example+Community", headers: []string{asJSON}}),
	once("an empty object for an empty body", 201, line{method: "POST", target: "/api/v2/indicators/addresses/192.0.2.1/tags/Nation%20State" + community, headers: []string{asJSON}, body: "{}"}),
	once("a tag whose slash is raw is another path", 500, line{method: "POST", target: "/api/v2/indicators/addresses/192.0.2.1/tags/a%20b/c%23d" + community}),
	once("a query that was not signed", 401, line{method: "GET", target: "/api/v2/owners?Filters=x", signed: "/api/v2/owners"}),
	once("a fragment that was signed", 401, line{method: "GET", target: "/api/v2/owners", signed: "/api/v2/owners#frag"}),
	once("an unknown owner", 403, line{method: "GET", target: "/api/v2/indicators?owner=Nobody"}),
	once("a host in Unicode", 404, line{method: "GET", target: "/api/v2/indicators/hosts/h%C3%B4st.example" + community + "&createActivityLog=false"}),
	once("a host in Unicode, escaped in lower case, and signed unescaped", 401, line{method: "GET", target: "/api/v2/indicators/hosts/h%c3%b4st.example", signed: "/api/v2/indicators/hosts/h\u00f4st.example"}),
	once("a URL that is not escaped at all", 500, line{method: "GET", target: urls + "http://example.com/a%20b?x=1&y=%2F"}),
	once("a URL whose slashes were joined", 500, line{method: "GET", target: urls + "http:/example.com/a%20b%3Fx=1&y=%252F%23frag"}),
	once("a query in the path", 404, line{method: "GET", target: "/api/v2/indicators/addresses%3Fowner=Example%20Community"}),
	once("a page of a list", 200, line{method: "GET", target: "/api/v2/indicators?resultStart=0&resultLimit=500&createActivityLog=false", lower: true}),
	once("a version of the API that is not there", 500, line{method: "GET", target: "/api/v3/indicators?resultLimit=2&fields=tags&tql=typeName+in+%28%22Address%22%29"}),
	once("a slash at the end", 200, line{method: "GET", target: "/api/v2/securityLabels/"}),
	once("a relation in the singular", 404, line{method: "GET", target: "/api/v2/indicators/address/192.0.2.1/owners" + community}),
	once("a type in lower case", 404, line{method: "DELETE", target: "/api/v2/groups/intrusionsets/1"}),
	once("characters that Java and JavaScript leave alone", 200, line{method: "POST", target: "/api/v2/indicators/emailAddresses/a+b@example.com/falsePositive" + community}),
	once("a time with a raw plus", 200, line{method: "GET", target: "/api/v2/indicators/urls?modifiedSince=2000-01-01T00:00:00+00:00"}),
}

func postJSON(target, body string) line {
	return line{method: "POST", target: "/api/v2/" + target, headers: []string{asJSON}, body: body}
}

// disputed are requests whose documentation is ambiguous, with the oddity that selects an
// interpretation.
var disputed = []script{
	once("an incident by name alone", 201, postJSON("groups/incidents", `{"name":"x"}`)),
	once("an event by name alone", 201, postJSON("groups/events", `{"name":"x"}`)),
	{"an incident by name alone, refused", OddityEventDateRequired, []step{{400, postJSON("groups/incidents", `{"name":"x"}`)}}},
	{"an event by name alone, refused", OddityEventDateRequired, []step{{400, postJSON("groups/events", `{"name":"x"}`)}}},
	{name: "an upload without a content type", steps: []step{
		{200, line{method: "POST", target: "/api/v2/groups/documents/{documents}/upload?updateIfExists=true", body: "abc"}},
		{200, line{method: "GET", target: "/api/v2/groups/documents/{documents}/download"}},
		{415, line{method: "POST", target: "/api/v2/groups/documents/{documents}/upload?updateIfExists=true", headers: []string{"Content-Type: text/plain"}, body: "abc"}},
	}},
	{"an upload without a content type, refused", OddityUploadTypeRequired, []step{{415, line{method: "POST", target: "/api/v2/groups/documents/{documents}/upload?updateIfExists=true", body: "abc"}}}},
	{name: "a file action deleted where it was made", steps: []step{
		{201, line{method: "POST", target: "/api/v2/indicators/files/d41d8cd98f00b204e9800998ecf8427e/actions/dnsQuery/indicators/hosts/www.example.com"}},
		{200, line{method: "DELETE", target: "/api/v2/indicators/files/d41d8cd98f00b204e9800998ecf8427e/actions/dnsQuery/indicators/hosts/www.example.com"}},
	}},
	{name: "the field of a kind of assets in its list", steps: []step{
		{200, line{method: "GET", target: "/api/v2/groups/adversaries/{adversaries}/adversaryAssets/handles"}},
		{200, line{method: "GET", target: "/api/v2/groups/adversaries/{adversaries}/adversaryAssets"}},
	}},
	{name: "the labels of tasks and victims", steps: []step{
		{200, line{method: "GET", target: "/api/v2/tasks/{tasks}?includes=labels"}}, {200, line{method: "GET", target: "/api/v2/victims/{victims}?includes=labels"}},
	}},
	once("an id of another owner", 404, line{method: "GET", target: "/api/v2/groups/threats/{threats}"}),
	{"an id of another owner, found", OddityIDsOfEveryOwner, []step{{200, line{method: "GET", target: "/api/v2/groups/threats/{threats}"}}}},
	{name: "dates of metrics", steps: []step{
		{200, postJSON("customMetrics/Example%20metric/data?returnValue=true", `{"value":42,"date":"2008-12-12T12:12:12Z"}`)},
		{201, postJSON("customMetrics", `{"name":"m","dataType":"Sum","interval":"Weekly"}`)},
		{200, postJSON("customMetrics/m/data?returnValue=true", `{"value":42,"date":"2008-12-12T12:12:12Z"}`)},
	}},
	{name: "an expired token", steps: []step{
		{401, line{method: "GET", target: "/api/v2/owners", token: true, bearer: "expired"}},
		{401, line{method: "GET", target: "/api/appAuth?expiredToken=unknown", bare: true}},
		{200, line{method: "GET", target: "/api/appAuth/?expiredToken=APP%3A1%3Athreatconnecttest%3A0123456789abcdef", bare: true}},
		{200, line{method: "GET", target: "/api/v2/owners", token: true, bearer: token + ":1"}},
	}},
	once("a link of two indicators without a type", 405, line{method: "POST", target: "/api/v2/indicators/hosts/www.example.com/indicators/mutexes/Example"}),
	{"a link of two indicators without a type, taken", OddityBareIndicatorLinks, []step{{201, line{method: "POST", target: "/api/v2/indicators/hosts/www.example.com/indicators/mutexes/Example"}}}},
	once("a date without dashes in a filter", 200, line{method: "GET", target: "/api/v2/indicators?filters=dateAdded%3E20151202"}),
	{name: "the DataStore with a signature", steps: []step{{200, line{method: "POST", target: "/api/v2/exchange/db/organization/examples/one", headers: []string{asJSON, "DB-Method: GET"}}}}},
	{"the DataStore with a signature, refused", OddityDataStoreNeedsToken, []step{
		{401, line{method: "POST", target: "/api/v2/exchange/db/organization/examples/one", headers: []string{asJSON, "DB-Method: GET"}}},
		{200, line{method: "POST", target: "/api/v2/exchange/db/organization/examples/one", headers: []string{asJSON, "DB-Method: GET"}, token: true}},
	}},
}

// batchesOfClients returns the jobs of batch clients, with their polls.
func batchesOfClients() []script {
	const named, typed = "Content-Disposition: form-data; name=", "\r\nContent-Type: application/json; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: 8bit"
	createAndUpload := func(query string, parts ...string) line {
		header, body := form(parts...)
		return line{method: "POST", target: "/api/v2/batch/createAndUpload" + query, headers: []string{header}, body: body}
	}
	java := createAndUpload("?owner=Example%20Community", named+`"config"`+typed+"\r\n\r\n"+javaConfig, named+`"content"`+typed+"\r\n\r\n"+foreignContent)
	java.lower = true
	const caseless = `{"group": [{"type": "event", "name": "x", "xid": "x-1"}, {"type": "Signature", "name": "x", "xid": "x-2", "fileName": "x", "fileType": "snort", "fileText": "x"}],
		"indicator": [{"type": "Url", "summary": "http://c.example.com/"}]}`
	job := func(content string) []step {
		return []step{
			{201, postJSON("batch", tcexConfig)}, {202, line{method: "POST", target: "/api/v2/batch/1", headers: []string{asStream}, body: content}},
			{200, line{method: "GET", target: "/api/v2/batch/1?includeAdditional=true"}},
		}
	}
	const page = "?resultLimit=10000&owner=Example+Community"
	const browser = `{"version": "V1", "owner": "Example Community", "haltOnError": false, "attributeWriteType": "Append", "action": "Create"}`
	return []script{
		{name: "TcEx creates", steps: []step{
			{200, line{method: "GET", target: "/api/v2/types/indicatorTypes", token: true}},
			{202, createAndUpload("?includeAdditional=true", named+`"config"; filename="config"`+"\r\n\r\n"+tcexConfig, named+`"content"; filename="content"`+"\r\n\r\n"+foreignContent)},
			{200, line{method: "GET", target: "/api/v2/batch/1?includeAdditional=true"}},
			{404, line{method: "GET", target: "/api/v2/batch/1/errors"}},
		}},
		{name: "names of types in another case", steps: job(caseless)},
		{"names of types in another case, refused", OddityExactTypeNames, append(job(caseless), step{200, line{method: "GET", target: "/api/v2/batch/1/errors"}})},
		{name: "TcEx deletes", steps: []step{
			{201, postJSON("batch", strings.Replace(tcexConfig, "Create", "Delete", 1))},
			{202, line{method: "POST", target: "/api/v2/batch/1", headers: []string{asStream}, body: `{"indicator": [{"type": "Host", "summary": "www.example.com"}, {"type": "Host", "summary": "other.example.com"}]}`}},
			{200, line{method: "GET", target: "/api/v2/batch/1?includeAdditional=true"}},
			{404, line{method: "GET", target: "/api/v2/indicators/hosts/www.example.com" + community}},
		}},
		{name: "Java in one step", steps: []step{{202, java}, {200, line{method: "GET", target: "/api/v2/batch/1?owner=Example%20Community&createActivityLog=false", lower: true}}}},
		{name: "Java in two steps, in chunks", steps: []step{
			{201, line{method: "POST", target: "/api/v2/batch?owner=Example%20Community&createActivityLog=false", headers: []string{asJSON}, body: javaConfig, lower: true}},
			{202, line{method: "POST", target: "/api/v2/batch/1?owner=Example%20Community", headers: []string{asStream}, body: foreignContent, lower: true, chunked: true}},
			{200, line{method: "GET", target: "/api/v2/batch/1?owner=Example%20Community&createActivityLog=false", lower: true}},
		}},
		{name: "JavaScript, version 1", steps: []step{
			{201, postJSON("batch"+page, browser)},
			{202, line{method: "POST", target: "/api/v2/batch/1" + page + "&resultStart=10000", headers: []string{asStream},
				body: `[{"type": "Address", "summary": "192.0.2.9", "confidence": "50"}, {"type": "File", "summary": {"md5": "0cc175b9c0f1b6a831c399e269772661"}}, {"type": "None", "summary": "x"}]`}},
			{200, line{method: "GET", target: "/api/v2/batch/1" + page + "&resultStart=20000"}},
			{200, line{method: "GET", target: "/api/v2/batch/1/errors/" + page}},
		}},
	}
}
