package threatconnecttest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSeededIndicatorsAreReturnedUnchanged(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithCredentials("id", "", "tok"))
	assert.Equal(t, []string{"id", secretKey, "tok"}, []string{r.srv.AccessID(), r.srv.SecretKey(), r.srv.Token()})
	assert.Equal(t, "id", r.get("/v2/whoami").at("data", "user", "userName"), "an API user's name is its access ID")
	r.seed(&GroupRecord{Type: "Threat", Name: "x", XID: "x1"})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := IndicatorRecord{
		Owner: "Example Organization", Type: "Address", Summary: "192.0.2.1", Rating: new(4.5), Confidence: new(0), Private: true,
		XID: "i1", DateAdded: at, LastModified: at.Add(time.Hour), Tags: []string{"A"}, Labels: []string{"TLP:RED"}, Groups: []string{"x1"},
		Location: map[string]string{"countryCode": "US", "asn": "64496", "city": "Example"},
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

// Each record is refused for one field and changes nothing.
func TestSeedRejectsInvalidRecords(t *testing.T) {
	t.Parallel()
	const owner = "Example Organization"
	host := func(set func(*IndicatorRecord)) Record {
		r := &IndicatorRecord{Type: "Host", Summary: "a.example.com", Tags: []string{"New tag"}}
		set(r)
		return r
	}
	other := func(typ, summary string, set func(*IndicatorRecord)) Record {
		r := &IndicatorRecord{Type: typ, Summary: summary}
		set(r)
		return r
	}
	threat := func(set func(*GroupRecord)) Record {
		r := &GroupRecord{Type: "Threat", Name: "x", Tags: []string{"New tag"}}
		set(r)
		return r
	}
	md5, sha1 := strings.Repeat("A", 32), strings.Repeat("B", 40)
	for want, r := range map[string]Record{
		"Owner: there is no owner":                 host(func(r *IndicatorRecord) { r.Owner = "Nobody" }),
		"Type: there is no indicator type \"\"":    host(func(r *IndicatorRecord) { r.Type = "" }),
		"Summary: is not a valid Host":             host(func(r *IndicatorRecord) { r.Summary = "a_b.example.com" }),
		"Summary: the owner has this Host already": host(func(r *IndicatorRecord) { r.Summary = "WWW.example.com" }),
		"Summary: the owner has this File already": other("File", strings.Repeat("C", 32)+" : "+sha1, func(*IndicatorRecord) {}),
		"ID: is taken": host(func(r *IndicatorRecord) { r.ID = 1002 }),
		"Confidence: The confidence for this Host": host(func(r *IndicatorRecord) { r.Confidence = new(200) }),
		"Rating: The rating for this Host":         host(func(r *IndicatorRecord) { r.Rating = new(9.0) }),
		"Rating: the platform would not keep":      host(func(r *IndicatorRecord) { r.Rating = new(1.23456) }),
		"Attributes[0]: The requested attribute":   host(func(r *IndicatorRecord) { r.Attributes = []AttributeRecord{{Type: "x", Value: "y"}} }),
		"Attributes[0]: This attribute requires":   host(func(r *IndicatorRecord) { r.Attributes = []AttributeRecord{{Type: "Source"}} }),
		"Attributes[0]: The Security Label 'x'": host(func(r *IndicatorRecord) {
			r.Attributes = []AttributeRecord{{Type: "Source", Value: "y", Labels: []string{"x"}}}
		}),
		"Attributes[0].Displayed: the platform": host(func(r *IndicatorRecord) {
			r.Attributes = []AttributeRecord{{Type: "Aliases", Value: "y", Displayed: true}}
		}),
		"Tags[1]: The Name for this Tag":             host(func(r *IndicatorRecord) { r.Tags = []string{"New tag", ""} }),
		"Tags: the platform would not keep":          host(func(r *IndicatorRecord) { r.Tags = []string{"A", "A"} }),
		"Labels[0]: The Security Label 'x'":          host(func(r *IndicatorRecord) { r.Labels = []string{"x"} }),
		"Groups[0]: the owner has no group":          host(func(r *IndicatorRecord) { r.Groups = []string{"x"} }),
		"Associated: is only read":                   host(func(r *IndicatorRecord) { r.Associated = []string{"Host: www.example.com"} }),
		"Size: the platform would not keep":          host(func(r *IndicatorRecord) { r.Size = 1 }),
		"Occurrences: only a File":                   host(func(r *IndicatorRecord) { r.Occurrences = []Occurrence{{Path: "x"}} }),
		"Location: only a Address":                   host(func(r *IndicatorRecord) { r.Location = map[string]string{"city": "x"} }),
		"Assessed.Score: must be 0 to 1000":          host(func(r *IndicatorRecord) { r.Assessed = &ThreatAssess{Score: 1001} }),
		"Observations[0].Count: must be at least 1":  host(func(r *IndicatorRecord) { r.Observations = []Observation{{}} }),
		"FalsePositives[1]: must be on a later day":  host(func(r *IndicatorRecord) { r.FalsePositives = []time.Time{seedDay, seedDay.Add(time.Hour)} }),
		"XID: is not valid UTF-8":                    host(func(r *IndicatorRecord) { r.XID = "\xff" }),
		"FirstSeen: is in a year":                    host(func(r *IndicatorRecord) { r.FirstSeen = seedDay.AddDate(8000, 0, 0) }),
		"Attributes[0].Value: is not valid UTF-8":    host(func(r *IndicatorRecord) { r.Attributes = []AttributeRecord{{Type: "Source", Value: "\xff"}} }),
		"DNSActive: the platform would not keep":     other("Address", "192.0.2.1", func(r *IndicatorRecord) { r.DNSActive = true }),
		"Resolutions: only a Host":                   other("Address", "192.0.2.1", func(r *IndicatorRecord) { r.Resolutions = []Resolution{{}} }),
		`Location["town"]: must be one of`:           other("Address", "192.0.2.1", func(r *IndicatorRecord) { r.Location = map[string]string{"town": "x"} }),
		"Private: The privateFlag for this ASN":      other("ASN", "ASN1", func(r *IndicatorRecord) { r.Private = true }),
		"Occurrences[0]: needs a FileName":           other("File", strings.Repeat("C", 32), func(r *IndicatorRecord) { r.Occurrences = []Occurrence{{}} }),
		"Size: The size for this File":               other("File", strings.Repeat("C", 32), func(r *IndicatorRecord) { r.Size = -1 }),
		"Owner: there is no owner \"Nobody\"":        threat(func(r *GroupRecord) { r.Owner = "Nobody" }),
		"Type: there is no group type":               threat(func(r *GroupRecord) { r.Type = "" }),
		"Name: The name for this Threat":             threat(func(r *GroupRecord) { r.Name = "" }),
		"XID: there is a group with this xid":        threat(func(r *GroupRecord) { r.XID = "x1" }),
		`Fields["status"]: is no field of a Threat`:  threat(func(r *GroupRecord) { r.Fields = map[string]string{"status": "New"} }),
		`Fields["statsu"]: is no field`:              threat(func(r *GroupRecord) { r.Type, r.Fields = "Incident", map[string]string{"statsu": "New"} }),
		`Fields["status"]: The status for this`:      threat(func(r *GroupRecord) { r.Type, r.Fields = "Incident", map[string]string{"status": "Asleep"} }),
		`Fields["eventDate"]: The eventDate`:         threat(func(r *GroupRecord) { r.Type, r.Fields = "Incident", map[string]string{"eventDate": "soon"} }),
		`Fields["password"]: The password for this`:  threat(func(r *GroupRecord) { r.Type, r.Fields = "Document", map[string]string{"malware": "true"} }),
		"Content: only a Document or Report":         threat(func(r *GroupRecord) { r.Content = []byte("x") }),
		"Assets: only an Adversary":                  threat(func(r *GroupRecord) { r.Assets = []AssetRecord{{}} }),
		"Assets[0].Type: \"Phone\" is no type":       threat(func(r *GroupRecord) { r.Type, r.Assets = "Adversary", []AssetRecord{{Type: "Phone"}} }),
		"Assets[0].Values: The handle for this":      threat(func(r *GroupRecord) { r.Type, r.Assets = "Adversary", []AssetRecord{{Type: "Handle"}} }),
		"Groups[0]: a group cannot be associated":    threat(func(r *GroupRecord) { r.XID, r.Groups = "y", []string{"y"} }),
		"Indicators[0]: the owner has no indicator":  threat(func(r *GroupRecord) { r.Indicators = []string{"Host: b.example.com"} }),
		"Indicators[0]: must be a type":              threat(func(r *GroupRecord) { r.Indicators = []string{"b.example.com"} }),
		"Name: The name for this Task":               &TaskRecord{},
		"Status: The status for this Task":           &TaskRecord{Name: "t", Status: "Asleep"},
		"Assignees: The assignee for this Task":      &TaskRecord{Name: "t", Assignees: []string{"nobody"}},
		"Tasks[0]: the owner has no task 1: seed it": &TaskRecord{Name: "t", Tasks: []int64{1}},
		"DueDate: the platform would not keep":       &TaskRecord{Name: "t", DueDate: time.Unix(0, 0)},
		"Name: The name for this Victim":             &VictimRecord{},
		"Assets[0].Values: The address for this":     &VictimRecord{Name: "v", Assets: []AssetRecord{{Type: "EmailAddress"}}},
		"Name: is missing":                           &Owner{},
		"Type: must be Organization":                 &Owner{Name: "x", Type: "Club"},
		"Denied[0]:":                                 &Owner{Name: "x", Denied: []string{"GET /v3"}},
		"Branch: another type has it":                &IndicatorType{Name: "x", Branch: "hosts", Entity: "x", Fields: []string{"x"}},
		"Fields: must be one to three":               &IndicatorType{Name: "x", Branch: "x", Entity: "x"},
		"Name: there is such a type already":         &IndicatorType{Name: "Host", Branch: "x", Entity: "x", Fields: []string{"x"}},
		"Types[0]: there is no type":                 &AttributeType{Name: "x", Types: []string{"Hots"}},
		"Color: must be six":                         &SecurityLabel{Name: "x", Description: "d", Color: "red"},
		"Name: The Name for this Tag":                &TagRecord{Name: " "},
		"Name: is missing ":                          &Playbook{},
		"PBX: is not JSON":                           &Playbook{Name: "p", PBX: []byte("{")},
		"Status: must be Active":                     &Playbook{Name: "p", Status: "On"},
		"DataType: must be one of":                   &MetricRecord{Name: "m", DataType: "Mean", Interval: "Daily"},
		"Name: The name for this custom metric":      &MetricRecord{DataType: "Sum", Interval: "Daily"},
		"Points[0]: The name for this value":         &MetricRecord{Name: "m", DataType: "Sum", Interval: "Daily", Keyed: true, Points: []MetricPoint{{}}},
		"Domain: must be":                            &DataRecord{},
		"Data: must be a JSON object":                &DataRecord{Domain: "local", DataType: "t", Data: []byte("[]")},
		"A.Summary: is not a valid Host":             &Association{A: End{Type: "Host"}, B: End{XID: "x1"}},
		"B.XID: there is no such group":              &Association{A: End{Type: "Host", Summary: "www.example.com"}, B: End{XID: "x"}},
		"Type: is no association type":               &Association{A: End{Type: "Host", Summary: "www.example.com"}, B: End{Type: "File", Summary: md5}, Type: "URL Host"},
		"B: An object cannot be associated":          &Association{A: End{XID: "x1"}, B: End{XID: "x1"}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := New()
			require.NoError(t, s.Seed(&GroupRecord{Type: "Threat", Name: "x", XID: "x1"},
				&IndicatorRecord{Type: "Host", Summary: "www.example.com"}, &IndicatorRecord{Type: "File", Summary: md5 + " : " + sha1}))
			before := s.Data()
			err := s.Seed(&TagRecord{Name: "first"}, r)
			require.ErrorContains(t, err, strings.TrimSuffix(want, " "))
			require.ErrorContains(t, err, "threatconnecttest: seed: record 1, "+reflect.TypeOf(r).Elem().Name())
			require.NoError(t, s.Delete(&TagRecord{Name: "first"}))
			assert.Equal(t, before, s.Data(), "a refused record must add nothing")
			require.NoError(t, s.Check())
		})
	}
	s := New()
	require.EqualError(t, s.Seed(nil), "threatconnecttest: seed: record 0 is nil")
	require.EqualError(t, s.Update((*Owner)(nil)), "threatconnecttest: update: record 0 is nil")
	assert.False(t, s.Has(owner, "Host", "not a host"))
	assert.Zero(t, s.Counts("Nobody"))
	assert.Nil(t, s.Groups("Nobody"))
	assert.Nil(t, s.Indicators("Nobody"))
}

