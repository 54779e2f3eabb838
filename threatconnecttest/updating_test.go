package threatconnecttest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// After Update, the server returns the record as it was passed.
func TestUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New()
		require.NoError(t, s.Seed(everything()...))
		const owner = "Example Organization"
		time.Sleep(time.Hour)
		now := time.Now().UTC()

		i, _ := s.Indicator(owner, "Address", "192.0.2.1")
		attribute := i.Attributes[0].ID
		i.Tags, i.Groups, i.Location, i.Attributes[0].Source = []string{"New"}, []string{"x3"}, nil, "another"
		before := i.LastModified
		require.NoError(t, s.Update(&i))
		assert.Equal(t, before, i.LastModified, "changed only by rating and confidence")
		assert.Equal(t, attribute, i.Attributes[0].ID, "remaining attributes keep their IDs")
		assert.Equal(t, now, i.Attributes[0].LastModified)
		again, _ := s.Indicator(owner, "Address", "192.0.2.1")
		assert.Equal(t, i, again)
		i.Confidence = new(1)
		require.NoError(t, s.Update(&i))
		assert.Equal(t, now, i.LastModified)
		i.Confidence, i.LastModified = new(2), seedDay
		require.NoError(t, s.Update(&i))
		assert.Equal(t, seedDay, i.LastModified, "LastModified is set by the record")

		f, _ := s.Indicator(owner, "File", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB")
		f.Summary += " : CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
		require.NoError(t, s.Update(&f))
		assert.True(t, s.Has(owner, "File", "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"))
		assert.Equal(t, []string{"Host: www.example.com"}, f.Associated)
		f.Associated = nil
		require.NoError(t, s.Update(&f), "associations of indicators are kept")
		assert.Len(t, f.Associated, 1)

		g, _ := s.Group("x1")
		groupChanged := g.LastModified
		require.NoError(t, s.Update(&g))
		assert.Equal(t, groupChanged, g.LastModified, "unchanged")
		g.Indicators, g.Name, g.XID = []string{"Host: www.example.com"}, "renamed", "x9"
		require.NoError(t, s.Update(&g))
		assert.Equal(t, now, g.LastModified)
		moved, ok := s.Group("x9")
		require.True(t, ok)
		assert.Equal(t, g, moved)
		_, ok = s.Group("x1")
		assert.False(t, ok)

		task := s.Tasks(owner)[0]
		task.Status, task.Overdue, task.Tasks = "Completed", false, nil
		require.NoError(t, s.Update(&task))
		assert.Equal(t, now, task.LastModified)
		assert.Empty(t, s.Tasks(owner)[1].Tasks)

		v := s.Victims(owner)[0]
		asset := v.Assets[0].ID
		v.Org, v.Assets[0].Values = "", []string{"w", "AD"}
		require.NoError(t, s.Update(&v))
		assert.Equal(t, asset, v.Assets[0].ID)
		assert.Equal(t, v, s.Victims(owner)[0])

		require.NoError(t, s.Update(&Owner{Name: "Feed", Members: []User{{UserName: "x"}}}))
		assert.Equal(t, Owner{ID: 4, Name: "Feed", Type: "Organization", Members: []User{{UserName: "x"}}}, s.Owners()[3])
		require.NoError(t, s.Update(
			&SecurityLabel{Name: "Own", Description: "new", Color: "000000"}, &TagRecord{ID: 5000, Name: "Phish"},
			&AttributeType{Name: "Own", MaxLength: 1}, &Playbook{GroupXID: "p1", Name: "renamed"},
			&MetricRecord{Name: "m", DataType: "Max", Interval: "Hourly"}, &DataRecord{Domain: "local", DataType: "cache", ID: "r", Data: []byte(`{"b":2}`)}))
		assert.Equal(t, map[string]string{"r": `{"b":2}`}, s.DataStore("local", "cache"))
		assert.Equal(t, "Max", s.Metrics()[0].DataType)
		assert.Equal(t, "renamed", s.Playbooks()[0].Name)
		g, _ = s.Group("x9")
		assert.Equal(t, []string{"Phish"}, g.Tags)
		require.NoError(t, s.Check())
	})
}

