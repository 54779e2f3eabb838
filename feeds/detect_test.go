package feeds

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	urlhausHeader   = "# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter"
	oldURLhaus      = "# id,dateadded,url,url_status,threat,tags,urlhaus_link,reporter"
	feodoHeader     = `"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"`
	threatFoxHeader = `# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","fk_malware","malware_alias","malware_printable",` +
		`"last_seen_utc","confidence_level","is_compromised","reference","tags","anonymous","reporter"`
)

func TestOpenDetectsTheFormat(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(" ", 20) + `{"type":"indicator","pattern":"` + strings.Repeat("x", headBytes) + `"}`
	for name, c := range map[string]struct {
		text string
		want Format
	}{
		"an empty feed is a list":                    {"", FormatList},
		"comments alone are a list":                  {"# nothing\n", FormatList},
		"names are a list":                           {"# list\n\nwww.example.com\n", FormatList},
		"a hosts file is a list":                     {"0.0.0.0 www.example.com\n", FormatList},
		"a bracketed address is a list":              {"[2001:db8::1]\n", FormatList},
		"a defanged value in brackets is a list":     {"[.]example\n", FormatList},
		"CSV with other columns is a list":           {"date,url\n2026-01-02,http://www.example.com/\n", FormatList},
		"an unclosed quote is a list":                {"\"x\n", FormatList},
		"the header of URLhaus":                      {urlhausHeader + "\n", FormatURLhaus},
		"the header of URLhaus after a banner":       {"#####\r\n# abuse.ch URLhaus, Database Dump #\r\n#####\r\n#\r\n" + oldURLhaus + "\r\n", FormatURLhaus},
		"the header of URLhaus with one more column": {urlhausHeader + ",score\n", FormatURLhaus},
		"a row of URLhaus":                           {`"1","2026-01-02 03:04:05","http://www.example.com/","online","x","None","http://feed.example/","r"` + "\n", FormatURLhaus},
		"the header of Feodo Tracker":                {feodoHeader + "\n", FormatFeodo},
		"the old header of Feodo Tracker":            {"# Firstseen,DstIP,DstPort,LastOnline,Malware\n", FormatFeodo},
		"a row of Feodo Tracker":                     {"2026-01-02 03:04:05,192.0.2.1,443,2026-01-03,Example\r\n", FormatFeodo},
		"the header of ThreatFox":                    {threatFoxHeader + "\n", FormatThreatFox},
		"a row of ThreatFox":                         {`"2026-01-02 03:04:05", "1", "a.example", "domain", "botnet_cc", "win.x", "None", "X", "", "75", "False", "None", "None", "0", "r"` + "\n", FormatThreatFox},
		"a byte order mark does not matter":          {"\xef\xbb\xbf" + urlhausHeader + "\n", FormatURLhaus},
		"a bundle by its type":                       {`{"id":"bundle--1","type":"bundle","objects":[]}`, FormatSTIX},
		"a bundle by its objects":                    {"\n{\n \"objects\": [\n", FormatSTIX},
		"a bundle with a long first object":          {`{"objects":[` + long, FormatSTIX},
		"a bundle after a byte order mark":           {"\xef\xbb\xbf{\"objects\":[]}", FormatSTIX},
		"an indicator line":                          {`{"type":"Host","summary":"www.example.com"}` + "\n", FormatJSONLines},
		"a group line":                               {`{"group":{"type":"Threat"}}` + "\n", FormatJSONLines},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Open(strings.NewReader(c.text), &Options{Owner: testOwner, Feed: testFeed})
			require.NoError(t, err)
			assert.Equal(t, c.want, f.Format())
		})
	}
}

func TestOpenReturnsWithoutEndOfInput(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct{ format, want Format }{
		"# comment\nwww.example.com\n":       {"", FormatList},
		urlhausHeader + "\n":                 {"", FormatURLhaus},
		`{"type":"bundle","id":"bundle--1",`: {"", FormatSTIX},
		`{"type":"Host","summary":"a.exam`:   {"", FormatJSONLines},
		"this is long enough":                {FormatList, FormatList},
	} {
		r, w := io.Pipe() // neither data nor EOF follows the text
		go io.Copy(w, iotest.OneByteReader(strings.NewReader(text)))
		f, err := Open(r, &Options{Format: c.format, Owner: testOwner, Feed: testFeed})
		require.NoError(t, err)
		assert.Equal(t, c.want, f.Format())
		r.Close()
	}
}

func TestOpenReadsAtMost64KiB(t *testing.T) {
	t.Parallel()
	var read int
	comments := strings.Repeat("# a comment, and nothing else\n", 10_000)
	_, err := Open(slowReader(func(p []byte) (int, error) {
		n := copy(p[:min(len(p), 100)], comments[read:])
		read += n
		return n, nil
	}), nil)
	require.NoError(t, err)
	assert.LessOrEqual(t, read, 64<<10)
}

type slowReader func([]byte) (int, error)

func (f slowReader) Read(p []byte) (int, error) { return f(p) }

func TestOpenRejectsOtherFormats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"gzip":             {"\x1f\x8b\x08\x00", "looks like a gzip file; decompress it first"},
		"zip":              {"PK\x03\x04rest", "looks like a zip archive; extract"},
		"UTF-16":           {"\xff\xfeh\x00", "looks like UTF-16 text; convert"},
		"PDF":              {"%PDF-1.7", "looks like a PDF"},
		"a login page":     {"\n<!DOCTYPE html><html>", "looks like an HTML page"},
		"XML":              {"<?xml version=\"1.0\"?>", "looks like XML"},
		"binary data":      {"abc\x00def", "looks like binary data"},
		"an array of JSON": {"[ {\"type\":\"indicator\"}]", "is a JSON array; use"},
		"other JSON":       {"{\"name\":\"x\"}", "neither a STIX bundle nor"},
		"broken JSON":      {"{]", "neither a STIX bundle nor"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(strings.NewReader(c.text), nil)
			require.ErrorIs(t, err, ErrFormat)
			assert.ErrorContains(t, err, c.want)
			if !strings.Contains(name, "JSON") {
				_, err = Open(strings.NewReader(c.text), &Options{Format: FormatList})
				assert.ErrorIs(t, err, ErrFormat, "an explicit format does not disable the check")
			}
		})
	}
}
