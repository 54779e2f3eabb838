package threatconnect

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Victim is a person or an organization that was attacked. It is a [Resource].
//
// Victims are for alerts and analysts. Batch files cannot contain them, and the platform asks feed integrations not
// to create them.
type Victim struct {
	ID           int64  `json:"id,omitzero"`           // read only
	Name         string `json:"name,omitzero"`         // required, also in updates
	Description  string `json:"description,omitzero"`  // not in lists
	Org          string `json:"org,omitzero"`          // organization
	Suborg       string `json:"suborg,omitzero"`       // department
	WorkLocation string `json:"workLocation,omitzero"` // where the victim works
	Nationality  string `json:"nationality,omitzero"`  // for example American
	WebLink      string `json:"webLink,omitzero"`      // read only; never fetched
	// Owner is the owner that the victim was read from. The platform does not send it, so it is empty if the call
	// named no owner and the platform used the API user's organization.
	Owner Owner `json:"owner,omitzero"`

	Tags       []Tag       `json:"tag,omitzero"`       // read only, with Include.Tags
	Attributes []Attribute `json:"attribute,omitzero"` // read only, with Include.Attributes

	// Extra has the members that this package has no field for, and members whose value does not fit their
	// field, which is then zero. The key of a nested member has a dot, for example "attribute.dateAdded".
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// Ref returns the reference to the victim. The reference to a victim that was not read or created has no ID, and
// methods return a [*ValidationError] for it.
func (v *Victim) Ref() VictimRef {
	if v == nil {
		return VictimRef{}
	}
	return VictimRef{ID: v.ID, Owner: v.Owner.Name}
}

func (v *Victim) target(ctx context.Context, c *Client) (target, error) {
	if v == nil {
		return target{}, errNilVictim
	}
	return v.Ref().target(ctx, c)
}

func (*Victim) resource() {}

var errNilVictim = &ValidationError{Field: "victim", Rule: "is nil"}

// VictimRef refers to a victim by its ID. It is comparable.
type VictimRef struct {
	ID    int64
	Owner string // empty means the client's default owner
}

func (VictimRef) resource() {}

func (r VictimRef) target(context.Context, *Client) (target, error) {
	if r.ID <= 0 {
		return target{}, &ValidationError{Field: "victim id", Rule: "must be a positive number", Fix: "create the victim first, or read it to learn its id"}
	}
	return target{kind: kindVictim, route: at("v2", "victims", id(r.ID)), owner: r.Owner}, nil
}

// VictimsService reads and writes victims. It is safe for concurrent use.
//
// The platform links only victims with at least one asset; see [VictimAssetsService].
type VictimsService struct{ service }

// VictimGetOptions selects the parts of a victim to read. Nil and the zero value read neither tags nor attributes.
type VictimGetOptions struct {
	CallOptions
	Include Include `url:"-"` // Tags and Attributes only; Labels is an error
}

// VictimListOptions selects the victims of a list. Nil and the zero value select all victims of the client's owner.
type VictimListOptions struct {
	ListOptions
	Filters Filters `url:"filters,omitempty"`  // conditions on ByName
	Any     bool    `url:"orParams,omitempty"` // select victims that match any filter instead of all
	Include Include `url:"-"`                  // Tags and Attributes only; Labels is an error
}

// VictimUpdate has the fields of a victim that Update changes. Nil fields do not change; a pointer to "" clears the
// field. The platform requires Name in every update, even if it does not change; without it, Update returns a
// [*ValidationError].
type VictimUpdate struct {
	Name         *string // required
	Description  *string
	Org          *string // organization
	Suborg       *string // department
	WorkLocation *string // where the victim works
	Nationality  *string // for example American
}

// Get returns one victim of the client's owner by its ID. If the owner does not have the victim, the error matches
// [ErrNotFound]. Get costs one request.
//
//	API: GET /v2/victims/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimsService) Get(ctx context.Context, victimID int64, opts *VictimGetOptions) (*Victim, error) {
	o := copyOf(opts)
	t, err := s.c.targetOf(ctx, VictimRef{ID: victimID})
	if err != nil {
		return nil, err
	}
	q, err := optionQuery(o, t.owner)
	if err != nil {
		return nil, err
	}
	if err := o.Include.attachedOnly("victim", q); err != nil {
		return nil, err
	}
	return one(ctx, s.c.with(o.CallOptions), &call{method: http.MethodGet, route: t.route, query: q}, []string{"victim"}, readVictimOf(t.owner))
}

// List returns one page of the victims of the client's owner. It costs one request.
//
//	API: GET /v2/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimsService) List(ctx context.Context, opts *VictimListOptions) (*Page[*Victim], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over all victims of the client's owner and requests a page only when the loop reaches it. If
// a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimsService) All(ctx context.Context, opts *VictimListOptions) iter.Seq2[*Victim, error] {
	return s.lister(opts).all(ctx)
}

