package threatconnecttest

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// IndicatorType is a custom indicator type of the instance. It cannot be changed or deleted.
type IndicatorType struct {
	Name           string   `json:"name,omitzero"`           // as in lists and batch files: "Registry Key"
	Branch         string   `json:"branch,omitzero"`         // path segment: registryKeys
	Entity         string   `json:"entity,omitzero"`         // JSON key of a single indicator: registryKey
	Fields         []string `json:"fields,omitzero"`         // one to three JSON keys whose values make up the summary: "Key Name"
	CasePreference string   `json:"casePreference,omitzero"` // upper, lower or sensitive; sensitive if empty
}

func (r *IndicatorType) title() string   { return r.Name }
func (r *IndicatorType) wantedID() int64 { return 0 }

func (r *IndicatorType) seed(s *seeder) error {
	if t := s.typeByName(r.Name); t != nil {
		if reflect.DeepEqual(*r, t.IndicatorType) {
			return nil
		}
		return refuse("Name", "there is such a type already, with other fields")
	}
	for _, e := range []struct{ field, value string }{{"Name", r.Name}, {"Branch", r.Branch}, {"Entity", r.Entity}} {
		if e.value == "" {
			return refuse(e.field, "is missing")
		}
	}
	switch {
	case s.typeByBranch(r.Branch) != nil:
		return refuse("Branch", "another type has it")
	case first(s.types, func(t *indicatorType) bool { return t.Entity == r.Entity }) != nil:
		return refuse("Entity", "another type has it")
	case len(r.Fields) < 1 || len(r.Fields) > 3:
		return refuse("Fields", "must be one to three names")
	case slices.Contains(r.Fields, ""):
		return refuse("Fields", "a name is empty")
	case !slices.Contains([]string{"", "upper", "lower", "sensitive"}, r.CasePreference):
		return refuse("CasePreference", "must be upper, lower or sensitive")
	}
	s.types = append(s.types, &indicatorType{
		IndicatorType: r.clone(), index: len(s.types), custom: true, canonical: canonicalCustom(r.CasePreference),
	})
	return nil
}

func (r *IndicatorType) clone() IndicatorType {
	c := *r
	c.Fields = slices.Clone(r.Fields)
	return c
}

func (r *IndicatorType) update(s *seeder) error {
	if s.typeByName(r.Name) == nil {
		return refuse("Name", "there is no such type")
	}
	return r.seed(s)
}

func (r *IndicatorType) remove(*seeder) error {
	return refuse("Name", "an indicator type cannot be deleted")
}

// AttributeType is an attribute type of the instance. It cannot be deleted.
type AttributeType struct {
	Name          string   `json:"name,omitzero"`
	MaxLength     int      `json:"maxLength,omitzero"` // in characters; no limit if 0
	AllowMarkdown bool     `json:"allowMarkdown,omitzero"`
	System        bool     `json:"system,omitzero"`
	Types         []string `json:"types,omitzero"` // indicator and group types that accept it; all if empty
}

func (r *AttributeType) title() string   { return r.Name }
func (r *AttributeType) wantedID() int64 { return 0 }

func (r *AttributeType) clone() AttributeType {
	c := *r
	c.Types = append([]string(nil), r.Types...) // nil if empty
	return c
}

func (r *AttributeType) checkRecord(s *seeder) error {
	switch {
	case r.Name == "":
		return refuse("Name", "is missing")
	case r.MaxLength < 0:
		return refuse("MaxLength", "must be 0 or more")
	}
	for n, name := range r.Types {
		if s.typeByName(name) == nil && groupTypeByName(name) == nil && name != "Task" && name != "Victim" {
			return refuse(fmt.Sprintf("Types[%d]", n), fmt.Sprintf("there is no type %q of indicators or groups", name))
		}
	}
	return nil
}

