package feeds

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// groupLine is a line that holds a group: the fields of all types together.
type groupLine struct {
	typ, name, xid string
	common         commonFields

	firstSeen, lastSeen, eventDate, publishDate time.Time

	texts map[string]string // status, eventType, fileName, fileType, fileText, password, subject, header, body, from, to
	bad   *bool             // whether a document is malware
	own   []string          // the fields that are not common to all types
}

// ownFields are the fields that only some types have.
var ownFields = map[threatconnect.GroupType][]string{
	threatconnect.GroupDocument:  {"fileName", "malware", "password"},
	threatconnect.GroupEmail:     {"subject", "header", "body", "from", "to"},
	threatconnect.GroupEvent:     {"eventDate", "status", "eventType"},
	threatconnect.GroupIncident:  {"eventDate", "status"},
	threatconnect.GroupReport:    {"fileName", "publishDate"},
	threatconnect.GroupSignature: {"fileName", "fileType", "fileText"},
}

// requiredFields are those that a group of a type cannot be without.
var requiredFields = map[threatconnect.GroupType][]string{
	threatconnect.GroupDocument:  {"fileName"},
	threatconnect.GroupEmail:     {"subject", "header", "body"},
	threatconnect.GroupEvent:     {"eventDate"},
	threatconnect.GroupIncident:  {"eventDate"},
	threatconnect.GroupReport:    {"fileName"},
	threatconnect.GroupSignature: {"fileName", "fileType", "fileText"},
}

func groupOf(raw json.RawMessage) (threatconnect.Group, error) {
	var l groupLine
	if err := object(raw, l.set); err != nil {
		return nil, err
	}
	return l.group()
}

func (l *groupLine) set(key string, value json.RawMessage) error {
	switch key {
	case "type":
		return decode("group type", value, &l.typ, "text")
	case "name":
		return decode("group name", value, &l.name, "text")
	case "xid":
		return decode("group xid", value, &l.xid, "text")
	case "firstSeen":
		return date(key, value, &l.firstSeen)
	case "lastSeen":
		return date(key, value, &l.lastSeen)
	}
	if known, err := l.common.set(key, value); known {
		return err
	}
	l.own = append(l.own, key)
	switch key {
	case "eventDate":
		return date(key, value, &l.eventDate)
	case "publishDate":
		return date(key, value, &l.publishDate)
	case "malware":
		return decode(key, value, &l.bad, "true or false")
	case "status", "eventType", "fileName", "fileType", "fileText", "password", "subject", "header", "body", "from", "to":
		var s string
		if err := decode(key, value, &s, "text"); err != nil {
			return err
		}
		if l.texts == nil {
			l.texts = make(map[string]string, 4)
		}
		l.texts[key] = s
		return nil
	}
	return errors.New("has a group with a field that is not known")
}

func (l *groupLine) group() (threatconnect.Group, error) {
	t := threatconnect.GroupType(l.typ)
	switch {
	case l.typ == "":
		return nil, errors.New("has a group without type")
	case l.xid == "":
		return nil, errors.New("has a group without xid")
	}
	name, err := ioc.CanonicalGroupName(l.name)
	if err != nil {
		return nil, err
	}
	g := l.make(t, name)
	if g == nil {
		return nil, errors.New("has a group of a type that is not one of the sixteen, as in Incident or Attack Pattern")
	}
	if err := l.checkOwn(t); err != nil {
		return nil, err
	}
	m := g.Meta()
	m.XID, m.FirstSeen, m.LastSeen = l.xid, l.firstSeen, l.lastSeen
	m.Tags, m.Attributes, m.GroupXIDs = l.common.tags, l.common.attributes, l.common.groups
	return g, nil
}

// checkOwn refuses fields of another type, and the lack of those that the type needs.
func (l *groupLine) checkOwn(t threatconnect.GroupType) error {
	has := make(map[string]bool, len(l.own))
	for _, key := range l.own {
		has[key] = true
		known := false
		for _, own := range ownFields[t] {
			known = known || own == key
		}
		if !known {
			return fmt.Errorf("%s: is no field of a group of this type", key)
		}
	}
	for _, key := range requiredFields[t] {
		if !has[key] || l.texts[key] == "" && key != "eventDate" {
			return fmt.Errorf("%s: is required for a group of this type", key)
		}
	}
	if t == threatconnect.GroupEvent || t == threatconnect.GroupIncident {
		if l.eventDate.IsZero() {
			return errors.New("eventDate: is required for a group of this type")
		}
	}
	return nil
}

func (l *groupLine) make(t threatconnect.GroupType, name string) threatconnect.Group {
	switch t {
	case threatconnect.GroupDocument:
		d := threatconnect.NewDocument(name, l.texts["fileName"])
		d.Malware, d.Password = l.bad, l.texts["password"]
		return d
	case threatconnect.GroupEmail:
		e := threatconnect.NewEmail(name, l.texts["subject"], l.texts["header"], l.texts["body"])
		e.From, e.To = l.texts["from"], l.texts["to"]
		return e
	case threatconnect.GroupEvent:
		e := threatconnect.NewEvent(name, l.eventDate)
		e.Status, e.EventType = threatconnect.EventStatus(l.texts["status"]), l.texts["eventType"]
		return e
	case threatconnect.GroupIncident:
		i := threatconnect.NewIncident(name, l.eventDate)
		i.Status = threatconnect.IncidentStatus(l.texts["status"])
		return i
	case threatconnect.GroupReport:
		r := threatconnect.NewReport(name, l.texts["fileName"])
		r.PublishDate = l.publishDate
		return r
	case threatconnect.GroupSignature:
		return threatconnect.NewSignature(name, l.texts["fileName"], threatconnect.SignatureType(l.texts["fileType"]), l.texts["fileText"])
	}
	return plainGroup(t, name)
}

// plainGroup makes a group of a type that has no fields of its own, or nil.
func plainGroup(t threatconnect.GroupType, name string) threatconnect.Group {
	switch t {
	case threatconnect.GroupAdversary:
		return threatconnect.NewAdversary(name)
	case threatconnect.GroupAttackPattern:
		return threatconnect.NewAttackPattern(name)
	case threatconnect.GroupCampaign:
		return threatconnect.NewCampaign(name)
	case threatconnect.GroupCourseOfAction:
		return threatconnect.NewCourseOfAction(name)
	case threatconnect.GroupIntrusionSet:
		return threatconnect.NewIntrusionSet(name)
	case threatconnect.GroupMalware:
		return threatconnect.NewMalware(name)
	case threatconnect.GroupTactic:
		return threatconnect.NewTactic(name)
	case threatconnect.GroupThreat:
		return threatconnect.NewThreat(name)
	case threatconnect.GroupTool:
		return threatconnect.NewTool(name)
	case threatconnect.GroupVulnerability:
		return threatconnect.NewVulnerability(name)
	}
	return nil
}

// date reads a date as RFC 3339 has it.
func date(field string, value json.RawMessage, into *time.Time) error {
	var s string
	if json.Unmarshal(value, &s) == nil {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			*into = t.UTC()
			return nil
		}
	}
	return errors.New(field + ": want a date as in 2026-01-02T03:04:05Z")
}
