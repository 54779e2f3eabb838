package feeds

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestURLhausReadsOldAndNewColumns(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Options{Format: FormatURLhaus}, strings.Join([]string{
		urlhausHeader,
		`"2","2026-01-02 03:04:05","http://WWW.example.com:81/a,b?q=1","online","2026-01-03 00:00:00","malware_download","elf,""mips""","https://feed.example/2/","someone"`,
		`"0","","https://www.example.org/","","","","","",""`,
		`"x","2026-01-02 03:04:05","not a url","online","","malware_download","","",""`,
		`"x","02.01.2026","http://www.example.com/","online","","malware_download","","",""`,
		`"x","","http://www.example.com/","online","yesterday","malware_download","","",""`,
		`"x","","http://www.example.com/"`,
		`"x","","http://www.example.com/,"online","","","","",""`,
		`x","","http://www.example.com/`,
		`"x","","http://www.example.com/","online","","","` + strings.Repeat("t", 129) + `","",""`,
		`"x","","http://www.example.com/","online","","` + strings.Repeat("t", 129) + `","","",""`,
		`"x","","","online","","","","",""`,
		`"x","","http://www.example.com/caf` + "\xe9" + `","online","","","","",""`,
		oldURLhaus,
		`"1","2026-01-01 03:04:05","http://198.51.100.7/","offline","malware_download","None","https://feed.example/1/","someone"`,
	}, "\n"))
	assert.Equal(t, []string{
		"2 Threat Malware download",
		"2 URL http://www.example.com:81/a,b?q=1",
		"3 URL https://www.example.org/",
		"15 URL http://198.51.100.7/",
	}, shown(found))
	assert.Equal(t, []string{
		"4 URL has no scheme",
		`5 column "dateadded" must be a date, as in 2026-01-02 or 2026-01-02 03:04:05`,
		`6 column "last_online" must be a date, as in 2026-01-02 or 2026-01-02 03:04:05`,
		"7 has 3 columns, but the header names 9",
		"8 has text after the closing quote of a value",
		"9 has a quote inside a value that is not quoted",
		"10 tag is longer than 128 characters",
		"11 group name is longer than 100 characters",
		"12 has no value",
		"13 is not valid UTF-8; convert the feed",
	}, rules(bad))

	g, first, bare, old := groupIn(found[0]).Meta(), indicatorIn(found[1]).Meta(), indicatorIn(found[2]).Meta(), indicatorIn(found[3]).Meta()
	assert.Equal(t, xidsOf(testOwner, testFeed)("urlhaus", "threat", "Malware download"), g.XID)
	assert.Equal(t, "URLs that are listed as Malware download.", g.Attributes[0].Value)
	assert.Equal(t, []string{g.XID}, first.GroupXIDs)
	assert.Equal(t, []string{g.XID}, old.GroupXIDs)
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), first.ExternalDateAdded)
	assert.Equal(t, time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), first.LastSeen)
	assert.Equal(t, []threatconnect.Tag{{Name: "elf"}, {Name: `"mips"`}}, first.Tags)
	assert.Equal(t, []threatconnect.Attribute{
		displayed("Source", "https://feed.example/2/"), displayed("Description", "Threat: malware_download. Status: online."),
	}, first.Attributes)
	assert.Empty(t, old.Tags, "None is not a tag")
	assert.Zero(t, old.LastSeen)
	assert.Empty(t, bare.Attributes)
	assert.Empty(t, bare.GroupXIDs)
}

