package importer

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestWhatIsInTheFeedSeveralTimesIsMergedOnRequest(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	feed := `{"type":"Host","summary":"a.example","rating":2,"tags":["one"]}
no entry

{"type":"Host","summary":"b.example"}
{"type":"Host","summary":"A.example.","confidence":50,"tags":["two"]}
{"type":"Host","summary":"c.example","attributes":[{"type":"No Such Attribute","value":"v"}]}
{"type":"Host","summary":"b.example"}
{"type":"Host","summary":"d.example","rating":9}
{"type":"Host","summary":"e.example","attributes":[{"type":"No Such Attribute","value":"v"}]}
`
	r := to(t, srv).feed(feed).run(t.Context(), "-input", "-", "-json", "-merge", "-rating", "4", "-tag", "all")
	s := summaryOf(t, r)
	assert.Equal(t, 3, r.exit)
	assert.EqualValues(t, 8, s.Read)
	assert.EqualValues(t, 2, s.Merged)
	assert.EqualValues(t, 2, s.Invalid)
	assert.EqualValues(t, 4, s.Added)
	assert.Contains(t, s.Message, "Imported 2 of 6 items")
	lines := []int{}
	for _, e := range s.Errors {
		lines = append(lines, e.Line)
	}
	assert.ElementsMatch(t, []int{2, 6, 8, 9}, lines)
	a, ok := srv.Indicator(owner, "Host", "a.example")
	require.True(t, ok)
	assert.InDelta(t, 2, *a.Rating, 0, "what the feed says counts more than the default")
	assert.Equal(t, 50, *a.Confidence)
	assert.ElementsMatch(t, []string{"one", "two", "all"}, a.Tags)

	s = summaryOf(t, to(t, srv).feed("a.example\nb.example\na.example\n").run(t.Context(), "-input", "-", "-json"))
	assert.Zero(t, s.Merged, "nobody has asked for it")
	assert.EqualValues(t, 3, s.Added)
}

func TestAPipeThatBreaksKeepsWhatWasMergedBefore(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	e := to(t, srv)
	e.stdin = &broken{text: strings.NewReader("a.example\nb.example\na.example\n")}
	s := summaryOf(t, e.run(t.Context(), "-input", "-", "-format", "hosts", "-json", "-merge"))
	assert.Equal(t, 3, s.Exit)
	assert.Contains(t, s.Cause, "reading the feed failed after line 3: the line is dead")
	assert.EqualValues(t, 2, s.Succeeded)
	assert.EqualValues(t, 1, s.Merged)
}

// broken is a pipe that breaks after a text.
type broken struct{ text *strings.Reader }

func (b *broken) Read(p []byte) (int, error) {
	if b.text.Len() == 0 {
		return 0, errors.New("the line is dead")
	}
	return b.text.Read(p)
}
