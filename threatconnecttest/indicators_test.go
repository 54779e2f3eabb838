package threatconnecttest

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIndicatorLifecycle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made := r.must(201, "POST", "/v2/indicators/hosts", `{"hostName":"WWW.Example.com","rating":"3.5","confidence":70,"dnsActive":"true"}`)
	assert.Equal(t, []string{"id", "owner", "dateAdded", "lastModified", "rating", "confidence", "webLink", "hostName", "dnsActive", "whoisActive"},
		keysOf(t, made.raw, "data", "host"))
	assert.Equal(t, "www.example.com", made.at("data", "host", "hostName"))
	assert.Equal(t, "true", made.at("data", "host", "dnsActive"))
	assert.Equal(t, map[string]any{"id": 1.0, "name": "Example Organization", "type": "Organization"}, made.at("data", "host", "owner"))

	got := r.must(200, "GET", "/v2/indicators/hosts/www.example.com?includeAdditional=true", "")
	assert.Equal(t, []string{"id", "owner", "dateAdded", "lastModified", "rating", "confidence",
		"threatAssessRating", "threatAssessConfidence", "threatAssessScore", "webLink",
		"observationCount", "falsePositiveCount", "privateFlag", "active", "activeLocked", "communityOrSource", "additionalOwners",
		"hostName", "dnsActive", "whoisActive"}, keysOf(t, got.raw, "data", "host"))
	assert.Equal(t, true, got.at("data", "host", "active"))

	r.must(200, "PUT", "/v2/indicators/hosts/www.example.com", `{"rating":5,"active":0}`)
	rec, ok := r.srv.Indicator("Example Organization", "Host", "www.example.com")
	require.True(t, ok)
	assert.InDelta(t, 5.0, *rec.Rating, 0)
	assert.Equal(t, 70, *rec.Confidence)
	assert.True(t, rec.Inactive)

	r.must(400, "PUT", "/v2/indicators/hosts/www.example.com", `{"hostName":"other.example.com"}`)
	r.must(200, "DELETE", "/v2/indicators/hosts/www.example.com", "")
	r.must(404, "GET", "/v2/indicators/hosts/www.example.com", "")

	gone := r.must(200, "GET", "/v2/indicators/hosts/deleted", "")
	assert.Equal(t, []string{"ownerName", "type", "dateAdded", "summary"}, keysOf(t, gone.raw, "indicator"))
	assert.Equal(t, "www.example.com", r.get("/v2/indicators/deleted").at("data", "indicator", 0, "summary"))
	assert.Empty(t, r.get("/v2/indicators/asns/deleted").at("data", "indicator"))
}

func TestInvalidIndicatorValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		branch, field string
		taken         []string
		refused       []string
	}{
		{
			branch:  "addresses",
			field:   "ip",
			taken:   []string{"192.0.2.1", "2001:db8::1", "2001:0DB8:0:0:0:0:0:1"},
			refused: []string{"01.2.3.4", "192.0.2.1 ", "192.0.2.256", "::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.0/24", ""},
		},
		{
			branch:  "emailAddresses",
			field:   "address",
			taken:   []string{"bad@example.com", "a+b@example.org"},
			refused: []string{"bad", "a@b@example.com", "Bad <bad@example.com>", "bad@exa mple.com", "bad@b\u00fccher.example"},
		},
		{
			branch:  "hosts",
			field:   "hostName",
			taken:   []string{"example.com", "r3---sn-x.example.net", "xn--bcher-kva.example"},
			refused: []string{"b\u00fccher.example", "a_b.example.com", "localhost", "a..example", "-a.example", "192.0.2.1", "example.com:80", "setup.exe", "example.com."},
		},
		{
			branch:  "urls",
			field:   "text",
			taken:   []string{"http://example.com/A%2Fb?x=1#y", "https://192.0.2.1:8443/", "ftp://example.com/x", "http://example.com/a b?x=1"},
			refused: []string{"http://EXAMPLE.com/", "http://user@example.com/", "hxxp://example.com/", "http://b\u00fccher.example/", "http://example.com:70000/", "http://exa mple.com/", "http://example.com/ ", "example.com/x", "http:///x"},
		},
		{
			branch:  "asns",
			field:   "AS Number",
			taken:   []string{"ASN12345"},
			refused: []string{"12345", "AS12345", "AS 12345", "ASN 12345", "asn12345", "ASN"},
		},
		{
			branch:  "cidrBlocks",
			field:   "Block",
			taken:   []string{"192.0.2.0/24", "2001:db8:1234:0:0:0:0:0/48"},
			refused: []string{"192.0.2.0/33", "2001:db8:1234::/48", "2001:0db8:1234:0:0:0:0:0/48", "2001:db8:1234:0000:0:0:0:0/48", "2001:DB8:1234:0:0:0:0:0/48", "192.0.2.0"},
		},
		{branch: "mutexes", field: "Mutex", taken: []string{`Global\Example`}, refused: []string{""}},
		{
			branch:  "files",
			field:   "md5",
			taken:   []string{"d41d8cd98f00b204e9800998ecf8427e"},
			refused: []string{"d41d8cd98f00b204e9800998ecf8427", "z41d8cd98f00b204e9800998ecf8427e"},
		},
	} {
		t.Run(tc.branch, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for _, v := range tc.taken {
				r.must(201, "POST", "/v2/indicators/"+tc.branch, `{"`+tc.field+`":`+string(quoteJSON(v))+`}`)
				r.must(200, "GET", "/v2/indicators/"+tc.branch+"/"+escape(v), "")
			}
			for _, v := range tc.refused {
				got := r.must(400, "POST", "/v2/indicators/"+tc.branch, `{"`+tc.field+`":`+string(quoteJSON(v))+`}`)
				assert.Contains(t, message(got), "Please enter a valid ", v)
			}
		})
	}
}

