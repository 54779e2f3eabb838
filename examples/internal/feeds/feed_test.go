package feeds

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// xidOf makes xids that tests can read.
func xidOf(parts ...string) string { return strings.Join(parts, "/") }

// read reads a feed to its end, and fails the test when that is not possible.
func read(t testing.TB, format Format, text string) (found []Entry, bad []*LineError) {
	t.Helper()
	found, bad, err := readAll(format, text)
	require.NoError(t, err)
	return found, bad
}

func readAll(format Format, text string) (found []Entry, bad []*LineError, err error) {
	f, err := Open(strings.NewReader(text), Options{Format: format, XID: xidOf})
	if err != nil {
		return nil, nil, err
	}
	for e, err := range f.Entries() {
		if b, ok := errors.AsType[*LineError](err); ok {
			bad = append(bad, b)
			continue
		}
		if err != nil {
			return found, bad, err
		}
		found = append(found, e)
	}
	return found, bad, nil
}

// shown writes entries as tests compare them: line, type and value.
func shown(entries []Entry) []string {
	out := []string{}
	for _, e := range entries {
		if e.Group != nil {
			out = append(out, fmt.Sprintf("%d %s %s", e.Line, e.Group.Type(), e.Group.Meta().Name))
			continue
		}
		out = append(out, fmt.Sprintf("%d %s %s", e.Line, e.Indicator.Type(), e.Indicator.Summary()))
	}
	return out
}

// rules writes errors as tests compare them: line and rule.
func rules(bad []*LineError) []string {
	out := []string{}
	for _, b := range bad {
		out = append(out, fmt.Sprintf("%d %s", b.Line, b.Rule))
	}
	return out
}

func TestOpenTellsTheFormat(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(" ", 20) + `{"type":"indicator","pattern":"` + strings.Repeat("x", sniffBytes) + `"}`
	for name, c := range map[string]struct {
		text string
		want Format
	}{
		"an empty feed is a list":                        {"", Hosts},
		"comments alone are a list":                      {"# nothing\n", Hosts},
		"names are a list":                               {"# list\n\nwww.example.com\n", Hosts},
		"a hosts file is a list":                         {"0.0.0.0 www.example.com\n", Hosts},
		"a bracketed address is a list":                  {"[2001:db8::1]\n", Hosts},
		"the header of URLhaus tells":                    {"# id,dateadded,url,url_status,threat,tags,urlhaus_link,reporter\n", URLhaus},
		"a row of URLhaus tells":                         {`"1","2026-01-02 03:04:05","http://www.example.com/","online","x","None","http://feed.example/","r"` + "\n", URLhaus},
		"the header of Feodo Tracker tells":              {`"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"` + "\n", Feodo},
		"the old header of Feodo Tracker tells":          {"# Firstseen,DstIP,DstPort,LastOnline,Malware\n", Feodo},
		"a row of Feodo Tracker tells":                   {"2026-01-02 03:04:05,192.0.2.1,443,2026-01-03,Example\r\n", Feodo},
		"a byte order mark does not matter":              {"\xef\xbb\xbf# id,dateadded,url,x\n", URLhaus},
		"a bundle is known by its type":                  {`{"id":"bundle--1","type":"bundle","objects":[]}`, STIX},
		"a bundle is known by its objects":               {"\n{\n \"objects\": [\n", STIX},
		"a bundle with a long first object is known too": {`{"objects":[` + long, STIX},
		"an indicator line is known":                     {`{"type":"Host","summary":"www.example.com"}` + "\n", JSONL},
		"a group line is known":                          {`{"group":{"type":"Threat"}}` + "\n", JSONL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Open(strings.NewReader(c.text), Options{})
			require.NoError(t, err)
			assert.Equal(t, c.want, f.Format)
		})
	}
}

func TestOpenWaitsForNoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct{ format, want Format }{
		"# comment\nwww.example.com\n":       {"", Hosts},
		"# id,dateadded,url,url_status\n":    {"", URLhaus},
		`{"type":"bundle","id":"bundle--1",`: {"", STIX},
		`{"type":"Host","summary":"a.exam`:   {"", JSONL},
		"this is long enough":                {Hosts, Hosts},
	} {
		r, w := io.Pipe() // nothing comes after text, and no end either
		go io.Copy(w, iotest.OneByteReader(strings.NewReader(text)))
		f, err := Open(r, Options{Format: c.format})
		require.NoError(t, err)
		assert.Equal(t, c.want, f.Format)
		r.Close()
	}
}

