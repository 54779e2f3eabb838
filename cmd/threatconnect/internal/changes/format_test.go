package changes

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// No cell begins with a formula, whichever separator a spreadsheet uses, and whether or not it interprets quotes.
func TestThreatCSVCellsAreNotFormulas(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("=+-@＝＋－＠;,|\t\r\n\"' a1")
	word := func() string {
		runes := make([]rune, random.IntN(7))
		for n := range runes {
			runes[n] = alphabet[random.IntN(len(alphabet))]
		}
		return string(runes)
	}
	check := func(cell string) {
		cell = strings.TrimLeft(cell, " ")
		if cell != "" {
			require.NotContains(t, "=+-@＝＋－＠\t\r\n", string([]rune(cell)[0]), "%q", cell)
		}
	}
	for range 10_000 {
		var out bytes.Buffer
		s := newCSVSink(newStream(&out), withoutFormulas)
		require.NoError(t, s.write(&row{
			Action: changed, Owner: word(), Type: threatconnect.IndicatorType(word()), Indicator: word(), Tags: []string{word(), word()},
			Rating: new(-1.5), Confidence: new(-1), ThreatAssessScore: new(7),
		}))
		require.NoError(t, s.Commit())
		for _, separator := range ",;\t|" {
			r := csv.NewReader(bytes.NewReader(out.Bytes()))
			r.Comma, r.LazyQuotes, r.FieldsPerRecord = separator, true, -1
			records, err := r.ReadAll()
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(records), 2)
			for _, record := range records {
				for _, cell := range record {
					check(cell)
				}
			}
			for _, ends := range []string{"\n", "\r\n"} {
				for cell := range strings.FieldsFuncSeq(out.String(), func(r rune) bool { return r == separator || strings.ContainsRune(ends, r) }) {
					check(cell)
					check(strings.Trim(cell, `" `))
				}
			}
		}
	}

	var out bytes.Buffer
	s := newCSVSink(newStream(&out), unchanged)
	require.NoError(t, s.write(&row{Action: changed, Indicator: "=1+1;=2"}))
	require.NoError(t, s.Commit())
	assert.True(t, slices.Contains(strings.Split(out.String(), ","), "=1+1;=2"), "--raw")
}

func TestCells(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       "",
		"evil.example":           "evil.example",
		"=1+1":                   "'=1+1",
		"\t=1":                   "'\t'=1",
		"＝1":                     "'＝1",
		"a=b-c":                  "a=b-c",
		"'=already safe":         "'=already safe",
		"http://a.com/;=cmd|' /": "http://a.com/;'=cmd|' /",
		"a; =1+1; b":             "a;' =1+1; b",
		` "=1`:                   `' "=1`,
		"a\xff;=\xff":            "a\xff;'=\xff",
	} {
		assert.Equal(t, want, withoutFormulas(in))
	}
}
