package lookup

import (
	"cmp"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// minTable is the width in columns that every table fits.
const minTable = 62

// row is a row of the table: a value in one owner, or one that no owner has.
type row struct {
	indicator string
	owner     string
	record    *record // nil if there is none
}

// addRows adds a result to the table. For a file it shows the hash that was asked for.
func (o *output) addRows(e *element) {
	for n := range e.Owners {
		o.rows = append(o.rows, row{e.shown(), cli.Clean(e.Owners[n].Owner), &e.Owners[n]})
	}
	switch {
	case e.Error != "":
		o.rows = append(o.rows, row{e.shown(), "(refused)", nil})
	case !e.Found:
		o.rows = append(o.rows, row{e.shown(), "(not found)", nil})
	}
}

// The columns of the table, from 1.
const (
	columnIndicator = 1 + iota
	columnOwner
	columnRating
	columnConfidence
	columnTARating
	columnTAConfidence
	columnScore
	columnTags
	columns = columnTags
)

// writeTable writes the rows, as wide as they are, or fitted to the terminal.
func (o *output) writeTable() error {
	header := []string{"INDICATOR", "OWNER", "RATING", "CONF.", "TA RATING", "TA CONF.", "SCORE", "TAGS"}
	var widths [columns + 1]int
	t := cli.NewTable()
	measured := func(cells []string) table.Row {
		r := make(table.Row, columns)
		for n, cell := range cells {
			widths[n+1] = max(widths[n+1], text.StringWidthWithoutEscSequences(cell))
			r[n] = cell
		}
		return r
	}
	t.ResetHeaders()
	t.AppendHeader(measured(header))
	for _, r := range o.rows {
		t.AppendRow(measured(o.cells(r)))
	}
	configs := make([]table.ColumnConfig, columns)
	for n := range configs {
		configs[n].Number = n + 1
		if n+1 > columnOwner && n+1 < columnTags {
			configs[n].Align, configs[n].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	if o.width > 0 {
		fit(configs, widths, o.width)
	}
	t.SetColumnConfigs(configs)
	return cli.WriteTable(o.env.Stdout, t)
}

// fit limits the columns to the width of a terminal. It wraps owners and tags, hides two columns of
// ThreatAssess if indicators need their space, and then shortens the indicators.
func fit(configs []table.ColumnConfig, widths [columns + 1]int, width int) {
	const gap = 2
	rest := width - gap*(columns-1)
	for n := columnRating; n <= columnScore; n++ {
		rest -= widths[n]
	}
	if rest < widths[columnIndicator]+min(widths[columnOwner], 16)+min(widths[columnTags], 16) {
		for _, n := range []int{columnTARating, columnTAConfidence} {
			configs[n-1].Hidden = true
			rest += widths[n] + gap
		}
	}
	owner := min(widths[columnOwner], max(rest/6, 12))
	tags := min(widths[columnTags], max(rest/6, 12))
	indicator := min(widths[columnIndicator], max(rest-owner-tags, 12))
	owner = min(widths[columnOwner], max(rest-indicator-tags, owner))
	tags = min(widths[columnTags], max(rest-indicator-owner, tags))
	limit := func(n, width int, enforce table.WidthEnforcer) {
		configs[n-1].WidthMax, configs[n-1].WidthMaxEnforcer = width, enforce
	}
	limit(columnIndicator, indicator, shorten)
	limit(columnOwner, owner, cli.Wrap)
	limit(columnTags, tags, cli.Wrap)
}

// cells returns the cells of a row.
func (o *output) cells(r row) []string {
	if r.record == nil {
		return []string{r.indicator, o.paint(r.owner, text.Faint), "-", "-", "-", "-", "-", "-"}
	}
	m := r.record
	tags := make([]string, len(m.Tags))
	for n, tag := range m.Tags {
		tags[n] = cli.Clean(tag)
	}
	return []string{
		r.indicator, r.owner, o.rating(m.Rating), cli.Integer(m.Confidence, "-"), cli.Decimal(m.ThreatAssessRating, "-"),
		cli.Decimal(m.ThreatAssessConfidence, "-"), o.score(m.ThreatAssessScore), cmp.Or(strings.Join(tags, ", "), "-"),
	}
}

// shorten replaces the middle of a text that is wider than a column by an ellipsis.
func shorten(s string, width int) string {
	excess := text.StringWidthWithoutEscSequences(s) - width
	if excess <= 0 {
		return s
	}
	head := text.Trim(s, width*2/3)
	tail := []rune(s[len(head):])
	for cut := -1; cut < excess && len(tail) > 0; tail = tail[1:] {
		cut += text.RuneWidth(tail[0])
	}
	return head + "…" + string(tail)
}

// rating writes a rating in the color of the score that it is a fifth of a thousandth of.
func (o *output) rating(r *float64) string {
	if r == nil {
		return "-"
	}
	return o.paint(cli.Decimal(r, "-"), severity(int(*r*200))...)
}

func (o *output) score(s *int) string {
	if s == nil {
		return "-"
	}
	return o.paint(cli.Number(int64(*s)), severity(*s)...)
}

// severity returns the color of a ThreatAssess score by the levels of the platform: low, medium, high
// and critical.
func severity(score int) []text.Color {
	switch {
	case score <= 200:
		return nil
	case score <= 500:
		return []text.Color{text.FgYellow}
	case score <= 800:
		return []text.Color{text.FgRed}
	}
	return []text.Color{text.Bold, text.FgRed}
}

// paint colors a text if standard output shows colors.
func (o *output) paint(s string, colors ...text.Color) string {
	if !o.color || len(colors) == 0 {
		return s
	}
	return text.Escape(s, text.Colors(colors).EscapeSeq())
}
