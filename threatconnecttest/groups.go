package threatconnecttest

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// group is one group of one owner.
type group struct {
	hung      metadata
	id        int64
	owner     *owner
	typ       *groupType
	name      string
	xid       string
	createdBy string
	values    map[string]string // of the type's own fields; dates as unix seconds
	dates     map[string]int64  // firstSeen, lastSeen, external...
	content   []byte            // of a document or report; nil before the upload
	assets    []*asset          // of an adversary
	added     int64
	modified  int64
}

// GroupRecord is a group as tests see and seed it.
type GroupRecord struct {
	ID           int64 // set by the server
	Owner        string
	Type         string // as in lists: "Incident", "Course of Action"
	Name         string
	XID          string            // made when empty
	Fields       map[string]string // the type's own: eventDate, status, fileName ...; dates in ISO 8601
	DateAdded    time.Time         // the server's clock when zero
	LastModified time.Time         // DateAdded when zero
	Attributes   []AttributeRecord
	Tags         []string
	Labels       []string
	Groups       []string // the xids of the associated groups
	Indicators   []string // the associated indicators, when read: "Host: www.example.com"
	Content      []byte   // of a document or report
}

func (g *group) number() int64       { return g.id }
func (g *group) belongs() *owner     { return g.owner }
func (g *group) typeName() string    { return g.typ.name }
func (g *group) hangers() *metadata  { return &g.hung }
func (g *group) metadata() *metadata { return &g.hung }
func (g *group) changed(now int64)   { g.modified = now }

// set gives a group the values of its type's fields.
func (g *group) set(values map[string]string) {
	if g.values == nil && len(values) > 0 {
		g.values = map[string]string{}
	}
	for k, v := range values {
		if v == "" {
			delete(g.values, k)
			continue
		}
		g.values[k] = v
	}
}

// AddGroup puts a group into an owner and returns it with its id and xid. What the platform would
// refuse is an error, and so is an xid that is taken.
func (s *Server) AddGroup(r GroupRecord) (GroupRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Owner == "" {
		r.Owner = s.owners[0].Name
	}
	o, t := s.ownerByName(r.Owner), groupTypeByName(r.Type)
	switch {
	case o == nil:
		return r, errors.New("threatconnecttest: there is no such owner")
	case t == nil:
		return r, fmt.Errorf("threatconnecttest: there is no group type %q", r.Type)
	case s.groupByXID[r.XID] != nil:
		return r, errors.New("threatconnecttest: there is a group with this xid already")
	}
	f := fields{{[]byte("name"), quoteJSON(r.Name)}}
	for k, v := range r.Fields {
		f = append(f, member{[]byte(k), quoteJSON(v)})
	}
	name, values, msg := t.read(f, needForBatch)
	if msg != "" {
		return r, errors.New("threatconnecttest: " + msg)
	}
	now := s.now().Unix()
	g := s.newGroup(o, t, name, r.XID, now)
	if !r.DateAdded.IsZero() {
		g.added, g.modified = r.DateAdded.Unix(), r.DateAdded.Unix()
	}
	if !r.LastModified.IsZero() {
		g.modified = r.LastModified.Unix()
	}
	g.set(values)
	g.content = r.Content
	if err := s.seed(g, r.Attributes, r.Tags, r.Labels, now); err != nil {
		s.dropGroup(g)
		return r, err
	}
	for _, xid := range r.Groups {
		to := s.groupByXID[xid]
		if to == g {
			s.dropGroup(g)
			return r, errors.New("threatconnecttest: a group cannot be associated with itself: leave its own xid out of Groups")
		}
		if to == nil || to.owner != o {
			s.dropGroup(g)
			return r, errors.New("threatconnecttest: the owner has no group with this xid")
		}
		associate(g, to, "")
	}
	return g.record(), nil
}

// Groups returns the groups of an owner in the order in which they came.
func (s *Server) Groups(owner string) []GroupRecord {
	defer s.view()()
	o := s.ownerByName(owner)
	if o == nil {
		return nil
	}
	all := make([]GroupRecord, 0, len(o.groups))
	for _, g := range o.groups {
		all = append(all, g.record())
	}
	return all
}

// Group returns the group that has an xid, in whatever owner it is.
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
		ID: g.id, Owner: g.owner.Name, Type: g.typ.name, Name: g.name, XID: g.xid, Content: g.content,
		DateAdded: time.Unix(g.added, 0).UTC(), LastModified: time.Unix(g.modified, 0).UTC(),
	}
	r.Attributes, r.Tags, r.Labels = g.hung.records()
	for _, f := range g.typ.fields {
		v, ok := g.values[f.name]
		if !ok {
			continue
		}
		if r.Fields == nil {
			r.Fields = map[string]string{}
		}
		if f.kind == groupDate {
			v = formatDate(time.Unix(seconds(v), 0), 0)
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

// seconds reads a date that was stored in a group's values.
func seconds(v string) int64 {
	n, _ := strconv.ParseInt(v, 10, 64)
	return n
}
