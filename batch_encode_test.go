package threatconnect

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encoded is an item as it stands in a batch file, with the links that must wait.
func encoded(t *testing.T, v BatchVersion, a BatchAction, item BatchItem, known ...string) (string, []link) {
	t.Helper()
	groups := newKnownGroups(known)
	e := encoder{version: v, action: a, known: &groups}
	_, err := e.encode(item)
	require.NoError(t, err)
	require.True(t, json.Valid(e.Buf), "%s", e.Buf)
	return string(e.Buf), e.links
}

func TestItemsAreWrittenAsThePlatformReadsThem(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 1, 2, 3, 0, time.FixedZone("", 5*3600))
	meta := IndicatorMeta{
		Rating: new(4.5), Confidence: new(70), Active: new(true), ActiveLocked: new(false), Private: new(true),
		Description: "seen in the wild", XID: "i-1", Source: "not sent",
		FirstSeen: at, LastSeen: at.Add(time.Hour), ExternalDateAdded: at, ExternalDateExpires: at, ExternalLastModified: at,
		Tags: []Tag{{Name: " Phishing ", Description: "not sent"}},
		Attributes: []Attribute{{Type: "Description", Value: "a \"text\"", Displayed: new(true), Pinned: new(false), Source: "report",
			SecurityLabels: []SecurityLabel{{Name: "TLP:GREEN"}}, ID: 7}},
		SecurityLabels: []SecurityLabel{{Name: "Own", Description: "new", Color: "ff00aa"}},
		GroupXIDs:      []string{"x-1", "x-2"},
	}
	const tail = `"rating":4.5,"confidence":70,"active":true,"activeLocked":false,"privateFlag":true,"description":"seen in the wild",`
	const dates = `"firstSeen":"2026-02-28T20:02:03Z","lastSeen":"2026-02-28T21:02:03Z","externalDateAdded":"2026-02-28T20:02:03Z",` +
		`"externalDateExpires":"2026-02-28T20:02:03Z","externalLastModified":"2026-02-28T20:02:03Z",`
	const hangers = `"attribute":[{"type":"Description","value":"a \"text\"","displayed":true,"source":"report","pinned":false,` +
		`"securityLabel":[{"name":"TLP:GREEN"}]}],"tag":[{"name":"Phishing"}],"securityLabel":[{"name":"Own","description":"new","color":"ff00aa"}]`
	for name, c := range map[string]struct {
		item BatchItem
		want string
	}{
		"a host with everything": {
			&Host{HostName: "WWW.Example.COM.", DNSActive: new(true), WhoisActive: new(false), IndicatorMeta: meta},
			`{"type":"Host","summary":"www.example.com","xid":"i-1",` + tail + `"flag1":true,"flag2":false,` + dates + hangers +
				`,"associatedGroups":[{"groupXid":"x-1"},{"groupXid":"x-2"}]}`,
		},
		"an attribute that cannot be displayed": {
			&Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{Attributes: []Attribute{{Type: "Additional Analysis and Context", Value: "v", Displayed: new(true), Source: "s"}}}},
			`{"type":"Host","summary":"a.example","attribute":[{"type":"Additional Analysis and Context","value":"v","source":"s"}]}`,
		},
		"a file": {
			&File{MD5: "d41d8cd98f00b204e9800998ecf8427e", SHA256: "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", Size: new(int64(0)),
				Occurrences: []FileOccurrence{{FileName: "a.exe", Path: `C:\`, Date: at}, {Path: "/tmp"}}},
			`{"type":"File","summary":"D41D8CD98F00B204E9800998ECF8427E : E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",` +
				`"size":0,"intValue1":0,"fileOccurrence":[{"fileName":"a.exe","path":"C:\\","date":"2026-02-28T20:02:03Z"},{"path":"/tmp"}]}`,
		},
		"an event without a status":    {&Event{GroupMeta: GroupMeta{Name: "n", XID: "x"}, EventDate: at, Status: "None"}, `{"name":"n","type":"Event","xid":"x","eventDate":"2026-02-28T20:02:03Z"}`},
		"an incident without a status": {&Incident{GroupMeta: GroupMeta{Name: "n", XID: "x"}, EventDate: at, Status: "None"}, `{"name":"n","type":"Incident","xid":"x","eventDate":"2026-02-28T20:02:03Z"}`},
		"an address":                   {NewAddress("2001:0DB8::1"), `{"type":"Address","summary":"2001:db8:0:0:0:0:0:1"}`},
		"an e-mail address":            {NewEmailAddress("a@Example.com"), `{"type":"EmailAddress","summary":"a@example.com"}`},
		"a URL":                        {NewURL("HTTP://Example.com/A?b=%2F#c"), `{"type":"URL","summary":"http://example.com/A?b=%2F#c"}`},
		"an ASN":                       {NewASN("as64500"), `{"type":"ASN","summary":"ASN64500"}`},
		"a CIDR":                       {NewCIDR("2001:db8::/32"), `{"type":"CIDR","summary":"2001:db8:0:0:0:0:0:0/32"}`},
		"a mutex":                      {NewMutex("Global\\x"), `{"type":"Mutex","summary":"Global\\x"}`},
		"a registry key":               {NewRegistryKey(`HKLM\Software`, "", "REG_SZ"), `{"type":"Registry Key","summary":"HKEY_LOCAL_MACHINE\\Software :   : REG_SZ"}`},
		"a user agent":                 {NewUserAgent("curl/8 "), `{"type":"User Agent","summary":"curl/8 "}`},
		"an e-mail subject":            {NewEmailSubject("Invoice"), `{"type":"Email Subject","summary":"Invoice"}`},
		"a hashtag":                    {NewHashtag("#x"), `{"type":"Hashtag","summary":"#x"}`},
		"a custom type":                {NewCustomIndicator("Wallet", "w-1"), `{"type":"Wallet","summary":"w-1"}`},
		"two custom values":            {NewCustomIndicator("Pair", "a", "b"), `{"type":"Pair","value1":"a","value2":"b"}`},
		"a link of indicators": {
			&Association{From: IndicatorEnd(NewURL("http://Example.com/")), To: IndicatorEnd(NewHost("Example.com")), Type: "URL Host"},
			`{"type_1":"URL","ref_1":"http://example.com/","type_2":"Host","ref_2":"example.com","associationType":"URL Host"}`,
		},
		"a link by id": {
			&Association{From: AssociationEnd{Indicator: TypeHost, ID: 12}, To: AssociationEnd{GroupType: GroupIncident, ID: 5}},
			`{"type_1":"Host","id_1":12,"type_2":"Incident","id_2":5}`,
		},
		"a link of groups": {&Association{From: GroupEnd("x-1"), To: GroupEnd("x-2")}, `{"ref_1":"x-1","ref_2":"x-2"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, links := encoded(t, BatchV2, BatchCreate, c.item, "x-1", "x-2")
			assert.Equal(t, c.want, got)
			assert.Empty(t, links)
		})
	}
}

func TestGroupsAreWrittenAsThePlatformReadsThem(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 1, 2, 3, 0, time.UTC)
	const day = `"2026-03-01T01:02:03Z"`
	own := map[GroupType]struct {
		set  func(Group)
		want string
	}{
		GroupDocument: {func(g Group) {
			d := g.(*Document)
			d.FileName, d.Malware, d.Password, d.Insights, d.AIProvider = "a.zip", new(true), "infected", "text", "somebody"
		}, `"fileName":"a.zip","malware":true,"password":"infected","insights":"text","aiProvider":"somebody",`},
		GroupEmail: {func(g Group) {
			e := g.(*Email)
			e.Subject, e.Header, e.Body, e.From, e.To = "s", "h", "b", "a@example.com", "b@example.com"
		}, `"subject":"s","header":"h","body":"b","from":"a@example.com","to":"b@example.com",`},
		GroupEvent: {func(g Group) {
			e := g.(*Event)
			e.EventDate, e.Status, e.EventType, e.AILastRetrieval = at, EventCompleted, "Breach", at
		}, `"eventDate":` + day + `,"status":"Completed","eventType":"Breach","aiLastRetrievalDate":` + day + `,`},
		GroupIncident: {func(g Group) { g.(*Incident).EventDate, g.(*Incident).Status = at, IncidentClosed },
			`"eventDate":` + day + `,"status":"Closed",`},
		GroupReport: {func(g Group) { g.(*Report).FileName, g.(*Report).PublishDate = "r.pdf", at },
			`"fileName":"r.pdf","publishDate":` + day + `,`},
		GroupSignature: {func(g Group) {
			s := g.(*Signature)
			s.FileName, s.FileType, s.FileText = "a.yar", SignatureYARA, "rule a {}"
		}, `"fileName":"a.yar","fileType":"YARA","fileText":"rule a {}",`},
	}
	for i := range groupDefs {
		def := &groupDefs[i]
		t.Run(string(def.typ), func(t *testing.T) {
			t.Parallel()
			g := def.new()
			special := ""
			if o, ok := own[def.typ]; ok {
				o.set(g)
				special = o.want
			}
			m := g.Meta()
			m.Name, m.XID, m.FirstSeen, m.LastSeen, m.ExternalDateAdded = " A name ", "x-9", at, at, at
			m.Tags = []Tag{{Name: "t"}}
			m.GroupXIDs = []string{"x-1", "x-later"}
			m.Associated = []IndicatorRef{{Type: TypeHost, Value: "A.example"}}
			got, links := encoded(t, BatchV2, BatchCreate, g, "x-1")
			assert.Equal(t, `{"name":"A name","type":"`+string(def.typ)+`","xid":"x-9",`+special+
				`"firstSeen":`+day+`,"lastSeen":`+day+`,"externalDateAdded":`+day+`,"tag":[{"name":"t"}],"associatedGroupXid":["x-1"]}`, got)
			assert.Equal(t, []link{{to: "x-later", ref: "x-9", xid: "x-later"}, {ind: TypeHost, ref: "a.example", xid: "x-9"}}, links)

			smallest, links := encoded(t, BatchV2, BatchDelete, g)
			assert.Equal(t, `{"name":"A name","type":"`+string(def.typ)+`","xid":"x-9"}`, smallest)
			assert.Empty(t, links)
		})
	}
}

