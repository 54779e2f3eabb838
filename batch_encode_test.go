package threatconnect_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
)

// acceptor is a platform on which every item of every job succeeds. It keeps the uploaded files.
type acceptor struct {
	mu    sync.Mutex
	files []batchFile
}

// batchFile is an uploaded file.
type batchFile struct{ Group, Indicator, Association []json.RawMessage }

func (f *batchFile) items() int { return len(f.Group) + len(f.Indicator) + len(f.Association) }

// all returns all uploaded items, in the order of the jobs.
func (a *acceptor) all() (all batchFile) {
	for _, f := range a.files {
		all.Group = append(all.Group, f.Group...)
		all.Indicator = append(all.Indicator, f.Indicator...)
		all.Association = append(all.Association, f.Association...)
	}
	return all
}

func (a *acceptor) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := ""
	job, _ := strconv.Atoi(req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]) // 0 in a request for a job
	switch {
	case req.Method == http.MethodGet:
		answer = fmt.Sprintf(`{"status":"Success","data":{"batchStatus":{"id":%d,"status":"Completed","successCount":%d,"errorCount":0,"unprocessCount":0}}}`, job, a.files[job-1].items())
	case isUpload(req):
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &a.files[job-1]); err != nil {
			return nil, err
		}
		answer = `{"status":"Queued"}`
	default:
		a.files = append(a.files, batchFile{})
		answer = fmt.Sprintf(`{"status":"Success","data":{"batchId":%d}}`, len(a.files))
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
}

// uploaded imports items and returns the upload and the stats.
func uploaded(t testing.TB, cfg tc.BatchConfig, items ...tc.BatchItem) (batchFile, tc.BatchStats) {
	t.Helper()
	var platform acceptor
	client, err := tc.NewClient(batchBase, tc.Token("token"), tc.WithTransport(&platform))
	require.NoError(t, err)
	w, err := client.Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for _, item := range items {
		require.NoError(t, w.Add(t.Context(), item))
	}
	require.NoError(t, w.Close(t.Context()))
	return platform.all(), w.Stats()
}

// encode imports one item and returns the upload and the error of Add.
func encode(t testing.TB, cfg tc.BatchConfig, item tc.BatchItem) (batchFile, error) {
	t.Helper()
	var platform acceptor
	client, err := tc.NewClient(batchBase, tc.Token("token"), tc.WithTransport(&platform))
	require.NoError(t, err)
	w, err := client.Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	err = w.Add(t.Context(), item)
	require.NoError(t, w.Close(t.Context()))
	file := platform.all()
	if err != nil {
		require.Zero(t, file.items(), "an item that is refused is not sent")
	}
	return file, err
}

// encoded returns an item as encoded in a batch file, and the associations that are uploaded with it.
// The owner has groups with the known xids.
func encoded(t testing.TB, action tc.BatchAction, item tc.BatchItem, known ...string) (string, []any) {
	t.Helper()
	cfg := appendConfig()
	cfg.Action, cfg.KnownGroup = action, knows(known...)
	all, err := encode(t, cfg, item)
	require.NoError(t, err)
	own := &all.Indicator
	switch item.(type) {
	case tc.Group:
		own = &all.Group
	case *tc.Association:
		own = &all.Association
	}
	require.NotEmpty(t, *own)
	text := string((*own)[0])
	*own = (*own)[1:]
	require.Equal(t, len(all.Association), all.items(), "nothing else was sent")
	var associations []any
	for _, a := range all.Association {
		associations = append(associations, members(t, string(a)))
	}
	return text, associations
}

// members decodes a JSON value and keeps its numbers as text. A duplicate member of an object fails the test.
func members(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var value func() any
	value = func() any {
		token, err := d.Token()
		require.NoError(t, err)
		switch token {
		case json.Delim('{'):
			object := map[string]any{}
			for d.More() {
				key, err := d.Token()
				require.NoError(t, err)
				require.NotContains(t, object, key)
				object[key.(string)] = value()
			}
			_, err = d.Token()
			require.NoError(t, err)
			return object
		case json.Delim('['):
			list := []any{}
			for d.More() {
				list = append(list, value())
			}
			_, err = d.Token()
			require.NoError(t, err)
			return list
		}
		return token
	}
	v := value()
	require.False(t, d.More())
	return v
}