func escape(s string) string {
	return url.PathEscape(s)
}

func TestRegistryKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	post := func(status int, body string) reply {
		return r.must(status, "POST", "/v2/indicators/registryKeys", body)
	}
	made := post(201, `{"Key Name":"HKEY_LOCAL_MACHINE\\Software\\Example","Value Name":" ","Value Type":"REG_SZ"}`)
	assert.Equal(t, "Registry Key", made.at("data", "registryKey", "type"))
	post(400, `{"Key Name":"HKLM\\Software\\Example","Value Name":" ","Value Type":"REG_SZ"}`)
	post(400, `{"Key Name":"HKEY_LOCAL_MACHINE\\Software\\Example","Value Name":"","Value Type":"REG_SZ"}`)
	post(400, `{"Key Name":"HKEY_LOCAL_MACHINE\\Software\\Example","Value Name":"x","Value Type":"SZ"}`)
	got := r.must(200, "GET", "/v2/indicators/registryKeys/"+escape(`HKEY_LOCAL_MACHINE\Software\Example :   : REG_SZ`), "")
	assert.Equal(t, " ", got.at("data", "registryKey", "Value Name"))
}

func TestFilesAreFoundByAnyHash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const md5, sha1 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	r.must(201, "POST", "/v2/indicators/files", `{"md5":"`+md5+`","size":12}`)
	r.must(201, "POST", "/v2/indicators/files", `{"md5":"`+md5+`","sha1":"`+sha1+`"}`)
	got := r.must(200, "GET", "/v2/indicators/files/"+sha1, "")
	assert.InDelta(t, 12, got.at("data", "file", "size"), 0)
	assert.Equal(t, "D41D8CD98F00B204E9800998ECF8427E", got.at("data", "file", "md5"))
	r.must(400, "GET", "/v2/indicators?resultLimit=x", "")

	bad := r.must(400, "POST", "/v2/indicators/files", `{"md5":"`+md5+`","sha1":"0000000000000000000000000000000000000000"}`)
	assert.Contains(t, message(bad), "already exists")
	assert.Equal(t, 1, r.srv.Counts("Example Organization").Indicators)
}

