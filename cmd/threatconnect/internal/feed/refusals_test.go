package feed

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// Memory and output are bounded, however many rules a feed breaks, with however many texts and attribute types.
func TestThreatEntryErrorsAreBounded(t *testing.T) {
	t.Parallel()
	var r refusals
	for i := range 1000 {
		r.add(refusal{Line: i + 1, Outcome: invalid, Rule: fmt.Sprintf("rule %d", i), Fix: "f"})
		r.add(refusal{Line: i + 1, Outcome: skipped, Rule: "reserved"})
	}
	assert.LessOrEqual(t, len(r.rules), maxRules+2)
	sum := int64(0)
	for _, c := range r.rules {
		sum += c.Count
		assert.LessOrEqual(t, len(c.Lines), ruleLines)
	}
	assert.EqualValues(t, 2000, sum)
	assert.Len(t, r.errors, maxErrors)
	assert.EqualValues(t, 900, r.more)
	require.NoError(t, r.quote(strings.NewReader(strings.Repeat(strings.Repeat("x", 10_000)+"\n", 1000))))
	var stderr bytes.Buffer
	r.print(&cli.Env{Stderr: &stderr})
	assert.LessOrEqual(t, strings.Count(stderr.String(), "\n"), shownRules*(1+ruleLines)+1)
	assert.Less(t, stderr.Len(), 64<<10)

	comparisons := make([]string, 5000)
	for i := range comparisons {
		comparisons[i] = "file:" + strings.Map(func(c rune) rune { return c - '0' + 'a' }, fmt.Sprint(10_000+i)) + "='a'"
	}
	feed := `{"type":"bundle","objects":[{"type":"indicator","id":"indicator--1","pattern":"[` + strings.Join(comparisons, " OR ") + `]"}]}`
	res := env{}.feed(feed).run(t.Context(), "--input", "-", "--feed", "test", "--json", "--log-level", "info")
	assert.EqualValues(t, len(comparisons), reportOf(t, res).Skipped)
	assert.LessOrEqual(t, len(reportOf(t, res).Rules), maxRules+1)
	assert.Less(t, strings.Count(res.stderr, "\n"), 100)

	l := &load{importer: &importer{cfg: &config{}}, attributes: map[string]bool{}}
	for i := range 2 * maxAttributes {
		host := threatconnect.NewHost("a.example")
		host.Attributes = []threatconnect.Attribute{{Type: fmt.Sprint(i)}, {Type: fmt.Sprint(i) + strings.Repeat("x", 1<<16)}}
		l.complete(host)
	}
	size := 0
	for name := range l.attributes {
		size += len(name)
	}
	assert.Less(t, size, maxAttributes*256)
}

// Error texts of the platform repeat values, so only an attribute type that the feed contains is quoted from them.
func TestErrorsNameOnlyAttributeTypesOfFeed(t *testing.T) {
	t.Parallel()
	types := map[string]bool{"Source": true}
	e := threatconnect.BatchItemError{Code: threatconnect.CodeIndicatorLoss, Reason: "The requested attribute type was not found: Source"}
	assert.Contains(t, refusalOf(e, origin{}, types).Rule, `attribute of the type "Source"`)
	for _, reason := range []string{"The requested attribute type was not found: Other", "Source", ": ", "secret: Source "} {
		e.Reason = reason
		assert.Equal(t, "the platform saved only a part of it: 0x2001 indicator saved in part", refusalOf(e, origin{}, types).Rule)
	}
	e = threatconnect.BatchItemError{Code: threatconnect.CodeIndicator, Reason: "secret is invalid: Source"}
	assert.Equal(t, "the platform refused it: 0x1005 invalid indicator", refusalOf(e, origin{}, types).Rule)
}

func FuzzQuotesAreSafe(f *testing.F) {
	f.Add([]byte("one\ntwo\x1b[31m\r\n\xff\xfe\n\u202ethree"))
	f.Add(bytes.Repeat([]byte("long"), 40_000))
	f.Fuzz(func(t *testing.T, feed []byte) {
		var r refusals
		for line := range 4 {
			r.add(refusal{Line: line + 1, Outcome: invalid, Rule: "rule"})
		}
		require.NoError(t, r.quote(bytes.NewReader(feed)))
		lines := bytes.Count(feed, []byte("\n")) + 1
		require.Len(t, r.rules[0].quotes, min(lines, 4))
		for _, q := range r.rules[0].quotes {
			require.LessOrEqual(t, len(q), 10*quoteRunes+20)
			for _, c := range q {
				require.True(t, unicode.IsGraphic(c), "%q", q)
			}
		}
	})
}
