package lookup

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/examples/internal/table"
)

// output shows findings and counts them.
type output struct {
	env   *command.Env
	json  bool
	table table.Table

	values, found, refused int
}

// element is a finding in JSON.
type element struct {
	Value      string                      `json:"value"`          // as it was given
	Line       int                         `json:"line,omitempty"` // in place of a value that is too long to be shown
	Type       threatconnect.IndicatorType `json:"type,omitempty"`
	Identifier string                      `json:"identifier,omitempty"` // the value as the platform has it
	Found      bool                        `json:"found"`
	Error      string                      `json:"error,omitempty"`
	Owners     []record                    `json:"owners"`
}

// record is what one owner has. What the platform did not say is null.
type record struct {
	Owner                  string   `json:"owner"`
	Identifier             string   `json:"identifier"`
	Rating                 *float64 `json:"rating"`
	Confidence             *int     `json:"confidence"`
	ThreatAssessRating     *float64 `json:"threatAssessRating"`
	ThreatAssessConfidence *float64 `json:"threatAssessConfidence"`
	ThreatAssessScore      *int     `json:"threatAssessScore"`
	Tags                   []string `json:"tags"`
}

// recordOf returns what an owner has of the value that was asked for. An indicator of the instance's
// own types does not say in which of its fields the value stands.
func recordOf(asked string, ind threatconnect.Indicator) record {
	m := ind.Meta()
	r := record{
		m.Owner.Name, cmp.Or(ind.Summary(), asked), m.Rating, m.Confidence,
		m.ThreatAssessRating, m.ThreatAssessConfidence, m.ThreatAssessScore, make([]string, len(m.Tags)),
	}
	for i, t := range m.Tags {
		r.Tags[i] = t.Name
	}
	return r
}

// add shows a finding: at once in JSON, with end in a table.
func (o *output) add(f *finding) error {
	o.values++
	e := element{Value: f.given, Line: f.line, Type: f.ref.Type, Identifier: f.ref.Value, Found: len(f.found) > 0, Owners: []record{}}
	for _, ind := range f.found {
		e.Owners = append(e.Owners, recordOf(f.ref.Value, ind))
	}
	switch {
	case f.refused != nil:
		o.refused++
		e.Error = command.Plain(f.refused)
		what := fmt.Sprintf("%q", f.given)
		if f.line > 0 {
			what = fmt.Sprintf("line %d", f.line)
		}
		o.env.Say(name, "%s: %s", what, e.Error)
	case e.Found:
		o.found++
	}
	if !o.json {
		o.addRows(&e)
		return nil
	}
	before := ",\n"
	if o.values == 1 {
		before = "[\n"
	}
	if _, err := io.WriteString(o.env.Stdout, before); err != nil {
		return err
	}
	b, err := json.Marshal(e)
	if err == nil {
		_, err = o.env.Stdout.Write(b)
	}
	return err
}

// addRows puts a finding into the table, a row an owner.
func (o *output) addRows(e *element) {
	if o.table.Columns == nil {
		o.table.Columns = []table.Column{
			{Title: "IDENTIFIER", Wraps: true}, {Title: "OWNER", Wraps: true},
			{Title: "RATING", Right: true}, {Title: "CONF", Right: true},
			{Title: "TA RATING", Right: true}, {Title: "TA CONF", Right: true}, {Title: "TA SCORE", Right: true},
			{Title: "TAGS", Wraps: true},
		}
	}
	switch {
	case e.Line > 0:
		o.table.Add(fmt.Sprintf("line %d", e.Line), "(refused)")
	case e.Error != "" && e.Identifier == "":
		o.table.Add(e.Value, "(refused)")
	case e.Error != "":
		o.table.Add(e.Identifier, "(refused)")
	case !e.Found:
		o.table.Add(e.Identifier, "(not found)")
	}
	for _, r := range e.Owners {
		o.table.Add(r.Identifier, r.Owner, decimal(r.Rating), whole(r.Confidence),
			decimal(r.ThreatAssessRating), decimal(r.ThreatAssessConfidence), whole(r.ThreatAssessScore), join(r.Tags))
	}
}

// end shows what has not been shown yet.
func (o *output) end() error {
	if o.json {
		end := "\n]\n"
		if o.values == 0 {
			end = "[]\n"
		}
		_, err := io.WriteString(o.env.Stdout, end)
		return err
	}
	if o.values == 0 {
		return nil
	}
	if err := o.table.Write(o.env.Stdout, o.env.Width(o.env.Stdout)); err != nil {
		return err
	}
	if o.values > 1 {
		o.env.Say(name, "%s", o.summary())
	}
	return nil
}

func (o *output) summary() string {
	s := fmt.Sprintf("%d of %d values found", o.found, o.values)
	if o.refused > 0 {
		s += fmt.Sprintf(", %d refused", o.refused)
	}
	return s
}

func (o *output) code() int {
	switch {
	case o.refused > 0:
		return command.Error
	case o.found < o.values:
		return someNotFound
	}
	return command.OK
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
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

func join(tags []string) string {
	s := ""
	for i, t := range tags {
		if i > 0 {
			s += ", "
		}
		s += t
	}
	return s
}
