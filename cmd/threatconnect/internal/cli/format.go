package cli

import (
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Number writes n with a comma between groups of three digits.
func Number(n int64) string { return humanize.Comma(n) }

// Count writes a number and its noun, which gets an s unless n is 1.
func Count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// Decimal writes a number, or none if it is nil.
func Decimal(v *float64, none string) string {
	if v == nil {
		return none
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// Integer writes a number, or none if it is nil.
func Integer(v *int, none string) string {
	if v == nil {
		return none
	}
	return strconv.Itoa(*v)
}

// Clean makes foreign text safe to print as a part of a line. White space becomes a space, and
// characters that a terminal does not show, or that control it or the direction of the text, become
// U+FFFD. Leading and trailing spaces are removed.
func Clean(s string) string { return strings.TrimSpace(strings.Map(printable, s)) }

// cleanLines makes text safe to print as Clean does, and keeps its lines.
func cleanLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return printable(r)
	}, s)
}

func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsPrint(r):
		return unicode.ReplacementChar
	}
	return r
}

// Wrap wraps a text at words, and words that are longer than a line anywhere. Lines do not end in spaces.
func Wrap(s string, width int) string {
	lines := strings.Split(text.WrapSoft(s, width), "\n")
	for n, line := range lines {
		lines[n] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// NewTable returns a table without borders for results on Stdout. Add rows, configure its columns, and
// write it with WriteTable.
func NewTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.AppendHeader(header)
	style := table.StyleDefault
	style.Options = table.Options{}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

// WriteTable writes a table.
func WriteTable(w io.Writer, t table.Writer) error {
	_, err := io.WriteString(w, strings.TrimRight(t.Render(), "\n")+"\n")
	return err
}
