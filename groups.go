package threatconnect

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/google/go-querystring/query"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// GroupsService reads and writes groups. It is safe for concurrent use.
//
// The typed services are the fields; the methods of the service itself work on groups of any type.
type GroupsService struct {
	service

	Adversaries     *TypedGroups[*Adversary]      // persons and organizations that attack
	AttackPatterns  *TypedGroups[*AttackPattern]  // ways to attack
	Campaigns       *TypedGroups[*Campaign]       // series of attacks
	CoursesOfAction *TypedGroups[*CourseOfAction] // things to do against attacks
	Documents       *TypedGroups[*Document]       // files kept on the platform
	Emails          *TypedGroups[*Email]          // e-mails
	Events          *TypedGroups[*Event]          // things that happened and may become incidents
	Incidents       *TypedGroups[*Incident]       // attacks that happened
	IntrusionSets   *TypedGroups[*IntrusionSet]   // attacks with a common hand
	Malware         *TypedGroups[*Malware]        // malware and families of it
	Reports         *TypedGroups[*Report]         // reports
	Signatures      *TypedGroups[*Signature]      // detection rules
	Tactics         *TypedGroups[*Tactic]         // attackers' goals
	Threats         *TypedGroups[*Threat]         // threats
	Tools           *TypedGroups[*Tool]           // legitimate programs that attackers use
	Vulnerabilities *TypedGroups[*Vulnerability]  // weaknesses
}

func newGroupsService(s service) *GroupsService {
	return &GroupsService{
		service:         s,
		Adversaries:     typedGroups[*Adversary](s, GroupAdversary),
		AttackPatterns:  typedGroups[*AttackPattern](s, GroupAttackPattern),
		Campaigns:       typedGroups[*Campaign](s, GroupCampaign),
		CoursesOfAction: typedGroups[*CourseOfAction](s, GroupCourseOfAction),
		Documents:       typedGroups[*Document](s, GroupDocument),
		Emails:          typedGroups[*Email](s, GroupEmail),
		Events:          typedGroups[*Event](s, GroupEvent),
		Incidents:       typedGroups[*Incident](s, GroupIncident),
		IntrusionSets:   typedGroups[*IntrusionSet](s, GroupIntrusionSet),
		Malware:         typedGroups[*Malware](s, GroupMalware),
		Reports:         typedGroups[*Report](s, GroupReport),
		Signatures:      typedGroups[*Signature](s, GroupSignature),
		Tactics:         typedGroups[*Tactic](s, GroupTactic),
		Threats:         typedGroups[*Threat](s, GroupThreat),
		Tools:           typedGroups[*Tool](s, GroupTool),
		Vulnerabilities: typedGroups[*Vulnerability](s, GroupVulnerability),
	}
}

// GroupGetOptions says how one group is read. Nil and the zero value read the additional fields
// from the client's default owner.
type GroupGetOptions struct {
	Owner   string  `url:"owner,omitempty"` // empty means the client's default owner
	Include Include `url:"include"`         // see Include
}

// GroupListOptions says which groups are listed. Nil and the zero value list those of the client's
// default owner.
type GroupListOptions struct {
	ListOptions
	Owner   string  `url:"owner,omitempty"`    // empty means the client's default owner
	Filters Filters `url:"filters,omitempty"`  // conditions; see the By constants
	Any     bool    `url:"orParams,omitempty"` // list what meets any filter instead of all of them
	Include Include `url:"include"`            // see Include
}

// TypedGroups reads and writes the groups of one type. It is safe for concurrent use.
type TypedGroups[T Group] struct {
	service
	def *groupDef
}

func typedGroups[T Group](s service, t GroupType) *TypedGroups[T] {
	return &TypedGroups[T]{service: s, def: groupDefOf(t)}
}

// ref names a group of the type.
func (s *TypedGroups[T]) ref(groupID int64, owner string) GroupRef {
	return GroupRef{Type: s.def.typ, ID: groupID, Owner: owner}
}

