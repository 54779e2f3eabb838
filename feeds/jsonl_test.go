package feeds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestJSONLinesReadAllIndicatorFields(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Options{Format: FormatJSONLines, LiteralXIDs: true}, `
{"type":"Host","summary":"WWW.example.com","rating":3.5,"confidence":80,"tags":["one","two"],"securityLabels":["TLP:AMBER"],"externalDateAdded":"2026-01-02T05:04:05+02:00","externalDateExpires":"2026-01-03T00:00:00Z","externalLastModified":"2026-01-04T00:00:00Z","firstSeen":"2026-01-05T00:00:00Z","lastSeen":"2026-01-06T00:00:00Z","attributes":[{"type":"Description","value":"text"}],"groups":["x-1","x-2"]}
{"type":"File","summary":"d41d8cd98f00b204e9800998ecf8427e","rating":0,"confidence":null}
{"type":"Address","summary":"192.0.2.1"}
{"type":"EmailAddress","summary":"a@example.com"}
{"type":"URL","summary":"http://example.com/"}
{"type":"ASN","summary":"64496"}
{"type":"CIDR","summary":"192.0.2.0/24"}
{"type":"Mutex","summary":"Global\\m"}
{"type":"Registry Key","summary":"HKEY_LOCAL_MACHINE\\Software\\A : b : REG_SZ"}
{"type":"User Agent","summary":"agent/1.0"}
{"type":"Email Subject","summary":"hello"}
{"type":"Hashtag","summary":"#tag"}`)
	require.Empty(t, bad)
	require.Len(t, found, 12)
	m := indicatorIn(found[0]).Meta()
	assert.Equal(t, "2 Host www.example.com", shown(found)[0])
	assert.InDelta(t, 3.5, *m.Rating, 0)
	assert.Equal(t, 80, *m.Confidence)
	assert.Equal(t, []threatconnect.Tag{{Name: "one"}, {Name: "two"}}, m.Tags)
	assert.Equal(t, []threatconnect.Attribute{{Type: "Description", Value: "text"}}, m.Attributes)
	assert.Equal(t, []string{"x-1", "x-2"}, m.GroupXIDs)
	assert.Equal(t, []threatconnect.SecurityLabel{{Name: "TLP:AMBER"}}, m.SecurityLabels)
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	assert.Equal(t, []time.Time{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), day(3), day(4), day(5), day(6)},
		[]time.Time{m.ExternalDateAdded, m.ExternalDateExpires, m.ExternalLastModified, m.FirstSeen, m.LastSeen})
	assert.InDelta(t, 0, *indicatorIn(found[1]).Meta().Rating, 0, "0 is a rating")
	assert.Nil(t, indicatorIn(found[1]).Meta().Confidence, "null means no confidence")
	assert.Nil(t, indicatorIn(found[2]).Meta().Rating)
}

func TestLongJSONLines(t *testing.T) {
	t.Parallel()
	for _, size := range []int{headBytes - 100, headBytes, 2 * headBytes, 1 << 20} {
		long := strings.Repeat("x", size)
		line := func(name, text string) string {
			return fmt.Sprintf(`{"type":"Host","summary":"%s.example","attributes":[{"type":"Description","value":"%s"}]}`, name, text)
		}
		found, bad := read(t, Options{Format: FormatJSONLines, LiteralXIDs: true}, line("one", long)+"\n"+line("two", "short")+"\n"+line("three", long))
		require.Empty(t, bad)
		require.Equal(t, []string{"1 Host one.example", "2 Host two.example", "3 Host three.example"}, shown(found))
		assert.Equal(t, long, indicatorIn(found[0]).Meta().Attributes[0].Value)
		assert.Equal(t, long, indicatorIn(found[2]).Meta().Attributes[0].Value)
	}
}