func TestAnItemIsTheSameHoweverOftenItIsWritten(t *testing.T) {
	t.Parallel()
	f := NewFile("d41d8cd98f00b204e9800998ecf8427e")
	f.Occurrences = []FileOccurrence{{FileName: "a.exe"}, {Path: "/tmp"}}
	f.Tags, f.GroupXIDs = []Tag{{Name: " t "}}, []string{"x-1", "x-later"}
	r := NewReport("r", "r.pdf")
	r.XID, r.GroupXIDs, r.Associated = "x-2", []string{"x-1"}, []IndicatorRef{{Type: TypeHost, Value: "A.example"}}
	a := &Association{From: GroupEnd("x-1"), To: IndicatorEnd(NewHost("A.example"))}
	for _, item := range []BatchItem{f, r, a} {
		before, err := json.Marshal(item)
		require.NoError(t, err)
		first, firstLinks := encoded(t, BatchV2, BatchCreate, item, "x-1")
		second, secondLinks := encoded(t, BatchV2, BatchCreate, item, "x-1")
		assert.Equal(t, first, second)
		assert.Equal(t, firstLinks, secondLinks)
		after, err := json.Marshal(item)
		require.NoError(t, err)
		assert.JSONEq(t, string(before), string(after), "writing an item changes nothing of it")
	}
}

