package threatconnect

import (
	"encoding/json"
	"time"
)

// GroupType is the name of a group type in lists and batch files.
type GroupType string

// The sixteen group types.
const (
	GroupAdversary      GroupType = "Adversary"
	GroupAttackPattern  GroupType = "Attack Pattern"
	GroupCampaign       GroupType = "Campaign"
	GroupCourseOfAction GroupType = "Course of Action"
	GroupDocument       GroupType = "Document"
	GroupEmail          GroupType = "Email"
	GroupEvent          GroupType = "Event"
	GroupIncident       GroupType = "Incident"
	GroupIntrusionSet   GroupType = "Intrusion Set"
	GroupMalware        GroupType = "Malware"
	GroupReport         GroupType = "Report"
	GroupSignature      GroupType = "Signature"
	GroupTactic         GroupType = "Tactic"
	GroupThreat         GroupType = "Threat"
	GroupTool           GroupType = "Tool"
	GroupVulnerability  GroupType = "Vulnerability"
)

// Adversary is a person or an organization that carries out attacks.
type Adversary struct{ GroupMeta }

// AttackPattern is a way to attack, for example a technique of MITRE ATT&CK.
type AttackPattern struct{ GroupMeta }

// Campaign is a series of attacks. [ByFirstSeen] filters lists of campaigns.
type Campaign struct{ GroupMeta }

// CourseOfAction is a measure against an attack.
type CourseOfAction struct{ GroupMeta }

// Document is a file on the platform. Its content is uploaded separately; see [DocumentsService.Upload].
type Document struct {
	GroupMeta
	FileName string         `json:"fileName,omitzero"` // required
	Malware  *bool          `json:"malware,omitzero"`  // whether the content is malware, which must then be a zip protected with Password
	Password string         `json:"password,omitzero"` // password of the zip; the platform does not return it
	Status   DocumentStatus `json:"status,omitzero"`   // read only
	FileType string         `json:"fileType,omitzero"` // read only
	AISummary
}

// Email is an email.
type Email struct {
	GroupMeta
	Subject string   `json:"subject,omitzero"` // required
	Header  string   `json:"header,omitzero"`  // required
	Body    string   `json:"body,omitzero"`    // required
	From    string   `json:"from,omitzero"`
	To      string   `json:"to,omitzero"`
	Score   *float64 `json:"score,omitzero"` // read only
}

// Event is an occurrence that may become an incident.
type Event struct {
	GroupMeta
	EventDate time.Time   `json:"eventDate,omitzero"` // set by the platform if zero; some instances require it
	Status    EventStatus `json:"status,omitzero"`    // empty if there is none, or if the platform sends "None"
	EventType string      `json:"eventType,omitzero"` // written by batch files only
	AISummary
}

// Incident is an attack that happened.
type Incident struct {
	GroupMeta
	EventDate time.Time      `json:"eventDate,omitzero"` // set by the platform if zero; some instances require it
	Status    IncidentStatus `json:"status,omitzero"`    // empty if there is none, or if the platform sends "None"; read with includeAdditional
}

// IntrusionSet is a group of attacks by a common actor.
type IntrusionSet struct{ GroupMeta }

// Malware is a piece of malware or a malware family.
type Malware struct{ GroupMeta }

// Report is a written report with a file. Its content is uploaded separately; see [ReportsService.Upload].
type Report struct {
	GroupMeta
	FileName    string         `json:"fileName,omitzero"`    // required
	PublishDate time.Time      `json:"publishDate,omitzero"` // written by batch files and by updates
	Status      DocumentStatus `json:"status,omitzero"`      // read only
	AISummary
}

// Signature is a detection rule. Create sends its text; [SignaturesService.Text] reads it.
type Signature struct {
	GroupMeta
	FileName string        `json:"fileName,omitzero"` // required, also in updates
	FileType SignatureType `json:"fileType,omitzero"` // required, also in updates
	FileText string        `json:"fileText,omitzero"` // required; the platform does not return it with the group
}

// Tactic is an attacker's goal, for example a tactic of MITRE ATT&CK.
type Tactic struct{ GroupMeta }

// Threat is a group of related activity, whether or not the actor is known.
type Threat struct{ GroupMeta }

