package threatconnecttest

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// GroupRecord is a group for seeding and assertions.
type GroupRecord struct {
	ID           int64             `json:"id,omitzero"`    // chosen by the server if 0
	Owner        string            `json:"owner,omitzero"` // the API user's organization if empty
	Type         string            `json:"type,omitzero"`  // as in lists: "Incident", "Course of Action"
	Name         string            `json:"name,omitzero"`
	XID          string            `json:"xid,omitzero"`          // generated if empty
	Fields       map[string]string `json:"fields,omitzero"`       // fields of the type, such as eventDate, status and fileName; dates in ISO 8601
	DateAdded    time.Time         `json:"dateAdded,omitzero"`    // server time if zero
	LastModified time.Time         `json:"lastModified,omitzero"` // DateAdded if zero
	Attributes   []AttributeRecord `json:"attributes,omitzero"`
	Tags         []string          `json:"tags,omitzero"`
	Labels       []string          `json:"labels,omitzero"`     // names of the owner's security labels
	Groups       []string          `json:"groups,omitzero"`     // xids of associated groups
	Indicators   []string          `json:"indicators,omitzero"` // associated indicators: "Host: www.example.com"
	Assets       []AssetRecord     `json:"assets,omitzero"`     // assets of an adversary
	Content      []byte            `json:"content,omitzero"`    // content of a document or report; nil before the upload

	// Responses always include the FirstSeen of a campaign. The other dates are set by batch files
	// and returned only to requests with includeAdditional.

	FirstSeen            time.Time `json:"firstSeen,omitzero"`
	LastSeen             time.Time `json:"lastSeen,omitzero"`
	ExternalDateAdded    time.Time `json:"externalDateAdded,omitzero"`
	ExternalDateExpires  time.Time `json:"externalDateExpires,omitzero"`
	ExternalLastModified time.Time `json:"externalLastModified,omitzero"`
}

func (r *GroupRecord) dates() [len(itemDateNames)]*time.Time {
	return [...]*time.Time{&r.FirstSeen, &r.LastSeen, &r.ExternalDateAdded, &r.ExternalDateExpires, &r.ExternalLastModified}
}

func (r *GroupRecord) title() string   { return titled(r.Type, r.Name) }
func (r *GroupRecord) wantedID() int64 { return r.ID }

func (r *GroupRecord) place(s *seeder) (*owner, *groupType, error) {
	o, err := s.ownerOf(r.Owner)
	if err != nil {
		return nil, nil, err
	}
	t := groupTypeByName(r.Type)
	if t == nil {
		return nil, nil, refuse("Type", fmt.Sprintf("there is no group type %q", r.Type))
	}
	return o, t, nil
}

func (r *GroupRecord) seed(s *seeder) error {
	o, t, err := r.place(s)
	switch {
	case err != nil:
		return err
	case r.XID != "" && s.groupByXID[r.XID] != nil:
		return refuse("XID", "there is a group with this xid already: change it with Update")
	}
	if err := s.checkID(r.ID); err != nil {
		return err
	}
	g := &group{id: r.ID, owner: o, typ: t, xid: r.XID, added: s.now.Unix()}
	groups, indicators, err := s.fillGroup(g, r, &group{})
	if err != nil {
		return err
	}
	s.addGroup(g)
	relink(g, groups)
	relink(g, indicators)
	*r = g.record()
	return nil
}

// fillGroup fills an empty group from a record and returns the items to associate it with. had is
// the previous group.
func (s *seeder) fillGroup(g *group, r *GroupRecord, had *group) (groups []*group, indicators []*indicator, err error) {
	f := fields{{[]byte("name"), quoteJSON(r.Name)}}
	for name, v := range r.Fields {
		if !g.typ.hasField(name) || name == "firstSeen" {
			return nil, nil, refuse(fmt.Sprintf("Fields[%q]", name), "is no field of a "+g.typ.name)
		}
		f = append(f, member{[]byte(name), quoteJSON(v)})
	}
	if g.typ.hasField("firstSeen") && !r.FirstSeen.IsZero() {
		f = append(f, member{[]byte("firstSeen"), quoteJSON(formatDate(r.FirstSeen, 0))})
	}
	name, values, msg := g.typ.read(f, needForBatch)
	if msg != "" {
		return nil, nil, r.fieldError(g.typ, msg)
	}
	if r.Content != nil && g.typ.name != "Document" && g.typ.name != "Report" {
		return nil, nil, refuse("Content", "only a Document or Report has it")
	}
	if len(r.Assets) > 0 && g.typ.name != "Adversary" {
		return nil, nil, refuse("Assets", "only an Adversary has them")
	}
	g.name, g.content = name, bytes.Clone(r.Content)
	g.set(values)
	g.dates.take(r.dates())
	g.added = stored(r.DateAdded, g.added)
	g.modified = stored(r.LastModified, g.added)
	if g.assets, err = s.makeAssets(adversaryAssetKinds, had.assets, r.Assets); err != nil {
		return nil, nil, err
	}
	if groups, err = s.groupsAt(g, r.Groups); err != nil {
		return nil, nil, err
	}
	if indicators, err = s.indicatorsAt(g, r.Indicators); err != nil {
		return nil, nil, err
	}
	return groups, indicators, s.attach(g, had.meta.attributes, r.Attributes, r.Tags, r.Labels, func() error {
		return checkKept(r, g.record(), "Fields", "Groups", "Indicators")
	})
}

