package threatconnecttest

import (
	"cmp"
	"slices"
)

// Association associates two existing items of an owner. [Server.Seed] also accepts associations
// that only earlier requests can have created: two indicators without an association type (see
// [OddityBareIndicatorLinks]) and a victim whose assets have been deleted.
type Association struct {
	Owner string `json:"owner,omitzero"` // the API user's organization if empty
	A     End    `json:"a"`
	B     End    `json:"b"`
	Type  string `json:"type,omitzero"` // association type of two indicators, for example "URL Host"
}

// End is one end of an [Association]. Type and ID together identify any item. Without an ID,
// indicators are identified by type and summary, groups by xid, and tasks and victims by name.
type End struct {
	Type    string `json:"type,omitzero"`    // for example "Host", "Incident", "Task" or "Victim"
	Summary string `json:"summary,omitzero"` // summary of an indicator; name of any other item
	XID     string `json:"xid,omitzero"`     // xid of a group
	ID      int64  `json:"id,omitzero"`
}

func (e End) title() string { return titled(e.Type, cmp.Or(e.Summary, e.XID)) }

func (r *Association) title() string   { return r.A.title() + " and " + r.B.title() }
func (r *Association) wantedID() int64 { return 0 }

// find returns the item at an end.
func (e End) find(s *seeder, owner string) (holder, error) {
	var h holder
	var err error
	switch {
	case e.Type == "Task":
		h, err = (&TaskRecord{Owner: owner, ID: e.ID, Name: e.Summary}).task(s)
	case e.Type == "Victim":
		h, err = (&VictimRecord{Owner: owner, ID: e.ID, Name: e.Summary}).victim(s)
	case e.XID != "" || groupTypeByName(e.Type) != nil:
		h, err = (&GroupRecord{Owner: owner, Type: e.Type, ID: e.ID, XID: e.XID, Name: e.Summary}).group(s)
	default:
		h, err = (&IndicatorRecord{Owner: owner, Type: e.Type, ID: e.ID, Summary: e.Summary}).indicator(s)
	}
	if err == nil && e.Type != "" && h.typeName() != e.Type {
		err = refuse("Type", "it is a "+h.typeName())
	}
	return h, err
}

// ends returns the items at both ends.
func (r *Association) ends(s *seeder) (a, b holder, err error) {
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range []struct {
		name string
		end  End
		to   *holder
	}{{"A", r.A, &a}, {"B", r.B, &b}} {
		h, err := e.end.find(s, o.Name)
		if err != nil {
			bad := err.(*refusal)
			return nil, nil, refuse(e.name+"."+bad.field, bad.rule)
		}
		if h.belongs() != o {
			return nil, nil, refuse(e.name, "belongs to another owner")
		}
		*e.to = h
	}
	return a, b, nil
}

func (r *Association) seed(s *seeder) error {
	a, b, err := r.ends(s)
	if err != nil {
		return err
	}
	if a == b {
		return refuse("B", msgWithItself)
	}
	ia, isA := a.(*indicator)
	ib, isB := b.(*indicator)
	if r.Type != "" && !(isA && isB) {
		return refuse("Type", "only associations of two indicators have one")
	}
	if r.Type != "" && !slices.ContainsFunc(associationTypes(), func(t associationType) bool { return t.name == r.Type && t.joins(ia.typ, ib.typ) }) {
		return refuse("Type", "is no association type between "+ia.typ.Name+" and "+ib.typ.Name)
	}
	associate(a, b, r.Type)
	return nil
}

// update creates the association if it is missing. An association has nothing to change.
func (r *Association) update(s *seeder) error { return r.seed(s) }

// remove removes the association with the record's type. Unless both items are indicators, it
// removes all associations of the two.
func (r *Association) remove(s *seeder) error {
	a, b, err := r.ends(s)
	if err != nil {
		return err
	}
	l := associatedAs(a, b, r.Type)
	if l == nil {
		return refuse("Type", "there is no such association")
	}
	l.remove()
	return nil
}

// associations returns the associations of an item with the items before it in the order of Data,
// so each association is returned once.
func associations(h holder) []*Association {
	var all []*Association
	for l := range links(h) {
		if to := l.to(h); rank(to) < rank(h) || rank(to) == rank(h) && to.number() < h.number() {
			all = append(all, &Association{Owner: h.belongs().Name, A: endOf(h), B: endOf(to), Type: l.label})
		}
	}
	return all
}

// rank orders the kinds of items.
func rank(h holder) int {
	switch h.(type) {
	case *group:
		return 0
	case *indicator:
		return 1
	case *task:
		return 2
	}
	return 3
}

func endOf(h holder) End {
	switch h := h.(type) {
	case *group:
		return End{Type: h.typ.name, XID: h.xid}
	case *indicator:
		return End{Type: h.typ.Name, Summary: h.value}
	}
	return End{Type: h.typeName(), ID: h.number()}
}