func TestFeodoReadsAllColumnSets(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"without a header": {"# banner"},
		"with a header":    {feodoHeader},
	} {
		lines = append(lines, `"2026-01-02 03:04:05","192.0.2.1","443","online","2026-01-05","Example"`)
		found, bad := read(t, Options{Format: FormatFeodo}, strings.Join(lines, "\n"))
		require.Empty(t, bad, name)
		assert.Equal(t, []string{"2 Malware Example", "2 Address 192.0.2.1"}, shown(found), name)
		a := indicatorIn(found[1]).Meta()
		assert.Equal(t, xidsOf(testOwner, testFeed)("feodo", "malware", "Example"), groupIn(found[0]).Meta().XID)
		assert.Equal(t, []string{groupIn(found[0]).Meta().XID}, a.GroupXIDs)
		assert.Equal(t, []threatconnect.Tag{{Name: "Example"}}, a.Tags)
		assert.Equal(t, []threatconnect.Attribute{displayed("Description", "Command and control server on port 443. Status: online.")}, a.Attributes)
		assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), a.FirstSeen)
		assert.Equal(t, time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), a.LastSeen)
	}
	found, bad := read(t, Options{Format: FormatFeodo}, strings.Join([]string{
		"2026-01-02 03:04:05,192.0.2.2,8080,2026-01-05,Example",
		"2026-01-02 03:04:05,192.0.2.3,447,Other",
		"2026-01-02 03:04:05,192.0.2.4,447,",
		"2026-01-02 03:04:05,192.0.2.300,447,Other",
		"today,192.0.2.5,1,Other",
		"2026-01-02 03:04:05,192.0.2.5,1,soon,Other",
		"2026-01-02 03:04:05,192.0.2.5,0,Other",
		"192.0.2.5",
		"# END 4 entries",
	}, "\n"))
	assert.Equal(t, []string{
		"1 Malware Example", "1 Address 192.0.2.2", "2 Malware Other", "2 Address 192.0.2.3", "3 Address 192.0.2.4",
	}, shown(found))
	require.Len(t, bad, 5)
	assert.Equal(t, `column "dst_port" must be a number from 1 to 65535`, bad[3].Rule)
	assert.Equal(t, "has 1 columns, want 4 or 5 or 6", bad[4].Rule)

	found, _ = read(t, Options{Format: FormatFeodo}, "# Firstseen,DstIP,DstPort,Malware\n2026-01-02 03:04:05,192.0.2.2,8080,Example")
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), indicatorIn(found[1]).Meta().FirstSeen, "the old column names")
}

func TestCSVOfThreatFoxReadsAllTypes(t *testing.T) {
	t.Parallel()
	row := func(value, typ, rest string) string {
		return fmt.Sprintf(`"2026-01-02 03:04:05", "1", "%s", "%s", "botnet_cc", "win.x", "None", %s`, value, typ, rest)
	}
	const rest = `"Example", "", "75", "False", "None", "one,two", "0", "someone"`
	sha1 := strings.Repeat("A", 40)
	found, bad := read(t, Options{}, strings.Join([]string{
		"################",
		"# ThreatFox IOCs: recent additions - CSV format #",
		threatFoxHeader,
		row("a.example", "domain", `"Example", "2026-01-05 03:04:05", "100", "True", "https://ref.example/", "None", "0", "someone"`),
		row("192.0.2.1:443", "ip:port", rest),
		row("http://a.example/x", "url", rest),
		row(strings.Repeat("A", 32), "md5_hash", rest),
		row(sha1, "sha1_hash", rest),
		row(strings.Repeat("A", 64), "sha256_hash", rest),
		row(strings.Repeat("A", 96), "sha3_384_hash", rest),
		row("user@a.example", "envelope_from", `"Unknown malware", "", "50", "False", "None", "None", "0", "someone"`),
		row("x", "smoke_signal", rest),
		row("a.example", "domain", `"Example", "", "101", "False", "None", "None", "0", "someone"`),
		"# Number of entries: 10",
	}, "\r\n"))
	assert.Equal(t, []string{
		"4 Malware Example", "4 Host a.example", "5 Address 192.0.2.1", "6 URL http://a.example/x",
		"7 File " + strings.Repeat("A", 32), "8 File " + sha1, "9 File " + strings.Repeat("A", 64),
		"11 EmailAddress user@a.example",
	}, shown(found))
	assert.Equal(t, []string{
		"10 has a type that is not imported",
		"12 has a type that is not one of the standard indicator types, as in Host or EmailAddress",
		`13 column "confidence_level" must be a whole number from 0 to 100`,
	}, rules(bad))
	assert.Equal(t, []bool{true, false, false}, []bool{bad[0].Skipped, bad[1].Skipped, bad[2].Skipped})

	host, address, email := indicatorIn(found[1]).Meta(), indicatorIn(found[2]).Meta(), indicatorIn(found[7]).Meta()
	assert.Equal(t, 100, *host.Confidence)
	assert.Nil(t, host.Rating)
	assert.Equal(t, []threatconnect.Attribute{
		displayed("Source", "https://ref.example/"), displayed("Description", "Threat: botnet_cc. Compromised site."),
	}, host.Attributes)
	assert.Equal(t, time.Date(2026, 1, 5, 3, 4, 5, 0, time.UTC), host.LastSeen)
	assert.Equal(t, []threatconnect.Tag{{Name: "one"}, {Name: "two"}}, address.Tags)
	assert.Equal(t, "Threat: botnet_cc. Port: 443.", address.Attributes[0].Value)
	assert.Equal(t, []string{groupIn(found[0]).Meta().XID}, address.GroupXIDs)
	assert.Empty(t, email.GroupXIDs, "unknown malware does not become a group")
}

