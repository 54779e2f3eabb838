package threatconnect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// groupDef has the names that the API uses for a group type.
type groupDef struct {
	typ    GroupType
	branch string // path segment
	entity string // JSON key of one group and of a list
	new    func() Group
}

// groupDefs is the read-only table of the group types.
var groupDefs = [...]groupDef{
	{typ: GroupAdversary, branch: "adversaries", entity: "adversary", new: func() Group { return new(Adversary) }},
	{typ: GroupAttackPattern, branch: "attackPatterns", entity: "attackPattern", new: func() Group { return new(AttackPattern) }},
	{typ: GroupCampaign, branch: "campaigns", entity: "campaign", new: func() Group { return new(Campaign) }},
	{typ: GroupCourseOfAction, branch: "coursesOfAction", entity: "courseOfAction", new: func() Group { return new(CourseOfAction) }},
	{typ: GroupDocument, branch: "documents", entity: "document", new: func() Group { return new(Document) }},
	{typ: GroupEmail, branch: "emails", entity: "email", new: func() Group { return new(Email) }},
	{typ: GroupEvent, branch: "events", entity: "event", new: func() Group { return new(Event) }},
	{typ: GroupIncident, branch: "incidents", entity: "incident", new: func() Group { return new(Incident) }},
	{typ: GroupIntrusionSet, branch: "intrusionSets", entity: "intrusionSet", new: func() Group { return new(IntrusionSet) }},
	{typ: GroupMalware, branch: "malware", entity: "malware", new: func() Group { return new(Malware) }},
	{typ: GroupReport, branch: "reports", entity: "report", new: func() Group { return new(Report) }},
	{typ: GroupSignature, branch: "signatures", entity: "signature", new: func() Group { return new(Signature) }},
	{typ: GroupTactic, branch: "tactics", entity: "tactic", new: func() Group { return new(Tactic) }},
	{typ: GroupThreat, branch: "threats", entity: "threat", new: func() Group { return new(Threat) }},
	{typ: GroupTool, branch: "tools", entity: "tool", new: func() Group { return new(Tool) }},
	{typ: GroupVulnerability, branch: "vulnerabilities", entity: "vulnerability", new: func() Group { return new(Vulnerability) }},
}

// groupDefOf returns the definition of a type, or nil for an unknown type.
func groupDefOf(t GroupType) *groupDef {
	for i := range groupDefs {
		if groupDefs[i].typ == t {
			return &groupDefs[i]
		}
	}
	return nil
}

func (d *groupDef) collection() route { return at("v2", "groups", d.branch) }

func (d *groupDef) at(n int64) route { return d.collection().under(id(n)) }

// The target of a group of any type depends on its type and ID only.
func (g *Adversary) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *AttackPattern) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Campaign) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *CourseOfAction) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Document) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Email) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Event) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Incident) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *IntrusionSet) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Malware) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Report) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Signature) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Tactic) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Threat) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Tool) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *Vulnerability) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}
func (g *UnknownGroup) target(ctx context.Context, c *Client) (target, error) {
	return targetOfGroup(ctx, c, g)
}

func targetOfGroup(ctx context.Context, c *Client, g Group) (target, error) {
	if isNil(g) {
		return target{}, errNilGroup
	}
	return groupRefOf(g).target(ctx, c)
}

var errNilGroup = &ValidationError{Field: "group", Rule: "is nil"}

// knownGroupDef returns the definition of a type, or an error for an unknown type.
func knownGroupDef(t GroupType) (*groupDef, error) {
	def := groupDefOf(t)
	if def == nil {
		return nil, &ValidationError{Field: "group type", Rule: "is " + quoteForeign(string(t)) + ", not one of the sixteen group types"}
	}
	return def, nil
}

// specificGroup is a group type with fields in addition to those of GroupMeta.
type specificGroup interface {
	own(key []byte, r *wire.Reader) bool
	writeOwn(w *wire.Writer, m mode)
	checkOwn(m mode) error
}

func (d *Document) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "fileName":
		d.FileName = r.Text()
	case "malware":
		d.Malware = r.BoolPtr()
	case "password":
		d.Password = r.Text()
	case "status":
		d.Status = DocumentStatus(r.Text())
	case "fileType":
		d.FileType = r.Text()
	default:
		return d.AISummary.own(key, r)
	}
	return true
}

func (d *Document) writeOwn(w *wire.Writer, m mode) {
	text(w, "fileName", d.FileName)
	flag(w, "malware", d.Malware)
	text(w, "password", d.Password)
	d.AISummary.write(w, m)
}

func (d *Document) checkOwn(m mode) error {
	if d.Malware != nil && *d.Malware && d.Password == "" {
		return &ValidationError{Field: "document password", Rule: "is missing for malware", Fix: "set the password of the zip that holds it"}
	}
	return firstError(needs(m, modeCreate, "document file name", d.FileName), d.AISummary.check(m))
}

func (e *Email) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "subject":
		e.Subject = r.Text()
	case "header":
		e.Header = r.Text()
	case "body":
		e.Body = r.Text()
	case "from":
		e.From = r.Text()
	case "to":
		e.To = r.Text()
	case "score":
		e.Score = r.Float64Ptr()
	default:
		return false
	}
	return true
}

