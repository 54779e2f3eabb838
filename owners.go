package threatconnect

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"

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
	ID   int64     `json:"id,omitzero"` // 0 if only the name is known; 0 is also a valid ID
	Name string    `json:"name"`        // the name for Client.InOwner
	Type OwnerType `json:"type,omitzero"`
	// ItemID is the ID of the indicator in this owner. Only IndicatorsService.Owners sets it.
	ItemID int64 `json:"itemId,omitzero"`

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// User is a user of the platform.
type User struct {
	UserName  string `json:"userName,omitzero"` // for an API user, the access ID
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	Pseudonym string `json:"pseudonym,omitzero"` // from Whoami, and in anonymous organizations
	Role      string `json:"role,omitzero"`      // from Whoami only

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// Members are the users of an organization.
type Members struct {
	Anonymous bool   // whether users have only pseudonyms
	Users     []User // never nil
}

// OwnersService reads owners, their daily metrics, and users. Use Whoami to check base URL and credentials.
// The service is safe for concurrent use.
type OwnersService struct{ service }

// List reads one page of the owners that are visible to the API user. It costs one request.
//
//	API: GET /v2/owners
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/owners/owners.html
func (s OwnersService) List(ctx context.Context, opts *ListOptions) (*Page[Owner], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over the owners that are visible to the API user and requests a page only when the
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

// Get reads an owner by ID. A negative ID returns a [*ValidationError]. It costs one request.
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

// Members reads the users of the API user's own organization. In an anonymous organization, users have only
// pseudonyms. It costs one request per 500 users.
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

// Metrics returns an iterator over the daily metrics of one owner and requests a page only when the loop
// reaches it. If a request fails, the iterator yields the error and stops. The platform keeps 15 to 30 days.
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

// AllMetrics returns an iterator over the daily metrics of all owners that are visible to the API user; see
// [OwnersService.Metrics].
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

// Whoami reads the API user of the client's credentials. It costs one request. Use it to check base URL and
// credentials.
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
			keepExtra(&o.Extra, r)
		}
	}
	return o
}

func readUser(r *wire.Reader) User {
	var u User
	for r.Object(); r.NextKey(); {
		u.readMember(r)
	}
	return u
}

func (u *User) readMember(r *wire.Reader) {
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
		keepExtra(&u.Extra, r)
	}
}

// OwnerMetric contains the metrics of an owner on one day.
type OwnerMetric struct {
	Owner                      Owner     `json:"owner,omitzero"` // the zero value if the platform does not send it
	Date                       time.Time `json:"metricDate"`     // the day, in UTC
	Indicators                 int64     `json:"totalIndicator"` // of all types
	Hosts                      int64     `json:"totalHost"`
	Addresses                  int64     `json:"totalAddress"`
	EmailAddresses             int64     `json:"totalEmailAddress"`
	Files                      int64     `json:"totalFile"`
	URLs                       int64     `json:"totalUrl"`
	Groups                     int64     `json:"totalGroup"`
	Threats                    int64     `json:"totalThreat"`
	Incidents                  int64     `json:"totalIncident"`
	Emails                     int64     `json:"totalEmail"`
	Campaigns                  int64     `json:"totalCampaign"`
	Adversaries                int64     `json:"totalAdversary"`
	Signatures                 int64     `json:"totalSignature"`
	Tasks                      int64     `json:"totalTask"`
	Documents                  int64     `json:"totalDocument"`
	Tags                       int64     `json:"totalTag"`
	Tracks                     int64     `json:"totalTrack"`
	Results                    int64     `json:"totalResult"`
	IndicatorAttributes        int64     `json:"totalIndicatorAttribute"`
	GroupAttributes            int64     `json:"totalGroupAttribute"`
	AverageIndicatorRating     float64   `json:"averageIndicatorRating"`     // 0 to 5
	AverageIndicatorConfidence float64   `json:"averageIndicatorConfidence"` // 0 to 100
	EnrichedIndicators         int64     `json:"totalEnrichedIndicator"`
	IndicatorsInGroups         int64     `json:"totalGroupIndicator"`
	ObservationsOfDay          int64     `json:"totalObservationDaily"` // on this day
	ObservedIndicators         int64     `json:"totalObservationIndicator"`
	ObservedAddresses          int64     `json:"totalObservationAddress"`
	ObservedEmailAddresses     int64     `json:"totalObservationEmailAddress"`
	ObservedFiles              int64     `json:"totalObservationFile"`
	ObservedHosts              int64     `json:"totalObservationHost"`
	ObservedURLs               int64     `json:"totalObservationUrl"`
	FalsePositivesOfDay        int64     `json:"totalFalsePositiveDaily"` // on this day
	FalsePositives             int64     `json:"totalFalsePositive"`

	// Extra contains the members of the JSON object without a field in this struct.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

func readOwnerMetric(r *wire.Reader) OwnerMetric {
	var m OwnerMetric
	counts := map[string]*int64{
		"totalIndicator":               &m.Indicators,
		"totalHost":                    &m.Hosts,
		"totalAddress":                 &m.Addresses,
		"totalEmailAddress":            &m.EmailAddresses,
		"totalFile":                    &m.Files,
		"totalUrl":                     &m.URLs,
		"totalGroup":                   &m.Groups,
		"totalThreat":                  &m.Threats,
		"totalIncident":                &m.Incidents,
		"totalEmail":                   &m.Emails,
		"totalCampaign":                &m.Campaigns,
		"totalAdversary":               &m.Adversaries,
		"totalSignature":               &m.Signatures,
		"totalTask":                    &m.Tasks,
		"totalDocument":                &m.Documents,
		"totalTag":                     &m.Tags,
		"totalTrack":                   &m.Tracks,
		"totalResult":                  &m.Results,
		"totalIndicatorAttribute":      &m.IndicatorAttributes,
		"totalGroupAttribute":          &m.GroupAttributes,
		"totalEnrichedIndicator":       &m.EnrichedIndicators,
		"totalGroupIndicator":          &m.IndicatorsInGroups,
		"totalObservationDaily":        &m.ObservationsOfDay,
		"totalObservationIndicator":    &m.ObservedIndicators,
		"totalObservationAddress":      &m.ObservedAddresses,
		"totalObservationEmailAddress": &m.ObservedEmailAddresses,
		"totalObservationFile":         &m.ObservedFiles,
		"totalObservationHost":         &m.ObservedHosts,
		"totalObservationUrl":          &m.ObservedURLs,
		"totalFalsePositiveDaily":      &m.FalsePositivesOfDay,
		"totalFalsePositive":           &m.FalsePositives,
	}
	for r.Object(); r.NextKey(); {
		key := string(r.Key())
		switch key {
		case "metricDate":
			m.Date = r.Time()
		case "owner":
			m.Owner = readOwner(r)
		case "ownerName":
			m.Owner.Name = r.Text()
		case "averageIndicatorRating":
			m.AverageIndicatorRating = r.Float64()
		case "averageIndicatorConfidence":
			m.AverageIndicatorConfidence = r.Float64()
		default:
			if count := counts[key]; count != nil {
				*count = r.Int64()
			} else {
				keepExtra(&m.Extra, r)
			}
		}
	}
	return m
}