func TestColumnsAreFoundByName(t *testing.T) {
	t.Parallel()
	o := Options{Format: FormatURLhaus}
	for name, text := range map[string]string{
		"more columns": "# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter,score\n" +
			`"1","","http://www.example.com/","","","","a","https://feed.example/","x","9"`,
		"another order":                  "# tags,urlhaus_link,threat,url,dateadded\n" + `"a","https://feed.example/","","http://www.example.com/",""`,
		"other letter case":              "# Tags,URLhaus Link,THREAT,URL,DateAdded\n" + `"a","https://feed.example/","","http://www.example.com/",""`,
		"a header that is not a comment": "tags,urlhaus_link,threat,url,dateadded\n" + `"a","https://feed.example/","","http://www.example.com/",""`,
		"a header in the middle":         urlhausHeader + "\n# a,b\n\ntags,urlhaus_link,threat,url,dateadded\n" + `"a","https://feed.example/","","http://www.example.com/",""`,
	} {
		found, bad := read(t, o, text)
		require.Empty(t, bad, name)
		require.Len(t, found, 1, name)
		m := indicatorIn(found[0]).Meta()
		assert.Equal(t, "http://www.example.com/", indicatorIn(found[0]).Summary(), name)
		assert.Equal(t, []threatconnect.Tag{{Name: "a"}}, m.Tags, name)
		assert.Equal(t, "https://feed.example/", m.Attributes[0].Value, name)
	}
	found, bad := read(t, Options{Format: FormatCSV, CSV: someCSV(FormatCSV)}, "Value,other\none.example,value\nother, VALUE \nvalue,two.example\n")
	assert.Equal(t, []string{"2 Host one.example", "4 Host two.example"}, shown(found), "a later header in another order")
	assert.Empty(t, bad)
	for name, text := range map[string]string{
		"a missing column":                        "# id,url,threat,tags,urlhaus_link\n1,http://www.example.com/,x,,\n",
		"a missing column without a comment sign": "id,url,threat,tags,urlhaus_link\n1,http://www.example.com/,x,,\n",
		"a header of few columns":                 "# tags,url,last_online\na,http://www.example.com/,\n",
		"a later header that lacks a column":      urlhausHeader + "\nid,url,threat,tags,urlhaus_link\n",
	} {
		found, bad, err := readAll(o, text)
		require.ErrorIs(t, err, ErrFormat, name)
		assert.ErrorContains(t, err, `the header lacks the column "dateadded"`, name)
		assert.Empty(t, found)
		assert.Empty(t, bad)
	}
	_, _, err := readAll(Options{Format: FormatCSV, CSV: someCSV(FormatCSV)}, "one.example\ntwo.example\n")
	require.ErrorIs(t, err, ErrFormat)
	assert.ErrorContains(t, err, `there is no header, because the first row lacks the column "value"`)
	assert.NotContains(t, err.Error(), "one.example")
	_, _, err = readAll(Options{Format: FormatCSV, CSV: someCSV(FormatCSV)}, "Value,value\none.example,two.example\n")
	require.ErrorIs(t, err, ErrFormat)
	assert.ErrorContains(t, err, `has the column "value" twice`)
	assert.NotContains(t, err.Error(), "one.example")
	_, _, err = readAll(Options{Format: FormatCSV, CSV: &CSV{Columns: []Column{{Name: "value", Field: FieldValue, Optional: true}}}}, "a,b\n")
	assert.ErrorContains(t, err, "has no column with the value of the indicator")
}