// equalJSON compares JSON values and ignores the order of object members.
func equalJSON(t testing.TB, want, got string) {
	t.Helper()
	require.Equal(t, members(t, want), members(t, got))
}

func TestBatchItemEncoding(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 1, 2, 3, 0, time.FixedZone("", 5*3600))
	meta := tc.IndicatorMeta{
		Rating: new(4.5), Confidence: new(70), Active: new(true), ActiveLocked: new(false), Private: new(true),
		Description: "seen in the wild", XID: "i-1", Source: "not sent",
		FirstSeen: at, LastSeen: at.Add(time.Hour), ExternalDateAdded: at, ExternalDateExpires: at, ExternalLastModified: at,
		Tags: []tc.Tag{{Name: " Phishing ", Description: "not sent"}},
		Attributes: []tc.Attribute{{Type: "Description", Value: "a \"text\"", Displayed: new(true), Pinned: new(false), Source: "report",
			SecurityLabels: []tc.SecurityLabel{{Name: "TLP:GREEN"}}, ID: 7}},
		SecurityLabels: []tc.SecurityLabel{{Name: "Own", Description: "new", Color: "ff00aa"}},
		GroupXIDs:      []string{"x-1", "x-2"},
	}
	const tail = `"rating":4.5,"confidence":70,"active":true,"activeLocked":false,"privateFlag":true,"description":"seen in the wild",`
	const dates = `"firstSeen":"2026-02-28T20:02:03Z","lastSeen":"2026-02-28T21:02:03Z","externalDateAdded":"2026-02-28T20:02:03Z",` +
		`"externalDateExpires":"2026-02-28T20:02:03Z","externalLastModified":"2026-02-28T20:02:03Z",`
	const attached = `"attribute":[{"type":"Description","value":"a \"text\"","displayed":true,"source":"report","pinned":false,` +
		`"securityLabel":[{"name":"TLP:GREEN"}]}],"tag":[{"name":"Phishing"}],"securityLabel":[{"name":"Own","description":"new","color":"ff00aa"}]`
	for name, c := range map[string]struct {
		item tc.BatchItem
		want string
	}{
		"a host with everything": {
			&tc.Host{HostName: "WWW.Example.COM.", DNSActive: new(true), WhoisActive: new(false), IndicatorMeta: meta},
			`{"type":"Host","summary":"www.example.com","xid":"i-1",` + tail + `"flag1":true,"flag2":false,` + dates + attached +
				`,"associatedGroups":[{"groupXid":"x-1"},{"groupXid":"x-2"}]}`,
		},
		"an attribute that cannot be displayed": {
			&tc.Host{HostName: "a.example", IndicatorMeta: tc.IndicatorMeta{Attributes: []tc.Attribute{{Type: "Additional Analysis and Context", Value: "v", Displayed: new(true), Source: "s"}}}},
			`{"type":"Host","summary":"a.example","attribute":[{"type":"Additional Analysis and Context","value":"v","source":"s"}]}`,
		},
		"a file": {
			&tc.File{MD5: "d41d8cd98f00b204e9800998ecf8427e", SHA256: "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", Size: new(int64(0)),
				Occurrences: []tc.FileOccurrence{{FileName: "a.exe", Path: `C:\`, Date: at}, {Path: "/tmp"}}},
			`{"type":"File","summary":"D41D8CD98F00B204E9800998ECF8427E : E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",` +
				`"size":0,"intValue1":0,"fileOccurrence":[{"fileName":"a.exe","path":"C:\\","date":"2026-02-28T20:02:03Z"},{"path":"/tmp"}]}`,
		},
		"an event without a status":    {&tc.Event{GroupMeta: tc.GroupMeta{Name: "n", XID: "x"}, EventDate: at, Status: "None"}, `{"name":"n","type":"Event","xid":"x","eventDate":"2026-02-28T20:02:03Z"}`},
		"an incident without a status": {&tc.Incident{GroupMeta: tc.GroupMeta{Name: "n", XID: "x"}, EventDate: at, Status: "None"}, `{"name":"n","type":"Incident","xid":"x","eventDate":"2026-02-28T20:02:03Z"}`},
		"an address":                   {tc.NewAddress("2001:0DB8::1"), `{"type":"Address","summary":"2001:db8:0:0:0:0:0:1"}`},
		"an email address":             {tc.NewEmailAddress("a@Example.com"), `{"type":"EmailAddress","summary":"a@example.com"}`},
		"a URL":                        {tc.NewURL("HTTP://Example.com/A?b=%2F#c"), `{"type":"URL","summary":"http://example.com/A?b=%2F#c"}`},
		"an ASN":                       {tc.NewASN("as64500"), `{"type":"ASN","summary":"ASN64500"}`},
		"a CIDR":                       {tc.NewCIDR("2001:db8::/32"), `{"type":"CIDR","summary":"2001:db8:0:0:0:0:0:0/32"}`},
		"a mutex":                      {tc.NewMutex("Global\\x"), `{"type":"Mutex","summary":"Global\\x"}`},
		"a registry key":               {tc.NewRegistryKey(`HKLM\Software`, "", "REG_SZ"), `{"type":"Registry Key","summary":"HKEY_LOCAL_MACHINE\\Software :   : REG_SZ"}`},
		"a user agent":                 {tc.NewUserAgent("curl/8 "), `{"type":"User Agent","summary":"curl/8 "}`},
		"an email subject":             {tc.NewEmailSubject("Invoice"), `{"type":"Email Subject","summary":"Invoice"}`},
		"a hashtag":                    {tc.NewHashtag("#x"), `{"type":"Hashtag","summary":"#x"}`},
		"a custom type":                {tc.NewCustomIndicator("Wallet", "w-1"), `{"type":"Wallet","summary":"w-1"}`},
		"two custom values":            {tc.NewCustomIndicator("Pair", "a", "b"), `{"type":"Pair","value1":"a","value2":"b"}`},
		"a link of indicators": {
			&tc.Association{From: tc.IndicatorEnd(tc.NewURL("http://Example.com/")), To: tc.IndicatorEnd(tc.NewHost("Example.com")), Type: "URL Host"},
			`{"type_1":"URL","ref_1":"http://example.com/","type_2":"Host","ref_2":"example.com","associationType":"URL Host"}`,
		},
		"a link by ID": {
			&tc.Association{From: tc.AssociationEnd{Indicator: tc.TypeHost, ID: 12}, To: tc.AssociationEnd{GroupType: tc.GroupIncident, ID: 5}},
			`{"type_1":"Host","id_1":12,"type_2":"Incident","id_2":5}`,
		},
		"a link of groups": {&tc.Association{From: tc.GroupEnd("x-1"), To: tc.GroupEnd("x-2")}, `{"ref_1":"x-1","ref_2":"x-2"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, links := encoded(t, tc.BatchCreate, c.item, "x-1", "x-2")
			equalJSON(t, c.want, got)
			assert.Empty(t, links)
		})
	}
}

func TestBatchGroupEncoding(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 1, 2, 3, 0, time.UTC)
	const day = `"2026-03-01T01:02:03Z"`
	own := map[tc.GroupType]struct {
		set  func(tc.Group)
		want string
	}{
		tc.GroupDocument: {func(g tc.Group) {
			d := g.(*tc.Document)
			d.FileName, d.Malware, d.Password, d.Insights, d.AIProvider = "a.zip", new(true), "infected", "text", "somebody"
		}, `"fileName":"a.zip","malware":true,"password":"infected","insights":"text","aiProvider":"somebody",`},
		tc.GroupEmail: {func(g tc.Group) {
			e := g.(*tc.Email)
			e.Subject, e.Header, e.Body, e.From, e.To = "s", "h", "b", "a@example.com", "b@example.com"
		}, `"subject":"s","header":"h","body":"b","from":"a@example.com","to":"b@example.com",`},
		tc.GroupEvent: {func(g tc.Group) {
			e := g.(*tc.Event)
			e.EventDate, e.Status, e.EventType, e.AILastRetrieval = at, tc.EventCompleted, "Breach", at
		}, `"eventDate":` + day + `,"status":"Completed","eventType":"Breach","aiLastRetrievalDate":` + day + `,`},
		tc.GroupIncident: {func(g tc.Group) { g.(*tc.Incident).EventDate, g.(*tc.Incident).Status = at, tc.IncidentClosed },
			`"eventDate":` + day + `,"status":"Closed",`},
		tc.GroupReport: {func(g tc.Group) { g.(*tc.Report).FileName, g.(*tc.Report).PublishDate = "r.pdf", at },
			`"fileName":"r.pdf","publishDate":` + day + `,`},
		tc.GroupSignature: {func(g tc.Group) {
			s := g.(*tc.Signature)
			s.FileName, s.FileType, s.FileText = "a.yar", tc.SignatureYARA, "rule a {}"
		}, `"fileName":"a.yar","fileType":"YARA","fileText":"rule a {}",`},
	}
	for _, g := range everyGroup() {
		t.Run(string(g.Type()), func(t *testing.T) {
			t.Parallel()
			special := ""
			if o, ok := own[g.Type()]; ok {
				o.set(g)
				special = o.want
			}
			m := g.Meta()
			m.Name, m.XID, m.FirstSeen, m.LastSeen, m.ExternalDateAdded = " A name ", "x-9", at, at, at
			m.Tags = []tc.Tag{{Name: "t"}}
			m.GroupXIDs = []string{"x-1", "x-later"}
			m.Associated = []tc.IndicatorRef{{Type: tc.TypeHost, Value: "A.example"}}
			got, links := encoded(t, tc.BatchCreate, g, "x-1")
			equalJSON(t, `{"name":"A name","type":"`+string(g.Type())+`","xid":"x-9",`+special+
				`"firstSeen":`+day+`,"lastSeen":`+day+`,"externalDateAdded":`+day+`,"tag":[{"name":"t"}],"associatedGroupXid":["x-1"]}`, got)
			assert.ElementsMatch(t, members(t, `[{"ref_1":"x-9","ref_2":"x-later"},{"type_1":"Host","ref_1":"a.example","ref_2":"x-9"}]`), links)

			smallest, links := encoded(t, tc.BatchDelete, g)
			equalJSON(t, `{"name":"A name","type":"`+string(g.Type())+`","xid":"x-9"}`, smallest)
			assert.Empty(t, links)
		})
	}
}

func TestEncodingIsRepeatable(t *testing.T) {
	t.Parallel()
	f := tc.NewFile("d41d8cd98f00b204e9800998ecf8427e")
	f.Occurrences = []tc.FileOccurrence{{FileName: "a.exe"}, {Path: "/tmp"}}
	f.Tags, f.GroupXIDs = []tc.Tag{{Name: " t "}}, []string{"x-1", "x-later"}
	r := tc.NewReport("r", "r.pdf")
	r.XID, r.GroupXIDs, r.Associated = "x-2", []string{"x-1"}, []tc.IndicatorRef{{Type: tc.TypeHost, Value: "A.example"}}
	a := &tc.Association{From: tc.GroupEnd("x-1"), To: tc.IndicatorEnd(tc.NewHost("A.example"))}
	for _, item := range []tc.BatchItem{f, r, a} {
		before, err := json.Marshal(item)
		require.NoError(t, err)
		first, firstLinks := encoded(t, tc.BatchCreate, item, "x-1")
		second, secondLinks := encoded(t, tc.BatchCreate, item, "x-1")
		assert.Equal(t, first, second)
		assert.Equal(t, firstLinks, secondLinks)
		after, err := json.Marshal(item)
		require.NoError(t, err)
		assert.JSONEq(t, string(before), string(after), "encoding does not change an item")
	}
}

func TestDeleteEncodesOnlyTypeAndSummary(t *testing.T) {
	t.Parallel()
	h := tc.NewHost("a.example")
	h.Rating, h.Tags, h.GroupXIDs, h.DNSActive = new(3.0), []tc.Tag{{Name: "t"}}, []string{"x-1"}, new(true)
	got, links := encoded(t, tc.BatchDelete, h)
	equalJSON(t, `{"type":"Host","summary":"a.example"}`, got)
	assert.Empty(t, links)
}

func TestAddRejectsInvalidItems(t *testing.T) {
	t.Parallel()
	var platform acceptor
	client, err := tc.NewClient(batchBase, tc.Token("token"), tc.WithTransport(&platform))
	require.NoError(t, err)
	w, err := client.Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	host := func(m tc.IndicatorMeta) *tc.Host { return &tc.Host{HostName: "a.example", IndicatorMeta: m} }
	for field, item := range map[string]tc.BatchItem{
		"indicator type":        &tc.CustomIndicator{Values: [3]string{"v"}},
		"tag":                   host(tc.IndicatorMeta{Tags: []tc.Tag{{Name: " "}}}),
		"attribute type":        host(tc.IndicatorMeta{Attributes: []tc.Attribute{{Value: "v"}}}),
		"security label":        host(tc.IndicatorMeta{SecurityLabels: []tc.SecurityLabel{{Name: " TLP:RED"}}}),
		"security label color":  host(tc.IndicatorMeta{SecurityLabels: []tc.SecurityLabel{{Name: "Own", Color: "#ff00aa"}}}),
		"associated group":      host(tc.IndicatorMeta{GroupXIDs: []string{""}}),
		"confidence":            host(tc.IndicatorMeta{Confidence: new(101)}),
		"private flag":          &tc.Mutex{Name: "m", IndicatorMeta: tc.IndicatorMeta{Private: new(true)}},
		"file occurrence":       &tc.File{MD5: "d41d8cd98f00b204e9800998ecf8427e", Occurrences: []tc.FileOccurrence{{}}},
		"group name":            &tc.Threat{tc.GroupMeta{XID: "x"}},
		"group xid":             tc.NewThreat("x"),
		"group type":            &tc.UnknownGroup{TypeName: "New", GroupMeta: tc.GroupMeta{Name: "n", XID: "x"}},
		"signature text":        &tc.Signature{GroupMeta: tc.GroupMeta{Name: "n", XID: "x"}, FileName: "f", FileType: tc.SignatureYARA},
		"association type":      &tc.Association{From: tc.IndicatorEnd(tc.NewHost("a.example")), To: tc.IndicatorEnd(tc.NewHost("b.example"))},
		"association end 1":     &tc.Association{To: tc.GroupEnd("x")},
		"association end 2":     &tc.Association{From: tc.GroupEnd("x"), To: tc.AssociationEnd{GroupXID: "x", ID: 3}},
		"attribute value":       host(tc.IndicatorMeta{Attributes: []tc.Attribute{{Type: "Other"}}}),
		"AI summary":            &tc.Report{GroupMeta: tc.GroupMeta{Name: "n", XID: "x"}, AISummary: tc.AISummary{Insights: "i"}},
		"associated indicators": host(tc.IndicatorMeta{Associated: []tc.IndicatorRef{{Type: tc.TypeHost, Value: "b.example"}}}),
		"document password":     &tc.Document{GroupMeta: tc.GroupMeta{Name: "n", XID: "x"}, Malware: new(true)},
	} {
		err := w.Add(t.Context(), item)
		var v *tc.ValidationError
		if assert.ErrorAs(t, err, &v, field) {
			assert.Equal(t, field, v.Field)
		}
	}
	require.NoError(t, w.Add(t.Context(), host(tc.IndicatorMeta{})))
	require.NoError(t, w.Close(t.Context()))
	require.Len(t, platform.files, 1)
	require.Equal(t, 1, platform.files[0].items(), "invalid items are not sent")
	equalJSON(t, `{"type":"Host","summary":"a.example"}`, string(platform.files[0].Indicator[0]))
}