func TestDeletionNamesAnIndicatorAndNothingMore(t *testing.T) {
	t.Parallel()
	h := NewHost("a.example")
	h.Rating, h.Tags, h.GroupXIDs, h.DNSActive = new(3.0), []Tag{{Name: "t"}}, []string{"x-1"}, new(true)
	got, links := encoded(t, BatchV2, BatchDelete, h)
	assert.Equal(t, `{"type":"Host","summary":"a.example"}`, got)
	assert.Empty(t, links)
}

func TestV1CarriesWhatItKnowsAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	h := NewHost("a.example")
	h.Rating, h.Confidence, h.Description, h.Source = new(3.0), new(50), "d", "s"
	h.Tags, h.Attributes, h.GroupXIDs = []Tag{{Name: "t"}}, []Attribute{{Type: "Description", Value: "v"}}, []string{"12", "13"}
	got, links := encoded(t, BatchV1, BatchCreate, h)
	assert.Equal(t, `{"type":"Host","summary":"a.example","rating":3,"confidence":50,"description":"d","source":"s",`+
		`"attribute":[{"type":"Description","value":"v"}],"tag":[{"name":"t"}],"associatedGroup":[12,13]}`, got)
	assert.Empty(t, links)

	groups := newKnownGroups(nil)
	e := encoder{version: BatchV1, action: BatchCreate, known: &groups}
	for name, item := range map[string]BatchItem{
		"a group":        NewThreat("x"),
		"an association": &Association{From: GroupEnd("a"), To: GroupEnd("b")},
		"a size":         &File{MD5: "d41d8cd98f00b204e9800998ecf8427e", Size: new(int64(1))},
		"an occurrence":  &File{MD5: "d41d8cd98f00b204e9800998ecf8427e", Occurrences: []FileOccurrence{{Path: "/"}}},
		"a DNS flag":     &Host{HostName: "a.example", DNSActive: new(true)},
		"a date":         &Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{FirstSeen: time.Unix(0, 0)}},
		"a label":        &Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{SecurityLabels: []SecurityLabel{{Name: "TLP:GREEN"}}}},
		"half a rating":  &Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{Rating: new(2.5)}},
		"an xid":         &Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{XID: "x"}},
		"a group by xid": &Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{GroupXIDs: []string{"x-1"}}},
		"a displayed attribute": &Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{
			Attributes: []Attribute{{Type: "Description", Value: "v", Displayed: new(true)}}}},
	} {
		_, err := e.encode(item)
		assert.ErrorIs(t, err, ErrValidation, name)
	}
}

