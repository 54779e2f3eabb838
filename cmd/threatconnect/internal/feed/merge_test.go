package feed

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestEntriesAboutOneIndicatorAreMerged(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	feed := `{"type":"Host","summary":"a.example","rating":2,"tags":["one"]}
no entry

{"type":"Host","summary":"b.example"}
{"type":"Host","summary":"A.example.","confidence":50,"tags":["two"]}
{"type":"Host","summary":"c.example","attributes":[{"type":"No Such Attribute","value":"v"}]}
{"type":"Host","summary":"b.example"}
{"type":"Host","summary":"d.example","rating":9}
{"type":"Host","summary":"e.example","attributes":[{"type":"No Such Attribute","value":"v"}]}
`
	r := to(t, srv).feed(feed).run(t.Context(), "--input", "-", "--json", "--merge", "--rating", "4", "--tag", "all")
	s := reportOf(t, r)
	assert.Equal(t, 3, r.exit)
	assert.Equal(t, []int64{8, 2, 2, 2, 2}, []int64{s.Read, s.Merged, s.Invalid, s.Failed, s.Imported})
	assert.Contains(t, s.Message, "Imported 2 of 6 items")
	lines := []int{}
	for _, e := range s.Errors {
		lines = append(lines, e.Line)
	}
	assert.ElementsMatch(t, []int{2, 6, 8, 9}, lines)
	a, ok := srv.Indicator(owner, "Host", "a.example")
	require.True(t, ok)
	assert.InDelta(t, 2, *a.Rating, 0, "the feed has priority over the flag")
	assert.Equal(t, 50, *a.Confidence)
	assert.ElementsMatch(t, []string{"one", "two", "all"}, a.Tags)

	s = reportOf(t, to(t, srv).feed("a.example\nb.example\na.example\n").run(t.Context(), "--input", "-", "--json"))
	assert.Zero(t, s.Merged, "without --merge")
	assert.EqualValues(t, 3, s.Imported)
}
