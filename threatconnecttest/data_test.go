package threatconnecttest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var seedDay = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// everything returns a record of each kind with all of its fields, in an order that Seed accepts.
func everything() []Record {
	attributes := []AttributeRecord{{Type: "Description", Value: "why", Source: "s", Displayed: true, Pinned: true, Labels: []string{"Own"},
		DateAdded: seedDay, LastModified: seedDay.Add(time.Hour)}}
	outside := func(n int) time.Time { return seedDay.AddDate(n, 0, 0) }
	return []Record{
		&Owner{Name: "Feed", Type: "Organization", Members: []User{{"u", "f", "l", "p", "User"}}, Anonymous: true, ReadOnly: true,
			Denied: []string{"* /v2/tasks"}},
		&Owner{Name: "Example Organization", Members: []User{{UserName: "ana"}, {UserName: "bo"}}},
		&IndicatorType{Name: "Bank Card", Branch: "bankCards", Entity: "bankCard", Fields: []string{"Number", "Bank"}, CasePreference: "upper"},
		&AttributeType{Name: "Own", MaxLength: 9, AllowMarkdown: true, System: true, Types: []string{"Bank Card", "Threat"}},
		&SecurityLabel{Owner: "Example Organization", Name: "Own", Description: "d", Color: "00ff00", DateAdded: seedDay},
		&SecurityLabel{Owner: "Example Source", Name: "TLP:RED", Description: "changed", Color: "00ff00"},
		&TagRecord{ID: 5000, Owner: "Example Organization", Name: "Phishing", Description: "d"},
		&GroupRecord{ID: 5001, Owner: "Example Organization", Type: "Incident", Name: "i", XID: "x1", Fields: map[string]string{
			"eventDate": "2026-01-02T03:04:05Z", "status": "Open"}, DateAdded: seedDay, LastModified: seedDay.Add(time.Hour),
			Attributes: attributes, Tags: []string{"Phishing"}, Labels: []string{"Own"}, FirstSeen: outside(0), LastSeen: outside(1),
			ExternalDateAdded: outside(2), ExternalDateExpires: outside(7973), ExternalLastModified: time.Unix(0, 0).UTC()},
		&GroupRecord{ID: 5002, Owner: "Example Organization", Type: "Document", Name: "d", XID: "x2", Fields: map[string]string{
			"fileName": "a.pdf", "malware": "true", "password": "pw"}, Content: []byte("PDF"), Groups: []string{"x1"},
			DateAdded: seedDay, LastModified: seedDay},
		&GroupRecord{ID: 5003, Owner: "Example Organization", Type: "Adversary", Name: "a", XID: "x3",
			Assets: []AssetRecord{{Type: "Handle", Values: []string{"@a"}}}, DateAdded: seedDay, LastModified: seedDay},
		&GroupRecord{ID: 5004, Owner: "Example Organization", Type: "Campaign", Name: "c", XID: "x4", FirstSeen: seedDay, LastSeen: outside(1)},
		&IndicatorRecord{ID: 5010, Owner: "Example Organization", Type: "Address", Summary: "192.0.2.1", Rating: new(4.5), Confidence: new(0),
			Inactive: true, ActiveLocked: true, Private: true, XID: "i1", DateAdded: seedDay, LastModified: seedDay.Add(time.Hour),
			Attributes: attributes, Tags: []string{"Phishing", "B"}, Labels: []string{"Own"}, Groups: []string{"x1", "x2"},
			Location:     map[string]string{"countryCode": "US", "asn": "64496"},
			Assessed:     &ThreatAssess{Rating: 2.5, Confidence: 12.5, Score: 300, CALScore: 100, CALStatus: 1},
			Observations: []Observation{{2, seedDay}, {3, seedDay.Add(time.Hour)}}, FalsePositives: []time.Time{seedDay, outside(1)},
			FirstSeen: outside(0), LastSeen: outside(1), ExternalDateAdded: outside(2), ExternalDateExpires: outside(7973),
			ExternalLastModified: time.Unix(0, 0).UTC()},
		&IndicatorRecord{ID: 5011, Owner: "Example Organization", Type: "Host", Summary: "www.example.com", DNSActive: true, WhoisActive: true,
			Resolutions: []Resolution{{seedDay, []string{"192.0.2.1"}}}, DateAdded: seedDay, LastModified: seedDay},
		&IndicatorRecord{ID: 5012, Owner: "Example Organization", Type: "File", Summary: strings.Repeat("A", 32) + " : " + strings.Repeat("B", 40),
			Size: 7, Occurrences: []Occurrence{{"a.exe", `C:\`, seedDay}}, DateAdded: seedDay, LastModified: seedDay},
		&IndicatorRecord{ID: 5013, Owner: "Example Organization", Type: "Bank Card", Summary: "1 : B", DateAdded: seedDay, LastModified: seedDay},
		&TaskRecord{ID: 5020, Owner: "Example Organization", Name: "t", Description: "d", Status: "Deferred", DueDate: outside(-9),
			ReminderDate: outside(1), EscalationDate: outside(2), Escalated: true, Reminded: true, Overdue: true,
			Assignees: []string{"ana"}, Escalatees: []string{"bo", "ana"}, DateAdded: seedDay, LastModified: seedDay.Add(time.Hour),
			Attributes: attributes, Tags: []string{"C"}, Labels: []string{"Own"}},
		&TaskRecord{ID: 5021, Owner: "Example Organization", Name: "t2", Status: "Not Started", Tasks: []int64{5020}, DateAdded: seedDay, LastModified: seedDay},
		&VictimRecord{ID: 5030, Owner: "Example Organization", Name: "v", Description: "d", Org: "o", Suborg: "s", WorkLocation: "w",
			Nationality: "n", Assets: []AssetRecord{{Type: "NetworkAccount", Values: []string{"v", "AD"}}}, Attributes: attributes,
			Tags: []string{"D"}, Labels: []string{"Own"}},
		&Association{Owner: "Example Organization", A: End{Type: "File", Summary: strings.Repeat("b", 40)}, B: End{Type: "Host", Summary: "www.example.com"}, Type: "File DNS Query"},
		&Association{Owner: "Example Organization", A: End{Type: "Task", Summary: "t"}, B: End{Type: "Victim", ID: 5030}},
		&Association{Owner: "Example Organization", A: End{XID: "x3"}, B: End{Type: "Victim", Summary: "v"}},
		&Playbook{ID: 5040, GroupXID: "p1", Name: "p", Status: "Active", TriggerType: "WebHook", Labels: []string{"l"}, Version: 3, PBX: []byte(`{"name":"p"}`)},
		&MetricRecord{ID: 5050, Name: "m", DataType: "Sum", Interval: "Daily", Description: "d", Keyed: true,
			Points: []MetricPoint{{"k", 42, 2, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}}},
		&DataRecord{Domain: "local", DataType: "cache", ID: "r", Version: 2, Data: json.RawMessage(`{"a":1}`)},
	}
}

// readBack returns the server's current record for a seeded record, or nil for an association.
func readBack(s *Server, r Record) any {
	switch r := r.(type) {
	case *Owner:
		for _, o := range s.Owners() {
			if o.Name == r.Name {
				return o
			}
		}
	case *SecurityLabel:
		for _, l := range s.Labels(r.Owner) {
			if l.Name == r.Name {
				return l
			}
		}
	case *IndicatorRecord:
		i, _ := s.Indicator(r.Owner, r.Type, r.Summary)
		return i
	case *GroupRecord:
		g, _ := s.Group(r.XID)
		return g
	case *TaskRecord:
		for _, t := range s.Tasks(r.Owner) {
			if t.ID == r.ID {
				return t
			}
		}
	case *VictimRecord:
		return s.Victims(r.Owner)[0]
	case *Playbook:
		return s.Playbooks()[0]
	case *MetricRecord:
		return s.Metrics()[0]
	}
	for _, shown := range s.Data().Records() {
		if reflect.TypeOf(shown) == reflect.TypeOf(r) && shown.title() == r.title() {
			return given(shown)
		}
	}
	return nil
}

// given returns a copy of the record that r points to.
func given(r Record) any { return reflect.ValueOf(r).Elem().Interface() }

func TestSeededRecordsAreReturnedUnchanged(t *testing.T) {
	t.Parallel()
	s := New()
	set := map[string]bool{}
	records, wanted := everything(), everything()
	require.NoError(t, s.Seed(records...))
	for n, r := range records {
		markSet(set, reflect.ValueOf(wanted[n]))
		if shown := readBack(s, r); shown != nil {
			require.NoError(t, checkKept(given(wanted[n]), shown))
		}
	}
	require.NoError(t, s.Check())
	for _, r := range everything() {
		for f := range reflect.TypeOf(r).Elem().Fields() {
			name := fmt.Sprintf("%T.%s", given(r), f.Name)
			if f.IsExported() && name != "threatconnecttest.Owner.ID" && name != "threatconnecttest.IndicatorRecord.Associated" &&
				name != "threatconnecttest.GroupRecord.Indicators" && name != "threatconnecttest.AssetRecord.ID" {
				assert.True(t, set[name], "no record of the test sets %s", name)
			}
		}
	}
}

// markSet records the nonzero fields of a record.
func markSet(set map[string]bool, v reflect.Value) {
	for f, value := range v.Elem().Fields() {
		if f.IsExported() && !value.IsZero() {
			set[v.Elem().Type().String()+"."+f.Name] = true
		}
	}
}

func TestDataSeedsEqualServer(t *testing.T) {
	t.Parallel()
	s := New()
	require.NoError(t, s.Seed(everything()...))
	b, err := json.Marshal(s.Data())
	require.NoError(t, err)
	var d Data
	require.NoError(t, json.Unmarshal(b, &d))
	other := New()
	require.NoError(t, other.Seed(d.Records()...))
	require.NoError(t, other.Check())
	again, err := json.Marshal(other.Data())
	require.NoError(t, err)
	assert.JSONEq(t, withoutInnerIDs(t, b), withoutInnerIDs(t, again))
	assert.Equal(t, s.Groups("Example Organization")[0].Indicators, other.Groups("Example Organization")[0].Indicators)
	require.NoError(t, other.Seed(other.Data().Owners[0]), "a definition with the same fields is accepted")
}

func TestDataWithRenamedOwnerSeedsEqualServer(t *testing.T) {
	t.Parallel()
	s, other := New(), New()
	require.NoError(t, s.Update(&Owner{ID: 1, Name: "Our Organization"}))
	require.NoError(t, s.Seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com"}))
	require.NoError(t, other.Seed(s.Data().Records()...))
	assert.Equal(t, s.Data(), other.Data())
	require.ErrorContains(t, other.Seed(&Owner{ID: 1, Name: "Another"}), "ID: is set by the server", "the ID has changed before")
}

// withoutInnerIDs returns data without the IDs of attachments, which the server chooses.
func withoutInnerIDs(t *testing.T, b []byte) string {
	var v any
	require.NoError(t, json.Unmarshal(b, &v))
	var strip func(v any, depth int)
	strip = func(v any, depth int) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				strip(e, depth+1)
			}
		case map[string]any:
			if n, ok := v["id"].(float64); ok && (depth > 2 || n < 5000) {
				delete(v, "id")
			}
			for _, e := range v {
				strip(e, depth+1)
			}
		}
	}
	strip(v, 0)
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return string(out)
}

// No value that is passed to or returned by the server shares memory with the server's data.
func TestServerSharesNoMemory(t *testing.T) {
	t.Parallel()
	s := New(WithRecordedBodies(100))
	require.NoError(t, s.Seed(&Owner{Name: "Example Organization", Members: []User{{UserName: "ana"}, {UserName: "bo"}}}))
	records := everything()
	require.NoError(t, s.Seed(records...))
	r := rig{t, s}
	r.must(201, "POST", "/v2/batch", config())
	before, err := json.Marshal(s.Data())
	require.NoError(t, err)
	requests := fmt.Sprint(s.Requests())
	for _, r := range records {
		spoil(reflect.ValueOf(r))
	}
	for _, o := range s.Owners() {
		for _, v := range []any{o, s.Indicators(o.Name), s.Groups(o.Name), s.Tasks(o.Name), s.Victims(o.Name), s.Labels(o.Name)} {
			spoil(reflect.ValueOf(v))
		}
	}
	for _, v := range []any{s.Playbooks(), s.Metrics(), s.Data(), s.Requests(), s.Jobs(), s.Search(Query{}), s.Search(Query{Groups: true})} {
		spoil(reflect.ValueOf(v))
	}
	after, err := json.Marshal(s.Data())
	require.NoError(t, err)
	assert.JSONEq(t, string(before), string(after))
	assert.Equal(t, requests, fmt.Sprint(s.Requests()))
	require.NoError(t, s.Check())
}

// spoil changes all data that a value refers to.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Struct:
		for f, value := range v.Fields() {
			if f.IsExported() {
				spoil(value)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Value{})
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString("spoiled")
		}
	case reflect.Int, reflect.Int64:
		if v.CanSet() {
			v.SetInt(99)
		}
	case reflect.Float64:
		if v.CanSet() {
			v.SetFloat(1)
		}
	case reflect.Uint8:
		if v.CanSet() {
			v.SetUint('!')
		}
	}
}

// Data created by requests can be seeded, even if the platform would refuse to create it again.
func TestSeedAcceptsUncreatableAssociations(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithOddities(OddityBareIndicatorLinks))
	v := &VictimRecord{Name: "Alex", Assets: []AssetRecord{{Type: "Phone", Values: []string{"555-0100"}}}}
	r.seed(&IndicatorRecord{Type: "Host", Summary: "www.example.com"}, &IndicatorRecord{Type: "Address", Summary: "192.0.2.1"},
		&GroupRecord{Type: "Threat", Name: "Gang", XID: "gang"}, v, &Association{A: End{Type: "Victim", Summary: "Alex"}, B: End{XID: "gang"}})
	r.must(201, "POST", "/v2/indicators/hosts/www.example.com/indicators/addresses/192.0.2.1", "")
	r.must(200, "DELETE", fmt.Sprintf("/v2/victims/%d/victimAssets/phoneNumbers/%d", v.ID, v.Assets[0].ID), "")

	d := r.srv.Data()
	require.Len(t, d.Associations, 2)
	fresh := NewT(t)
	require.NoError(t, fresh.Seed(d.Records()...))
	assert.Equal(t, d, fresh.Data())
}
