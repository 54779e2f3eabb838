package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/examples/internal/command"
)

// target is where the bytes of an export go.
type target interface {
	io.Writer
	commit() error
	abort()
}

// output is standard output, which cannot be taken back.
type output struct{ *bufio.Writer }

func (o output) commit() error { return o.Flush() }
func (o output) abort()        {}

// sink opens what the changes are written to. first says that nothing was exported before.
func (c *config) sink(e *command.Env, first bool) (sink, error) {
	if c.format == "blocklist" && c.out != "-" {
		return openBlocklist(c.out, first)
	}
	var to target = output{bufio.NewWriter(e.Stdout)}
	if c.out != "-" {
		f, err := replace(c.out, 0o644)
		if err != nil {
			return nil, err
		}
		to = f
	}
	switch c.format {
	case "csv":
		s := &csvSink{target: to, w: csv.NewWriter(to), raw: c.raw}
		if err := s.w.Write(csvHeader()); err != nil {
			to.abort()
			return nil, err
		}
		return s, nil
	case "jsonl":
		j := json.NewEncoder(to)
		j.SetEscapeHTML(false)
		return &jsonSink{to, j}, nil
	}
	return &blockChanges{to}, nil
}

// jsonSink writes an object a line.
type jsonSink struct {
	target
	j *json.Encoder
}

func (s *jsonSink) write(c *change) error { return s.j.Encode(c) }

// csvSink writes a row a change.
type csvSink struct {
	target
	w   *csv.Writer
	raw bool
}

func csvHeader() []string {
	return []string{
		"action", "owner", "type", "indicator", "rating", "confidence",
		"threat_assess_rating", "threat_assess_confidence", "threat_assess_score", "tags", "date_added", "last_modified",
	}
}

func (s *csvSink) write(c *change) error {
	text := defused
	if s.raw {
		text = func(s string) string { return s }
	}
	return s.w.Write([]string{
		c.Action, text(c.Owner), text(string(c.Type)), text(c.Indicator), decimal(c.Rating), whole(c.Confidence),
		decimal(c.ThreatAssessRating), decimal(c.ThreatAssessConfidence), whole(c.ThreatAssessScore),
		text(strings.Join(c.Tags, "; ")), date(c.DateAdded), date(c.LastModified),
	})
}

func (s *csvSink) commit() error {
	s.w.Flush()
	if err := s.w.Error(); err != nil {
		s.abort()
		return err
	}
	return s.target.commit()
}

// defused returns a text that no spreadsheet takes for a formula: an apostrophe, which they do not
// show, goes in front of what could begin one.
func defused(s string) string {
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
