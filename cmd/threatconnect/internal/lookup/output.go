package lookup

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// output shows results and counts them.
type output struct {
	*command
	client *threatconnect.Client
	width  int  // of the terminal; 0 if standard output is not one
	color  bool // whether standard output shows colors
	array  *cli.JSONArray
	rows   []row // of the table

	values, found, refused int
}

// element is a result in JSON.
type element struct {
	Value     string                      `json:"value"`         // as it was given
	Line      int                         `json:"line,omitzero"` // of standard input
	Type      threatconnect.IndicatorType `json:"type,omitzero"`
	Indicator string                      `json:"indicator,omitzero"` // the value in canonical form
	Found     bool                        `json:"found"`
	Error     string                      `json:"error,omitzero"`
	Owners    []record                    `json:"owners"`

	place string // of the value
}

// shown returns the name of the value in texts. It is the place of a value without a canonical form, which can be a
// secret by mistake.
func (e *element) shown() string { return cmp.Or(cli.Clean(e.Indicator), e.place) }

// record is an indicator in one owner. Numbers that the platform did not send are null; texts, times
// and lists that it did not send, or that were not read, are missing.
type record struct {
	Owner                  string      `json:"owner"`
	Indicator              string      `json:"indicator"` // with all hashes of a file
	Rating                 *float64    `json:"rating"`
	Confidence             *int        `json:"confidence"`
	ThreatAssessRating     *float64    `json:"threatAssessRating"`
	ThreatAssessConfidence *float64    `json:"threatAssessConfidence"`
	ThreatAssessScore      *int        `json:"threatAssessScore"`
	CALScore               *int        `json:"calScore"`
	Active                 *bool       `json:"active"`
	Observations           *int64      `json:"observations"`
	LastObserved           time.Time   `json:"lastObserved,omitzero"`
	FalsePositives         *int64      `json:"falsePositives"`
	LastFalsePositive      time.Time   `json:"lastFalsePositive,omitzero"`
	DateAdded              time.Time   `json:"dateAdded,omitzero"`
	LastModified           time.Time   `json:"lastModified,omitzero"`
	Description            string      `json:"description,omitzero"`
	Source                 string      `json:"source,omitzero"`
	WebLink                string      `json:"webLink,omitzero"`
	Tags                   []string    `json:"tags"`
	SecurityLabels         []string    `json:"securityLabels,omitzero"`
	Attributes             []attribute `json:"attributes,omitzero"`
	Groups                 []group     `json:"groups,omitzero"`
}

type attribute struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type group struct {
	ID   int64                   `json:"id"`
	Type threatconnect.GroupType `json:"type"`
	Name string                  `json:"name"`
}

// newRecord returns the record of an indicator. asked is its value if the indicator is of a custom type, whose
// summary can be empty.
func newRecord(asked string, ind threatconnect.Indicator) record {
	m := ind.Meta()
	r := record{
		Owner: m.Owner.Name, Indicator: cmp.Or(ind.Summary(), asked), Rating: m.Rating, Confidence: m.Confidence,
		ThreatAssessRating: m.ThreatAssessRating, ThreatAssessConfidence: m.ThreatAssessConfidence, ThreatAssessScore: m.ThreatAssessScore,
		CALScore: m.CALScore, Active: m.Active, DateAdded: m.DateAdded, LastModified: m.LastModified,
		Description: m.Description, Source: m.Source, WebLink: m.WebLink, Tags: make([]string, len(m.Tags)),
	}
	for n, t := range m.Tags {
		r.Tags[n] = t.Name
	}
	if a := m.Additional; a != nil {
		r.Observations, r.LastObserved = &a.ObservationCount, a.LastObserved
		r.FalsePositives, r.LastFalsePositive = &a.FalsePositives, a.LastFalsePositive
	}
	return r
}

// addDetails adds the details, which cost one request per page of groups.
func (o *output) addDetails(ctx context.Context, r *record, ind threatconnect.Indicator) error {
	r.SecurityLabels, r.Attributes, r.Groups = []string{}, []attribute{}, []group{}
	for _, l := range ind.Meta().SecurityLabels {
		r.SecurityLabels = append(r.SecurityLabels, l.Name)
	}
	for _, a := range ind.Meta().Attributes {
		r.Attributes = append(r.Attributes, attribute{a.Type, a.Value})
	}
	for g, err := range o.client.Associations.Groups(ctx, ind, nil) {
		if err != nil {
			return err
		}
		r.Groups = append(r.Groups, group{g.Meta().ID, g.Type(), g.Meta().Name})
	}
	return nil
}

// add writes a result as JSON or details, or adds it to the table that end writes. Narrow terminals get no table.
func (o *output) add(ctx context.Context, in input, result threatconnect.LookupResult) error {
	e := element{
		Value: in.value, Line: in.line, Type: result.Ref.Type, Indicator: result.Ref.Value,
		Found: len(result.Found) > 0, Owners: []record{}, place: in.place,
	}
	err := result.Err
	for _, ind := range result.Found {
		r := newRecord(result.Ref.Value, ind)
		if o.details {
			err = errors.Join(err, o.addDetails(ctx, &r, ind))
		}
		e.Owners = append(e.Owners, r)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	o.values++
	switch {
	case err != nil:
		o.refused++
		e.Error = explain(err)
		o.env.Printf("%s: %s: %s", o.name, e.shown(), e.Error)
	case e.Found:
		o.found++
	}
	switch {
	case o.json:
		return o.array.Add(e)
	case o.details, o.width > 0 && o.width < minTable:
		return o.writeDetails(&e)
	}
	o.addRows(&e)
	return nil
}

// explain describes the error of a value.
func explain(err error) string {
	if bad, ok := errors.AsType[*threatconnect.ValidationError](err); ok && strings.Contains(bad.Fix, "use a ") {
		err = &threatconnect.ValidationError{Field: bad.Field, Rule: bad.Rule, Fix: "name its type with --type if it has one"}
	}
	return cli.Explain(err)
}

// end writes the table and the summary.
func (o *output) end() error {
	switch {
	case o.json:
		if err := o.array.End(); err != nil {
			return err
		}
	case len(o.rows) > 0:
		if err := o.writeTable(); err != nil {
			return err
		}
	}
	if o.values > 1 {
		summary := cli.Number(int64(o.found)) + " of " + cli.Number(int64(o.values)) + " values found"
		if o.refused > 0 {
			summary += ", " + cli.Number(int64(o.refused)) + " refused"
		}
		o.env.Printf("%s", summary)
	}
	return nil
}

// exit returns nil, an ExitCode, or an error if there was no value.
func (o *output) exit() error {
	switch {
	case o.values == 0:
		return errors.New("there is nothing to look up: give values as arguments, or as lines of standard input")
	case o.refused > 0:
		return cli.ExitCode(cli.Failure)
	case o.found < o.values:
		return cli.ExitCode(cli.Partial)
	}
	return nil
}
