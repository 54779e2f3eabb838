package threatconnect

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// GroupsService reads and writes groups: incidents, reports, adversaries and the other types.
//
// If the type is known, use the field for the type. Its methods take an ID and return the struct of the type:
//
//	incident, err := client.Groups.Incidents.Get(ctx, 54321, nil)
//
// Documents, reports and signatures also have content. The methods of GroupsService itself work on groups of any type.
// Get, Update and Delete take a [Resource] and use the owner that it names. Tags, attributes, security labels and
// associations have services of their own. The service is safe for concurrent use.
type GroupsService struct {
	service

	Adversaries     TypedGroups[*Adversary]      // persons and organizations that attack
	AttackPatterns  TypedGroups[*AttackPattern]  // ways to attack
	Campaigns       TypedGroups[*Campaign]       // series of related attacks
	CoursesOfAction TypedGroups[*CourseOfAction] // measures against attacks
	Documents       DocumentsService             // files kept on the platform
	Emails          TypedGroups[*Email]          // emails
	Events          TypedGroups[*Event]          // occurrences that may become incidents
	Incidents       TypedGroups[*Incident]       // attacks that happened
	IntrusionSets   TypedGroups[*IntrusionSet]   // attacks by a common actor
	Malware         TypedGroups[*Malware]        // malware and malware families
	Reports         ReportsService               // written reports with a file
	Signatures      SignaturesService            // detection rules
	Tactics         TypedGroups[*Tactic]         // attackers' goals
	Threats         TypedGroups[*Threat]         // related activity
	Tools           TypedGroups[*Tool]           // legitimate programs that attackers use
	Vulnerabilities TypedGroups[*Vulnerability]  // weaknesses
}

func newGroupsService(s service) GroupsService {
	return GroupsService{
		service:         s,
		Adversaries:     TypedGroups[*Adversary]{s, GroupAdversary},
		AttackPatterns:  TypedGroups[*AttackPattern]{s, GroupAttackPattern},
		Campaigns:       TypedGroups[*Campaign]{s, GroupCampaign},
		CoursesOfAction: TypedGroups[*CourseOfAction]{s, GroupCourseOfAction},
		Documents:       DocumentsService{TypedGroups[*Document]{s, GroupDocument}},
		Emails:          TypedGroups[*Email]{s, GroupEmail},
		Events:          TypedGroups[*Event]{s, GroupEvent},
		Incidents:       TypedGroups[*Incident]{s, GroupIncident},
		IntrusionSets:   TypedGroups[*IntrusionSet]{s, GroupIntrusionSet},
		Malware:         TypedGroups[*Malware]{s, GroupMalware},
		Reports:         ReportsService{TypedGroups[*Report]{s, GroupReport}},
		Signatures:      SignaturesService{TypedGroups[*Signature]{s, GroupSignature}},
		Tactics:         TypedGroups[*Tactic]{s, GroupTactic},
		Threats:         TypedGroups[*Threat]{s, GroupThreat},
		Tools:           TypedGroups[*Tool]{s, GroupTool},
		Vulnerabilities: TypedGroups[*Vulnerability]{s, GroupVulnerability},
	}
}

// GroupGetOptions selects the parts of a group to read. Nil and the zero value read the additional fields.
type GroupGetOptions struct {
	CallOptions
	Include Include `url:"include"`
}

// GroupListOptions selects the groups of a list. Nil and the zero value select all groups of the client's owner
// and read the additional fields.
type GroupListOptions struct {
	ListOptions
	Filters Filters `url:"filters,omitempty"`  // conditions; see the By constants
	Any     bool    `url:"orParams,omitempty"` // select groups that match any filter instead of all
	Include Include `url:"include"`
}

// GroupUpdate has the fields of a group that Update changes. Nil fields do not change. A pointer to the zero
// value clears the field: Update sends "" for text, and null for a date or a status. The platform does not
// document how to clear a field of a group, so check the returned group. Required fields cannot be cleared.
//
// Tags, attributes, security labels and associations have services of their own; the content of documents and
// reports is uploaded. Update returns a [*ValidationError] if no field is set, or if the type of the group does
// not have a field.
type GroupUpdate struct {
	Name *string // 1 to 100 characters; required in every update of a signature

	EventDate      *time.Time      // Event and Incident
	EventStatus    *EventStatus    // Event: one of the first four statuses
	IncidentStatus *IncidentStatus // Incident
	FirstSeen      *time.Time      // Campaign

	FileName    *string        // Document, Report and Signature; required in every update of a signature
	Malware     *bool          // Document: whether the content is malware, a zip protected with Password
	Password    *string        // Document: of the zip
	PublishDate *time.Time     // Report; the platform does not document it, but its own library sends it
	FileType    *SignatureType // Signature; required in every update
	FileText    *string        // Signature: the rule itself

	Subject *string // Email
	Header  *string // Email
	Body    *string // Email
	From    *string // Email
	To      *string // Email
}