func TestIndicatorPathsPreserveEveryCharacter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, v := range []string{"a+b", "a/b", "a%2Fb", "..", "a//b", "100%", `\`, ";", "~!*'()", "\u00e9\U0001f600", "a?b#c", "a b"} {
		r.seed(&IndicatorRecord{Type: "Mutex", Summary: v})
		seg := ""
		for _, b := range []byte(v) {
			seg += "%" + string("0123456789ABCDEF"[b>>4]) + string("0123456789ABCDEF"[b&15])
		}
		got := r.must(200, "GET", "/v2/indicators/mutexes/"+seg, "")
		assert.Equal(t, v, got.at("data", "mutex", "Mutex"))
	}
}

func TestListsOfIndicators(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	add := func(typ, v string, rating float64, confidence int, inactive bool) {
		r.seed(&IndicatorRecord{Type: typ, Summary: v, Rating: &rating, Confidence: &confidence, Inactive: inactive,
			Tags: []string{"Example"}, Attributes: []AttributeRecord{{Type: "Description", Value: "why", Displayed: true}}, Labels: []string{"TLP:GREEN"}})
	}
	add("Host", "a.example.com", 1, 10, false)
	add("Host", "b.example.com", 3, 50, false)
	add("Address", "192.0.2.1", 5, 90, false)
	add("Host", "old.example.com", 4, 60, true)

	all := r.get("/v2/indicators")
	assert.InDelta(t, 3, all.at("data", "resultCount"), 0)
	assert.Equal(t, []string{"id", "ownerName", "type", "dateAdded", "lastModified", "rating", "confidence", "threatAssessRating",
		"threatAssessConfidence", "threatAssessScore", "webLink", "description", "summary"}, keysOf(t, all.raw, "indicator"))
	typed := r.get("/v2/indicators/hosts")
	assert.InDelta(t, 2, typed.at("data", "resultCount"), 0)
	assert.Equal(t, "b.example.com", typed.at("data", "host", 1, "hostName"))

	for query, want := range map[string]float64{
		"filters=rating%3E2":                                      2,
		"filters=rating%3E2%2Cconfidence%3C60":                    1,
		"filters=rating>2,confidence<60&orParams=True":            3,
		"filters=summary%5Eb.":                                    1,
		"filters=summary=192.0.2.1":                               1,
		"filters=active%3Dfalse":                                  1,
		"filters=active%3Dtrue,active%3Dfalse&orParams=true":      4,
		"filters=confidence%3D50":                                 1,
		"filters=dateAdded%3E2020-01-01":                          3,
		"modifiedSince=2020-01-01T00:00:00Z":                      3,
		"modifiedSince=2999-01-01T00:00:00Z":                      0,
		"createActivityLog=false&resultStart=0&resultLimit=10000": 3,
		"owner=Example+Source":                                    0,
	} {
		got := r.must(200, "GET", "/v2/indicators?"+query, "")
		assert.InDelta(t, want, got.at("data", "resultCount"), 0, query)
	}
	for _, query := range []string{"filters=rating%3D3", "filters=nothing%3D3", "filters=rating", "filters=dnsActive%3Dtrue",
		"resultLimit=10001", "resultLimit=0", "resultStart=-1", "modifiedSince=yesterday"} {
		r.must(400, "GET", "/v2/indicators?"+query, "")
	}
	second := r.get("/v2/indicators?resultStart=1&resultLimit=1")
	assert.Nil(t, second.at("data", "resultCount"))
	assert.Len(t, second.at("data", "indicator"), 1)
	assert.Equal(t, "b.example.com", second.at("data", "indicator", 0, "summary"))

	full := r.get("/v2/indicators?includes=additional,labels&includes=tags&includeAttributes=true")
	assert.Subset(t, keysOf(t, full.raw, "indicator"), []string{"active", "attribute", "tag", "securityLabel"})
	assert.Equal(t, "TLP:GREEN", full.at("data", "indicator", 0, "securityLabel", 0, "name"))

	bad := r.must(403, "GET", "/v2/indicators?owner=Nobody", "")
	assert.Equal(t, msgOwner, message(bad))
}

func TestOwnersObservationsAndFalsePositives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, owner := range []string{"Example Organization", "Example Source"} {
		r.seed(&IndicatorRecord{Owner: owner, Type: "Host", Summary: "www.example.com"})
	}
	const host = "/v2/indicators/hosts/www.example.com"
	owners := r.get(host + "/owners?includes=additional")
	assert.Nil(t, owners.at("data", "resultCount"))
	assert.Len(t, owners.at("data", "owner"), 2)
	assert.IsType(t, "", owners.at("data", "owner", 0, "itemId"))
	assert.Nil(t, r.get(host+"/owners").at("data", "owner", 0, "itemId"))

	r.must(200, "POST", host+"/observations", `{"count":2}`)
	r.must(200, "POST", host+"/observations?owner=Example%20Source", `{"count":3,"dateObserved":"2020-01-02T03:04:05-05:00"}`)
	r.must(400, "POST", host+"/observations", `{"count":0}`)
	count := r.get(host + "/observationCount")
	assert.InDelta(t, 5, count.at("data", "observationCount", "count"), 0)
	assert.InDelta(t, 2, count.at("data", "observationCount", "yourCount"), 0)
	assert.Equal(t, "2020-01-02T08:04:05Z", r.get(host+"/observations?owner=Example%20Source").at("data", "observation", 0, "dateObserved"))
	observed := r.get("/v2/indicators/observed")
	assert.Equal(t, []string{"summary", "observationCount", "lastObserved", "userObservedList"}, keysOf(t, observed.raw, "indicator"))
	assert.InDelta(t, 3, r.get("/v2/indicators/observed?dateObserved=2020-01-02&owner=Example%20Source").at("data", "indicator", 0, "observationCount"), 0)

	r.must(200, "POST", host+"/falsePositive", "")
	again := r.must(200, "POST", host+"/falsePositive", "")
	assert.InDelta(t, 1, again.at("data", "falsePositive", "count"), 0, "at most one per day")
	assert.InDelta(t, 1, r.get("/v2/indicators?filters=falsePositive%3E0").at("data", "resultCount"), 0)
}

func TestFileOccurrences(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const md5 = "D41D8CD98F00B204E9800998ECF8427E"
	r.seed(&IndicatorRecord{Type: "File", Summary: md5})
	const path = "/v2/indicators/files/" + md5 + "/fileOccurrences"
	made := r.must(201, "POST", path, `{"fileName":"a.exe","date":"2026-01-02T00:00:00-05:00"}`)
	assert.Equal(t, "2026-01-02T05:00:00Z", made.at("data", "fileOccurrence", "date"))
	one := path + "/1002"
	r.must(200, "PUT", one, `{"path":"C:\\x"}`)
	assert.Equal(t, "a.exe", r.get(one).at("data", "fileOccurrence", "fileName"))
	list := r.get(path)
	assert.Len(t, list.at("data", "fileOccurrence"), 1)
	assert.Nil(t, list.at("data", "resultCount"))
	r.must(400, "POST", path, `{}`)
	r.must(200, "DELETE", one, "")
	r.must(404, "GET", one, "")
}
