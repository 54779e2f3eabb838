package feeds

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// secret is in the values of the seeds. No error may contain it.
const secret = "qzjx"

func FuzzThreatFeeds(f *testing.F) {
	for _, s := range []string{
		"", "{", "[", "qzjx.example\n", "qzjx qzjx\nhxxp://qzjx[.]example/ // qzjx\n0.0.0.0\tqzjx.example localhost\n192.0.2.1 qzjx.example",
		"# c\n\n//\n;\r\n\r", "\xef\xbb\xbf{}", "\x1f\x8b", `{"a":1,"objects":`, `{"type":"bundle","qzjx":"qzjx"`, "<html>qzjx",
		urlhausHeader + "\n" + `"qzjx","qzjx","http://qzjx.example/","qzjx","qzjx","qzjx","qzjx,qzjx","qzjx","qzjx"` + "\n" + `"1","","http://qzjx.example/","","2026-01-02","qzjx","qzjx,b","qzjx","qzjx"`,
		"2026-01-02 03:04:05,192.0.2.2,8080,2026-01-05,qzjx\nqzjx,192.0.2.2,8080,qzjx,qzjx\nqzjx\n",
		threatFoxHeader + "\n" + `"2026-01-02", "1", "qzjx", "qzjx", "qzjx", "qzjx", "None", "qzjx", "", "75", "False", "qzjx", "qzjx", "0", "qzjx"`,
		`{"type":"Host","summary":"qzjx.example","tags":["qzjx"],"attributes":[{"type":"qzjx","value":"qzjx"}],"groups":["qzjx"],"rating":1,"confidence":2}` + "\n" + `{"type":"qzjx","summary":"qzjx","qzjx":"qzjx"}`,
		`{"group":{"type":"Incident","name":"qzjx","xid":"qzjx","eventDate":"2026-01-02T03:04:05Z"}}` + "\n" + `{"group":{"type":"qzjx","name":"qzjx","xid":"qzjx","eventDate":"qzjx"}}`,
		bundleOf(stixText("malware", 1, `,"name":"qzjx"`), stixText("report", 1, `,"name":"qzjx","object_refs":["qzjx"]`), relationship(1, "qzjx", "qzjx")),
		bundleOf(stixText("indicator", 1, `,"pattern":"[domain-name:value='qzjx' OR file:qzjx='qzjx' OR qzjx:value='qzjx' OR url:value='http://qzjx.example/']","labels":["qzjx"]`), `{"type":"qzjx","id":"qzjx"}`),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		feed, err := Open(strings.NewReader(s), &Options{Owner: testOwner, Feed: testFeed})
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			assert.NotContains(t, err.Error(), secret)
			return
		}
		assert.True(t, slices.Contains(Formats(), feed.Format()))
		var found []Entry
		last, lines := 1, strings.Count(s, "\n")+1
		for e, err := range feed.All() {
			line := e.Line
			switch refusal := err.(type) {
			case nil:
				found = append(found, e)
			case *LineError:
				line = refusal.Line
				assert.NotEmpty(t, refusal.Rule)
				assert.NotContains(t, refusal.Rule+refusal.Fix, secret)
				assert.Equal(t, refusal.Object, nameable(refusal.Object), "errors contain only valid IDs")
			default:
				require.ErrorIs(t, err, ErrFormat)
				assert.NotContains(t, err.Error(), secret)
				return
			}
			assert.True(t, line >= last && line <= lines, "line %d after %d of %d", line, last, lines)
			if feed.Format() != FormatSTIX { // entries of STIX are not in the order of lines
				last = line
			}
		}
		checkItems(t, feed.Format(), found)
	})
}

// checkItems checks that items can be imported and that, except in JSON lines, groups precede the indicators that
// refer to them.
func checkItems(t *testing.T, format Format, found []Entry) {
	t.Helper()
	var fingerprints threatconnect.Fingerprinter
	xids := map[string]bool{}
	for _, e := range found {
		_, err := fingerprints.Of(e.Item)
		require.NoError(t, err)
		if g := groupIn(e); g != nil {
			xids[g.Meta().XID] = true
			continue
		}
		for _, xid := range indicatorIn(e).Meta().GroupXIDs {
			assert.True(t, xids[xid] || format == FormatJSONLines, "a group precedes the indicators that refer to it")
		}
	}
}
