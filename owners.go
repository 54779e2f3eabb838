package threatconnect

import (
	"context"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// OwnerType is the type of an owner.
type OwnerType string

// The types of owners.
const (
	OwnerOrganization OwnerType = "Organization"
	OwnerCommunity    OwnerType = "Community"
	OwnerSource       OwnerType = "Source"
)

// Owner is an organization, a community or a source. Every indicator, group, task and victim has one.
type Owner struct {
	ID   int64     `json:"id,omitzero"` // 0 if only the name is known; an owner can also have the id 0
	Name string    `json:"name"`        // the name that [Client.InOwner] takes
	Type OwnerType `json:"type,omitzero"`
	// ItemID is the id of the indicator in this owner, set by [IndicatorsService.Owners] only.
	ItemID int64 `json:"itemId,omitzero"`
}

// User is a user of the platform.
type User struct {
	UserName  string `json:"userName,omitzero"` // for an API user, the access id
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	Pseudonym string `json:"pseudonym,omitzero"` // from Whoami, and in anonymous organizations
	Role      string `json:"role,omitzero"`      // from Whoami only
}

// Members are the users of an organization.
type Members struct {
	Anonymous bool   // whether the organization shows pseudonyms only
	Users     []User // never nil
}

// OwnersService reads the owners that the API user can see, their daily numbers, and users. Programs that
// let people choose an owner need All; Whoami checks base URL and credentials.
//
// The service is safe for concurrent use.
type OwnersService struct{ service }

// List reads one page of the owners that the API user can see. It costs one request.
//
//	API: GET /v2/owners
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) List(ctx context.Context, opts *ListOptions) (*Page[Owner], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over the owners that the API user can see and requests a page only when the
// loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/owners
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) All(ctx context.Context, opts *ListOptions) iter.Seq2[Owner, error] {
	return s.lister(opts).all(ctx)
}

func (s OwnersService) lister(opts *ListOptions) lister[Owner] {
	return lister[Owner]{client: s.c, options: copyOf(opts), route: at("v2", "owners"), keys: []string{"owner"}, read: readOwner}
}

// Get reads one owner by its id. It costs one request.
//
//	API: GET /v2/owners/{id}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) Get(ctx context.Context, ownerID int64) (Owner, error) {
	if ownerID < 0 {
		return Owner{}, errOwnerID
	}
	return one(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "owners", id(ownerID))}, []string{"owner"}, readOwner)
}

// Mine reads the API user's own organization. It costs one request.
//
//	API: GET /v2/owners/mine
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) Mine(ctx context.Context) (Owner, error) {
	return one(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "owners", "mine")}, []string{"owner"}, readOwner)
}

// Members reads the users of the API user's own organization. An anonymous organization shows pseudonyms
// only. It costs one request per 500 users.
//
//	API: GET /v2/owners/mine/members
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) Members(ctx context.Context) (Members, error) {
	var m Members
	users, err := Collect(lister[User]{
		client: s.c, route: at("v2", "owners", "mine", "members"), keys: []string{"user", "members"},
		read: func(r *wire.Reader) User {
			u := readUser(r)
			m.Anonymous = m.Anonymous || u.UserName == "" && u.Pseudonym != ""
			return u
		},
	}.all(ctx))
	if err != nil {
		return Members{}, err
	}
	m.Users = users
	return m, nil
}

// Metrics returns an iterator over the daily numbers of one owner. The platform keeps 15 to 30 days. It
// requests a page only when the loop reaches it. If a request fails, the iterator yields the error and
// stops.
//
//	API: GET /v2/owners/{id}/metrics
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) Metrics(ctx context.Context, ownerID int64, opts *ListOptions) iter.Seq2[OwnerMetric, error] {
	if ownerID < 0 {
		return failing[OwnerMetric](errOwnerID)
	}
	return s.metrics(ctx, at("v2", "owners", id(ownerID), "metrics"), opts)
}

// AllMetrics returns an iterator over the daily numbers of all owners that the API user can see; see
// Metrics.
//
//	API: GET /v2/owners/metrics
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) AllMetrics(ctx context.Context, opts *ListOptions) iter.Seq2[OwnerMetric, error] {
	return s.metrics(ctx, at("v2", "owners", "metrics"), opts)
}

func (s OwnersService) metrics(ctx context.Context, r route, opts *ListOptions) iter.Seq2[OwnerMetric, error] {
	return lister[OwnerMetric]{client: s.c, options: copyOf(opts), route: r, keys: []string{"ownerMetric"}, read: readOwnerMetric}.all(ctx)
}

var errOwnerID = &ValidationError{Field: "owner id", Rule: "must be 0 or more"}

// Whoami reads the API user that the client's credentials belong to. It costs one request and is the
// cheapest check of base URL and credentials.
//
//	API: GET /v2/whoami
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) Whoami(ctx context.Context) (User, error) {
	return one(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "whoami")}, []string{"user"}, readUser)
}

func readOwner(r *wire.Reader) Owner {
	var o Owner
	if r.Kind() != wire.Object {
		o.Name = r.Text()
		return o
	}
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "id":
			o.ID = r.ID()
		case "name", "ownerName":
			o.Name = r.Text()
		case "type":
			o.Type = OwnerType(r.Text())
		case "itemId":
			o.ItemID = r.Int64()
		default:
			r.Skip()
		}
	}
	return o
}

func readUser(r *wire.Reader) User {
	var u User
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "userName":
			u.UserName = r.Text()
		case "firstName":
			u.FirstName = r.Text()
		case "lastName":
			u.LastName = r.Text()
		case "pseudonym":
			u.Pseudonym = r.Text()
		case "role":
			u.Role = r.Text()
		default:
			r.Skip()
		}
	}
	return u
}
