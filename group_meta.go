package threatconnect

import (
	"encoding/json"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Group is one group of any type: [*Incident], [*Report], [*Adversary] and so on, or
// [*UnknownGroup]. Tell them apart with a type switch.
type Group interface {
	Resource
	BatchItem
	// Type returns the name of the type, for example GroupIncident.
	Type() GroupType
	// Meta returns the fields that all types have. It is never nil.
	Meta() *GroupMeta
	// Ref returns the reference to the group. The reference to a group that was not read or created has no
	// ID, and methods return a *ValidationError for it.
	Ref() GroupRef
}

// GroupMeta has the fields that groups of all types have. Fields marked "read only" are never sent.
type GroupMeta struct {
	ID           int64     `json:"id,omitzero"`           // read only
	Name         string    `json:"name,omitzero"`         // required; 1 to 100 characters
	Owner        Owner     `json:"owner,omitzero"`        // the owner that it was read from; lists set only the name
	DateAdded    time.Time `json:"dateAdded,omitzero"`    // read only
	LastModified time.Time `json:"lastModified,omitzero"` // read only
	WebLink      string    `json:"webLink,omitzero"`      // read only; never fetched
	// XID is an ID of your own, unique in the whole instance. Batch files require it: a second import with
	// the same xid overwrites the group. It is read with includeAdditional.
	XID string `json:"xid,omitzero"`

	Tags           []Tag           `json:"tag,omitzero"`           // read with Include.Tags, written by batch files
	Attributes     []Attribute     `json:"attribute,omitzero"`     // read with Include.Attributes, written by batch files
	SecurityLabels []SecurityLabel `json:"securityLabel,omitzero"` // read with Include.Labels, written by batch files

	// Additional has the fields that includeAdditional adds; nil if the platform sent none of them.
	Additional *GroupAdditional `json:"additional,omitzero"`

	FirstSeen time.Time `json:"firstSeen,omitzero"` // sent in single requests for campaigns only, in batch files for all groups

	// The remaining fields are written by batch files only.

	LastSeen             time.Time      `json:"lastSeen,omitzero"`             // when it was last seen
	ExternalDateAdded    time.Time      `json:"externalDateAdded,omitzero"`    // when the external system added it
	ExternalDateExpires  time.Time      `json:"externalDateExpires,omitzero"`  // when it expires in the external system
	ExternalLastModified time.Time      `json:"externalLastModified,omitzero"` // when it changed in the external system
	GroupXIDs            []string       `json:"associatedGroupXid,omitzero"`   // groups to associate with, by xid
	Associated           []IndicatorRef `json:"-"`                             // indicators to associate with

	// Extra has the members that this package has no field for, and members whose value does not fit their
	// field, which is then zero. The key of a nested member has a dot, for example "attribute.dateAdded".
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// GroupAdditional has the fields that includeAdditional adds.
type GroupAdditional struct {
	CreatedBy         string  `json:"createdBy,omitzero"`        // display name of the user who created it
	CommunityOrSource bool    `json:"communityOrSource"`         // whether the owner is a community or a source
	OtherOwners       []Owner `json:"additionalOwners,omitzero"` // other owners that have it
}

// Meta returns m.
func (m *GroupMeta) Meta() *GroupMeta { return m }

func (*GroupMeta) resource() {}

func (m *GroupMeta) additional() *GroupAdditional {
	if m.Additional == nil {
		m.Additional = new(GroupAdditional)
	}
	return m.Additional
}

// read reads the value of key and reports whether all types have the field.
func (m *GroupMeta) read(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "id":
		m.ID = r.ID()
	case "name":
		m.Name = r.Text()
	case "owner":
		m.Owner = readOwner(r)
	case "ownerName":
		m.Owner.Name = r.Text()
	case "dateAdded":
		m.DateAdded = r.Time()
	case "lastModified":
		m.LastModified = r.Time()
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
	case "createdBy":
		m.additional().CreatedBy = r.Text()
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

// readGroup reads one group of a known type.
func readGroup(r *wire.Reader, def *groupDef) Group { return new(interner).group(r, def) }

// readAnyGroup reads one element of a list of groups of all types.
func readAnyGroup(r *wire.Reader) Group { return new(interner).anyGroup(r) }

func (l *interner) group(r *wire.Reader, def *groupDef) Group {
	g := def.new()
	l.groupInto(r, g)
	return g
}

func (l *interner) groupInto(r *wire.Reader, g Group) {
	meta := g.Meta()
	own, _ := g.(specificGroup)
	before := r.Keep()
	for r.Object(); r.NextKey(); {
		key := r.Key()
		switch {
		case own != nil && own.own(key, r):
		case string(key) == "ownerName":
			meta.Owner.Name = l.ownerName(r)
		case string(key) == "type":
			r.Skip()
		case meta.read(key, r):
		default:
			keepExtra(&meta.Extra, r)
		}
	}
	keepMisfits(&meta.Extra, r.Kept(before))
}

// anyGroup reads a group of any type. It finds the type first, because the type can come after other fields.
func (l *interner) anyGroup(r *wire.Reader) Group {
	peek, typ := *r, GroupType("")
	peek.Charge(r)
	for peek.Object(); peek.NextKey(); {
		if string(peek.Key()) == "type" {
			typ = GroupType(l.typeName(&peek))
		} else {
			peek.Skip()
		}
	}
	if def := groupDefOf(typ); def != nil {
		return l.group(r, def)
	}
	g := &UnknownGroup{TypeName: typ, Raw: rawOf(r)}
	l.groupInto(r, g)
	return g
}

// checkSingle returns an error for fields that the request to create one group cannot carry.
func (m *GroupMeta) checkSingle(t GroupType) error {
	if m.XID != "" || !m.LastSeen.IsZero() || !m.ExternalDateAdded.IsZero() || !m.ExternalDateExpires.IsZero() || !m.ExternalLastModified.IsZero() ||
		!m.FirstSeen.IsZero() && t != GroupCampaign {
		return batchOnly("xid and the dates of an outside system")
	}
	return checkUnattached("group", m.Tags, m.Attributes, m.SecurityLabels, len(m.GroupXIDs)+len(m.Associated))
}

// groupBody returns the body of a request to create a group.
func groupBody(g Group) ([]byte, error) {
	if isNil(g) {
		return nil, errNilGroup
	}
	meta := g.Meta()
	if _, unknown := g.(*UnknownGroup); unknown {
		return nil, &ValidationError{Field: "group type", Rule: "is not a type of this package, so that it cannot be written"}
	}
	name, err := canonicalGroupName(meta.Name)
	if err == nil {
		err = meta.checkSingle(g.Type())
	}
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.BeginObject()
	text(&w, "name", name)
	if g.Type() == GroupCampaign {
		when(&w, "firstSeen", meta.FirstSeen)
	}
	if own, ok := g.(specificGroup); ok {
		if err := own.checkOwn(modeCreate); err != nil {
			return nil, err
		}
		own.writeOwn(&w, modeCreate)
	}
	w.EndObject()
	return written(&w, "group")
}

func (a *AISummary) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "insights":
		a.Insights = r.Text()
	case "aiProvider":
		a.AIProvider = r.Text()
	case "aiLastRetrievalDate":
		a.AILastRetrieval = r.Time()
	default:
		return false
	}
	return true
}

func (a *AISummary) write(w *wire.Writer, m mode) {
	if m == modeBatch {
		text(w, "insights", a.Insights)
		text(w, "aiProvider", a.AIProvider)
		when(w, "aiLastRetrievalDate", a.AILastRetrieval)
	}
}

func (a *AISummary) check(m mode) error {
	switch {
	case *a == AISummary{}:
		return nil
	case m == modeCreate:
		return batchOnly("AI summary")
	case a.Insights != "" && a.AIProvider == "":
		return &ValidationError{Field: "AI summary", Rule: "has insights and no provider"}
	}
	return nil
}