func TestPresetsWithRequiredColumnsOnly(t *testing.T) {
	t.Parallel()
	for format, text := range map[Format]string{
		FormatURLhaus:   "# url,dateadded,threat,urlhaus_link\nhttp://www.example.com/,,,",
		FormatFeodo:     "dst_ip,dst_port,malware\n192.0.2.1,443,",
		FormatThreatFox: "# ioc_value,ioc_type,first_seen_utc\nwww.example.com,domain,",
	} {
		f, err := Open(strings.NewReader(text), &Options{Owner: testOwner, Feed: testFeed})
		require.NoError(t, err)
		assert.Equal(t, format, f.Format())
		found, bad := read(t, Options{Format: format}, text)
		assert.Empty(t, bad, format)
		assert.Len(t, found, 1, format)
	}
}

func TestCustomColumnMap(t *testing.T) {
	t.Parallel()
	m, err := ParseColumns(`value=value,kind?=type,level=rating,sure=confidence,labels=tags:;,note=description,ref=source,"a,b=attribute:Phase, of attack",family=group:Malware,from=firstSeen,to=lastSeen,in=added,out=expires,change=modified`)
	require.NoError(t, err)
	m.Columns[2].Values = map[string]string{"high": "4"}
	m.Comma, m.None = '\t', []string{"-"}
	text := strings.Join([]string{
		strings.Join([]string{"value", "kind", "level", "sure", "labels", "note", "ref", "a,b", "family", "from", "to", "in", "out", "change"}, "\t"),
		strings.Join([]string{"hxxp://a[.]example/", "-", "high", "80", "one; two;;", "text", "https://ref.example/", "Delivery", "Bad", "2026-01-01", "2026-01-02 03:04:05 UTC", "2026-01-03T03:04:05+01:00", "2026-01-04T03:04:05", "2026-01-05"}, "\t"),
		strings.Join([]string{"x y", "User Agent", "5.1", "", "", "", "", "", "", "", "", "", "", ""}, "\t"),
		strings.Join([]string{"x y", "User Agent", "", "", "", "", "", "", "Bad", "", "", "", "", ""}, "\t"),
		strings.Join([]string{"a.example:8080", "Host", "0", "0", "", "", "", "", "", "", "", "", "", ""}, "\t"),
		strings.Join([]string{"a.example", "Address", "", "", "", "", "", "", "", "", "", "", "", ""}, "\t"),
	}, "\n")
	found, bad := read(t, Options{Format: FormatCSV, CSV: m}, text)
	assert.Equal(t, []string{"2 Malware Bad", "2 URL http://a.example/", "4 User Agent x y", "5 Host a.example"}, shown(found))
	require.Len(t, bad, 2)
	assert.Equal(t, `column "level" must be a number from 0 to 5`, bad[0].Rule)
	assert.Equal(t, 6, bad[1].Line, "a host is not an address")
	first, last := indicatorIn(found[1]).Meta(), indicatorIn(found[3]).Meta()
	assert.InDelta(t, 4, *first.Rating, 0)
	assert.Equal(t, 80, *first.Confidence)
	assert.Equal(t, []threatconnect.Tag{{Name: "one"}, {Name: "two"}}, first.Tags)
	assert.Equal(t, []threatconnect.Attribute{
		displayed("Source", "https://ref.example/"), {Type: "Phase, of attack", Value: "Delivery"}, displayed("Description", "text"),
	}, first.Attributes)
	assert.Equal(t, []string{xidsOf(testOwner, testFeed)("csv", "malware", "Bad")}, first.GroupXIDs)
	day := func(n, hour int) time.Time { return time.Date(2026, 1, n, hour, 0, 0, 0, time.UTC) }
	assert.Equal(t, []time.Time{day(1, 0), day(2, 3).Add(245 * time.Second), day(3, 2).Add(245 * time.Second), day(4, 3).Add(245 * time.Second), day(5, 0)},
		[]time.Time{first.FirstSeen, first.LastSeen, first.ExternalDateAdded, first.ExternalDateExpires, first.ExternalLastModified})
	assert.InDelta(t, 0, *last.Rating, 0, "0 is a rating")
	assert.Equal(t, []threatconnect.Attribute{displayed("Description", "Port: 8080.")}, last.Attributes)
}

