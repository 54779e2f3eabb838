package threatconnecttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSeededIndicatorsAreAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithCredentials("id", "", "tok"))
	assert.Equal(t, []string{"id", secretKey, "tok"}, []string{r.srv.AccessID(), r.srv.SecretKey(), r.srv.Token()})
	assert.Equal(t, "id", r.get("/v2/whoami").at("data", "user", "userName"), "an API user is named by the access id")
	r.seed(&GroupRecord{Type: "Threat", Name: "x", XID: "x1"})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := IndicatorRecord{
		Owner: "Example Organization", Type: "Address", Summary: "192.0.2.1", Rating: new(4.5), Confidence: new(0), Private: true,
		XID: "i1", DateAdded: at, LastModified: at.Add(time.Hour), Tags: []string{"A"}, Labels: []string{"TLP:RED"}, Groups: []string{"x1"},
		Located:  map[string]string{"countryCode": "US", "asn": "64496", "city": "Example"},
		Assessed: &ThreatAssess{Rating: 2.5, Confidence: 12.5, Score: 300, CALScore: 100, CALStatus: 1},
	}
	got := want
	r.seed(&got)
	want.ID = got.ID
	assert.Equal(t, want, got)

	shown := r.get("/v2/indicators/addresses/192.0.2.1")
	assert.InDelta(t, 300, shown.at("data", "address", "threatAssessScore"), 0)
	assert.InDelta(t, 100, shown.at("data", "address", "calScore"), 0)
	assert.Equal(t, "2026-01-02T04:04:05Z", shown.at("data", "address", "lastModified"))
	for query, n := range map[string]float64{
		"countryCode%3Dus": 1, "countryCode%3DDE": 0, "asn%3D64496": 1, "timezone%3DUTC": 0, "threatAssessScore%3E299": 1,
		"threatAssessRating%3C2": 0, "threatAssessConfidence%3E12": 1, "falsePositive%3D0": 1, "dateAdded%3C2026-01-02": 0,
	} {
		assert.InDelta(t, n, r.get("/v2/indicators/addresses?filters="+query).at("data", "resultCount"), 0, query)
	}
	r.seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com", DNSActive: true,
		Resolutions: []Resolution{{Date: at, Addresses: []string{"192.0.2.1"}}}})
	assert.InDelta(t, 1, r.get("/v2/indicators/hosts?filters=dnsActive%3Dtrue").at("data", "resultCount"), 0)
	assert.InDelta(t, 0, r.get("/v2/indicators/hosts?filters=whoisActive%3Dtrue").at("data", "resultCount"), 0)
}

func TestSeedingRefusesWhatThePlatformRefuses(t *testing.T) {
	t.Parallel()
	s := New()
	require.NoError(t, s.Seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com"}))
	for name, rec := range map[string]IndicatorRecord{
		"an owner that is not there": {Owner: "Nobody", Type: "Host", Summary: "a.example.com"},
		"no type":                    {Summary: "a.example.com"},
		"a wrong value":              {Type: "Host", Summary: "a_b.example.com"},
		"a value that is there":      {Type: "Host", Summary: "WWW.example.com"},
		"an unknown attribute":       {Type: "Host", Summary: "a.example.com", Attributes: []AttributeRecord{{Type: "x", Value: "y"}}},
		"an empty attribute":         {Type: "Host", Summary: "a.example.com", Attributes: []AttributeRecord{{Type: "Source"}}},
		"an empty tag":               {Type: "Host", Summary: "a.example.com", Tags: []string{""}},
		"an unknown label":           {Type: "Host", Summary: "a.example.com", Labels: []string{"x"}},
		"an unknown group":           {Type: "Host", Summary: "a.example.com", Groups: []string{"x"}},
	} {
		require.Error(t, s.Seed(&rec), name)
	}
	assert.Equal(t, 1, s.Counts("Example Organization").Indicators)
	assert.Zero(t, s.Counts("Nobody").Indicators)
	assert.False(t, s.Has("Example Organization", "Host", "not a host"))

	require.NoError(t, s.Seed(&GroupRecord{Type: "Threat", Name: "x", XID: "x1"}))
	for name, rec := range map[string]GroupRecord{
		"an owner that is not there": {Owner: "Nobody", Type: "Threat", Name: "x"},
		"no type":                    {Name: "x"},
		"no name":                    {Type: "Threat"},
		"an xid that is taken":       {Type: "Threat", Name: "x", XID: "x1"},
		"a wrong status":             {Type: "Incident", Name: "x", Fields: map[string]string{"status": "Asleep"}},
		"a wrong date":               {Type: "Incident", Name: "x", Fields: map[string]string{"eventDate": "soon"}},
		"malware without password":   {Type: "Document", Name: "x", Fields: map[string]string{"malware": "true"}},
		"an unknown tag":             {Type: "Threat", Name: "x", Tags: []string{""}},
		"an unknown group":           {Type: "Threat", Name: "x", Groups: []string{"x"}},
	} {
		require.Error(t, s.Seed(&rec), name)
	}
	assert.Len(t, s.Groups("Example Organization"), 1)
	assert.Nil(t, s.Groups("Nobody"))
	assert.Nil(t, s.Indicators("Nobody"))
	require.Error(t, s.Seed(&Owner{}))
}

func TestDeletingAGroupForgetsItsAssociations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := &GroupRecord{Type: "Document", Name: "x", XID: "x1", Fields: map[string]string{"fileName": "a.PDF"}}
	r.seed(a)
	r.seed(&GroupRecord{Type: "Threat", Name: "y", XID: "x2", Groups: []string{"x1"}})
	r.seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com", Groups: []string{"x1", "x2"}})
	assert.InDelta(t, 1, r.get("/v2/groups/documents?filters=fileType%3Dpdf").at("data", "resultCount"), 0)
	assert.InDelta(t, a.ID, r.get("/v2/groups/documents").at("data", "document", 0, "id"), 0)
	r.must(200, "DELETE", "/v2/groups/documents/"+itoa(a.ID), "")
	y, _ := r.srv.Group("x2")
	assert.Empty(t, y.Groups)
	assert.Equal(t, []string{"Host: www.example.com"}, y.Indicators)
	host, _ := r.srv.Indicator("Example Organization", "Host", "www.example.com")
	assert.Equal(t, []string{"x2"}, host.Groups)
	r.must(200, "DELETE", "/v2/indicators/hosts/www.example.com", "")
	y, _ = r.srv.Group("x2")
	assert.Empty(t, y.Indicators)
}

func TestReadOnlyOwnersCannotBeChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(&Owner{Name: "Feed", ReadOnly: true})
	g := &GroupRecord{Owner: "Feed", Type: "Threat", Name: "x"}
	r.seed(g)
	r.seed(&IndicatorRecord{Owner: "Feed", Type: "File", Summary: "d41d8cd98f00b204e9800998ecf8427e"})
	file, group := "/v2/indicators/files/d41d8cd98f00b204e9800998ecf8427e", "/v2/groups/threats/"+itoa(g.ID)
	for _, call := range [][2]string{{"PUT", file}, {"DELETE", file}, {"POST", file + "/tags/x"}, {"POST", file + "/fileOccurrences"},
		{"PUT", group}, {"DELETE", group}, {"POST", group + "/attributes"}} {
		got := r.must(401, call[0], call[1]+"?owner=Feed", `{}`)
		assert.Contains(t, message(got), "access was denied")
	}
	r.must(200, "GET", file+"/tags?owner=Feed", "")
}
