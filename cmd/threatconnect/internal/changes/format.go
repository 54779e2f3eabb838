package changes

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
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
type jsonSink struct {
	target
	enc *json.Encoder
}

func newJSONSink(to target) *jsonSink {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	return &jsonSink{to, enc}
}

func (s *jsonSink) write(r *row) error { return s.enc.Encode(r) }

// csvSink writes a header and a record per row. raw leaves formulas as they are.
type csvSink struct {
	target
	w   *csv.Writer
	raw bool
}

// newCSVSink writes the header. A failed write shows at the commit.
func newCSVSink(to target, raw bool) *csvSink {
	s := &csvSink{to, csv.NewWriter(to), raw}
	_ = s.w.Write([]string{
		"action", "owner", "type", "indicator", "rating", "confidence", "threatAssessRating",
		"threatAssessConfidence", "threatAssessScore", "tags", "dateAdded", "lastModified",
	})
	return s
}

func (s *csvSink) write(r *row) error {
	text := withoutFormula
	if s.raw {
		text = func(s string) string { return s }
	}
	return s.w.Write([]string{
		r.Action, text(r.Owner), text(string(r.Type)), text(r.Indicator), decimal(r.Rating), whole(r.Confidence),
		decimal(r.ThreatAssessRating), decimal(r.ThreatAssessConfidence), whole(r.ThreatAssessScore),
		text(strings.Join(r.Tags, "; ")), date(r.DateAdded), date(r.LastModified),
	})
}

// Commit flushes the records.
func (s *csvSink) Commit() error {
	s.w.Flush()
	if err := s.w.Error(); err != nil {
		return err
	}
	return s.target.Commit()
}

// withoutFormula puts an apostrophe before text that a spreadsheet would run as a formula. Spreadsheets
// do not show the apostrophe.
func withoutFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

func decimal(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func whole(v *int) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(*v)
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
}

func (s *listSink) write(r *row) error {
	before := ""
	if r.Action != changed {
		before = "# removed: "
	}
	for _, v := range s.liner.of(r) {
		if _, err := io.WriteString(s.target, before+v+"\n"); err != nil {
			return err
		}
	}
	return nil
}
