package feeds

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// importFeed imports a feed into the test server. Errors of items are ignored.
func importFeed(t *testing.T, srv *threatconnecttest.Server, o Options, text string) {
	t.Helper()
	f, err := Open(strings.NewReader(text), &o)
	require.NoError(t, err)
	stats, err := srv.Client().Batch.Import(t.Context(), threatconnect.BatchConfig{
		Owner: o.Owner, Attributes: threatconnect.WriteReplace, OnError: func(threatconnect.BatchItemError) {},
	}, f.Items(func(e *LineError) { t.Log(e) }))
	require.NoError(t, err)
	require.Positive(t, stats.Total().Succeeded)
}

func TestThreatFeedChangesOnlyItsOwnGroups(t *testing.T) {
	t.Parallel()
	column := CSV{Columns: []Column{{Name: "1", Field: FieldValue}, {Name: "2", Field: FieldGroup, Type: "Malware", Text: "%s"}, {Name: "3", Field: FieldDescription}}}
	stix := func(name, host string) string {
		return bundleOf(
			stixText("malware", 1, `,"name":"`+name+`","description":"`+name+`","labels":["`+name+`"]`),
			stixText("report", 1, `,"name":"`+name+`","published":"2026-01-01T00:00:00Z","object_refs":["`+stixID("malware", 1)+`"]`),
			stixText("indicator", 1, `,"pattern":"[domain-name:value='`+host+`']"`),
			relationship(1, stixID("indicator", 1), stixID("malware", 1)),
		)
	}
	jsonl := func(name, host, xid string) string {
		return `{"group":{"type":"Threat","name":"` + name + `","xid":"` + xid + `","tags":["` + name + `"],"attributes":[{"type":"Description","value":"` + name + `"}]}}
{"group":{"type":"Incident","name":"` + name + `","xid":"x-2","eventDate":"2026-01-02T03:04:05Z","groups":["` + xid + `"]}}
{"type":"Host","summary":"` + host + `","groups":["` + xid + `"]}`
	}
	for _, c := range []struct {
		format        Format
		csv           *CSV
		good, hostile string
	}{
		{FormatSTIX, nil, stix("Good", "good.example.org"), stix("Bad", "bad.example.org")},
		{FormatJSONLines, nil, jsonl("Good", "good.example.org", "x-1"), jsonl("Bad", "bad.example.org", "x-1")},
		{FormatCSV, &column, "good.example.org,Emotet,about\n", "bad.example.org,Emotet,changed\n"},
		{FormatURLhaus, nil, urlhausRow("http://good.example.org/"), urlhausRow("http://bad.example.org/")},
		{FormatFeodo, nil, "2026-01-02 03:04:05,8.8.4.4,8080,2026-01-05,Emotet\n", "2026-01-02 03:04:05,8.8.8.8,8080,2026-01-05,Emotet\n"},
		{FormatThreatFox, nil, threatFoxRow("good.example.org"), threatFoxRow("bad.example.org")},
	} {
		t.Run(string(c.format), func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t)
			importFeed(t, srv, Options{Format: c.format, CSV: c.csv, Owner: testOwner, Feed: "a"}, c.good)
			before := srv.Groups(testOwner)
			require.NotEmpty(t, before)
			unchanged := func() {
				t.Helper()
				for _, g := range before {
					now, ok := srv.Group(g.XID)
					require.True(t, ok)
					assert.Equal(t, g, now)
				}
			}
			for _, o := range []Options{
				{Owner: testOwner, Feed: "b"},
				{Owner: "Example Community", Feed: "b"},
				{Owner: "Example Community", Feed: "a"},
				{Owner: testOwner, Feed: "a-" + string(c.format)}, // the parts of an xid are joined with hyphens
			} {
				o.Format, o.CSV = c.format, c.csv
				importFeed(t, srv, o, c.hostile)
				unchanged()
			}
			for _, g := range before { // the hostile feed knows the xids on the platform
				importFeed(t, srv, Options{Format: FormatJSONLines, Owner: testOwner, Feed: "b"}, jsonl("Bad", "bad.example.org", g.XID))
				unchanged()
			}
		})
	}
}

func urlhausRow(url string) string {
	return `"1","2026-01-02 03:04:05","` + url + `","online","2026-01-03","malware_download","tag","https://urlhaus.abuse.ch/url/1/","somebody"` + "\n"
}

func threatFoxRow(host string) string {
	return `"2026-01-02 03:04:05", "1", "` + host + `", "domain", "botnet_cc", "win.emotet", "None", "Emotet", "", "75", "False", "None", "tag", "0", "somebody"` + "\n"
}

// No ID in a feed results in an xid of another feed, regardless of the names of feeds and owners.
func TestXIDsOfFeedsDoNotCollide(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, names := range [][2]string{{"a", "b"}, {"a-b", ""}, {"a", "b-stix"}, {`a"-"b`, "c"}, {"a", `b"-"c`}} {
		for _, parts := range [][]string{{"stix", "id"}, {"stix", "stix-id"}} {
			seen[xidsOf(names[0], names[1])(parts...)] = true
		}
	}
	assert.Len(t, seen, 10)
}

func TestLiteralXIDsAreNotChanged(t *testing.T) {
	t.Parallel()
	line := `{"group":{"type":"Threat","name":"n","xid":"x-1","groups":["x-2"]}}`
	found, bad := read(t, Options{Format: FormatJSONLines, LiteralXIDs: true}, line)
	require.Empty(t, bad)
	assert.Equal(t, "x-1", groupIn(found[0]).Meta().XID)
	assert.Equal(t, []string{"x-2"}, groupIn(found[0]).Meta().GroupXIDs)

	found, bad = read(t, Options{Format: FormatJSONLines}, line)
	require.Empty(t, bad)
	own := xidsOf(testOwner, testFeed)
	assert.Equal(t, own("jsonl", "x-1"), groupIn(found[0]).Meta().XID)
	assert.Equal(t, []string{own("jsonl", "x-2")}, groupIn(found[0]).Meta().GroupXIDs)
}