// Get reads one group. One that the owner does not have is an error that matches [ErrNotFound]. It
// costs one request.
//
//	API: GET /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *TypedGroups[T]) Get(ctx context.Context, groupID int64, opts *GroupGetOptions) (T, error) {
	o := copyOf(opts)
	return getGroup[T](ctx, s.c, s.def, s.ref(groupID, o.Owner), o.Include)
}

// List reads one page of the type's groups, with one request.
//
//	API: GET /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *TypedGroups[T]) List(ctx context.Context, opts *GroupListOptions) (*Page[T], error) {
	o := copyOf(opts)
	p, err := s.page(ctx, o, o.Start, o.Limit)
	if err != nil {
		return nil, err
	}
	return &p.Page, nil
}

// All reads all of the type's groups, one request a page, each when it is needed. An error ends
// the sequence.
//
//	API: GET /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *TypedGroups[T]) All(ctx context.Context, opts *GroupListOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	return pages(ctx, o.ListOptions, func(ctx context.Context, start, limit int) (*page[T], error) { return s.page(ctx, o, start, limit) })
}

func (s *TypedGroups[T]) page(ctx context.Context, o GroupListOptions, start, limit int) (*page[T], error) {
	o.Start, o.Limit = start, limit
	q, err := s.c.groupQuery(o, s.def.typ)
	if err != nil {
		return nil, err
	}
	var seen interner
	return list(ctx, s.c, &call{method: http.MethodGet, route: s.def.collection(), query: q}, limit, []string{s.def.entity, "group"},
		func(r *wire.Reader) T { return seen.group(r, s.def).(T) })
}

// Create creates a group in the owner that it names, or in the client's default owner, and returns
// it as the platform stored it, with its id. It costs one request and is not tried again after an
// unknown outcome, because that could create it twice; batch imports find a group again by its xid.
//
// Tags, attributes and the other things that hang on a group are not part of this operation; a
// group that carries some is refused.
//
//	API: POST /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *TypedGroups[T]) Create(ctx context.Context, group T) (T, error) {
	return createGroup(ctx, s.c, s.def, group)
}

// Update changes the fields of a group that are set; its id says which one it is. It returns the
// group as it is then, and costs one request.
//
//	API: PUT /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *TypedGroups[T]) Update(ctx context.Context, group T) (T, error) {
	return updateGroup(ctx, s.c, s.def, group)
}

// Delete deletes one group. It costs one request.
//
//	API: DELETE /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *TypedGroups[T]) Delete(ctx context.Context, groupID int64, opts *OwnerOptions) error {
	return s.c.deleteGroup(ctx, s.ref(groupID, copyOf(opts).Owner))
}

// List reads one page of the groups of all types, with one request.
//
//	API: GET /v2/groups
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *GroupsService) List(ctx context.Context, opts *GroupListOptions) (*Page[Group], error) {
	o := copyOf(opts)
	p, err := s.page(ctx, o, o.Start, o.Limit)
	if err != nil {
		return nil, err
	}
	return &p.Page, nil
}

// All reads the groups of all types, one request a page, each when it is needed. An error ends the
// sequence.
//
//	API: GET /v2/groups
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *GroupsService) All(ctx context.Context, opts *GroupListOptions) iter.Seq2[Group, error] {
	o := copyOf(opts)
	return pages(ctx, o.ListOptions, func(ctx context.Context, start, limit int) (*page[Group], error) { return s.page(ctx, o, start, limit) })
}

func (s *GroupsService) page(ctx context.Context, o GroupListOptions, start, limit int) (*page[Group], error) {
	o.Start, o.Limit = start, limit
	q, err := s.c.groupQuery(o, "")
	if err != nil {
		return nil, err
	}
	return list(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "groups"), query: q}, limit, []string{"group"}, new(interner).anyGroup)
}

