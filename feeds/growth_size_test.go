package feeds

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// sentBytes imports a feed into a platform that completes each job, and returns the bytes of the batch files.
func sentBytes(t *testing.T, o Options, text string) int64 {
	t.Helper()
	o.Owner, o.Feed = testOwner, testFeed
	f, err := Open(strings.NewReader(text), &o)
	require.NoError(t, err)
	platform := wiretest.Func(func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, err
			}
		}
		return wiretest.Reply(http.StatusOK, `{"status":"Success","data":{"batchId":1,"batchStatus":{"id":1,"status":"Completed"}}}`), nil
	})
	stats, err := clientOf(t, threatconnect.WithTransport(platform)).Batch.Import(t.Context(), threatconnect.BatchConfig{
		Owner: testOwner, Attributes: threatconnect.WriteReplace, MaxItems: 50, OnError: func(threatconnect.BatchItemError) {},
	}, f.Items(func(*LineError) {}))
	if _, ok := errors.AsType[*threatconnect.BatchError](err); !ok { // the jobs have no counts, so the outcomes are unknown
		require.NoError(t, err)
	}
	return stats.Bytes
}

func TestThreatFeedsSendAtMost64TimesTheirSize(t *testing.T) {
	t.Parallel()
	n := scaletest.Short(250, 400) // with fewer parts, some texts would grow less than 64 times even without the limit
	repeat := func(format string, separator string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprintf("%03d", i))
		}
		return strings.Join(parts, separator)
	}
	long := strings.Repeat("d", 100_000)
	url := "http://a.co/" + strings.Repeat("u", 2000)
	malware := func(i int) string { return fmt.Sprintf(`{"type":"tool","id":"%03d","name":"ab"}`, i) }
	var tools, uses []string
	for i := range n {
		tools = append(tools, malware(i))
		uses = append(uses, fmt.Sprintf(`{"type":"relationship","id":"r%03d","source_ref":"i","target_ref":"%03d"}`, i, i))
	}
	groups := strings.Join(tools, ",")
	indicator := func(rest string) string { return `{"type":"indicator","id":"i"` + rest + `}` }
	pattern := `,"pattern":"[` + repeat("domain-name:value='a#.co'", " OR ") + `]"`
	list := `,"pattern":"[mutex:name IN (` + repeat("'#'", ",") + `)]"`
	stix := func(objects ...string) string {
		return `{"type":"bundle","objects":[` + strings.Join(objects, ",") + "]}"
	}
	tlp := make([]string, 0, len(stixTLP()))
	for id := range stixTLP() {
		tlp = append(tlp, `"`+id+`"`)
	}
	custom := &CSV{Columns: []Column{
		{Name: "1", Field: FieldValue}, {Name: "2", Field: FieldTags}, {Name: "3", Field: FieldGroup, Type: "Malware"}, {Name: "3", Field: FieldDescription}, {Name: "4", Field: FieldSource},
	}}
	jsonGroups := repeat(`{"group":{"type":"Tool","name":"ab","xid":"#"}}`, "\n")
	for name, c := range map[string]struct {
		o    Options
		text string
	}{
		"hosts":                         {Options{Format: FormatList}, repeat("a.co", "\n")},
		"addresses":                     {Options{Format: FormatList}, repeat("1.1.1.1", "\n")},
		"AS numbers":                    {Options{Format: FormatList}, repeat("AS1", "\n")},
		"a line of a hosts file":        {Options{Format: FormatList}, "0.0.0.0 " + repeat("a.co", " ")},
		"URLhaus":                       {Options{Format: FormatURLhaus}, repeat(`1,2026-01-02,ftp://a.co,a,b#,t,c,`, "\n")},
		"Feodo Tracker":                 {Options{Format: FormatFeodo}, repeat(",1.1.1.1,1,#", "\n")},
		"ThreatFox":                     {Options{Format: FormatThreatFox}, repeat(`2026-01-02,1,a.co,domain,t,,,#,,1,,a,,`, "\n")},
		"CSV":                           {Options{Format: FormatCSV, CSV: custom}, repeat("a.co,t,#,s", "\n")},
		"tags of CSV":                   {Options{Format: FormatCSV, CSV: custom}, `a.co,"` + repeat("#", ",") + `",g,s`},
		"JSON lines":                    {Options{Format: FormatJSONLines}, repeat(`{"type":"ASN","summary":"AS1"}`, "\n")},
		"tags of JSON lines":            {Options{Format: FormatJSONLines}, `{"type":"ASN","summary":"AS1","tags":[` + repeat(`"#"`, ",") + `]}`},
		"labels of JSON lines":          {Options{Format: FormatJSONLines}, `{"type":"ASN","summary":"AS1","securityLabels":[` + repeat(`"a"`, ",") + `]}`},
		"attributes of JSON lines":      {Options{Format: FormatJSONLines}, `{"type":"ASN","summary":"AS1","attributes":[` + repeat(`{"type":"a","value":"b"}`, ",") + `]}`},
		"groups of an indicator":        {Options{Format: FormatJSONLines}, `{"type":"ASN","summary":"AS1","groups":[` + repeat(`"#"`, ",") + "]}\n" + jsonGroups},
		"groups of a long indicator":    {Options{Format: FormatJSONLines}, repeat(`{"type":"URL","summary":"`+url+`#","groups":[`+repeat(`"#"`, ",")+"]}", "\n") + "\n" + jsonGroups},
		"groups of a group":             {Options{Format: FormatJSONLines}, `{"group":{"type":"Tool","name":"ab","xid":"a","groups":[` + repeat(`"#"`, ",") + "]}}\n" + jsonGroups},
		"literal xids":                  {Options{Format: FormatJSONLines, LiteralXIDs: true}, `{"group":{"type":"Tool","name":"ab","xid":"` + long[:60_000] + `","groups":[` + repeat(`"#"`, ",") + "]}}\n" + jsonGroups},
		"groups of STIX":                {Options{Format: FormatSTIX}, stix(groups)},
		"reports":                       {Options{Format: FormatSTIX}, stix(`{"type":"report","id":"r","name":"ab","object_refs":[`+repeat(`"#"`, ",")+`]}`, groups)},
		"comparisons":                   {Options{Format: FormatSTIX}, stix(indicator(pattern))},
		"a list":                        {Options{Format: FormatSTIX}, stix(indicator(list))},
		"descriptions":                  {Options{Format: FormatSTIX}, stix(indicator(pattern + `,"description":"` + long + `"`))},
		"descriptions of a list":        {Options{Format: FormatSTIX}, stix(indicator(list + `,"description":"` + long + `"`))},
		"sources":                       {Options{Format: FormatSTIX}, stix(indicator(pattern + `,"external_references":[{"url":"` + url + `"}]`))},
		"labels":                        {Options{Format: FormatSTIX}, stix(indicator(pattern + `,"labels":[` + repeat(`"a#"`, ",") + `]`))},
		"types":                         {Options{Format: FormatSTIX}, stix(indicator(pattern + `,"indicator_types":[` + repeat(`"a#"`, ",") + `]`))},
		"phases":                        {Options{Format: FormatSTIX}, stix(indicator(pattern + `,"kill_chain_phases":[` + repeat(`{"phase_name":"a#"}`, ",") + `]`))},
		"markings":                      {Options{Format: FormatSTIX}, stix(indicator(list + `,"object_marking_refs":[` + strings.Join(tlp, ",") + `]`))},
		"short markings":                {Options{Format: FormatSTIX}, stix(`{"type":"marking-definition","id":"m","name":"TLP:RED"}`, indicator(list+`,"object_marking_refs":["m"]`))},
		"dates":                         {Options{Format: FormatSTIX}, stix(indicator(list + `,"confidence":100,"created":"2026-01-02T03:04:05Z","modified":"2026-01-02T03:04:05Z","valid_until":"2026-01-02T03:04:05Z"`))},
		"relationships":                 {Options{Format: FormatSTIX}, stix(indicator(pattern), groups, strings.Join(uses, ","))},
		"relationships of a long value": {Options{Format: FormatSTIX}, stix(indicator(`,"pattern":"[url:value='`+url+url+`']"`), groups, strings.Join(uses, ","))},
		"reports of an indicator":       {Options{Format: FormatSTIX}, stix(indicator(pattern), repeat(`{"type":"report","id":"r#","name":"ab","object_refs":["i"]}`, ","))},
		"techniques": {Options{Format: FormatSTIX}, stix(repeat(`{"type":"attack-pattern","id":"#","name":"`+long[:50]+
			`","external_references":[{"source_name":"mitre-attack","external_id":"T1001"}],"kill_chain_phases":[{"kill_chain_name":"mitre-attack","phase_name":"impact"},{"kill_chain_name":"mitre-attack","phase_name":"exfiltration"}]}`, ","))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := sentBytes(t, c.o, c.text)
			require.Positive(t, sent)
			t.Logf("%d bytes become %d: %.1f times", len(c.text), sent, float64(sent)/float64(len(c.text)))
			assert.LessOrEqual(t, sent, int64(maxGrowth*len(c.text)))
		})
	}
}