func TestItemsThatCannotBeImportedAreRefused(t *testing.T) {
	t.Parallel()
	groups := newKnownGroups(nil)
	e := encoder{version: BatchV2, action: BatchCreate, known: &groups}
	host := func(m IndicatorMeta) *Host { return &Host{HostName: "a.example", IndicatorMeta: m} }
	for field, item := range map[string]BatchItem{
		"indicator type":        &CustomIndicator{Values: [3]string{"v"}},
		"tag":                   host(IndicatorMeta{Tags: []Tag{{Name: " "}}}),
		"attribute type":        host(IndicatorMeta{Attributes: []Attribute{{Value: "v"}}}),
		"security label":        host(IndicatorMeta{SecurityLabels: []SecurityLabel{{Name: " TLP:RED"}}}),
		"security label color":  host(IndicatorMeta{SecurityLabels: []SecurityLabel{{Name: "Own", Color: "#ff00aa"}}}),
		"associated group":      host(IndicatorMeta{GroupXIDs: []string{""}}),
		"confidence":            host(IndicatorMeta{Confidence: new(101)}),
		"private flag":          &Mutex{Name: "m", IndicatorMeta: IndicatorMeta{Private: new(true)}},
		"file occurrence":       &File{MD5: "d41d8cd98f00b204e9800998ecf8427e", Occurrences: []FileOccurrence{{}}},
		"group name":            &Threat{GroupMeta{XID: "x"}},
		"group xid":             NewThreat("x"),
		"group type":            &UnknownGroup{TypeName: "New", GroupMeta: GroupMeta{Name: "n", XID: "x"}},
		"signature text":        &Signature{GroupMeta: GroupMeta{Name: "n", XID: "x"}, FileName: "f", FileType: SignatureYARA},
		"association type":      &Association{From: IndicatorEnd(NewHost("a.example")), To: IndicatorEnd(NewHost("b.example"))},
		"association end 1":     &Association{To: GroupEnd("x")},
		"association end 2":     &Association{From: GroupEnd("x"), To: AssociationEnd{GroupXID: "x", ID: 3}},
		"attribute value":       host(IndicatorMeta{Attributes: []Attribute{{Type: "Other"}}}),
		"AI summary":            &Report{GroupMeta: GroupMeta{Name: "n", XID: "x"}, AISummary: AISummary{Insights: "i"}},
		"associated indicators": host(IndicatorMeta{Associated: []IndicatorRef{{Type: TypeHost, Value: "b.example"}}}),
		"document password":     &Document{GroupMeta: GroupMeta{Name: "n", XID: "x"}, Malware: new(true)},
	} {
		_, err := e.encode(item)
		var v *ValidationError
		if assert.ErrorAs(t, err, &v, field) {
			assert.Equal(t, field, v.Field)
		}
	}
	_, err := e.encode(host(IndicatorMeta{}))
	require.NoError(t, err, "the encoder is good after errors")
	assert.Equal(t, `{"type":"Host","summary":"a.example"}`, string(e.Buf))
}