// Tool is a legitimate program that attackers use.
type Tool struct{ GroupMeta }

// Vulnerability is a weakness, for example a CVE.
type Vulnerability struct{ GroupMeta }

// UnknownGroup is a group of a type that this package does not know. It can be read but not written.
type UnknownGroup struct {
	GroupMeta
	TypeName GroupType       `json:"type"`
	Raw      json.RawMessage `json:"-"` // the JSON that it was read from
}

// AISummary is an AI-generated summary. Only batch files write it, and only instances that allow it show it.
type AISummary struct {
	Insights        string    `json:"insights,omitzero"`            // Markdown; needs AIProvider
	AIProvider      string    `json:"aiProvider,omitzero"`          // the AI that wrote it
	AILastRetrieval time.Time `json:"aiLastRetrievalDate,omitzero"` // when it was fetched
}

// DocumentStatus is the status of the content of a document or report.
type DocumentStatus string

// The statuses of the content of a document or report.
const (
	DocumentSuccess        DocumentStatus = "Success"
	DocumentAwaitingUpload DocumentStatus = "Awaiting Upload"
	DocumentInProgress     DocumentStatus = "In Progress"
	DocumentFailed         DocumentStatus = "Failed"
	DocumentNone           DocumentStatus = "None"
)

// EventStatus is the status of an event.
type EventStatus string

// The statuses of an event. The platform accepts the first four in single requests, and all of them in batch
// files.
const (
	EventNeedsReview     EventStatus = "Needs Review"
	EventFalsePositive   EventStatus = "False Positive"
	EventNoFurtherAction EventStatus = "No Further Action"
	EventEscalated       EventStatus = "Escalated"
	EventCompleted       EventStatus = "Completed"
	EventInProgress      EventStatus = "In Progress"
	EventNew             EventStatus = "New"
	EventReopened        EventStatus = "Reopened"
)

// IncidentStatus is the status of an incident.
type IncidentStatus string

// The statuses of an incident.
const (
	IncidentNew                 IncidentStatus = "New"
	IncidentOpen                IncidentStatus = "Open"
	IncidentStalled             IncidentStatus = "Stalled"
	IncidentContainmentAchieved IncidentStatus = "Containment Achieved"
	IncidentRestorationAchieved IncidentStatus = "Restoration Achieved"
	IncidentReported            IncidentStatus = "Incident Reported"
	IncidentClosed              IncidentStatus = "Closed"
	IncidentRejected            IncidentStatus = "Rejected"
	IncidentDeleted             IncidentStatus = "Deleted"
)

// SignatureType is the tool or format of a signature.
type SignatureType string

// The types of signatures.
const (
	SignatureBro            SignatureType = "Bro"
	SignatureClamAV         SignatureType = "ClamAV"
	SignatureCybOX          SignatureType = "CybOX"
	SignatureIrisSearchHash SignatureType = "Iris Search Hash"
	SignatureKQL            SignatureType = "KQL"
	SignatureOpenIOC        SignatureType = "OpenIOC"
	SignatureRegex          SignatureType = "Regex"
	SignatureSPL            SignatureType = "SPL"
	SignatureSigma          SignatureType = "Sigma"
	SignatureSnort          SignatureType = "Snort"
	SignatureSuricata       SignatureType = "Suricata"
	SignatureTQLQuery       SignatureType = "TQL Query"
	SignatureYARA           SignatureType = "YARA"
)

// NewAdversary returns a new adversary.
func NewAdversary(name string) *Adversary { return &Adversary{named(name)} }

// NewAttackPattern returns a new attack pattern.
func NewAttackPattern(name string) *AttackPattern { return &AttackPattern{named(name)} }

// NewCampaign returns a new campaign.
func NewCampaign(name string) *Campaign { return &Campaign{named(name)} }

// NewCourseOfAction returns a new course of action.
func NewCourseOfAction(name string) *CourseOfAction { return &CourseOfAction{named(name)} }

// NewDocument returns a new document. Upload its content after you create it.
func NewDocument(name, fileName string) *Document {
	return &Document{GroupMeta: named(name), FileName: fileName}
}

// NewEmail returns a new email.
func NewEmail(name, subject, header, body string) *Email {
	return &Email{GroupMeta: named(name), Subject: subject, Header: header, Body: body}
}

