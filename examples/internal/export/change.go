package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/value"
)

// What has happened to an indicator.
const (
	changed   = "changed"
	deleted   = "deleted"
	withdrawn = "withdrawn"
)

// change is a row of an export. What the platform did not say is nil or zero.
type change struct {
	Action                 string                      `json:"action"`
	Owner                  string                      `json:"owner"`
	Type                   threatconnect.IndicatorType `json:"type"`
	Indicator              string                      `json:"indicator"`
	Rating                 *float64                    `json:"rating,omitempty"`
	Confidence             *int                        `json:"confidence,omitempty"`
	ThreatAssessRating     *float64                    `json:"threatAssessRating,omitempty"`
	ThreatAssessConfidence *float64                    `json:"threatAssessConfidence,omitempty"`
	ThreatAssessScore      *int                        `json:"threatAssessScore,omitempty"`
	Tags                   []string                    `json:"tags,omitempty"`
	DateAdded              time.Time                   `json:"dateAdded,omitzero"`
	LastModified           time.Time                   `json:"lastModified,omitzero"`
}

func changeOf(owner string, ind threatconnect.Indicator) *change {
	m := ind.Meta()
	c := &change{
		Action: changed, Owner: owner, Type: ind.Type(), Indicator: ind.Summary(),
		Rating: m.Rating, Confidence: m.Confidence,
		ThreatAssessRating: m.ThreatAssessRating, ThreatAssessConfidence: m.ThreatAssessConfidence, ThreatAssessScore: m.ThreatAssessScore,
		DateAdded: m.DateAdded, LastModified: m.LastModified,
	}
	for _, t := range m.Tags {
		c.Tags = append(c.Tags, t.Name)
	}
	return c
}

// filter says which indicators are wanted. A minimum below 0 asks for nothing.
type filter struct {
	types         []threatconnect.IndicatorType
	minRating     float64
	minConfidence int
	minScore      int
}

func (f *filter) setTypes(s string) error {
	known := []threatconnect.IndicatorType{
		threatconnect.TypeAddress, threatconnect.TypeASN, threatconnect.TypeCIDR, threatconnect.TypeEmailAddress,
		threatconnect.TypeEmailSubject, threatconnect.TypeFile, threatconnect.TypeHashtag, threatconnect.TypeHost,
		threatconnect.TypeMutex, threatconnect.TypeRegistryKey, threatconnect.TypeURL, threatconnect.TypeUserAgent,
	}
	for part := range strings.SplitSeq(s, ",") {
		i := slices.IndexFunc(known, func(t threatconnect.IndicatorType) bool { return value.PlainName(string(t)) == value.PlainName(part) })
		if i < 0 {
			var names []string
			for _, t := range known {
				names = append(names, value.PlainName(string(t)))
			}
			return errors.New("want some of " + strings.Join(names, ", "))
		}
		if !slices.Contains(f.types, known[i]) {
			f.types = append(f.types, known[i])
		}
	}
	slices.Sort(f.types)
	return nil
}

// String describes the filter; equal filters have equal descriptions.
func (f *filter) String() string {
	var parts []string
	if f.minRating >= 0 {
		parts = append(parts, fmt.Sprintf("rating %g", f.minRating))
	}
	if f.minConfidence >= 0 {
		parts = append(parts, fmt.Sprintf("confidence %d", f.minConfidence))
	}
	if f.minScore >= 0 {
		parts = append(parts, fmt.Sprintf("score %d", f.minScore))
	}
	for _, t := range f.types {
		parts = append(parts, string(t))
	}
	return strings.Join(parts, ", ")
}

func (f *filter) wantsType(t threatconnect.IndicatorType) bool {
	return len(f.types) == 0 || slices.Contains(f.types, t)
}

// wants reports whether an indicator of a wanted type is active and high enough. What the platform
// did not say is not high enough for any minimum.
func (f *filter) wants(m *threatconnect.IndicatorMeta) bool {
	switch {
	case m.Active != nil && !*m.Active:
	case f.minRating >= 0 && (m.Rating == nil || *m.Rating < f.minRating):
	case f.minConfidence >= 0 && (m.Confidence == nil || *m.Confidence < f.minConfidence):
	case f.minScore >= 0 && (m.ThreatAssessScore == nil || *m.ThreatAssessScore < f.minScore):
	default:
		return true
	}
	return false
}