func TestInvalidUpdateChangesNothing(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Server) Record{
		"ID: there is no such indicator":         func(*Server) Record { return &IndicatorRecord{ID: 1} },
		"Summary: the owner has no such Host":    func(*Server) Record { return &IndicatorRecord{Type: "Host", Summary: "b.example.com"} },
		"Summary: cannot be changed":             func(s *Server) Record { return &IndicatorRecord{ID: 5011, Type: "Host", Summary: "b.example.com"} },
		"ID: belongs to an indicator of another": func(*Server) Record { return &IndicatorRecord{ID: 5011, Type: "Address", Summary: "192.0.2.1"} },
		"Confidence: The confidence": func(*Server) Record {
			return &IndicatorRecord{Type: "Host", Summary: "www.example.com", Confidence: new(101)}
		},
		"Labels[0]: The Security Label": func(*Server) Record {
			return &IndicatorRecord{Type: "Host", Summary: "www.example.com", Tags: []string{"Lost"}, Labels: []string{"x"}}
		},
		"Associated: is only read": func(*Server) Record {
			return &IndicatorRecord{Type: "Host", Summary: "www.example.com", Associated: []string{"Host: b.example.com"}}
		},
		"XID: there is no such group": func(*Server) Record { return &GroupRecord{XID: "x"} },
		"XID: another group has it":   func(*Server) Record { return &GroupRecord{ID: 5001, Type: "Incident", Name: "i", XID: "x2"} },
		"Groups[0]: a group cannot be": func(*Server) Record {
			return &GroupRecord{XID: "x3", Type: "Adversary", Name: "a", Groups: []string{"x3"}}
		},
		"Groups[0]: a group cannot": func(*Server) Record {
			return &GroupRecord{ID: 5003, XID: "x9", Type: "Adversary", Name: "a", Groups: []string{"x3"}}
		},
		"Indicators[1]: names the same": func(*Server) Record {
			return &GroupRecord{XID: "x3", Type: "Adversary", Name: "a", Indicators: []string{"Host: www.example.com", "Host: WWW.example.com"}}
		},
		"Associated: is only read: seed": func(*Server) Record {
			return &IndicatorRecord{Type: "Host", Summary: "www.example.com", Associated: []string{}}
		},
		"Tasks[0]: a task cannot be associated": func(*Server) Record {
			return &TaskRecord{ID: 5020, Name: "t", Tasks: []int64{5020}}
		},
		"Points[0].Value: the platform": func(*Server) Record {
			return &MetricRecord{Name: "m", DataType: "Sum", Interval: "Daily", Points: []MetricPoint{{Value: 1<<53 + 1}}}
		},
		"Name: the owner has no such":   func(*Server) Record { return &TaskRecord{Name: "x"} },
		"Tasks[0]: the owner has":       func(*Server) Record { return &TaskRecord{ID: 5020, Name: "t", Tasks: []int64{1}} },
		"Name: the owner has several":   func(s *Server) Record { _ = s.Seed(&VictimRecord{Name: "v"}); return &VictimRecord{Name: "v"} },
		"Name: there is no such owner":  func(*Server) Record { return &Owner{Name: "x"} },
		"Type: cannot be changed":       func(*Server) Record { return &Owner{Name: "Feed", Type: "Source"} },
		"Name: another tag has it":      func(*Server) Record { return &TagRecord{ID: 5000, Name: "B"} },
		"Name: there is no such metric": func(*Server) Record { return &MetricRecord{Name: "x"} },
		"Interval: must be one of":      func(*Server) Record { return &MetricRecord{Name: "m", DataType: "Sum"} },
		"ID: there is no such record":   func(*Server) Record { return &DataRecord{Domain: "local"} },
		"B: An object cannot be":        func(*Server) Record { return &Association{A: End{XID: "x1"}, B: End{XID: "x1"}} },
		"Name: there is such a type":    func(*Server) Record { return &IndicatorType{Name: "Host"} },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := New()
			require.NoError(t, s.Seed(everything()...))
			r := change(s)
			before := s.Data()
			require.ErrorContains(t, s.Update(r), want)
			assert.Equal(t, before, s.Data())
			require.NoError(t, s.Check())
		})
	}
}

// If two parts of a record have the same ID, the second one gets a new ID.
func TestUpdateGivesDuplicatePartsNewIDs(t *testing.T) {
	t.Parallel()
	s := New()
	require.NoError(t, s.Seed(everything()...))
	const owner, hash = "Example Organization", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	v := s.Victims(owner)[0]
	attribute, asset := v.Attributes[0], v.Assets[0]
	attribute.Displayed = false
	v.Attributes, v.Assets = append(v.Attributes, attribute), append(v.Assets, asset)
	f, _ := s.Indicator(owner, "File", hash)
	f.Occurrences = append(f.Occurrences, f.Occurrences[0])
	require.NoError(t, s.Update(&v, &f))
	require.NoError(t, s.Check())
	assert.Equal(t, attribute.ID, v.Attributes[0].ID)
	assert.Equal(t, asset.ID, v.Assets[0].ID)
	assert.Len(t, f.Occurrences, 2)
}

// An asset that was removed from a group stays removed after an update of its victim. If the update
// deletes the asset, the removal is deleted, too.
func TestUpdateKeepsAssetsRemovedFromGroup(t *testing.T) {
	t.Parallel()
	s := New()
	require.NoError(t, s.Seed(everything()...))
	v := s.Victims("Example Organization")[0]
	v.Assets = append(v.Assets, AssetRecord{Type: "Phone", Values: []string{"1"}})
	require.NoError(t, s.Update(&v))
	r := rig{t, s}
	off := "/v2/groups/adversaries/5003/victimAssets"
	r.must(200, "DELETE", off+"/networkAccounts/"+itoa(v.Assets[0].ID), "")
	v.Assets[0].Values = []string{"w"}
	require.NoError(t, s.Update(&v))
	require.NoError(t, s.Check())
	assert.InDelta(t, 1, r.get(off).at("data", "resultCount"), 0)
	v.Assets = v.Assets[1:]
	require.NoError(t, s.Update(&v))
	require.NoError(t, s.Check())
	assert.InDelta(t, 1, r.get(off).at("data", "resultCount"), 0)
}