func (e *Email) writeOwn(w *wire.Writer, _ mode) {
	text(w, "subject", e.Subject)
	text(w, "header", e.Header)
	text(w, "body", e.Body)
	text(w, "from", e.From)
	text(w, "to", e.To)
}

func (e *Email) checkOwn(m mode) error {
	return firstError(needs(m, m, "email subject", e.Subject), needs(m, m, "email header", e.Header), needs(m, m, "email body", e.Body))
}

// statusOf returns the status of an event or incident. It is empty if the platform sent "None".
func statusOf[T ~string](v T) T {
	if v == "None" {
		return ""
	}
	return v
}

func (e *Event) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "eventDate":
		e.EventDate = r.Time()
	case "status":
		e.Status = statusOf(EventStatus(r.Text()))
	case "eventType":
		e.EventType = r.Text()
	default:
		return e.AISummary.own(key, r)
	}
	return true
}

func (e *Event) writeOwn(w *wire.Writer, m mode) {
	when(w, "eventDate", e.EventDate)
	text(w, "status", string(statusOf(e.Status)))
	if m == modeBatch {
		text(w, "eventType", e.EventType)
	}
	e.AISummary.write(w, m)
}

// eventStatuses begins with the statuses that single requests accept.
var eventStatuses = []EventStatus{
	EventNeedsReview, EventFalsePositive, EventNoFurtherAction, EventEscalated,
	EventCompleted, EventInProgress, EventNew, EventReopened,
}

const singleEventStatuses = 4

func (e *Event) checkOwn(m mode) error {
	statuses := eventStatuses
	if m == modeCreate {
		statuses = eventStatuses[:singleEventStatuses]
	}
	if e.EventType != "" && m == modeCreate {
		return batchOnly("event type")
	}
	return firstError(oneOf("event status", statusOf(e.Status), statuses), e.AISummary.check(m))
}

func (i *Incident) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "eventDate":
		i.EventDate = r.Time()
	case "status":
		i.Status = statusOf(IncidentStatus(r.Text()))
	default:
		return false
	}
	return true
}

func (i *Incident) writeOwn(w *wire.Writer, _ mode) {
	when(w, "eventDate", i.EventDate)
	text(w, "status", string(statusOf(i.Status)))
}

var incidentStatuses = []IncidentStatus{
	IncidentNew, IncidentOpen, IncidentStalled, IncidentContainmentAchieved, IncidentRestorationAchieved,
	IncidentReported, IncidentClosed, IncidentRejected, IncidentDeleted,
}

func (i *Incident) checkOwn(_ mode) error {
	return oneOf("incident status", statusOf(i.Status), incidentStatuses)
}

func (p *Report) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "fileName":
		p.FileName = r.Text()
	case "publishDate":
		p.PublishDate = r.Time()
	case "status":
		p.Status = DocumentStatus(r.Text())
	default:
		return p.AISummary.own(key, r)
	}
	return true
}

func (p *Report) writeOwn(w *wire.Writer, m mode) {
	text(w, "fileName", p.FileName)
	if m == modeBatch {
		when(w, "publishDate", p.PublishDate)
	}
	p.AISummary.write(w, m)
}

func (p *Report) checkOwn(m mode) error {
	if !p.PublishDate.IsZero() && m == modeCreate {
		return batchOnly("report publish date")
	}
	return firstError(needs(m, modeCreate, "report file name", p.FileName), p.AISummary.check(m))
}

func (s *Signature) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "fileName":
		s.FileName = r.Text()
	case "fileType":
		s.FileType = SignatureType(r.Text())
	case "fileText":
		s.FileText = r.Text()
	default:
		return false
	}
	return true
}

func (s *Signature) writeOwn(w *wire.Writer, _ mode) {
	text(w, "fileName", s.FileName)
	text(w, "fileType", string(s.FileType))
	text(w, "fileText", s.FileText)
}

func (s *Signature) checkOwn(m mode) error {
	return firstError(needs(m, m, "signature file name", s.FileName), needs(m, m, "signature file type", string(s.FileType)), needs(m, m, "signature text", s.FileText))
}

func batchOnly(field string) error {
	return notInCreate("group", field, "import the group with client.Batch")
}

// needs returns an error if v is empty and m is the mode that requires the field.
func needs(m, mode mode, field, v string) error {
	if m == mode && v == "" {
		return &ValidationError{Field: field, Rule: "is empty"}
	}
	return nil
}

// oneOf returns an error if v is neither empty nor one of the known values.
func oneOf[T ~string](field string, v T, known []T) error {
	if v == "" || slices.Contains(known, v) {
		return nil
	}
	return &ValidationError{Field: field, Rule: fmt.Sprintf("must be one of %q", known)}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// text writes a member unless v is empty.
func text(w *wire.Writer, key, v string) {
	if v != "" {
		w.Key(key)
		w.Text(v)
	}
}

// when writes a member unless t is zero.
func when(w *wire.Writer, key string, t time.Time) {
	if !t.IsZero() {
		w.Key(key)
		w.Time(t)
	}
}