// fieldError converts a platform message about a field into an error.
func (r *GroupRecord) fieldError(t *groupType, msg string) error {
	for _, f := range t.fields {
		if strings.HasPrefix(msg, "The "+f.name+" for this ") {
			return platformSays(msg, fmt.Sprintf("Fields[%q]", f.name))
		}
	}
	return platformSays(msg, "")
}

// group finds the group that a record identifies.
func (r *GroupRecord) group(s *seeder) (*group, error) {
	switch {
	case r.ID != 0:
		if g := s.groupByID[r.ID]; g != nil {
			return g, nil
		}
		return nil, refuse("ID", "there is no such group")
	case r.XID != "":
		if g := s.groupByXID[r.XID]; g != nil {
			return g, nil
		}
		return nil, refuse("XID", "there is no such group")
	}
	o, t, err := r.place(s)
	if err != nil {
		return nil, err
	}
	return only(o.groups, func(g *group) bool { return g.typ == t && g.name == r.Name }, t.name)
}

func (r *GroupRecord) update(s *seeder) error {
	g, err := r.group(s)
	if err != nil {
		return err
	}
	given := *r
	given.Owner, given.XID = cmp.Or(r.Owner, g.owner.Name), cmp.Or(r.XID, g.xid)
	o, t, err := given.place(s)
	switch {
	case err != nil:
		return err
	case o != g.owner || t != g.typ:
		return refuse("ID", "belongs to a group of another owner or type")
	case given.XID != g.xid && s.groupByXID[given.XID] != nil:
		return refuse("XID", "another group has it")
	}
	made := &group{id: g.id, owner: o, typ: t, xid: given.XID, createdBy: g.createdBy, added: g.added}
	groups, indicators, err := s.fillGroup(made, &given, g)
	if err != nil {
		return err
	}
	before, modified := g.record(), g.modified
	made.meta.replace(&g.meta)
	s.renameGroup(g, made.xid)
	*g = *made
	relink(g, groups)
	relink(g, indicators)
	g.modified = modified
	counts := !reflect.DeepEqual(g.record(), before)
	g.modified = moved(modified, r.LastModified, counts, s.now.Unix())
	*r = g.record()
	return nil
}

func (r *GroupRecord) remove(s *seeder) error { return removeFound(s, r.group, s.dropGroup) }

// Groups returns the groups of an owner in creation order.
func (s *Server) Groups(owner string) []GroupRecord {
	defer s.view()()
	if o := s.ownerByName(owner); o != nil {
		return recordsOf(slices.Values(o.groups), (*group).record)
	}
	return nil
}

// Group returns the group with the given xid, in any owner, and reports whether it exists.
func (s *Server) Group(xid string) (GroupRecord, bool) {
	defer s.view()()
	g := s.groupByXID[xid]
	if g == nil {
		return GroupRecord{}, false
	}
	return g.record(), true
}

func (g *group) record() GroupRecord {
	r := GroupRecord{
		ID: g.id, Owner: g.owner.Name, Type: g.typ.name, Name: g.name, XID: g.xid, Content: bytes.Clone(g.content),
		DateAdded: time.Unix(g.added, 0).UTC(), LastModified: time.Unix(g.modified, 0).UTC(), Assets: assetRecords(g.assets),
	}
	g.outsideDates().give(r.dates())
	r.Attributes, r.Tags, r.Labels = g.meta.records()
	for _, f := range g.typ.fields {
		v, ok := g.values[f.name]
		if !ok {
			continue
		}
		at := time.Unix(seconds(v), 0).UTC()
		if f.name == "firstSeen" {
			r.FirstSeen = at
			continue
		}
		if r.Fields == nil {
			r.Fields = map[string]string{}
		}
		if f.kind == groupDate {
			v = formatDate(at, 0)
		}
		r.Fields[f.name] = v
	}
	for l := range links(g) {
		if to, ok := l.to(g).(*group); ok {
			r.Groups = append(r.Groups, to.xid)
		}
	}
	for _, h := range associated(g, nil) {
		if i, ok := h.(*indicator); ok {
			r.Indicators = append(r.Indicators, i.typ.Name+": "+i.value)
		}
	}
	return r
}