func TestOpenRefusesWhatIsNoFeed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"gzip":               {"\x1f\x8b\x08\x00", "gzip"},
		"zip":                {"PK\x03\x04rest", "zip"},
		"UTF-16":             {"\xff\xfeh\x00", "UTF-16"},
		"PDF":                {"%PDF-1.7", "PDF"},
		"a login page":       {"\n<!DOCTYPE html><html>", "HTML"},
		"XML":                {"<?xml version=\"1.0\"?>", "XML"},
		"binary data":        {"abc\x00def", "binary"},
		"an array of JSON":   {"[ {\"type\":\"indicator\"}]", "array"},
		"JSON of other kind": {"{\"name\":\"x\"}", "neither"},
		"broken JSON":        {"{]", "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(strings.NewReader(c.text), Options{})
			require.ErrorIs(t, err, ErrFormat)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestAReadingErrorEndsTheFeed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	for _, format := range Formats() {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			head := strings.Repeat(" ", sniffBytes) + "\n"
			f, err := Open(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)), Options{Format: format, XID: xidOf})
			require.NoError(t, err)
			var last error
			for _, err := range f.Entries() {
				last = err
			}
			assert.ErrorIs(t, last, broken)
		})
	}
	_, err := Open(iotest.ErrReader(broken), Options{})
	assert.ErrorIs(t, err, broken)
}

func TestEntriesCanBeLeftEarly(t *testing.T) {
	t.Parallel()
	for format, text := range map[Format]string{
		Hosts:   "one.example\n..\ntwo.example\n",
		URLhaus: "\"1\",\"\",\"http://www.example.com/\",\"\",\"x\",\"\",\"\",\"\"\nbad\n",
		Feodo:   ",192.0.2.1,443,Example\nbad\n",
		JSONL:   "{\"type\":\"Host\",\"summary\":\"a.example\"}\n{}\n",
		STIX:    `{"type":"bundle","objects":[{"type":"malware","id":"malware--1","name":"A"},{"type":"indicator","id":"i","pattern":"[x:y='z']"},3]}`,
	} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			for stop := 1; stop <= 3; stop++ {
				f, err := Open(strings.NewReader(text), Options{Format: format, XID: xidOf})
				require.NoError(t, err)
				n := 0
				for range f.Entries() {
					if n++; n == stop {
						break
					}
				}
				assert.LessOrEqual(t, n, stop)
			}
		})
	}
}

func TestALineThatIsTooLongCostsOnlyItself(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", longestValue+1)
	found, bad := read(t, Hosts, "one.example\n"+long+"\ntwo.example\r\n"+long)
	assert.Equal(t, []string{"1 Host one.example", "3 Host two.example"}, shown(found))
	assert.Equal(t, []string{"2 is longer than a line of this format can be", "4 is longer than a line of this format can be"}, rules(bad))
}

func TestLineErrorsNameLineRuleAndWayOut(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, &LineError{Line: 3, Object: "malware--1", Rule: "is bad", Fix: "mend it"}, "line 3: malware--1: is bad; mend it")
	assert.EqualError(t, &LineError{Line: 3, Rule: "is bad"}, "line 3: is bad")
}

func TestListsAreReadInConstantMemory(t *testing.T) {
	r, w := io.Pipe()
	const n = 200_000
	go func() {
		var err error
		for i := 0; i < n && err == nil; i++ {
			_, err = fmt.Fprintf(w, "h%d.example.com\n", i)
		}
		w.CloseWithError(err)
	}()
	f, err := Open(r, Options{Format: Hosts, XID: xidOf})
	require.NoError(t, err)
	var most uint64
	count := 0
	for _, err := range f.Entries() {
		require.NoError(t, err)
		if count++; count%20_000 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	assert.Equal(t, n, count)
	assert.Less(t, most, uint64(16<<20), "200,000 hosts must not stay in memory")
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"", "{", "[", "a.example", "# id,dateadded,url,", `{"type":"bundle"`, "\xef\xbb\xbf{}", "\x1f\x8b", `{"a":1,"objects":`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		feed, err := Open(strings.NewReader(s), Options{XID: xidOf})
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		assert.True(t, slices.Contains(Formats(), feed.Format))
	})
}