// Get reads the group that ref names, with one request.
//
//	API: GET /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *GroupsService) Get(ctx context.Context, ref GroupRef, opts *GroupGetOptions) (Group, error) {
	if _, err := ref.target(); err != nil {
		return nil, err
	}
	o := copyOf(opts)
	if o.Owner != "" {
		ref.Owner = o.Owner
	}
	return getGroup[Group](ctx, s.c, groupDefOf(ref.Type), ref, o.Include)
}

// Create creates a group of any type; see [TypedGroups.Create].
//
//	API: POST /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *GroupsService) Create(ctx context.Context, group Group) (Group, error) {
	if isNil(group) {
		return nil, errNilGroup
	}
	return createGroup(ctx, s.c, groupDefOf(group.Type()), group)
}

// Update changes a group of any type; see [TypedGroups.Update].
//
//	API: PUT /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *GroupsService) Update(ctx context.Context, group Group) (Group, error) {
	if isNil(group) {
		return nil, errNilGroup
	}
	return updateGroup(ctx, s.c, groupDefOf(group.Type()), group)
}

// Delete deletes a group, or the one that a [GroupRef] names. It costs one request.
//
//	API: DELETE /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s *GroupsService) Delete(ctx context.Context, group Resource) error {
	return s.c.deleteGroup(ctx, group)
}

func (c *Client) deleteGroup(ctx context.Context, group Resource) error {
	t, err := c.targetOf(group)
	if err == nil && t.kind != kindGroup {
		err = &ValidationError{Field: "resource", Rule: "want a group, not a " + string(t.kind)}
	}
	if err != nil {
		return err
	}
	return c.write(ctx, http.MethodDelete, t.route, t.owner)
}

func getGroup[T Group](ctx context.Context, c *Client, def *groupDef, ref GroupRef, include Include) (T, error) {
	var zero T
	t, err := c.targetOf(ref)
	if err != nil {
		return zero, err
	}
	q, err := query.Values(GroupGetOptions{Owner: t.owner, Include: include})
	if err != nil {
		return zero, err
	}
	return one(ctx, c, &call{method: http.MethodGet, route: t.route, query: q}, []string{def.entity, "group"},
		func(r *wire.Reader) T { return readGroup(r, def).(T) })
}

func createGroup[T Group](ctx context.Context, c *Client, def *groupDef, g T) (T, error) {
	var zero T
	body, err := groupBody(g, modeCreate)
	if err != nil {
		return zero, err
	}
	return one(ctx, c, &call{
		method: http.MethodPost,
		route:  def.collection(),
		query:  ownerQuery(c.ownerOr(g.Meta().Owner.Name)),
		body:   jsonBody(body),
	}, []string{def.entity, "group"}, func(r *wire.Reader) T { return readGroup(r, def).(T) })
}

func updateGroup[T Group](ctx context.Context, c *Client, def *groupDef, g T) (T, error) {
	var zero T
	body, err := groupBody(g, modeUpdate)
	if err != nil {
		return zero, err
	}
	t, err := c.targetOf(g)
	if err != nil {
		return zero, err
	}
	return one(ctx, c, &call{method: http.MethodPut, route: t.route, query: ownerQuery(t.owner), body: jsonBody(body)},
		[]string{def.entity, "group"}, func(r *wire.Reader) T { return readGroup(r, def).(T) })
}

// groupQuery checks list options and turns them into a query.
func (c *Client) groupQuery(o GroupListOptions, t GroupType) (url.Values, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	fields, name := []string{"name", "dateAdded"}, "groups"
	switch t {
	case GroupCampaign:
		name, fields = "campaigns", append(fields, "firstSeen")
	case GroupDocument:
		name, fields = "documents", append(fields, "fileType")
	case GroupIncident:
		name, fields = "incidents", append(fields, "eventDate")
	}
	if err := o.Filters.check(name, fields...); err != nil {
		return nil, err
	}
	o.Owner = c.ownerOr(o.Owner)
	return query.Values(o)
}
