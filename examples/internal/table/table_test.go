package table

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sample() *Table {
	t := &Table{Columns: []Column{{Title: "VALUE", Wraps: true}, {Title: "N", Right: true}, {Title: "TAGS", Wraps: true}}}
	t.Add("https://www.example.com/a/long/path", "7", "Phishing, Botnet, Credential Theft")
	t.Add("日本語.example", "100")
	return t
}

func written(t *testing.T, tab *Table, width int) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, tab.Write(&b, width))
	return b.String()
}

func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		width int
		want  string
	}{
		"as wide as it needs without a terminal": {0, `
VALUE                                  N  TAGS
https://www.example.com/a/long/path    7  Phishing, Botnet, Credential Theft
日本語.example                       100  -
`},
		"cells broken into lines on a narrower terminal": {50, `
VALUE                    N  TAGS
https://www.example.c    7  Phishing, Botnet,
om/a/long/path              Credential Theft
日本語.example         100  -
`},
		"a block a row on a very narrow terminal": {24, `
VALUE  https://www.examp
       le.com/a/long/pat
       h
N      7
TAGS   Phishing, Botnet,
       Credential Theft

VALUE  日本語.example
N      100
TAGS   -
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, strings.TrimPrefix(tc.want, "\n"), written(t, sample(), tc.width))
		})
	}
}

func TestTableIsNeverWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	for width := minimum; width < 90; width++ {
		for line := range strings.Lines(written(t, sample(), width)) {
			require.LessOrEqual(t, Width(strings.TrimSuffix(line, "\n")), width, "at %d columns", width)
		}
	}
}

func TestTitlesAreBrokenWhenTheTableIsTooWide(t *testing.T) {
	t.Parallel()
	tab := &Table{Columns: []Column{{Title: "VALUE", Wraps: true}, {Title: "TA SCORE", Right: true}}}
	tab.Add("www.example.com", "812")
	assert.Equal(t, "VALUE            TA SCORE\nwww.example.com       812\n", written(t, tab, 25))
	assert.Equal(t, "                    TA\nVALUE            SCORE\nwww.example.com    812\n", written(t, tab, 24))
}

func TestTableLosesNothingWhenItWraps(t *testing.T) {
	t.Parallel()
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for width := 1; width < 40; width++ {
		lines := wrap("one two  three https://www.example.com/path", width)
		require.Equal(t, "onetwothreehttps://www.example.com/path", squeeze(strings.Join(lines, " ")), "at %d columns", width)
	}
}

func TestCleanTakesOutWhatControlsTheTerminal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"an escape sequence":            {"a\x1b[31mred", "a\uFFFD[31mred"},
		"line breaks and tabs":          {"a\nb\tc\r", "a b c"},
		"text that runs the other way":  {"exe.\u202egpj", "exe.\uFFFDgpj"},
		"characters without a width":    {"a\u200bb", "a\uFFFDb"},
		"bytes that are no text":        {"a\xffb", "a\uFFFDb"},
		"letters of any script stay":    {"Bücher 日本", "Bücher 日本"},
		"a text of blanks is no text":   {" \t ", ""},
		"a single carriage return only": {"\r", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, Clean(tc.in))
		})
	}
}

func FuzzTable(f *testing.F) {
	f.Add("https://www.example.com/", "日本語", 20)
	f.Add("\x1b[2J", "👩‍👩‍👧 family", 7)
	f.Add("e\u0301e\u0301e\u0301", "a b c d", 1)
	f.Fuzz(func(t *testing.T, a, b string, width int) {
		tab := &Table{Columns: []Column{{Title: "A", Wraps: true}, {Title: "B", Wraps: true, Right: true}}}
		tab.Add(a, b)
		width = 1 + (width&0x7f+0x80)&0x7f
		got := written(t, tab, width)
		for line := range strings.Lines(got) {
			require.NotContains(t, strings.TrimSuffix(line, "\n"), "\n")
			for _, r := range strings.TrimSuffix(line, "\n") {
				require.False(t, r < ' ' || r == 0x7f || r == 0x1b, "a control character was printed")
			}
		}
	})
}