func TestColumnsByPosition(t *testing.T) {
	t.Parallel()
	m, err := ParseColumns("2=value:File,4?=tags,3=value:File")
	require.NoError(t, err)
	md5, sha256 := strings.Repeat("A", 32), strings.Repeat("B", 64)
	found, bad := read(t, Options{Format: FormatCSV, CSV: m}, strings.Join([]string{
		"# md5, sha256, tag", "x," + md5 + "," + sha256 + ",t", "x,," + sha256 + "\n", "x,y",
	}, "\n"))
	assert.Equal(t, []string{"2 File " + md5 + " : " + sha256, "3 File " + sha256}, shown(found))
	assert.Equal(t, "t", indicatorIn(found[0]).Meta().Tags[0].Name)
	assert.Equal(t, []string{`5 lacks the column "3"`}, rules(bad))
}

func TestPortIsAddedToDescription(t *testing.T) {
	t.Parallel()
	m, err := ParseColumns("1=value,2=port,3=description")
	require.NoError(t, err)
	found, bad := read(t, Options{Format: FormatCSV, CSV: m}, "192.0.2.1,25,text\n192.0.2.2,,\n192.0.2.3,65536,\n[2001:db8::1]:443,,\n")
	require.Len(t, found, 3)
	assert.Equal(t, []threatconnect.Attribute{displayed("Description", "Port: 25. text")}, indicatorIn(found[0]).Meta().Attributes)
	assert.Empty(t, indicatorIn(found[1]).Meta().Attributes)
	assert.Equal(t, []threatconnect.Attribute{displayed("Description", "Port: 443.")}, indicatorIn(found[2]).Meta().Attributes)
	assert.Equal(t, []string{`3 column "2" must be a number from 1 to 65535`}, rules(bad))
}

func TestMissingQuoteLosesOneLine(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Options{Format: FormatCSV, CSV: someCSV(FormatCSV)}, "value,note\na.example,\"x\nb.example,\"y\"\n\"c.example\" , z\n")
	assert.Equal(t, []string{"3 Host b.example", "4 Host c.example"}, shown(found))
	assert.Equal(t, []string{"2 has a quoted value without a closing quote"}, rules(bad))
}

func TestInvalidColumnMaps(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "column map has an element without an equals sign",
		"url":                           "column map has an element without an equals sign",
		`"url=value`:                    "column map has a quoted value without a closing quote",
		"=value":                        "column name has no letter or digit",
		"url=values":                    `column "url" has an unknown field`,
		"url=value:Link":                `column "url" has a type that is not a standard indicator type`,
		"url=value,x=attribute":         `column "x" becomes an attribute without a type`,
		"url=value,x=group:Incident":    `column "x" becomes a group without a type`,
		"url=value,x=group":             `column "x" becomes a group without a type`,
		"x=tags":                        "column map has no column with the value",
		"0=value":                       `column "0" is a position less than 1`,
		"99999999999999999999999=value": "",
	} {
		_, err := ParseColumns(text)
		if want == "" {
			assert.NoError(t, err, text)
			continue
		}
		require.ErrorIs(t, err, threatconnect.ErrValidation, text)
		assert.ErrorContains(t, err, want, text)
	}
	for want, change := range map[string]func(*CSV){
		"comma cannot separate columns": func(c *CSV) { c.Comma = '"' },
		"layout lacks the column":       func(c *CSV) { c.Layouts = append(c.Layouts, []string{"id", "url"}) },
	} {
		m := URLhaus()
		change(&m)
		_, err := Open(strings.NewReader(""), &Options{Format: FormatURLhaus, CSV: &m, Owner: testOwner, Feed: testFeed})
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		assert.ErrorContains(t, err, want)
	}
	for _, format := range []Format{FormatURLhaus, FormatFeodo, FormatThreatFox} {
		assert.NoError(t, preset(format).check())
	}
}