func FuzzWhatIsEncodedIsOneJSONObject(f *testing.F) {
	f.Add("a.example", "text", "x-1", "tag", int64(1772323200), 3.5, uint8(0))
	f.Add("\"", "\\\u2028", "\x00", "\xff", int64(1<<40), -1.0, uint8(1))
	f.Add("a : b", " ", "", "}]", int64(-1<<40), 5.0, uint8(12))
	f.Add(`HKLM\a`, "b", "c", "d", int64(0), 0.0, uint8(8))
	f.Fuzz(func(t *testing.T, value, words, xid, tag string, unix int64, rating float64, kind uint8) {
		var item BatchItem
		if int(kind) < len(indicatorDefs) {
			ind := indicatorDefs[kind].new()
			ind.setValues([3]string{value, words, xid})
			*ind.Meta() = IndicatorMeta{Rating: &rating, Description: words, Tags: []Tag{{Name: tag}}, FirstSeen: time.Unix(unix, 0), GroupXIDs: []string{xid}}
			item = ind
		} else if int(kind) < len(indicatorDefs)+len(groupDefs) {
			g := groupDefs[int(kind)-len(indicatorDefs)].new()
			*g.Meta() = GroupMeta{Name: value, XID: xid, Attributes: []Attribute{{Type: tag, Value: words}}, LastSeen: time.Unix(unix, 0), GroupXIDs: []string{words}}
			item = g
		} else {
			item = &Association{From: AssociationEnd{Indicator: TypeMutex, Summary: value}, To: AssociationEnd{GroupXID: xid}}
		}
		groups := newKnownGroups([]string{xid})
		e := encoder{version: BatchV2, action: BatchCreate, known: &groups}
		if _, err := e.encode(item); err != nil {
			require.ErrorIs(t, err, ErrValidation)
			return
		}
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(e.Buf, &fields))
		name := nameOf(e.Buf)
		require.True(t, name.ref != "" || len(name.hashes) > 0, "an item can be found again by its name")
		for _, l := range e.links {
			var w encoder
			w.link(l)
			require.NoError(t, json.Unmarshal(w.Buf, &fields))
		}
	})
}