// All kinds share one space of IDs, within a call and across calls.
func TestSeedRejectsDuplicateIDs(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(id int64) Record{
		"tag":       func(id int64) Record { return &TagRecord{ID: id, Name: "x"} },
		"group":     func(id int64) Record { return &GroupRecord{ID: id, Type: "Threat", Name: "x"} },
		"indicator": func(id int64) Record { return &IndicatorRecord{ID: id, Type: "Host", Summary: "www.example.com"} },
		"task":      func(id int64) Record { return &TaskRecord{ID: id, Name: "x"} },
		"victim":    func(id int64) Record { return &VictimRecord{ID: id, Name: "x"} },
		"playbook":  func(id int64) Record { return &Playbook{ID: id, Name: "x"} },
		"metric":    func(id int64) Record { return &MetricRecord{ID: id, Name: "x", DataType: "Sum", Interval: "Daily"} },
	}
	for first, a := range kinds {
		for second, b := range kinds {
			if first == second {
				continue
			}
			for _, id := range []int64{7, 6000} {
				s := New()
				require.ErrorContains(t, s.Seed(a(id), b(id)), "record 1, ", "%s, %s", first, second)
				require.ErrorContains(t, s.Seed(b(id)), "ID: is taken", "%s, %s", first, second)
				require.NoError(t, s.Check())
			}
		}
	}
}

func TestDeletedGroupLosesAssociations(t *testing.T) {
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
