package threatconnecttest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Owner is an organization, a community or a source.
type Owner struct {
	ID        int64  `json:"id,omitzero"` // set by the server
	Name      string `json:"name,omitzero"`
	Type      string `json:"type,omitzero"`      // Organization, Community or Source; Source if empty
	Members   []User `json:"members,omitzero"`   // members of an organization; if nil, Seed keeps those of an existing owner
	Anonymous bool   `json:"anonymous,omitzero"` // whether members are shown only by pseudonym
	ReadOnly  bool   `json:"readOnly,omitzero"`  // whether the API user has only read access

	// Denied lists the routes that the API user may not call in this owner, as in Routes: "DELETE
	// /v2/groups/{type}/{id}". The method "*" matches every method of a pattern. Calls without an
	// owner, such as those of playbooks, apply to the API user's own organization.
	Denied []string `json:"denied,omitzero"`
}

// User is a user of the platform.
type User struct {
	UserName  string `json:"userName,omitzero"` // for API users, the access ID
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	Pseudonym string `json:"pseudonym,omitzero"`
	Role      string `json:"role,omitzero"`
}

// builtInOwners returns the predefined owners. The first is the API user's own organization.
func builtInOwners() []Owner {
	return []Owner{
		{Name: "Example Organization", Type: "Organization", Members: []User{
			{UserName: accessID, FirstName: "Example", LastName: "Integration", Pseudonym: "integration", Role: "Api User"},
			{UserName: "analyst@example.com", FirstName: "Alex", LastName: "Analyst", Pseudonym: "alex", Role: "User"},
		}},
		{Name: "Example Community", Type: "Community"},
		{Name: "Example Source", Type: "Source"},
	}
}

func (r *Owner) title() string   { return r.Name }
func (r *Owner) wantedID() int64 { return 0 } // owners have IDs of their own

// check returns an error for an invalid field.
func (r *Owner) check() error {
	switch {
	case strings.TrimSpace(r.Name) == "":
		return refuse("Name", "is missing")
	case !slices.Contains([]string{"Organization", "Community", "Source"}, r.Type):
		return refuse("Type", "must be Organization, Community or Source")
	}
	for n, u := range r.Members {
		if u.UserName == "" && u.Pseudonym == "" {
			return refuse(fmt.Sprintf("Members[%d].UserName", n), "is missing, and so is the Pseudonym")
		}
	}
	for n, d := range r.Denied {
		if !slices.ContainsFunc(allRoutes(), func(e route) bool { return e.is(d) }) {
			return refuse(fmt.Sprintf("Denied[%d]", n), fmt.Sprintf("%q is not a route: use one that Routes returns, or \"*\" and its pattern", d))
		}
	}
	return nil
}

// seed adds an owner or changes a predefined one.
func (r *Owner) seed(s *seeder) error {
	given, have := r.clone(), s.ownerByName(r.Name)
	if o := s.ownerByID(r.ID); have == nil && o != nil && o.builtIn {
		have = o // the record renames it
	}
	if have == nil {
		given.Type = cmp.Or(r.Type, "Source")
		if err := given.check(); err != nil {
			return err
		}
		if r.ID != 0 && r.ID != int64(len(s.owners)+1) {
			return refuse("ID", "is set by the server: leave it 0")
		}
		*r = s.addOwner(given).record()
		return nil
	}
	given.Type, given.ID = cmp.Or(r.Type, have.Type), cmp.Or(r.ID, have.ID)
	if r.Members == nil {
		given.Members = slices.Clone(have.Members)
	}
	if have.builtIn {
		if err := given.update(s); err != nil {
			return err
		}
	} else if given.ID != have.ID || !given.equal(have.record()) {
		return refuse("Name", "there is such an owner already, with other fields: change it with Update")
	}
	*r = have.record()
	return nil
}

func (r *Owner) update(s *seeder) error {
	given, have := r.clone(), s.ownerByName(r.Name)
	if r.ID != 0 {
		have = s.ownerByID(r.ID)
	}
	if have == nil {
		return refuse("Name", "there is no such owner")
	}
	given.Type, given.ID = cmp.Or(r.Type, have.Type), have.ID
	err := given.check()
	other := s.ownerByName(r.Name)
	switch {
	case err != nil:
		return err
	case other != nil && other != have:
		return refuse("Name", "another owner has it")
	case given.Type != have.Type:
		return refuse("Type", "cannot be changed")
	}
	have.Owner, have.builtIn = given, false
	*r = have.record()
	return nil
}

func (r *Owner) remove(*seeder) error { return refuse("Name", "an owner cannot be deleted") }

func (r *Owner) clone() Owner {
	c := *r
	c.Members, c.Denied = slices.Clone(r.Members), slices.Clone(r.Denied)
	return c
}

// equal reports whether two owners have the same fields. Nil and empty lists are equal.
func (r Owner) equal(other Owner) bool {
	lists := slices.Equal(r.Members, other.Members) && slices.Equal(r.Denied, other.Denied)
	r.Members, r.Denied, other.Members, other.Denied = nil, nil, nil, nil
	return lists && reflect.DeepEqual(r, other)
}

func (o *owner) record() Owner { return o.Owner.clone() }

// Owners returns all owners, the API user's own organization first.
func (s *Server) Owners() []Owner {
	defer s.view()()
	return recordsOf(slices.Values(s.owners), (*owner).record)
}

// UserID returns the ID that identifies a member of the API user's organization in requests, for
// example as an assignee, and whether such a member exists.
func (s *Server) UserID(userName string) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.owners[0].Members, func(u User) bool { return u.UserName == userName })
	return int64(i + 1), i >= 0
}