// NewEvent returns a new event. If the date is zero, the platform sets the date, or Create returns an error that
// matches [ErrBadRequest]: the documentation of the platform requires a date.
func NewEvent(name string, date time.Time) *Event {
	return &Event{GroupMeta: named(name), EventDate: date}
}

// NewIncident returns a new incident. A zero date has the same effect as for [NewEvent].
func NewIncident(name string, date time.Time) *Incident {
	return &Incident{GroupMeta: named(name), EventDate: date}
}

// NewIntrusionSet returns a new intrusion set.
func NewIntrusionSet(name string) *IntrusionSet { return &IntrusionSet{named(name)} }

// NewMalware returns a new malware.
func NewMalware(name string) *Malware { return &Malware{named(name)} }

// NewReport returns a new report. Upload its content after you create it.
func NewReport(name, fileName string) *Report {
	return &Report{GroupMeta: named(name), FileName: fileName}
}

// NewSignature returns a new signature.
func NewSignature(name, fileName string, fileType SignatureType, text string) *Signature {
	return &Signature{GroupMeta: named(name), FileName: fileName, FileType: fileType, FileText: text}
}

// NewTactic returns a new tactic.
func NewTactic(name string) *Tactic { return &Tactic{named(name)} }

// NewThreat returns a new threat.
func NewThreat(name string) *Threat { return &Threat{named(name)} }

// NewTool returns a new tool.
func NewTool(name string) *Tool { return &Tool{named(name)} }

// NewVulnerability returns a new vulnerability.
func NewVulnerability(name string) *Vulnerability { return &Vulnerability{named(name)} }

func named(name string) GroupMeta { return GroupMeta{Name: name} }

// Type returns [GroupAdversary].
func (*Adversary) Type() GroupType { return GroupAdversary }

// Type returns [GroupAttackPattern].
func (*AttackPattern) Type() GroupType { return GroupAttackPattern }

// Type returns [GroupCampaign].
func (*Campaign) Type() GroupType { return GroupCampaign }

// Type returns [GroupCourseOfAction].
func (*CourseOfAction) Type() GroupType { return GroupCourseOfAction }

// Type returns [GroupDocument].
func (*Document) Type() GroupType { return GroupDocument }

// Type returns [GroupEmail].
func (*Email) Type() GroupType { return GroupEmail }

// Type returns [GroupEvent].
func (*Event) Type() GroupType { return GroupEvent }

// Type returns [GroupIncident].
func (*Incident) Type() GroupType { return GroupIncident }

// Type returns [GroupIntrusionSet].
func (*IntrusionSet) Type() GroupType { return GroupIntrusionSet }

// Type returns [GroupMalware].
func (*Malware) Type() GroupType { return GroupMalware }

// Type returns [GroupReport].
func (*Report) Type() GroupType { return GroupReport }

// Type returns [GroupSignature].
func (*Signature) Type() GroupType { return GroupSignature }

// Type returns [GroupTactic].
func (*Tactic) Type() GroupType { return GroupTactic }

// Type returns [GroupThreat].
func (*Threat) Type() GroupType { return GroupThreat }

// Type returns [GroupTool].
func (*Tool) Type() GroupType { return GroupTool }

// Type returns [GroupVulnerability].
func (*Vulnerability) Type() GroupType { return GroupVulnerability }

// Type returns the name of the type, as the platform sent it.
func (g *UnknownGroup) Type() GroupType { return g.TypeName }

// Ref returns the reference to the group.
func (g *Adversary) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *AttackPattern) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Campaign) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *CourseOfAction) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Document) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Email) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Event) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Incident) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *IntrusionSet) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Malware) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Report) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Signature) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Tactic) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Threat) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Tool) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *Vulnerability) Ref() GroupRef { return groupRefOf(g) }

// Ref returns the reference to the group.
func (g *UnknownGroup) Ref() GroupRef { return groupRefOf(g) }

func groupRefOf(g Group) GroupRef {
	if isNil(g) {
		return GroupRef{}
	}
	return GroupRef{Type: g.Type(), ID: g.Meta().ID, Owner: g.Meta().Owner.Name}
}