func TestJSONLinesReadGroupsOfAllTypes(t *testing.T) {
	t.Parallel()
	lines := []string{
		`{"group":{"type":"Document","name":"n","xid":"x","fileName":"f","malware":true,"password":"p"}}`,
		`{"group":{"type":"Email","name":"n","xid":"x","subject":"s","header":"h","body":"b","from":"f","to":"t"}}`,
		`{"group":{"type":"Event","name":"n","xid":"x","eventDate":"2026-01-02T03:04:05Z","status":"New","eventType":"e"}}`,
		`{"group":{"type":"Incident","name":"n","xid":"x","eventDate":"2026-01-02T05:04:05+02:00","status":"Open"}}`,
		`{"group":{"type":"Report","name":"n","xid":"x","fileName":"f","publishDate":"2026-01-02T03:04:05Z"}}`,
		`{"group":{"type":"Signature","name":"n","xid":"x","fileName":"f","fileType":"YARA","fileText":"rule x {}"}}`,
	}
	for _, typ := range []string{"Adversary", "Attack Pattern", "Campaign", "Course of Action", "Intrusion Set", "Malware", "Tactic", "Threat", "Tool", "Vulnerability"} {
		lines = append(lines, `{"group":{"type":"`+typ+`","name":"n","xid":"x","firstSeen":"2026-01-02T03:04:05Z","tags":["t"],"attributes":[{"type":"Description","value":"v"}],"groups":["y"]}}`)
	}
	found, bad := read(t, Options{Format: FormatJSONLines, LiteralXIDs: true}, strings.Join(lines, "\n"))
	require.Empty(t, bad)
	require.Len(t, found, 16)
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	assert.Equal(t, when, groupIn(found[3]).(*threatconnect.Incident).EventDate, "dates are converted to UTC")
	assert.Equal(t, threatconnect.IncidentOpen, groupIn(found[3]).(*threatconnect.Incident).Status)
	assert.Equal(t, when, groupIn(found[4]).(*threatconnect.Report).PublishDate)
	assert.Equal(t, "rule x {}", groupIn(found[5]).(*threatconnect.Signature).FileText)
	assert.True(t, *groupIn(found[0]).(*threatconnect.Document).Malware)
	m := groupIn(found[8]).Meta()
	assert.Equal(t, threatconnect.GroupCampaign, groupIn(found[8]).Type())
	assert.Equal(t, when, m.FirstSeen)
	assert.Equal(t, []string{"y"}, m.GroupXIDs)
	assert.Equal(t, "t", m.Tags[0].Name)
}