// seed adds an attribute type or changes a predefined one.
func (r *AttributeType) seed(s *seeder) error {
	if err := r.checkRecord(s); err != nil {
		return err
	}
	have := s.attributeType(r.Name)
	switch {
	case have == nil:
		s.attributeTypes = append(s.attributeTypes, new(r.clone()))
	case slices.ContainsFunc(builtInAttributeTypes(), func(t *AttributeType) bool { return reflect.DeepEqual(t, have) }):
		*have = r.clone()
	case !reflect.DeepEqual(*have, r.clone()):
		return refuse("Name", "there is such a type already, with other fields: change it with Update")
	}
	return nil
}

func (r *AttributeType) update(s *seeder) error {
	if err := r.checkRecord(s); err != nil {
		return err
	}
	have := s.attributeType(r.Name)
	if have == nil {
		return refuse("Name", "there is no such attribute type")
	}
	*have = r.clone()
	return nil
}

func (r *AttributeType) remove(*seeder) error {
	return refuse("Name", "an attribute type cannot be deleted")
}

// SecurityLabel is a security label of an owner. Every owner has the TLP labels from the start.
type SecurityLabel struct {
	Owner       string    `json:"owner,omitzero"` // the API user's organization if empty
	Name        string    `json:"name,omitzero"`
	Description string    `json:"description,omitzero"`
	Color       string    `json:"color,omitzero"`     // six hexadecimal digits
	DateAdded   time.Time `json:"dateAdded,omitzero"` // server time if zero
	added       int64
}

func (r *SecurityLabel) title() string   { return r.Name }
func (r *SecurityLabel) wantedID() int64 { return 0 }

// seed adds a label or changes a predefined one.
func (r *SecurityLabel) seed(s *seeder) error {
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return err
	}
	if l := o.label(r.Name); l != nil {
		given, now := *r, l.record(o)
		if stored(given.DateAdded, l.added) == l.added {
			given.DateAdded = now.DateAdded
		}
		given.Owner, given.added = o.Name, l.added
		switch {
		case given == now:
			*r = now
			return nil
		case slices.ContainsFunc(tlpLabels(), func(t *SecurityLabel) bool { return *t == *l }):
			return r.update(s)
		}
		return refuse("Name", "there is such a label already, with other fields: change it with Update")
	}
	if err := r.check(); err != nil {
		return err
	}
	l := &SecurityLabel{Name: r.Name, Description: r.Description, Color: r.Color, added: stored(r.DateAdded, s.now.Unix())}
	o.labels = append(o.labels, l)
	*r = l.record(o)
	return nil
}

func (r *SecurityLabel) check() error {
	switch {
	case r.Name == "":
		return refuse("Name", "is missing")
	case r.Description == "":
		return refuse("Description", "is missing")
	case len(r.Color) != 6 || !hexadecimal(r.Color):
		return refuse("Color", "must be six hexadecimal digits")
	}
	return nil
}

func (r *SecurityLabel) label(s *seeder) (*owner, *SecurityLabel, error) {
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return nil, nil, err
	}
	if l := o.label(r.Name); l != nil {
		return o, l, nil
	}
	return nil, nil, refuse("Name", "the owner has no such security label")
}

func (r *SecurityLabel) update(s *seeder) error {
	o, l, err := r.label(s)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return err
	}
	l.Description, l.Color, l.added = r.Description, r.Color, stored(r.DateAdded, l.added)
	*r = l.record(o)
	return nil
}

func (r *SecurityLabel) remove(s *seeder) error {
	o, l, err := r.label(s)
	if err != nil {
		return err
	}
	s.dropLabel(o, l)
	return nil
}

func (l *SecurityLabel) record(o *owner) SecurityLabel {
	r := *l
	r.Owner, r.DateAdded = o.Name, time.Unix(l.added, 0).UTC()
	return r
}

// Labels returns the security labels of an owner.
func (s *Server) Labels(owner string) []SecurityLabel {
	defer s.view()()
	if o := s.ownerByName(owner); o != nil {
		return recordsOf(slices.Values(o.labels), func(l *SecurityLabel) SecurityLabel { return l.record(o) })
	}
	return nil
}
