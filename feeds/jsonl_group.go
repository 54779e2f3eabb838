package feeds

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// group returns the group of a line.
func (f *jsonFields) group() (threatconnect.Group, error) {
	if f.typ == "" {
		return nil, errors.New("has a group without a type")
	}
	if strings.TrimSpace(f.xid) == "" {
		return nil, errors.New("has a group without an xid")
	}
	name, err := ioc.CanonicalGroupName(f.name)
	if err != nil {
		return nil, err
	}
	g, required, optional := f.groupOf(threatconnect.GroupType(f.typ), name)
	if g == nil {
		return nil, errors.New("has a group of a type that is not one of the sixteen, as in Incident or Attack Pattern")
	}
	for key := range f.special {
		if !slices.Contains(required, key) && !slices.Contains(optional, key) {
			own := slices.Concat([]string{"type, name, xid, tags, attributes, securityLabels, groups, dates"}, required, optional)
			return nil, fmt.Errorf("has a group with a field that its type does not have; use %s", strings.Join(own, ", "))
		}
	}
	for _, key := range required {
		if f.special[key] == "" {
			return nil, fmt.Errorf("has a group without %s, which its type requires", key)
		}
	}
	m := g.Meta()
	m.XID, m.Tags, m.Attributes, m.SecurityLabels, m.GroupXIDs = f.xid, f.tags, f.attributes, f.labels, f.groups
	m.FirstSeen, m.LastSeen = f.dates["firstSeen"], f.dates["lastSeen"]
	m.ExternalDateAdded, m.ExternalDateExpires, m.ExternalLastModified = f.dates["externalDateAdded"], f.dates["externalDateExpires"], f.dates["externalLastModified"]
	return g, nil
}

// groupOf returns a group of a type, or nil, and the fields that only this type has.
func (f *jsonFields) groupOf(t threatconnect.GroupType, name string) (g threatconnect.Group, required, optional []string) {
	s := f.special
	switch t {
	case threatconnect.GroupDocument:
		d := threatconnect.NewDocument(name, s["fileName"])
		d.Malware, d.Password = f.malware, s["password"]
		return d, []string{"fileName"}, []string{"malware", "password"}
	case threatconnect.GroupEmail:
		e := threatconnect.NewEmail(name, s["subject"], s["header"], s["body"])
		e.From, e.To = s["from"], s["to"]
		return e, []string{"subject", "header", "body"}, []string{"from", "to"}
	case threatconnect.GroupEvent:
		e := threatconnect.NewEvent(name, f.dates["eventDate"])
		e.Status, e.EventType = threatconnect.EventStatus(s["status"]), s["eventType"]
		return e, []string{"eventDate"}, []string{"status", "eventType"}
	case threatconnect.GroupIncident:
		i := threatconnect.NewIncident(name, f.dates["eventDate"])
		i.Status = threatconnect.IncidentStatus(s["status"])
		return i, []string{"eventDate"}, []string{"status"}
	case threatconnect.GroupReport:
		r := threatconnect.NewReport(name, s["fileName"])
		r.PublishDate = f.dates["publishDate"]
		return r, []string{"fileName"}, []string{"publishDate"}
	case threatconnect.GroupSignature:
		r := threatconnect.NewSignature(name, s["fileName"], threatconnect.SignatureType(s["fileType"]), s["fileText"])
		return r, []string{"fileName", "fileType", "fileText"}, nil
	}
	return newGroup(t, name), nil, nil
}