// TypedGroups reads and writes the groups of one type in the client's owner. It is safe for concurrent use.
type TypedGroups[T Group] struct {
	service
	typ GroupType
}

// ref returns the reference to a group of the service's type.
func (s TypedGroups[T]) ref(groupID int64) GroupRef { return GroupRef{Type: s.typ, ID: groupID} }

// definition returns the definition of the service's type.
func (s TypedGroups[T]) definition() (*groupDef, error) {
	if err := s.c.usable(); err != nil {
		return nil, err
	}
	return knownGroupDef(s.typ)
}

// Get returns one group of the client's owner by its ID. If the owner does not have the group, the error matches
// [ErrNotFound]. Get costs one request.
//
//	API: GET /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s TypedGroups[T]) Get(ctx context.Context, groupID int64, opts *GroupGetOptions) (T, error) {
	return getGroup[T](ctx, s.c, s.ref(groupID), opts)
}

// List returns one page of the type's groups in the client's owner. It costs one request.
//
//	API: GET /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s TypedGroups[T]) List(ctx context.Context, opts *GroupListOptions) (*Page[T], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over all groups of the type in the client's owner and requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s TypedGroups[T]) All(ctx context.Context, opts *GroupListOptions) iter.Seq2[T, error] {
	return s.lister(opts).all(ctx)
}

func (s TypedGroups[T]) lister(opts *GroupListOptions) lister[T] {
	def, err := s.definition()
	if err != nil {
		return lister[T]{err: err}
	}
	o := copyOf(opts)
	q, err := s.c.groupQuery(o, def.typ)
	return lister[T]{
		client: s.c, options: o.ListOptions, route: def.collection(), query: q, keys: []string{def.entity, "group"}, err: err,
		reader: func() func(*wire.Reader) T {
			var seen interner
			return func(r *wire.Reader) T { return seen.group(r, def).(T) }
		},
	}
}

// Create creates a group in the client's owner and returns it as the platform stored it, with its ID. It costs
// one request and is not retried after an unknown outcome, because a retry could create a second group. Batch
// imports have no such problem: they identify a group by its xid.
//
// Create does not send tags, attributes, security labels or associations. If the group has any, or if it was
// read from another owner, Create returns a [*ValidationError].
//
//	API: POST /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s TypedGroups[T]) Create(ctx context.Context, group T) (T, error) {
	def, err := s.definition()
	if err != nil {
		var zero T
		return zero, err
	}
	return createGroup(ctx, s.c, def, group)
}

// Update changes one group of the client's owner by its ID and returns the group in the platform's response. It sends
// only the fields that update sets. If the owner does not have the group, the error matches [ErrNotFound]. Update
// costs one request.
//
//	API: PUT /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s TypedGroups[T]) Update(ctx context.Context, groupID int64, update GroupUpdate) (T, error) {
	return updateGroup[T](ctx, s.c, s.ref(groupID), update)
}

// Delete deletes one group of the client's owner by its ID. If the owner does not have the group, the error
// matches [ErrNotFound]. Delete costs one request.
//
//	API: DELETE /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s TypedGroups[T]) Delete(ctx context.Context, groupID int64) error {
	return s.c.deleteGroup(ctx, s.ref(groupID))
}

// List returns one page of the groups of all types in the client's owner. It costs one request.
//
//	API: GET /v2/groups
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) List(ctx context.Context, opts *GroupListOptions) (*Page[Group], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over the groups of all types in the client's owner and requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/groups
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) All(ctx context.Context, opts *GroupListOptions) iter.Seq2[Group, error] {
	return s.lister(opts).all(ctx)
}

func (s GroupsService) lister(opts *GroupListOptions) lister[Group] {
	o := copyOf(opts)
	q, err := s.c.groupQuery(o, "")
	return lister[Group]{
		client: s.c, options: o.ListOptions, route: at("v2", "groups"), query: q, keys: []string{"group"}, err: err,
		reader: func() func(*wire.Reader) Group { return new(interner).anyGroup },
	}
}

// Get returns a group of any type, given as a [Group] or a [GroupRef], from the owner that the argument names, or else
// from the client's owner. If the owner does not have the group, the error matches [ErrNotFound]. Get costs one
// request.
//
//	API: GET /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) Get(ctx context.Context, group Resource, opts *GroupGetOptions) (Group, error) {
	return getGroup[Group](ctx, s.c, group, opts)
}

// Create creates a group of any type in the client's owner; see [TypedGroups.Create].
//
//	API: POST /v2/groups/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) Create(ctx context.Context, group Group) (Group, error) {
	if isNil(group) {
		return nil, errNilGroup
	}
	def, err := knownGroupDef(group.Type())
	if err != nil {
		return nil, err
	}
	return createGroup(ctx, s.c, def, group)
}

// Update changes a group of any type, given as a [Group] or a [GroupRef], in the owner that the argument names, or
// else in the client's owner. It sends only the fields that update sets, not the fields of the group, and returns the
// group in the platform's response. If the owner does not have the group, the error matches [ErrNotFound]. Update
// costs one request.
//
//	API: PUT /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) Update(ctx context.Context, group Resource, update GroupUpdate) (Group, error) {
	return updateGroup[Group](ctx, s.c, group, update)
}