func (s VictimsService) lister(opts *VictimListOptions) lister[*Victim] {
	o := copyOf(opts)
	q, err := optionQuery(o, s.c.Owner())
	err = cmp.Or(o.Filters.check("victims", "name"), err)
	if err == nil {
		err = o.Include.attachedOnly("victim", q)
	}
	return lister[*Victim]{
		client: s.c, options: o.ListOptions, route: at("v2", "victims"), query: q,
		keys: []string{"victim"}, read: readVictimOf(s.c.Owner()), err: err,
	}
}

// Create creates a victim in the client's owner and returns it as the platform stored it, with its ID. It costs one
// request and is not retried after an unknown outcome, because a retry could create a second victim.
//
// Create does not send tags or attributes. If the victim has any, or if it was read from another owner, Create
// returns a [*ValidationError].
//
//	API: POST /v2/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimsService) Create(ctx context.Context, victim *Victim) (*Victim, error) {
	if victim == nil {
		return nil, errNilVictim
	}
	if len(victim.Tags) > 0 || len(victim.Attributes) > 0 {
		return nil, &ValidationError{Field: "victim", Rule: "carries tags or attributes, which a victim cannot be created with", Fix: "add them afterwards with client.Tags and client.Attributes"}
	}
	name, err := canonicalVictimName(victim.Name)
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.BeginObject()
	text(&w, "name", name)
	text(&w, "description", victim.Description)
	text(&w, "org", victim.Org)
	text(&w, "suborg", victim.Suborg)
	text(&w, "workLocation", victim.WorkLocation)
	text(&w, "nationality", victim.Nationality)
	w.EndObject()
	body, err := written(&w, "victim")
	if err != nil {
		return nil, err
	}
	return create(ctx, s.c, at("v2", "victims"), victim.Owner, body, []string{"victim"}, readVictimOf(s.c.Owner()))
}

// Update changes one victim of the client's owner by its ID and returns the victim in the platform's response, which
// can omit fields. It sends only the fields that update sets. Update costs one request.
//
//	API: PUT /v2/victims/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimsService) Update(ctx context.Context, victimID int64, update VictimUpdate) (*Victim, error) {
	t, err := s.c.targetOf(ctx, VictimRef{ID: victimID})
	if err != nil {
		return nil, err
	}
	body, err := update.body()
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, t.call(http.MethodPut, body), []string{"victim"}, readVictimOf(t.owner))
}

// Delete deletes one victim of the client's owner, and its assets, by the victim's ID. If the owner does not have the
// victim, the error matches [ErrNotFound]. Delete costs one request.
//
//	API: DELETE /v2/victims/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimsService) Delete(ctx context.Context, victimID int64) error {
	t, err := s.c.targetOf(ctx, VictimRef{ID: victimID})
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}

func canonicalVictimName(name string) (string, error) { return trimmedName("victim name", name, 0) }

// body returns the body of a request to update a victim.
func (u VictimUpdate) body() ([]byte, error) {
	name, err := canonicalUpdate(u.Name, canonicalVictimName)
	if err != nil {
		return nil, err
	}
	return updateBody("VictimUpdate", "Victim", []updateField{
		{name: "Name", key: "name", value: name, filled: true, required: true},
		{name: "Description", key: "description", value: u.Description},
		{name: "Org", key: "org", value: u.Org},
		{name: "Suborg", key: "suborg", value: u.Suborg},
		{name: "WorkLocation", key: "workLocation", value: u.WorkLocation},
		{name: "Nationality", key: "nationality", value: u.Nationality},
	})
}

// readVictimOf returns the function that reads a victim of an owner, because the platform does not send the owner.
func readVictimOf(owner string) func(*wire.Reader) *Victim {
	return func(r *wire.Reader) *Victim {
		v := &Victim{Owner: Owner{Name: owner}}
		before := r.Keep()
		for r.Object(); r.NextKey(); {
			switch string(r.Key()) {
			case "id":
				v.ID = r.ID()
			case "name":
				v.Name = r.Text()
			case "description":
				v.Description = r.Text()
			case "org":
				v.Org = r.Text()
			case "suborg":
				v.Suborg = r.Text()
			case "workLocation":
				v.WorkLocation = r.Text()
			case "nationality":
				v.Nationality = r.Text()
			case "webLink":
				v.WebLink = r.Text()
			case "owner":
				v.Owner = readOwner(r)
			case "ownerName":
				v.Owner.Name = r.Text()
			case "tag":
				v.Tags = readList(r, readTag)
			case "attribute":
				v.Attributes = readList(r, readAttribute)
			default:
				keepExtra(&v.Extra, r)
			}
		}
		keepMisfits(&v.Extra, r.Kept(before))
		return v
	}
}
