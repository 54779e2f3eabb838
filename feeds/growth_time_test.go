package feeds

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// numbered returns n copies of text, in which # is replaced by the number of the copy.
func numbered(n int, text, separator string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(strings.ReplaceAll(text, "#", fmt.Sprintf("%06d", i)))
	}
	return b.String()
}

func TestThreatFeedsTimeGrowsLinearly(t *testing.T) {
	indicator := func(rest string) string { return stixText("indicator", 1, rest) }
	pattern := func(comparisons string) string { return `,"pattern":"` + comparisons + `"` }
	host := pattern("[domain-name:value='a.example']")
	object := `{"type":"%s","id":"%s-#","name":"ab"}`
	tools := func(n int) string { return numbered(n, fmt.Sprintf(object, "tool", "tool"), ",\n") }
	uses := func(from, to string) string {
		return `{"type":"relationship","id":"r-#","source_ref":"` + from + `","target_ref":"` + to + `"}`
	}
	custom, err := ParseColumns("1=value,2=tags,3=group:Malware,4=description")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		o    Options
		text func(n int) string
	}{
		"lines of a list":  {Options{Format: FormatList}, func(n int) string { return numbered(n, "a#.example", "\n") }},
		"a line of a list": {Options{Format: FormatList}, func(n int) string { return strings.Repeat("a.", n) + "example" }},
		"hosts of a line":  {Options{Format: FormatList}, func(n int) string { return "0.0.0.0 " + numbered(n, "a#.co", " ") }},
		"comments":         {Options{}, func(n int) string { return strings.Repeat("# a\n", n) }},
		"spaces":           {Options{Format: FormatList}, func(n int) string { return strings.Repeat(" /", n) }},
		"rows":             {Options{Format: FormatURLhaus}, func(n int) string { return numbered(n, `"1","","http://a.co/#","","","t#","a,b","",""`, "\n") }},
		"quotes of a row":  {Options{Format: FormatCSV, CSV: custom}, func(n int) string { return `a.co,"` + strings.Repeat(`""`, n) + `"` }},
		"columns of a row": {Options{Format: FormatCSV, CSV: custom}, func(n int) string { return "a.co" + strings.Repeat(",", n) }},
		"headers":          {Options{Format: FormatURLhaus}, func(n int) string { return strings.Repeat(urlhausHeader+"\n", n) }},
		"a long header":    {Options{Format: FormatURLhaus}, func(n int) string { return urlhausHeader + strings.Repeat(",url", n) }},
		"tags of a row":    {Options{Format: FormatCSV, CSV: custom}, func(n int) string { return `a.co,"` + numbered(n, "t#", ",") + `",c,d` }},
		"groups of CSV":    {Options{Format: FormatCSV, CSV: custom}, func(n int) string { return numbered(n, "a.co,t,g#,d", "\n") }},
		"lines of JSON":    {Options{Format: FormatJSONLines}, func(n int) string { return numbered(n, `{"type":"Host","summary":"a#.example"}`, "\n") }},
		"fields":           {Options{Format: FormatJSONLines}, func(n int) string { return "{" + numbered(n, `"#":1`, ",") + "}" }},
		"tags":             {Options{Format: FormatJSONLines}, func(n int) string { return `{"type":"Host","summary":"a.co","tags":[` + numbered(n, `"#"`, ",") + "]}" }},
		"attributes": {Options{Format: FormatJSONLines}, func(n int) string {
			return `{"type":"Host","summary":"a.co","attributes":[` + numbered(n, `{"type":"#","value":"a"}`, ",") + "]}"
		}},
		"fields of an object": {Options{Format: FormatJSONLines}, func(n int) string {
			return `{"type":"Host","summary":"a.co","attributes":[{` + numbered(n, `"#":1`, ",") + "}]}"
		}},
		"groups": {Options{Format: FormatJSONLines}, func(n int) string {
			return `{"type":"Host","summary":"a.co","groups":[` + numbered(n, `"#"`, ",") + "]}"
		}},
		"escapes":  {Options{Format: FormatJSONLines}, func(n int) string { return `{"type":"Host","summary":"` + strings.Repeat(`\u0061`, n) + `"}` }},
		"brackets": {Options{Format: FormatJSONLines}, func(n int) string { return `{"x":` + strings.Repeat("[", n) }},

		"objects": {Options{Format: FormatSTIX}, func(n int) string { return bundleOf(tools(n)) }},
		"a mixed feed": {Options{Format: FormatSTIX}, func(n int) string {
			text := new(strings.Builder)
			_, _ = io.Copy(text, newBigBundle(n))
			return text.String()
		}},
		"bundles": {Options{Format: FormatSTIX}, func(n int) string { return strings.Repeat(`{"type":"bundle","objects":[]}`+"\n", n) }},
		"envelopes of TAXII": {Options{Format: FormatSTIX}, func(n int) string {
			return numbered(n, `{"more":true,"objects":[`+fmt.Sprintf(object, "tool", "tool")+"]}", "\n") + `{"objects":[]}`
		}},
		"versions of one object": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(strings.Repeat(stixText("malware", 1, `,"name":"A"`)+",", n) + "7")
		}},
		"small objects": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(`{"type":"x","d":"` + strings.Repeat("a", 4*n) + `"}` + strings.Repeat(",\n{}", n))
		}},
		"brackets of JSON": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(strings.TrimSuffix(strings.Repeat(`{"a":`+strings.Repeat("[", 400)+strings.Repeat("]", 400)+"},", n/40), ","))
		}},
		"members": {Options{Format: FormatSTIX}, func(n int) string { return bundleOf(`{"type":"tool"` + strings.Repeat(`,"x":{"a":[]}`, n) + "}") }},
		"labels": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(host + `,"labels":[` + numbered(n, `"label #"`, ",") + "]"))
		}},
		"phases": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(host + `,"kill_chain_phases":[` + numbered(n, `{"phase_name":"p#"}`, ",") + "]"))
		}},
		"external references": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(host + `,"external_references":[` + strings.Repeat(`{"source_name":"mitre-attack"},`, n) + `{}]`))
		}},
		"markings": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(host+`,"object_marking_refs":[`+numbered(n, `"m-#"`, ",")+"]"), numbered(n, `{"type":"marking-definition","id":"m-#","name":"TLP:RED"}`, ","))
		}},
		"references of a report": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(stixText("report", 1, `,"name":"A","object_refs":[`+numbered(n, `"tool-#"`, ",")+"]"), tools(n))
		}},
		"references to nothing": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(stixText("report", 1, `,"name":"A","object_refs":["a"`+strings.Repeat(`,"a"`, n)+"]"))
		}},
		"relationships": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(host), tools(n), numbered(n, uses(stixID("indicator", 1), "tool-#"), ","))
		}},
		"relationships of a group": {Options{Format: FormatSTIX}, func(n int) string { return bundleOf(tools(n), numbered(n, uses("tool-000000", "tool-#"), ",")) }},
		"the same relationship":    {Options{Format: FormatSTIX}, func(n int) string { return bundleOf(tools(2), numbered(n, uses("tool-000000", "tool-000001"), ",")) }},
		"comparisons": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(pattern("[" + numbered(n, "domain-name:value='a#.co'", " OR ") + "]")))
		}},
		"comparisons and groups": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(pattern("["+numbered(n, "domain-name:value='a#.co'", " OR ")+"]")), tools(n/8), numbered(n/8, uses(stixID("indicator", 1), "tool-#"), ","))
		}},
		"comparisons and labels": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(pattern("["+numbered(n, "domain-name:value='a#.co'", " OR ")+"]") + `,"labels":[` + numbered(n/8, `"label #"`, ",") + "]"))
		}},
		"comparisons and text": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(pattern("["+numbered(n, "domain-name:value='a#.co'", " OR ")+"]") + `,"description":"` + strings.Repeat("d", 10*n) + `"`))
		}},
		"refused comparisons": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(pattern("[" + numbered(n, "file:name_x.'#'='a'", " OR ") + "]")))
		}},
		"lists of a pattern": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(pattern("[mutex:name IN (" + numbered(n, "'#'", ",") + ")]")))
		}},
		"parentheses of a pattern": {Options{Format: FormatSTIX}, func(n int) string {
			return bundleOf(indicator(pattern("[" + strings.Repeat("(", n) + "mutex:name='a'" + strings.Repeat(")", n) + "]")))
		}},
		"observations": {Options{Format: FormatSTIX}, func(n int) string { return bundleOf(indicator(pattern(numbered(n, "[mutex:name='#']", "OR")))) }},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Owner, c.o.Feed, c.o.Dir = testOwner, testFeed, t.TempDir()
			read := func(n int) func() {
				text := c.text(n)
				return func() {
					f, err := Open(strings.NewReader(text), &c.o)
					require.NoError(t, err)
					for _, err := range f.All() {
						if _, ok := errors.AsType[*LineError](err); !ok && !errors.Is(err, ErrFormat) {
							require.NoError(t, err)
						}
					}
				}
			}
			n, factor := 250, 8
			if scaletest.Short(true, false) && !strings.HasPrefix(name, "comparisons and ") { // fewer comparisons would stay below the limit
				n, factor = 125, 4
			}
			for ; n < 4000; n *= 2 { // shorter times are too imprecise to compare
				f, began := read(n), time.Now()
				if f(); time.Since(began) > 200*time.Microsecond {
					break
				}
			}
			scaletest.RequireLinear(t, n, factor, read)
		})
	}
	t.Run("single bytes", func(t *testing.T) {
		scaletest.RequireLinear(t, scaletest.Size(8<<10), 8, func(n int) func() {
			text := `{"a":"` + strings.Repeat("x", n)
			return func() {
				_, err := Open(iotest.OneByteReader(strings.NewReader(text)), nil)
				assert.ErrorIs(t, err, ErrFormat)
			}
		})
	})
	t.Run("gzip", func(t *testing.T) {
		scaletest.RequireLinear(t, scaletest.Size(1<<20), 8, func(n int) func() {
			body := zipped(t, strings.Repeat("a", n))
			f := Fetcher{Client: clientOf(t), Transport: wiretest.Func(func(*http.Request) (*http.Response, error) {
				return answer(http.StatusOK, bytes.NewReader(body)), nil
			})}
			return func() {
				d, err := f.Fetch(t.Context(), "https://feed.example/", threatconnect.Cursor{})
				require.NoError(t, err)
				size, err := io.Copy(io.Discard, d.Body)
				require.NoError(t, err)
				require.EqualValues(t, n, size)
				require.NoError(t, d.Body.Close())
			}
		})
	})
}
