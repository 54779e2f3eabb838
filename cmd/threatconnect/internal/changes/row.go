package changes

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// Actions of rows.
const (
	changed   = "changed"   // added or changed
	deleted   = "deleted"   // deleted in ThreatConnect
	withdrawn = "withdrawn" // still there, but inactive or below a minimum
)

// row is a line of the output. Values that the platform did not send are nil or zero.
type row struct {
	Action                 string                      `json:"action"`
	Owner                  string                      `json:"owner"`
	Type                   threatconnect.IndicatorType `json:"type"`
	Indicator              string                      `json:"indicator"`
	Rating                 *float64                    `json:"rating,omitempty"`
	Confidence             *int                        `json:"confidence,omitempty"`
	ThreatAssessRating     *float64                    `json:"threatAssessRating,omitempty"`
	ThreatAssessConfidence *float64                    `json:"threatAssessConfidence,omitempty"`
	ThreatAssessScore      *int                        `json:"threatAssessScore,omitempty"`
	Tags                   []string                    `json:"tags"`
	DateAdded              time.Time                   `json:"dateAdded,omitzero"`
	LastModified           time.Time                   `json:"lastModified,omitzero"`
}

// newRow returns the row of a change, without its action.
func newRow(owner string, c threatconnect.Change) *row {
	r := &row{Owner: owner, Type: c.Ref.Type, Indicator: c.Ref.Value, Tags: []string{}}
	if c.Deleted {
		return r
	}
	r.Indicator = c.Indicator.Summary()
	m := c.Indicator.Meta()
	r.Rating, r.Confidence = m.Rating, m.Confidence
	r.ThreatAssessRating, r.ThreatAssessConfidence, r.ThreatAssessScore = m.ThreatAssessRating, m.ThreatAssessConfidence, m.ThreatAssessScore
	r.DateAdded, r.LastModified = m.DateAdded, m.LastModified
	for _, t := range m.Tags {
		r.Tags = append(r.Tags, t.Name)
	}
	return r
}

// selection decides which indicators are wanted. A minimum of 0 accepts everything.
type selection struct {
	types         []threatconnect.IndicatorType // sorted; empty means all
	minRating     float64
	minConfidence int
	minScore      int
}

// setTypes selects types by their names.
func (s *selection) setTypes(names []string) error {
	for _, name := range names {
		t, ok := cli.IndicatorType(name)
		if !ok {
			return cli.UsageError("--type must be of %s", cli.IndicatorTypeNames)
		}
		s.types = append(s.types, threatconnect.IndicatorType(t))
	}
	slices.Sort(s.types)
	s.types = slices.Compact(s.types)
	return nil
}

// check returns an error for a minimum outside of its range.
func (s *selection) check() error {
	switch {
	case !(s.minRating >= 0 && s.minRating <= 5): // NaN is outside, too
		return cli.UsageError("--min-rating must be 0 to 5")
	case s.minConfidence < 0 || s.minConfidence > 100:
		return cli.UsageError("--min-confidence must be 0 to 100")
	case s.minScore < 0 || s.minScore > 1000:
		return cli.UsageError("--min-score must be 0 to 1000")
	}
	return nil
}

// String describes the selection in the words of the flags. Equal selections have equal descriptions.
func (s *selection) String() string {
	var parts []string
	if len(s.types) > 0 {
		names := make([]string, len(s.types))
		for i, t := range s.types {
			names[i] = string(t)
		}
		parts = append(parts, "--type "+strings.Join(names, ","))
	}
	if s.minRating > 0 {
		parts = append(parts, "--min-rating "+strconv.FormatFloat(s.minRating, 'f', -1, 64))
	}
	if s.minConfidence > 0 {
		parts = append(parts, "--min-confidence "+strconv.Itoa(s.minConfidence))
	}
	if s.minScore > 0 {
		parts = append(parts, "--min-score "+strconv.Itoa(s.minScore))
	}
	return strings.Join(parts, " ")
}

func (s *selection) hasType(t threatconnect.IndicatorType) bool {
	return len(s.types) == 0 || slices.Contains(s.types, t)
}

// has reports whether an indicator of a selected type is active and reaches every minimum. An unknown
// rating, confidence or score reaches none.
func (s *selection) has(m *threatconnect.IndicatorMeta) bool {
	return (m.Active == nil || *m.Active) &&
		(s.minRating == 0 || m.Rating != nil && *m.Rating >= s.minRating) &&
		(s.minConfidence == 0 || m.Confidence != nil && *m.Confidence >= s.minConfidence) &&
		(s.minScore == 0 || m.ThreatAssessScore != nil && *m.ThreatAssessScore >= s.minScore)
}
