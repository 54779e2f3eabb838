package feed

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestRulesAreLimited(t *testing.T) {
	t.Parallel()
	var r refusals
	for i := range 1000 {
		r.add(refusal{Line: i + 1, Outcome: invalid, Rule: strings.Repeat("x", i), Fix: "f"})
		r.add(refusal{Line: i + 1, Outcome: skipped, Rule: "reserved"})
	}
	assert.LessOrEqual(t, len(r.rules), maxRules+2)
	sum := int64(0)
	for _, c := range r.rules {
		sum += c.Count
	}
	assert.EqualValues(t, 2000, sum)
	assert.Len(t, r.errors, maxErrors)
	assert.EqualValues(t, 900, r.more)
}

// The platform's words repeat values, so only the attribute type is taken from them, if the feed has it.
func TestOnlyAttributeTypesOfTheFeedAreNamed(t *testing.T) {
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
