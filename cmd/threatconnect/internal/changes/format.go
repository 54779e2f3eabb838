package changes

import (
	"encoding/csv"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// Formats of the output.
const (
	formatCSV       = "csv"
	formatJSONLines = "jsonl"
	formatBlocklist = "blocklist"
)

// sink takes rows. Commit makes them visible and durable. Abort discards them unless Commit has been
// called.
type sink interface {
	write(r *row) error
	Commit() error
	Abort()
}

// jsonSink writes an object per line.
type jsonSink struct{ target }

func (s *jsonSink) write(r *row) error { return cli.WriteJSONLine(s.target, r) }

// csvSink writes a header and a record per row.
type csvSink struct {
	target
	w    *csv.Writer
	cell func(string) string // makes text safe for where it is read
}

// newCSVSink writes the header. A failed write shows at the commit.
func newCSVSink(to target, cell func(string) string) *csvSink {
	s := &csvSink{to, csv.NewWriter(to), cell}
	_ = s.w.Write([]string{
		"action", "owner", "type", "indicator", "rating", "confidence", "threatAssessRating",
		"threatAssessConfidence", "threatAssessScore", "tags", "dateAdded", "lastModified",
	})
	return s
}

func (s *csvSink) write(r *row) error {
	cells := []string{
		r.Action, r.Owner, string(r.Type), r.Indicator, cli.Decimal(r.Rating, ""), cli.Integer(r.Confidence, ""),
		cli.Decimal(r.ThreatAssessRating, ""), cli.Decimal(r.ThreatAssessConfidence, ""), cli.Integer(r.ThreatAssessScore, ""),
		strings.Join(r.Tags, "; "), date(r.DateAdded), date(r.LastModified),
	}
	for n := range cells {
		cells[n] = s.cell(cells[n])
	}
	return s.w.Write(cells)
}

// Commit flushes the records.
func (s *csvSink) Commit() error {
	s.w.Flush()
	if err := s.w.Error(); err != nil {
		return err
	}
	return s.target.Commit()
}

// unchanged is the text of a cell for programs.
func unchanged(s string) string { return s }

// withoutFormulas puts an apostrophe before text that a spreadsheet would run as a formula: at the beginning of a
// cell, and after every character at which a spreadsheet may split cells. Spreadsheets that split at another character
// than a comma treat quotation marks inside a cell as text.
func withoutFormulas(s string) string {
	var b strings.Builder
	copied, begins := 0, true // whether a cell can begin at i
	for i, r := range s {
		if begins && beginsFormula(strings.TrimLeft(s[i:], ` "`)) {
			b.WriteString(s[copied:i] + "'")
			copied = i
		}
		begins = strings.ContainsRune(",;|\t\r\n", r)
	}
	return b.String() + s[copied:]
}

func beginsFormula(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// listSink writes the changes of a block list: values, and comments for values to remove.
type listSink struct {
	target
	liner *liner
	shown func(string) string // makes a line safe for where it is read
}

func (s *listSink) write(r *row) error {
	before := ""
	if r.Action != changed {
		before = "# removed: "
	}
	for _, v := range s.liner.of(r) {
		if _, err := io.WriteString(s.target, s.shown(before+v)+"\n"); err != nil {
			return err
		}
	}
	return nil
}
