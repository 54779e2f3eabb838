package cli

import (
	"io"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
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