// Delete deletes a group of any type, given as a [Group] or a [GroupRef], from the owner that the argument names, or
// else from the client's owner. If the owner does not have the group, the error matches [ErrNotFound]. Delete costs
// one request.
//
//	API: DELETE /v2/groups/{type}/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) Delete(ctx context.Context, group Resource) error {
	return s.c.deleteGroup(ctx, group)
}

func (c *Client) deleteGroup(ctx context.Context, group Resource) error {
	t, err := c.targetOfKind(ctx, group, kindGroup)
	if err != nil {
		return err
	}
	return c.remove(ctx, t.route, t.owner)
}

func getGroup[T Group](ctx context.Context, c *Client, group Resource, opts *GroupGetOptions) (T, error) {
	var zero T
	t, err := c.targetOfKind(ctx, group, kindGroup)
	if err != nil {
		return zero, err
	}
	o := copyOf(opts)
	q, err := optionQuery(o, t.owner)
	if err != nil {
		return zero, err
	}
	def := groupDefOf(GroupType(t.typ))
	return one(ctx, c.with(o.CallOptions), &call{method: http.MethodGet, route: t.route, query: q}, []string{def.entity, "group"},
		func(r *wire.Reader) T { return readGroup(r, def).(T) })
}

func createGroup[T Group](ctx context.Context, c *Client, def *groupDef, g T) (T, error) {
	body, err := groupBody(g)
	if err != nil {
		var zero T
		return zero, err
	}
	return create(ctx, c, def.collection(), g.Meta().Owner, body, []string{def.entity, "group"},
		func(r *wire.Reader) T { return readGroup(r, def).(T) })
}

func updateGroup[T Group](ctx context.Context, c *Client, group Resource, u GroupUpdate) (T, error) {
	var zero T
	t, err := c.targetOfKind(ctx, group, kindGroup)
	if err != nil {
		return zero, err
	}
	body, err := u.body(GroupType(t.typ))
	if err != nil {
		return zero, err
	}
	def := groupDefOf(GroupType(t.typ))
	return one(ctx, c, t.call(http.MethodPut, body),
		[]string{def.entity, "group"}, func(r *wire.Reader) T { return readGroup(r, def).(T) })
}

// body returns the body of a request to update a group of type t.
func (u GroupUpdate) body(t GroupType) ([]byte, error) {
	name, err := canonicalUpdate(u.Name, canonicalGroupName)
	if err == nil && u.EventStatus != nil {
		err = oneOf("event status", *u.EventStatus, eventStatuses[:singleEventStatuses])
	}
	if err == nil && u.IncidentStatus != nil {
		err = oneOf("incident status", *u.IncidentStatus, incidentStatuses)
	}
	if err != nil {
		return nil, err
	}
	only := func(types ...GroupType) (names []string) {
		for _, t := range types {
			names = append(names, string(t))
		}
		return names
	}
	signature := t == GroupSignature
	return updateBody("GroupUpdate", string(t), []updateField{
		{name: "Name", key: "name", value: name, filled: true, required: signature},
		{name: "EventDate", key: "eventDate", value: u.EventDate, filled: true, types: only(GroupEvent, GroupIncident)},
		{name: "EventStatus", key: "status", value: (*nullableText)(u.EventStatus), types: only(GroupEvent)},
		{name: "IncidentStatus", key: "status", value: (*nullableText)(u.IncidentStatus), types: only(GroupIncident)},
		{name: "FirstSeen", key: "firstSeen", value: u.FirstSeen, types: only(GroupCampaign)},
		{name: "FileName", key: "fileName", value: u.FileName, filled: true, required: signature, types: only(GroupDocument, GroupReport, GroupSignature)},
		{name: "Malware", key: "malware", value: u.Malware, types: only(GroupDocument)},
		{name: "Password", key: "password", value: u.Password, types: only(GroupDocument)},
		{name: "PublishDate", key: "publishDate", value: u.PublishDate, types: only(GroupReport)},
		{name: "FileType", key: "fileType", value: (*string)(u.FileType), filled: true, required: signature, types: only(GroupSignature)},
		{name: "FileText", key: "fileText", value: u.FileText, filled: true, types: only(GroupSignature)},
		{name: "Subject", key: "subject", value: u.Subject, filled: true, types: only(GroupEmail)},
		{name: "Header", key: "header", value: u.Header, filled: true, types: only(GroupEmail)},
		{name: "Body", key: "body", value: u.Body, filled: true, types: only(GroupEmail)},
		{name: "From", key: "from", value: u.From, types: only(GroupEmail)},
		{name: "To", key: "to", value: u.To, types: only(GroupEmail)},
	})
}

// groupQuery returns the query for list options.
func (c *Client) groupQuery(o GroupListOptions, t GroupType) (url.Values, error) {
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
	return optionQuery(o, c.Owner())
}