func TestParseColumnsIgnoresSpaces(t *testing.T) {
	t.Parallel()
	m, err := ParseColumns("link = value : URL , labels = tags: , family? = group : Malware")
	require.NoError(t, err)
	assert.Equal(t, []Column{
		{Name: "link", Field: FieldValue, Type: "URL"},
		{Name: "labels", Field: FieldTags, Type: " "},
		{Name: "family", Field: FieldGroup, Type: "Malware", Optional: true},
	}, m.Columns)
}

// In UTC, a date with a time zone can be outside the years 0 to 9999.
func TestOutOfRangeDatesAreRejected(t *testing.T) {
	t.Parallel()
	m, err := ParseColumns("value=value,seen=added")
	require.NoError(t, err)
	for _, date := range []string{"9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00+12:00"} {
		_, bad := read(t, Options{Format: FormatCSV, CSV: m}, "value,seen\na.example,"+date+"\n")
		assert.Equal(t, []string{`2 column "seen" must be a date, as in 2026-01-02 or 2026-01-02 03:04:05`}, rules(bad))
		_, bad = read(t, Options{}, `{"type":"Host","summary":"a.example","lastSeen":"`+date+`"}`)
		assert.Equal(t, []string{"1 lastSeen must be a date, as in 2026-01-02T03:04:05Z"}, rules(bad))
		_, bad = mustReadSTIX(t, bundleOf(stixText("malware", 1, `,"name":"A","first_seen":"`+date+`"`)))
		assert.Equal(t, []string{"2 first_seen is not a date and time as in 2026-01-02T03:04:05Z"}, stixRules(bad))
	}
	found, _ := read(t, Options{Format: FormatCSV, CSV: m}, "value,seen\na.example,9999-12-31\n")
	assert.Len(t, found, 1)
}

func TestInvalidRowYieldsNoGroup(t *testing.T) {
	t.Parallel()
	m, err := ParseColumns("value=value,family=group:Malware,actor=group:Adversary,level=rating")
	require.NoError(t, err)
	found, bad := read(t, Options{Format: FormatCSV, CSV: m}, "value,family,actor,level\n"+
		"a.example,One,,9\nb.example,One,"+strings.Repeat("x", 101)+",\nc.example,One,One,1\nd.example,One,One,1\n")
	assert.Equal(t, []string{"4 Malware One", "4 Adversary One", "4 Host c.example", "5 Host d.example"}, shown(found))
	assert.Len(t, bad, 2)
	assert.Len(t, indicatorIn(found[3]).Meta().GroupXIDs, 2)
}

func TestReadsMoreGroupsThanRemembered(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 3 * writtenGroups {
		fmt.Fprintf(&b, ",192.0.2.1,443,Family %d\n", i)
	}
	f, err := Open(strings.NewReader(b.String()), &Options{Format: FormatFeodo, Owner: testOwner, Feed: testFeed})
	require.NoError(t, err)
	groups := 0
	for e := range f.All() {
		if groupIn(e) != nil {
			groups++
		}
	}
	assert.Equal(t, 3*writtenGroups, groups)
}

func FuzzSplitCSV(f *testing.F) {
	for _, s := range []string{`a,b`, `"a","b"`, `"a""b",c`, `,`, `""`, `"a`, `a"b`, `"a"b`, ` "a"`, `a,`, `"a" ,b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n\t\v\f\u0085\u00a0") || strings.Contains(s, `" `) || strings.TrimSpace(s) == "" {
			return
		}
		got, err := splitCSV(s, ",", nil)
		r := csv.NewReader(strings.NewReader(s))
		r.TrimLeadingSpace = true
		want, wantErr := r.Read()
		require.Equal(t, wantErr == nil, err == nil, "%v %v", wantErr, err)
		if err == nil {
			assert.Equal(t, want, got)
		}
	})
}

func FuzzParseColumns(f *testing.F) {
	for _, s := range []string{"dateadded=added,url=value:URL,tags=tags", `"a,b=value"`, "2=value,3?=tags:;", "a=value:File,a=group:Malware", "=,=", "a==value"} {
		f.Add(s, "url,tags\nhttp://a.example/,b\n")
	}
	f.Fuzz(func(t *testing.T, columns, text string) {
		m, err := ParseColumns(columns)
		if err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			return
		}
		found, _, err := readAll(Options{Format: FormatCSV, CSV: m}, text)
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
		}
		checkItems(t, FormatCSV, found)
	})
}
