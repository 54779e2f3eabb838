package threatconnecttest

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// groupType is one of the sixteen group types.
type groupType struct {
	name   string // as in lists: "Course of Action"
	branch string // path segment: coursesOfAction
	entity string // JSON key of a single group: courseOfAction
	fields []groupField
}

// groupField is a member that only some types have.
type groupField struct {
	name       string
	kind       groupFieldKind
	create     bool // required in a create
	filled     bool // set to the time of the request if missing in a create
	update     bool // required even in an update
	batch      bool // required in a batch file
	additional bool // returned only with includeAdditional
	hidden     bool // never returned
	options    []string
}

type groupFieldKind int

const (
	groupText groupFieldKind = iota
	groupDate
	groupBool
)

const maxGroupName = 100 // characters

var (
	incidentStatuses = []string{"New", "Open", "Stalled", "Containment Achieved", "Restoration Achieved", "Incident Reported",
		"Closed", "Rejected", "Deleted"}
	eventStatuses = []string{"Completed", "Escalated", "False Positive", "In Progress", "Needs Review", "New", "No Further Action",
		"Reopened"}
	signatureTypes = []string{"Bro", "ClamAV", "CybOX", "Iris Search Hash", "KQL", "OpenIOC", "Regex", "SPL", "Sigma", "Snort",
		"Suricata", "TQL Query", "YARA", "ClamAV\u00ae", "CybOX\u2122", "Iris\u2122 Search Hash", "Snort\u00ae",
		"Splunk\u00ae Search Processing Language (SPL)"}
)

// groupTypes contains all types, sorted by name.
var groupTypes = []*groupType{
	{name: "Adversary", branch: "adversaries", entity: "adversary"},
	{name: "Attack Pattern", branch: "attackPatterns", entity: "attackPattern"},
	{name: "Campaign", branch: "campaigns", entity: "campaign", fields: []groupField{{name: "firstSeen", kind: groupDate}}},
	{name: "Course of Action", branch: "coursesOfAction", entity: "courseOfAction"},
	{name: "Document", branch: "documents", entity: "document", fields: []groupField{
		{name: "fileName", create: true}, {name: "malware", kind: groupBool}, {name: "password", hidden: true}, {name: "fileType", hidden: true},
	}},
	{name: "Email", branch: "emails", entity: "email", fields: []groupField{
		{name: "to"}, {name: "from"}, {name: "subject", create: true, batch: true}, {name: "header", create: true, batch: true},
		{name: "body", create: true, batch: true}, {name: "score", hidden: true},
	}},
	{name: "Event", branch: "events", entity: "event", fields: []groupField{
		{name: "eventDate", kind: groupDate, filled: true}, {name: "status", additional: true, options: eventStatuses},
		{name: "eventType", additional: true},
	}},
	{name: "Incident", branch: "incidents", entity: "incident", fields: []groupField{
		{name: "eventDate", kind: groupDate, filled: true}, {name: "status", additional: true, options: incidentStatuses},
	}},
	{name: "Intrusion Set", branch: "intrusionSets", entity: "intrusionSet"},
	{name: "Malware", branch: "malware", entity: "malware"},
	{name: "Report", branch: "reports", entity: "report", fields: []groupField{
		{name: "fileName", create: true}, {name: "publishDate", kind: groupDate},
	}},
	{name: "Signature", branch: "signatures", entity: "signature", fields: []groupField{
		{name: "fileName", create: true, update: true, batch: true},
		{name: "fileType", create: true, update: true, batch: true, options: signatureTypes},
		{name: "fileText", create: true, batch: true, hidden: true},
	}},
	{name: "Tactic", branch: "tactics", entity: "tactic"},
	{name: "Threat", branch: "threats", entity: "threat"},
	{name: "Tool", branch: "tools", entity: "tool"},
	{name: "Vulnerability", branch: "vulnerabilities", entity: "vulnerability"},
}

func groupTypeByBranch(branch string) *groupType {
	return first(groupTypes, func(t *groupType) bool { return t.branch == branch })
}

func groupTypeByName(name string) *groupType {
	return first(groupTypes, func(t *groupType) bool { return t.name == name })
}

func (t *groupType) hasField(name string) bool {
	return slices.ContainsFunc(t.fields, func(f groupField) bool { return f.name == name })
}

// groupNeed selects the required fields.
type groupNeed int

const (
	needForCreate groupNeed = iota
	needForDatedCreate
	needForUpdate
	needForBatch
)

func (f groupField) needed(by groupNeed) bool {
	return by == needForCreate && f.create || by == needForDatedCreate && (f.create || f.filled) || by == needForUpdate && f.update || by == needForBatch && f.batch
}

// read parses the fields of the type in a body. msg is the platform's error message for an invalid
// field, or "".
func (t *groupType) read(f fields, by groupNeed) (name string, values map[string]string, msg string) {
	name, named := f.text("name")
	nameNeeded := by != needForUpdate || t.name == "Signature"
	if n := utf8.RuneCountInString(name); (named || nameNeeded) && (strings.TrimSpace(name) == "" || n > maxGroupName) {
		return "", nil, "The name for this " + t.name + " is invalid, please enter a name between 1-" +
			strconv.Itoa(maxGroupName) + " characters in length"
	}
	for _, field := range t.fields {
		s, ok := f.text(field.name)
		if !ok || s == "" {
			if field.needed(by) {
				return "", nil, "The " + field.name + " for this " + t.name + " is invalid, please enter a " + field.name
			}
			if !ok {
				continue
			}
		}
		if s, msg = field.canonical(t, f, s); msg != "" {
			return "", nil, msg
		}
		if values == nil {
			values = map[string]string{}
		}
		values[field.name] = s
	}
	if values["malware"] == "true" && values["password"] == "" && by != needForUpdate {
		return "", nil, "The password for this " + t.name + " is invalid, please enter a password"
	}
	return name, values, ""
}

func (field groupField) canonical(t *groupType, f fields, s string) (string, string) {
	switch {
	case field.kind == groupDate && s != "":
		at, ok := parseDate(s)
		if !ok {
			return "", "The " + field.name + " for this " + t.name + " is invalid, please enter the " + field.name + " in ISO 8601 format"
		}
		return strconv.FormatInt(at.Unix(), 10), ""
	case field.kind == groupBool:
		v, ok := f.flag(field.name)
		if !ok {
			return "", "The " + field.name + " for this " + t.name + " is invalid , please enter one of the following values: true, false"
		}
		return strconv.FormatBool(v), ""
	case len(field.options) > 0 && s != "" && !slices.Contains(field.options, s):
		return "", "The " + field.name + " for this " + t.name + " is invalid , please enter one of the following values: " +
			strings.Join(field.options, ", ")
	}
	return s, ""
}
