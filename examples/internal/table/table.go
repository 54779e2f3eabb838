// Package table prints rows under headings, in as many columns as the terminal has.
package table

import (
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Column is a column of a table.
type Column struct {
	Title string
	Right bool // whether its cells stand at the right, as numbers do
	Wraps bool // whether its cells may be broken into lines when the table is too wide
}

// Table is a table that is filled row by row and then written. The zero value with Columns set is
// ready to use.
type Table struct {
	Columns []Column
	rows    [][]string
}

const (
	gap     = 2  // columns between two cells
	narrow  = 10 // what a wrapping column is not made narrower than
	minimum = 20 // what a terminal is not taken to be narrower than
	nothing = "-"
)

// Add adds a row. Cells are cleaned: what could move the cursor or reorder text is taken out. Empty
// ones become a dash.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(t.Columns))
	for i := range row {
		row[i] = nothing
		if i < len(cells) {
			if c := Clean(cells[i]); c != "" {
				row[i] = c
			}
		}
	}
	t.rows = append(t.rows, row)
}

// Len returns how many rows there are.
func (t *Table) Len() int { return len(t.rows) }

// Write writes the table in at most width columns; 0 means as many as it needs. Cells are never
// cut: they are broken into lines, and where that does not help, every row becomes a block with a
// line a cell.
func (t *Table) Write(w io.Writer, width int) error {
	widths := t.widths(Width)
	if width > 0 && total(widths) > max(width, minimum) {
		width = max(width, minimum)
		widths = t.widths(widestWord) // titles may be broken, too
		if !t.fit(widths, width) {
			return t.writeBlocks(w, width)
		}
	}
	var b strings.Builder
	titles := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = c.Title
	}
	t.writeRow(&b, titles, widths, true)
	for _, row := range t.rows {
		t.writeRow(&b, row, widths, false)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths returns how wide the columns would like to be, with titles as wide as title says.
func (t *Table) widths(title func(string) int) []int {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = title(c.Title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], Width(row[i]))
		}
	}
	return widths
}

func total(widths []int) int {
	n := gap * (len(widths) - 1)
	for _, w := range widths {
		n += w
	}
	return n
}

func widestWord(s string) int {
	n := 0
	for word := range strings.FieldsSeq(s) {
		n = max(n, Width(word))
	}
	return n
}

// fit takes from the widest wrapping columns what is too much. It reports whether that was enough.
func (t *Table) fit(widths []int, width int) bool {
	for n := total(widths); n > width; n-- {
		widest := -1
		for i, c := range t.Columns {
			if c.Wraps && widths[i] > max(narrow, widestWord(c.Title)) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return false
		}
		widths[widest]--
	}
	return true
}

// writeRow writes a row; cells with fewer lines than others stand at the top, or at the bottom.
func (t *Table) writeRow(b *strings.Builder, cells []string, widths []int, bottom bool) {
	lines := make([][]string, len(cells))
	most := 0
	for i, c := range cells {
		lines[i] = wrap(c, widths[i])
		most = max(most, len(lines[i]))
	}
	for n := range most {
		var line strings.Builder
		for i := range cells {
			text, at := "", n
			if bottom {
				at -= most - len(lines[i])
			}
			if at >= 0 && at < len(lines[i]) {
				text = lines[i][at]
			}
			pad := strings.Repeat(" ", max(0, widths[i]-Width(text)))
			if t.Columns[i].Right {
				line.WriteString(pad + text)
			} else {
				line.WriteString(text + pad)
			}
			line.WriteString(strings.Repeat(" ", gap))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// writeBlocks writes a row as a block with a line a cell.
func (t *Table) writeBlocks(w io.Writer, width int) error {
	title := 0
	for _, c := range t.Columns {
		title = max(title, Width(c.Title))
	}
	var b strings.Builder
	for i, row := range t.rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, c := range t.Columns {
			for n, line := range wrap(row[j], max(1, width-title-gap)) {
				head := c.Title
				if n > 0 {
					head = ""
				}
				b.WriteString(head + strings.Repeat(" ", title+gap-Width(head)) + line + "\n")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Width returns how many columns a text takes on a terminal.
func Width(s string) int { return runewidth.StringWidth(s) }