// Without a limit, a small object could grow to gigabytes: each comparison of a pattern becomes an indicator with the
// description and all groups. Descriptions are left out first, then indicators.
func TestSTIXLimitsRepeatedData(t *testing.T) {
	t.Parallel()
	const n = 1000
	pattern := `,"pattern":"[` + strings.Repeat("domain-name:value = 'a.example' OR ", n-1) + `domain-name:value = 'a.example']"`
	about := func(size int) string { return `,"description":"` + strings.Repeat("d", size) + `"` }
	short, refused := mustReadSTIX(t, bundleOf(stixText("indicator", 0, pattern+about(1000))))
	assert.Len(t, short, n)
	assert.Empty(t, refused)
	assert.Len(t, indicatorIn(short[n-1]).Meta().Attributes, 1)

	long, refused := mustReadSTIX(t, bundleOf(stixText("indicator", 0, pattern+about(100_000))))
	require.Len(t, long, n)
	assert.Len(t, indicatorIn(long[0]).Meta().Attributes, 1)
	assert.Empty(t, indicatorIn(long[n-1]).Meta().Attributes)
	assert.Equal(t, []string{"2 has so many comparisons that its description and source are not repeated for all of them"}, stixRules(refused))

	objects := []string{stixText("indicator", 0, pattern)}
	for i := range n {
		objects = append(objects, stixText("malware", i, `,"name":"A"`), relationship(i, stixID("indicator", 0), stixID("malware", i)))
	}
	linked, refused := mustReadSTIX(t, bundleOf(objects...))
	assert.Less(t, len(linked), n+n/10)
	assert.Greater(t, len(linked), n+n/100)
	assert.Len(t, indicatorIn(linked[len(linked)-1]).Meta().GroupXIDs, n)
	assert.Equal(t, []string{"2 has a pattern whose indicators are more than 64 times as large as the object; the others are left out"}, stixRules(refused))
}
