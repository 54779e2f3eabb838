package threatconnect

import (
	"encoding/json"
	"maps"
	"reflect"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Indicator is one indicator of any type: [*Host], [*Address], [*File] and so on, or [*CustomIndicator]. Tell them
// apart with a type switch. Functions such as [NewHost] do not validate values: sending an invalid value returns a
// [*ValidationError].
type Indicator interface {
	Resource
	BatchItem
	// Type returns the name of the type, for example TypeHost.
	Type() IndicatorType
	// Summary returns the values as one string, as the platform's own lists show them.
	Summary() string
	// Meta returns the fields that all types have. It is never nil.
	Meta() *IndicatorMeta
	// Ref returns the reference to the indicator. If the indicator was read, the reference has the value as the
	// platform sent it.
	Ref() IndicatorRef

	values() [3]string
	setValues([3]string)
}

// specific is an indicator type with fields beyond its values.
type specific interface {
	own(key []byte, r *wire.Reader) bool
	writeOwn(w *wire.Writer, m mode)
}

// mode is the kind of request that an item is written for.
type mode int

const (
	modeCreate mode = iota
	modeBatch
)

// IndicatorMeta has the fields that indicators of all types have.
//
// A nil pointer means that the platform did not send the field, or that the field is not to be sent: 0 is a
// valid rating and false a valid status. Fields marked "read only" are never sent.
type IndicatorMeta struct {
	ID           int64     `json:"id,omitzero"`           // read only; 0 in deleted and observed indicators
	Owner        Owner     `json:"owner,omitzero"`        // the owner that it was read from; lists set only the name
	DateAdded    time.Time `json:"dateAdded,omitzero"`    // read only
	LastModified time.Time `json:"lastModified,omitzero"` // read only; set by creation, import, rating and confidence, not by tags or attributes
	Rating       *float64  `json:"rating,omitzero"`       // threat rating of the owner, 0 (unknown) to 5 (critical)
	Confidence   *int      `json:"confidence,omitzero"`   // confidence of the owner, 0 (unknown) to 100 (confirmed)
	Active       *bool     `json:"active,omitzero"`       // read with includeAdditional
	ActiveLocked *bool     `json:"activeLocked,omitzero"` // whether CAL must leave Active alone; read with includeAdditional
	Private      *bool     `json:"privateFlag,omitzero"`  // address, email address, file, host and URL only; the instance must allow it

	ThreatAssessRating     *float64 `json:"threatAssessRating,omitzero"`     // read only, 0 to 5, over all owners
	ThreatAssessConfidence *float64 `json:"threatAssessConfidence,omitzero"` // read only, 0 to 100, over all owners
	ThreatAssessScore      *int     `json:"threatAssessScore,omitzero"`      // read only, 0 to 1000, over all owners
	CALScore               *int     `json:"calScore,omitzero"`               // read only; nil if CAL has no score
	CALStatus              *int     `json:"calIndicatorStatus,omitzero"`     // read only
	Description            string   `json:"description,omitzero"`            // value of the default Description attribute; written by batch files only
	Source                 string   `json:"source,omitzero"`                 // read only: value of the default Source attribute
	WebLink                string   `json:"webLink,omitzero"`                // read only; never fetched

	Tags           []Tag           `json:"tag,omitzero"`           // read with Include.Tags, written by batch files
	Attributes     []Attribute     `json:"attribute,omitzero"`     // read with Include.Attributes, written by batch files
	SecurityLabels []SecurityLabel `json:"securityLabel,omitzero"` // read with Include.Labels, written by batch files

	// Additional has the fields that includeAdditional adds; nil if the platform sent none of them.
	Additional *IndicatorAdditional `json:"additional,omitzero"`

	// The remaining fields are written by batch files only.

	XID                  string         `json:"xid,omitzero"`                  // ID of your own, for associations within a file
	FirstSeen            time.Time      `json:"firstSeen,omitzero"`            // when it was first seen
	LastSeen             time.Time      `json:"lastSeen,omitzero"`             // when it was last seen
	ExternalDateAdded    time.Time      `json:"externalDateAdded,omitzero"`    // when the external system added it
	ExternalDateExpires  time.Time      `json:"externalDateExpires,omitzero"`  // when it expires in the external system
	ExternalLastModified time.Time      `json:"externalLastModified,omitzero"` // when it changed in the external system
	GroupXIDs            []string       `json:"associatedGroups,omitzero"`     // groups to associate with, by xid
	Associated           []IndicatorRef `json:"-"`                             // indicators to associate with; see BatchConfig

	// Extra has the members that this package has no field for, and members whose value does not fit their
	// field, which is then zero. The key of a nested member has a dot, for example "attribute.dateAdded".
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// IndicatorAdditional has the fields that includeAdditional adds.
type IndicatorAdditional struct {
	ObservationCount  int64     `json:"observationCount"`                   // number of observations by all users
	LastObserved      time.Time `json:"lastObserved,omitzero"`              // zero if never
	FalsePositives    int64     `json:"falsePositiveCount"`                 // number of reports as a false positive
	LastFalsePositive time.Time `json:"falsePositiveLastReported,omitzero"` // zero if never
	CommunityOrSource bool      `json:"communityOrSource"`                  // whether the owner is a community or a source
	OtherOwners       []Owner   `json:"additionalOwners,omitzero"`          // other owners that have it
}

// Meta returns m.
func (m *IndicatorMeta) Meta() *IndicatorMeta { return m }

func (*IndicatorMeta) resource() {}

// isNil reports whether v is nil or a nil pointer.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// additional returns m.Additional, which it allocates if it is nil.
func (m *IndicatorMeta) additional() *IndicatorAdditional {
	if m.Additional == nil {
		m.Additional = new(IndicatorAdditional)
	}
	return m.Additional
}

// read reads the value of key and reports whether all types have the field.
func (m *IndicatorMeta) read(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "id":
		m.ID = r.ID()
	case "owner":
		m.Owner = readOwner(r)
	case "ownerName":
		m.Owner.Name = r.Text()
	case "dateAdded":
		m.DateAdded = r.Time()
	case "lastModified":
		m.LastModified = r.Time()
	case "rating":
		m.Rating = r.Float64Ptr()
	case "confidence":
		m.Confidence = r.IntPtr()
	case "active":
		m.Active = r.BoolPtr()
	case "activeLocked":
		m.ActiveLocked = r.BoolPtr()
	case "privateFlag":
		m.Private = r.BoolPtr()
	case "threatAssessRating":
		m.ThreatAssessRating = r.Float64Ptr()
	case "threatAssessConfidence":
		m.ThreatAssessConfidence = r.Float64Ptr()
	case "threatAssessScore":
		m.ThreatAssessScore = r.IntPtr()
	case "calScore":
		m.CALScore = r.IntPtr()
	case "calIndicatorStatus":
		m.CALStatus = r.IntPtr()
	case "description":
		m.Description = r.Text()
	case "source":
		m.Source = r.Text()
	case "webLink":
		m.WebLink = r.Text()
	case "xid":
		m.XID = r.Text()
	case "tag":
		m.Tags = readList(r, readTag)
	case "attribute":
		m.Attributes = readList(r, readAttribute)
	case "securityLabel":
		m.SecurityLabels = readList(r, readSecurityLabel)
	case "observationCount":
		m.additional().ObservationCount = r.Int64()
	case "lastObserved":
		m.additional().LastObserved = r.Time()
	case "falsePositiveCount":
		m.additional().FalsePositives = r.Int64()
	case "falsePositiveLastReported":
		m.additional().LastFalsePositive = r.Time()
	case "communityOrSource":
		m.additional().CommunityOrSource = r.Bool()
	case "additionalOwners":
		m.additional().OtherOwners = readList(r, readOwner)
	case "firstSeen":
		m.FirstSeen = r.Time()
	case "lastSeen":
		m.LastSeen = r.Time()
	case "externalDateAdded":
		m.ExternalDateAdded = r.Time()
	case "externalDateExpires":
		m.ExternalDateExpires = r.Time()
	case "externalLastModified":
		m.ExternalLastModified = r.Time()
	default:
		return false
	}
	return true
}

// check returns an error for scores outside their ranges.
func (m *IndicatorMeta) check() error {
	if err := checkRating(m.Rating); err != nil {
		return err
	}
	return checkConfidence(m.Confidence)
}

func checkRating(v *float64) error {
	if v != nil && !(*v >= 0 && *v <= 5) {
		return &ValidationError{Field: "rating", Rule: "must be 0 to 5"}
	}
	return nil
}

func checkConfidence(v *int) error {
	if v != nil && (*v < 0 || *v > 100) {
		return &ValidationError{Field: "confidence", Rule: "must be 0 to 100"}
	}
	return nil
}

// checkSingle returns an error for fields that the request to create one indicator cannot carry.
func (m *IndicatorMeta) checkSingle() error {
	switch {
	case m.Description != "" || m.Source != "":
		return notInCreate("indicator", "description and source", "add a Description or Source attribute that is displayed")
	case m.XID != "" || !m.FirstSeen.IsZero() || !m.LastSeen.IsZero() || !m.ExternalDateAdded.IsZero() || !m.ExternalDateExpires.IsZero() || !m.ExternalLastModified.IsZero():
		return notInCreate("indicator", "xid and the dates of an outside system", "import the indicator with client.Batch")
	}
	return checkUnattached("indicator", m.Tags, m.Attributes, m.SecurityLabels, len(m.GroupXIDs)+len(m.Associated))
}

// checkUnattached returns an error if an indicator or a group to create has tags, attributes, labels or associations.
func checkUnattached(noun string, tags []Tag, attributes []Attribute, labels []SecurityLabel, associations int) error {
	orImport := ", or import the " + noun + " with client.Batch"
	switch {
	case len(tags) > 0:
		return notInCreate(noun, "tags", "add them with client.Tags.Add"+orImport)
	case len(attributes) > 0:
		return notInCreate(noun, "attributes", "add them with client.Attributes.Add"+orImport)
	case len(labels) > 0:
		return notInCreate(noun, "security labels", "apply them with client.SecurityLabels.Add"+orImport)
	case associations > 0:
		return notInCreate(noun, "associations", "link it with client.Associations.Link, or import it with client.Batch")
	}
	return nil
}

// notInCreate returns the error for a field that the request to create an indicator or a group cannot carry.
func notInCreate(noun, field, fix string) error {
	return &ValidationError{Field: field, Rule: "cannot be sent when a single " + noun + " is created", Fix: fix}
}

// write writes the fields that single requests send for all types.
func (m *IndicatorMeta) write(w *wire.Writer) {
	if m.Rating != nil {
		w.Name("rating")
		w.Float64(*m.Rating)
	}
	if m.Confidence != nil {
		w.Name("confidence")
		w.Int64(int64(*m.Confidence))
	}
	flag(w, "active", m.Active)
	flag(w, "activeLocked", m.ActiveLocked)
	flag(w, "privateFlag", m.Private)
}

// keepMisfits adds the values that a reader kept because they do not fit their field.
func keepMisfits(extra *map[string]json.RawMessage, kept map[string]json.RawMessage) {
	switch {
	case kept == nil:
	case *extra == nil:
		*extra = kept
	default:
		maps.Copy(*extra, kept)
	}
}

// keepExtra adds the member that r is at, which this package has no field for.
func keepExtra(extra *map[string]json.RawMessage, r *wire.Reader) {
	name := string(r.Key())
	const entry = 128 // bytes per entry while the map grows
	r.Spend(entry + len(name))
	raw := r.RawCopy()
	if raw == nil {
		return
	}
	if *extra == nil {
		*extra = make(map[string]json.RawMessage, 2)
	}
	(*extra)[name] = raw
}

// readList reads a list, or a single value in place of a list.
func readList[T any](r *wire.Reader, read func(*wire.Reader) T) []T {
	items := []T{}
	size := sizeOf[T]()
	for r.Array(); r.NextElem(); {
		r.Spend(size)
		items = append(items, read(r))
	}
	return items
}

// sizeOf returns the approximate size of an element of a list in bytes.
func sizeOf[T any]() int {
	switch t := reflect.TypeFor[T](); t.Kind() {
	case reflect.Interface, reflect.Pointer:
		return 1 << 10 // the largest struct with all of its fields and a map of unknown members
	default:
		return 9 * int(t.Size()) / 4 // while the slice grows by a quarter, both arrays are in memory
	}
}