// The records of Data contain no associations, which follow as separate records.
func TestUpdateAcceptsAllData(t *testing.T) {
	t.Parallel()
	s := New()
	require.NoError(t, s.Seed(everything()...))
	before := s.Data()
	require.NotEmpty(t, before.Associations)
	changed := s.Data()
	changed.Groups[0].Name = "changed"
	require.NoError(t, s.Update(changed.Records()...))
	require.NoError(t, s.Check())
	after := s.Data()
	assert.Equal(t, "changed", after.Groups[0].Name)
	assert.ElementsMatch(t, before.Associations, after.Associations)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := New()
	require.NoError(t, s.Seed(everything()...))
	victim := End{Type: "Victim", Summary: "v"}
	require.NoError(t, s.Delete(&Association{A: End{XID: "x3"}, B: victim}))
	require.ErrorContains(t, s.Delete(&Association{A: End{XID: "x3"}, B: victim}), "Type: there is no such association")
	d := s.Data()
	var gone []Record
	for _, all := range [][]Record{(&Data{Indicators: d.Indicators, Groups: d.Groups, Tasks: d.Tasks, Victims: d.Victims}).Records(),
		(&Data{Playbooks: d.Playbooks, Metrics: d.Metrics, DataStore: d.DataStore, Tags: d.Tags}).Records(), {&SecurityLabel{Name: "Own"}}} {
		gone = append(gone, all...)
	}
	for _, r := range gone {
		require.NoError(t, s.Delete(r))
		require.Error(t, s.Delete(r), "a second deletion must fail")
		require.NoError(t, s.Check())
	}
	d = s.Data()
	assert.Empty(t, (&Data{Indicators: d.Indicators, Groups: d.Groups, Tasks: d.Tasks, Victims: d.Victims, Playbooks: d.Playbooks, Metrics: d.Metrics,
		DataStore: d.DataStore, Tags: d.Tags, Associations: d.Associations}).Records())
	r := rig{t, s}
	assert.InDelta(t, 4, r.get("/v2/indicators/deleted").at("data", "resultCount"), 0, "as if a request had deleted them")
	for want, r := range map[string]Record{
		"an owner cannot be deleted": &Owner{Name: "Feed"}, "an indicator type cannot": &IndicatorType{Name: "Host"},
		"an attribute type cannot": &AttributeType{Name: "Own"},
	} {
		require.ErrorContains(t, s.Delete(r), want)
	}
}

// Only reads with includeAdditional return the dates of batch files.
func TestBatchDatesNeedIncludeAdditional(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const dates = `"firstSeen":"2026-01-02T03:04:05Z","lastSeen":"2026-01-03T03:04:05Z","externalDateAdded":"2026-01-04T03:04:05Z",` +
		`"externalDateExpires":"9999-12-31T23:59:59Z","externalLastModified":"1970-01-01T00:00:00Z"`
	r.batch(config(), `{"group":[{"type":"Threat","name":"t","xid":"t",`+dates+`},{"type":"Campaign","name":"c","xid":"c",`+dates+`}],
		"indicator":[{"type":"Host","summary":"www.example.com",`+dates+`},{"type":"Host","summary":"b.example.com"}]}`)
	threat, _ := r.srv.Group("t")
	assert.Equal(t, seedDay, threat.FirstSeen)
	host, _ := r.srv.Indicator(source, "Host", "www.example.com")
	assert.Equal(t, time.Unix(0, 0).UTC(), host.ExternalLastModified)
	for _, path := range []string{"/v2/indicators/hosts/www.example.com", "/v2/groups/threats/" + itoa(threat.ID)} {
		got := r.get(path + "?owner=Example%20Source&includeAdditional=true").raw
		assert.Contains(t, got, dates, path)
		assert.NotContains(t, r.get(path+"?owner=Example%20Source").raw, "Seen", path)
	}
	list := r.get("/v2/indicators?owner=Example%20Source&includeAdditional=true")
	assert.Equal(t, "9999-12-31T23:59:59Z", list.at("data", "indicator", 0, "externalDateExpires"))
	assert.Nil(t, list.at("data", "indicator", 1, "externalDateExpires"))
	campaign, _ := r.srv.Group("c")
	path := "/v2/groups/campaigns/" + itoa(campaign.ID) + "?owner=Example%20Source"
	assert.Equal(t, "2026-01-02T03:04:05Z", r.get(path).at("data", "campaign", "firstSeen"), "a field of the type")
	assert.Len(t, keysOf(t, r.get(path+"&includeAdditional=true").raw, "campaign"), 15)
	assert.Equal(t, seedDay, campaign.FirstSeen)
}
