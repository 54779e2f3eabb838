package feeds

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

const (
	testOwner = "Example Source"
	testFeed  = "example"
)

// read returns the entries and line errors of a feed. Any other error fails the test.
func read(t testing.TB, o Options, text string) (found []Entry, bad []*LineError) {
	t.Helper()
	found, bad, err := readAll(o, text)
	require.NoError(t, err)
	return found, bad
}

func readAll(o Options, text string) (found []Entry, bad []*LineError, err error) {
	if o.Owner == "" {
		o.Owner = testOwner
	}
	if o.Feed == "" {
		o.Feed = testFeed
	}
	f, err := Open(strings.NewReader(text), &o)
	if err != nil {
		return nil, nil, err
	}
	for e, err := range f.All() {
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

func indicatorIn(e Entry) threatconnect.Indicator {
	ind, _ := e.Item.(threatconnect.Indicator)
	return ind
}

func groupIn(e Entry) threatconnect.Group {
	g, _ := e.Item.(threatconnect.Group)
	return g
}

// shown returns the line, type and value of each entry.
func shown(entries []Entry) []string {
	out := []string{}
	for _, e := range entries {
		if g := groupIn(e); g != nil {
			out = append(out, fmt.Sprintf("%d %s %s", e.Line, g.Type(), g.Meta().Name))
			continue
		}
		out = append(out, fmt.Sprintf("%d %s %s", e.Line, indicatorIn(e).Type(), indicatorIn(e).Summary()))
	}
	return out
}

// rules returns the line and rule of each error.
func rules(bad []*LineError) []string {
	out := []string{}
	for _, b := range bad {
		out = append(out, fmt.Sprintf("%d %s", b.Line, b.Rule))
	}
	return out
}

func TestOpenValidatesOptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"an unknown format":            {Options{Format: "xls"}, "format is unknown; use one of [list csv urlhaus feodo threatfox jsonl stix]"},
		"CSV without a column map":     {Options{Format: FormatCSV}, "column map is missing"},
		"a map without a value column": {Options{Format: FormatURLhaus, CSV: &CSV{}}, "column map has no column with the value"},
		"a preset without an owner":    {Options{Format: FormatURLhaus, Owner: " "}, "owner is missing for a feed with groups"},
		"STIX without an owner":        {Options{Format: FormatSTIX, Feed: testFeed}, "owner is missing for a feed with groups"},
		"STIX without a name":          {Options{Format: FormatSTIX, Owner: testOwner}, "name of the feed is missing for a feed with groups"},
		"JSON lines without a name":    {Options{Format: FormatJSONLines, Owner: testOwner, Feed: " "}, "name of the feed is missing for a feed with groups"},
	} {
		_, err := Open(strings.NewReader(""), &c.o)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.ErrorContains(t, err, c.want, name)
	}
	for _, format := range []Format{FormatList, FormatJSONLines, FormatCSV} {
		_, err := Open(strings.NewReader(""), &Options{Format: format, CSV: someCSV(format), LiteralXIDs: true})
		assert.NoError(t, err, "without groups, owner and name are optional")
	}
	f, err := Open(strings.NewReader("www.example.com"), nil)
	require.NoError(t, err)
	assert.Equal(t, FormatList, f.Format())
}

func TestXIDsDependOnTheOwner(t *testing.T) {
	t.Parallel()
	xids := map[string]bool{}
	for _, owner := range []string{"One", "Two", "Two"} {
		found, _ := read(t, Options{Format: FormatFeodo, Owner: owner}, ",192.0.2.1,443,Example")
		assert.Equal(t, xidsOf(owner, testFeed)("feodo", "malware", "Example"), groupIn(found[0]).Meta().XID)
		xids[groupIn(found[0]).Meta().XID] = true
	}
	assert.Len(t, xids, 2)
}

func TestReadErrorEndsFeed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	for _, format := range Formats() {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			head := strings.Repeat(" ", headBytes) + "\n"
			f, err := Open(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)), &Options{Format: format, CSV: someCSV(format), Owner: testOwner, Feed: testFeed})
			require.NoError(t, err)
			var last error
			for _, err := range f.All() {
				last = err
			}
			assert.ErrorIs(t, last, broken)
		})
	}
	_, err := Open(iotest.ErrReader(broken), nil)
	assert.ErrorIs(t, err, broken)
}

func someCSV(format Format) *CSV {
	if format != FormatCSV {
		return nil
	}
	return &CSV{Columns: []Column{{Name: "value", Field: FieldValue}}}
}

func TestAllStopsWithLoop(t *testing.T) {
	t.Parallel()
	for format, text := range map[Format]string{
		FormatList:      "one.example\n..\n0.0.0.0 two.example three.example\n",
		FormatCSV:       "value\none.example\n..\ntwo.example\n",
		FormatURLhaus:   "\"1\",\"\",\"http://www.example.com/\",\"\",\"x\",\"\",\"\",\"\"\nbad\n",
		FormatFeodo:     ",192.0.2.1,443,Example\nbad\n",
		FormatJSONLines: "{\"type\":\"Host\",\"summary\":\"a.example\"}\n{}\n[]\n",
		FormatSTIX:      `{"type":"bundle","id":"bundle--1","objects":[{"type":"malware","id":"malware--1","name":"A"},{"type":"indicator","id":"i","pattern":"[x:y='z']"},3]}`,
	} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			for stop := 1; stop <= 4; stop++ {
				f, err := Open(strings.NewReader(text), &Options{Format: format, CSV: someCSV(format), Owner: testOwner, Feed: testFeed})
				require.NoError(t, err)
				n := 0
				for range f.All() {
					if n++; n == stop {
						break
					}
				}
				assert.LessOrEqual(t, n, stop)
				assert.NotZero(t, n)
			}
		})
	}
}