func TestInvalidJSONLines(t *testing.T) {
	t.Parallel()
	const host = `{"type":"Host","summary":"www.example.com"`
	const threat = `{"group":{"type":"Threat","name":"n","xid":"x"`
	for name, c := range map[string]struct{ line, want string }{
		"an unknown field":                      {host + `,"score":1}`, "unknown field"},
		"a field in another letter case":        {`{"type":"Host","Summary":"www.example.com"}`, "unknown field"},
		"a duplicate field":                     {host + `,"type":"Host"}`, "twice"},
		"an unknown attribute field":            {host + `,"attributes":[{"type":"a","value":"b","source":"c"}]}`, "unknown field"},
		"an attribute without value":            {host + `,"attributes":[{"type":"a"}]}`, "without type or value"},
		"attributes that are not a list":        {host + `,"attributes":{}}`, "attributes must be a list of objects"},
		"an attribute that is not an object":    {host + `,"attributes":[1]}`, "must be a JSON object"},
		"a tag that is not text":                {host + `,"tags":[1]}`, "tags must be a list of text"},
		"an empty tag":                          {host + `,"tags":[""]}`, "tag is blank"},
		"an empty xid":                          {host + `,"groups":[""]}`, "groups has an empty xid"},
		"a rating above 5":                      {host + `,"rating":5.1}`, "rating must be a number from 0 to 5"},
		"a rating that is text":                 {host + `,"rating":"3"}`, "rating must be a number"},
		"a confidence with a fraction":          {host + `,"confidence":1.5}`, "confidence must be a whole number"},
		"a confidence below 0":                  {host + `,"confidence":-1}`, "confidence must be a whole number from 0 to 100"},
		"no type":                               {`{"summary":"x"}`, "no type"},
		"no summary":                            {`{"type":"Host"}`, "no summary"},
		"a type that is not standard":           {`{"type":"Widget","summary":"x"}`, "standard indicator types"},
		"a value that breaks its type's rule":   {`{"type":"Address","summary":"www.example.com"}`, "address"},
		"a defanged value":                      {`{"type":"Host","summary":"www[.]example.com"}`, "host"},
		"something after the object":            {host + `} x`, "after the JSON object"},
		"an object that is cut off":             {host, "not valid JSON"},
		"an array":                              {`[]`, "must be a JSON object"},
		"a group and indicator fields":          {`{"group":{"type":"Threat","name":"n","xid":"x"},"type":"Host"}`, "a group and other fields"},
		"an unknown group field":                {threat + `,"owner":"x"}}`, "a field that its type does not have"},
		"a group field that is not text":        {threat + `,"fileName":1}}`, "fileName must be text"},
		"text for a boolean":                    {`{"group":{"type":"Document","name":"n","xid":"x","fileName":"f","malware":"true"}}`, "malware must be true or false"},
		"a summary of a group":                  {threat + `,"summary":"s"}}`, "a field that its type does not have"},
		"a name of an indicator":                {host + `,"name":"n"}`, "unknown field"},
		"a date of a group in an indicator":     {host + `,"eventDate":"2026-01-02T03:04:05Z"}`, "unknown field"},
		"a duplicate group":                     {`{"group":{"type":"Threat","name":"n","xid":"x"},"group":{"type":"Threat","name":"n","xid":"x"}}`, "a field twice"},
		"too many fields":                       {`{"group":{` + manyFields(1000) + `}}`, "too many fields"},
		"a date without a time":                 {host + `,"firstSeen":"2026-01-02"}`, "firstSeen must be a date"},
		"a label that is not text":              {host + `,"securityLabels":[{}]}`, "securityLabels must be a list of text"},
		"an unpaired surrogate":                 {`{"type":"Host","summary":"www.example.com","tags":["\ud800"]}`, "tags has half a character"},
		"bytes that are not UTF-8":              {"{\"type\":\"Host\",\"summary\":\"caf\xe9.example\"}", "not valid UTF-8"},
		"an xid with a control character":       {host + `,"groups":["a\u0001"]}`, "associated group holds a control character"},
		"a blank xid":                           {host + `,"groups":[" "]}`, "empty xid"},
		"a group with a blank xid":              {`{"group":{"type":"Threat","name":"n","xid":" "}}`, "without an xid"},
		"an empty object":                       {`{}`, "no type"},
		"a group that is null":                  {`{"group":null}`, "must be a JSON object"},
		"a group field of another type":         {threat + `,"fileName":"f"}}`, "a field that its type does not have"},
		"a group without name":                  {`{"group":{"type":"Threat","xid":"x"}}`, "group name"},
		"a group without xid":                   {`{"group":{"type":"Threat","name":"n"}}`, "without an xid"},
		"a group without type":                  {`{"group":{"name":"n","xid":"x"}}`, "without a type"},
		"a group of a type that does not exist": {`{"group":{"type":"Threats","name":"n","xid":"x"}}`, "one of the sixteen"},
		"an incident without date":              {`{"group":{"type":"Incident","name":"n","xid":"x"}}`, "without eventDate"},
		"an incident with a bad date":           {`{"group":{"type":"Incident","name":"n","xid":"x","eventDate":"2026-01-02"}}`, "eventDate must be a date"},
		"a signature without text":              {`{"group":{"type":"Signature","name":"n","xid":"x","fileName":"f","fileType":"YARA","fileText":""}}`, "without fileText"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, bad := read(t, Options{Format: FormatJSONLines, LiteralXIDs: true}, "\n"+c.line+"\n"+`{"type":"Host","summary":"next.example"}`)
			require.Len(t, bad, 1)
			assert.Equal(t, 2, bad[0].Line)
			assert.Contains(t, bad[0].Rule, c.want)
			assert.Equal(t, []string{"3 Host next.example"}, shown(found), "later lines are still read")
		})
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":"",`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}