func TestSecondReadReturnsError(t *testing.T) {
	t.Parallel()
	f, err := Open(strings.NewReader("one.example"), nil)
	require.NoError(t, err)
	for _, err := range f.All() {
		require.NoError(t, err)
	}
	n := 0
	for _, err := range f.Items(nil) {
		n++
		require.ErrorContains(t, err, "open it again")
	}
	assert.Equal(t, 1, n, "a second pass without an error would look like an empty feed")
}

func TestItemsReportsSkippedAndInvalidLines(t *testing.T) {
	t.Parallel()
	const text = "127.0.0.1 localhost\none.example\n..\ntwo.example\n"
	open := func() *Feed {
		f, err := Open(strings.NewReader(text), nil)
		require.NoError(t, err)
		return f
	}
	var items int
	var bad []*LineError
	for item, err := range open().Items(func(e *LineError) { bad = append(bad, e) }) {
		require.NoError(t, err)
		require.NotNil(t, item)
		items++
	}
	assert.Equal(t, 2, items)
	require.Len(t, bad, 2)
	assert.True(t, bad[0].Skipped)
	assert.Equal(t, 3, bad[1].Line)

	items = 0
	var last error
	for _, last = range open().Items(nil) {
		items++
	}
	assert.Equal(t, 2, items, "the item before the refused line, and the error of that line")
	refusal, ok := errors.AsType[*LineError](last)
	require.True(t, ok)
	assert.Equal(t, 3, refusal.Line)
}

func TestTooLongLineIsSkipped(t *testing.T) {
	t.Parallel()
	for format, limit := range map[Format]int{FormatList: maxLine, FormatCSV: maxLine, FormatJSONLines: maxJSONLine} {
		first, last := "one.example", "two.example"
		if format == FormatJSONLines {
			first, last = `{"type":"Host","summary":"one.example"}`, `{"type":"Host","summary":"two.example"}`
		}
		if format == FormatCSV {
			first = "value\n" + first
		}
		o := Options{Format: format, CSV: someCSV(format)}
		long := strings.Repeat("a", limit+1)
		found, bad := read(t, o, first+"\n"+long+"\n"+last+"\r\n"+long)
		n := strings.Count(first, "\n") + 1
		assert.Equal(t, []string{fmt.Sprint(n, " Host one.example"), fmt.Sprint(n+2, " Host two.example")}, shown(found))
		const rule = " is longer than a line of this format can be"
		assert.Equal(t, []string{fmt.Sprint(n+1, rule), fmt.Sprint(n+3, rule)}, rules(bad))
		_, bad = read(t, o, first+"\n"+long[:limit-1]+"\n"+last)
		require.Len(t, bad, 1)
		assert.NotContains(t, bad[0].Rule, "longer than a line", "the limit includes the line break")
	}
}

func TestLineErrorMessage(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, &LineError{Line: 3, Object: "malware--1", Rule: "is bad", Fix: "change it"}, "line 3: malware--1: is bad; change it")
	assert.EqualError(t, &LineError{Line: 3, Rule: "is bad"}, "line 3: is bad")
}

func TestFeedsAreReadInConstantMemory(t *testing.T) {
	for format, line := range map[Format]string{
		FormatList:      "h%d.example.com\n",
		FormatURLhaus:   "\"%[1]d\",\"\",\"http://h%[1]d.example.com/\",\"\",\"t%[1]d\",\"\",\"\",\"\"\n",
		FormatJSONLines: `{"type":"Host","summary":"h%d.example.com","tags":["a"]}` + "\n",
	} {
		r, w := io.Pipe()
		n := scaletest.N(40_000)
		go func() {
			var err error
			for i := 0; i < n && err == nil; i++ {
				_, err = fmt.Fprintf(w, line, i)
			}
			w.CloseWithError(err)
		}()
		f, err := Open(r, &Options{Format: format, Owner: testOwner, Feed: testFeed})
		require.NoError(t, err)
		var most uint64
		count := 0
		for e, err := range f.All() {
			require.NoError(t, err)
			if indicatorIn(e) == nil {
				continue
			}
			if count++; count%(n/4) == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		assert.Equal(t, n, count)
		assert.Less(t, most, uint64(16<<20), "%s: entries must not stay in memory", format)
	}
}

func BenchmarkAll(b *testing.B) {
	for format, line := range map[Format]string{
		FormatList:      "h1.example.com\n",
		FormatURLhaus:   `"1","2026-01-02 03:04:05","http://h1.example.com/a","online","2026-01-03 00:00:00","malware_download","elf,mips","https://feed.example/1/","x"` + "\n",
		FormatJSONLines: `{"type":"Host","summary":"h1.example.com","rating":3,"confidence":80,"tags":["one","two"],"attributes":[{"type":"Description","value":"text"}]}` + "\n",
	} {
		b.Run(string(format), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			f, err := Open(strings.NewReader(strings.Repeat(line, b.N)), &Options{Format: format, Owner: testOwner, Feed: testFeed})
			require.NoError(b, err)
			for _, err := range f.All() {
				require.NoError(b, err)
			}
		})
	}
}
