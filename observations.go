package threatconnect

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Observation is a sighting of an indicator.
type Observation struct {
	Count int64     `json:"count"`                 // number of sightings; 1 or more
	Date  time.Time `json:"dateObserved,omitzero"` // time of the sighting; zero means now

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// ObservationCount is the number of observations of an indicator.
type ObservationCount struct {
	Count            int64     `json:"count"`                     // by all users
	LastObserved     time.Time `json:"lastObserved,omitzero"`     // by all users; zero if never
	YourCount        int64     `json:"yourCount"`                 // by the API user's organization
	YourLastObserved time.Time `json:"yourLastObserved,omitzero"` // by the API user's organization; zero if never

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// FalsePositives is the number of false positive reports of an indicator.
type FalsePositives struct {
	Count        int64     `json:"count"`
	LastReported time.Time `json:"lastReported,omitzero"` // zero if never

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// ObservedIndicator is an indicator that was observed recently.
type ObservedIndicator struct {
	Summary      string       `json:"summary"`
	Count        int64        `json:"observationCount"`
	LastObserved time.Time    `json:"lastObserved,omitzero"`
	ByUser       []ObservedBy `json:"userObservedList,omitzero"`

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// ObservedBy is the number of observations of an indicator by a user.
type ObservedBy struct {
	UserName     string    `json:"userName"`
	Count        int64     `json:"count"`
	LastObserved time.Time `json:"userLastObservedDate,omitzero"`

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// DeletedIndicator is the platform's record of a deleted indicator.
type DeletedIndicator struct {
	Type      IndicatorType `json:"type"`
	Summary   string        `json:"summary"`
	Owner     string        `json:"ownerName"`
	DateAdded time.Time     `json:"dateAdded,omitzero"` // when the indicator was added

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// Ref returns the reference that the indicator had before it was deleted.
func (d DeletedIndicator) Ref() IndicatorRef {
	return IndicatorRef{Type: d.Type, Value: d.Summary, Owner: d.Owner, asRead: true}
}

// DeletedOptions selects deleted indicators. Nil and the zero value select all deleted indicators of the client's owner
// that the platform still remembers.
type DeletedOptions struct {
	ListOptions
	// Since, if not zero, selects indicators that were deleted at this time or later. The platform does not
	// document the parameter; its own library sends it.
	Since time.Time `url:"-"`
}

// Deleted returns an iterator over the indicators that were deleted from the client's owner. The platform remembers them
// for some days; the number is a setting of the instance. The iterator requests a page only when the loop reaches it. If
// a request fails, it yields the error and stops.
//
//	API: GET /v2/indicators/deleted
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Deleted(ctx context.Context, opts *DeletedOptions) iter.Seq2[DeletedIndicator, error] {
	return s.c.deleted(at("v2", "indicators", "deleted"), copyOf(opts)).all(ctx)
}

// Deleted returns an iterator over the indicators of the type that were deleted from the client's owner; see
// [IndicatorsService.Deleted].
//
//	API: GET /v2/indicators/hosts/deleted
//	API: GET /v2/indicators/addresses/deleted
//	API: GET /v2/indicators/urls/deleted
//	API: GET /v2/indicators/files/deleted
//	API: GET /v2/indicators/emailAddresses/deleted
//	API: GET /v2/indicators/{custom Indicator type}/deleted
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypedIndicators[T]) Deleted(ctx context.Context, opts *DeletedOptions) iter.Seq2[DeletedIndicator, error] {
	o := copyOf(opts)
	return deferred(func() iter.Seq2[DeletedIndicator, error] {
		def, err := s.definition(ctx)
		if err != nil {
			return failing[DeletedIndicator](err)
		}
		return s.c.deleted(def.collection().under("deleted"), o, def.entity).all(ctx)
	})
}

func (c *Client) deleted(r route, o DeletedOptions, keys ...string) lister[DeletedIndicator] {
	q, err := optionQuery(o, c.Owner())
	if err == nil && !o.Since.IsZero() {
		q.Set("deletedSince", o.Since.UTC().Format(filterTime))
	}
	return lister[DeletedIndicator]{client: c, options: o.ListOptions, route: r, query: q, keys: append([]string{"indicator"}, keys...), read: readDeleted, err: err}
}

// Owners returns the owners that have an indicator. ItemID is the ID of the indicator in each of them. The owner of the
// argument is ignored. Owners costs one request.
//
//	API: GET /v2/indicators/{type}/{indicator}/owners
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Owners(ctx context.Context, indicator Resource) ([]Owner, error) {
	t, err := s.c.targetOfKind(ctx, indicator, kindIndicator)
	if err != nil {
		return nil, err
	}
	p, err := list(ctx, s.c, &call{method: http.MethodGet, route: t.route.under("owners"), query: url.Values{"includes": {"additional"}}}, 0,
		[]string{"owner"}, readOwner)
	if err != nil {
		return nil, err
	}
	return p.Items, nil
}

// Observations returns the observations of an indicator. It costs one request per 500 observations.
//
//	API: GET /v2/indicators/{type}/{indicator}/observations
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Observations(ctx context.Context, indicator Resource) ([]Observation, error) {
	t, err := s.c.targetOfKind(ctx, indicator, kindIndicator)
	if err != nil {
		return nil, err
	}
	return listOn(ctx, s.c, t, "observation", readObservation)
}

// Observe adds an observation of an indicator. The settings of the API user must include the user in observations.
// Observe costs one request and is not retried after an unknown outcome, because a retry could count the observation
// twice.
//
//	API: POST /v2/indicators/{type}/{indicator}/observations
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Observe(ctx context.Context, indicator Resource, observation Observation) error {
	t, err := s.c.targetOfKind(ctx, indicator, kindIndicator)
	if err != nil {
		return err
	}
	if observation.Count < 1 {
		return &ValidationError{Field: "observation count", Rule: "must be 1 or more"}
	}
	var w wire.Writer
	w.BeginObject()
	w.Key("count")
	w.Int64(observation.Count)
	when(&w, "dateObserved", observation.Date)
	w.EndObject()
	body, err := written(&w, "observation")
	if err != nil {
		return err
	}
	_, err = s.c.exchange(ctx, &call{method: http.MethodPost, route: t.route.under("observations"), query: ownerQuery(t.owner), body: jsonBody(body)}, nil, nil)
	return err
}

// ObservationCount returns the number of observations of an indicator. It costs one request.
//
//	API: GET /v2/indicators/{type}/{indicator}/observationCount
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) ObservationCount(ctx context.Context, indicator Resource) (ObservationCount, error) {
	t, err := s.c.targetOfKind(ctx, indicator, kindIndicator)
	if err != nil {
		return ObservationCount{}, err
	}
	return one(ctx, s.c, &call{method: http.MethodGet, route: t.route.under("observationCount"), query: ownerQuery(t.owner)}, []string{"observationCount"},
		readObservationCount)
}

// ReportFalsePositive reports an indicator as a false positive and returns the new count. It is idempotent, because the
// platform counts one report per user, indicator and day, and is retried after an unknown outcome. It costs one request.
//
//	API: POST /v2/indicators/{type}/{indicator}/falsePositive
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) ReportFalsePositive(ctx context.Context, indicator Resource) (FalsePositives, error) {
	t, err := s.c.targetOfKind(ctx, indicator, kindIndicator)
	if err != nil {
		return FalsePositives{}, err
	}
	return one(ctx, s.c, &call{method: http.MethodPost, route: t.route.under("falsePositive"), query: ownerQuery(t.owner), idempotentPOST: true}, []string{"falsePositive"},
		readFalsePositives)
}

// Observed returns the indicators that were observed on the date of day, in the time zone of day. The zero time selects
// yesterday and today. The platform returns up to 20,000 indicators; the number is a setting of the instance. Observed
// costs one request.
//
//	API: GET /v2/indicators/observed
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Observed(ctx context.Context, day time.Time) ([]ObservedIndicator, error) {
	q := ownerQuery(s.c.Owner())
	if !day.IsZero() {
		if q == nil {
			q = url.Values{}
		}
		q.Set("dateObserved", day.Format(time.DateOnly))
	}
	p, err := list(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "indicators", "observed"), query: q}, 0, []string{"indicator"}, readObserved)
	if err != nil {
		return nil, err
	}
	return p.Items, nil
}

func readDeleted(r *wire.Reader) DeletedIndicator {
	var d DeletedIndicator
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "type":
			d.Type = IndicatorType(r.Text())
		case "summary":
			d.Summary = r.Text()
		case "ownerName":
			d.Owner = r.Text()
		case "owner":
			d.Owner = readOwner(r).Name
		case "dateAdded":
			d.DateAdded = r.Time()
		default:
			keepExtra(&d.Extra, r)
		}
	}
	return d
}

func readObservation(r *wire.Reader) Observation {
	var o Observation
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "count":
			o.Count = r.Int64()
		case "dateObserved":
			o.Date = r.Time()
		default:
			keepExtra(&o.Extra, r)
		}
	}
	return o
}

func readObservationCount(r *wire.Reader) ObservationCount {
	var o ObservationCount
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "count":
			o.Count = r.Int64()
		case "lastObserved":
			o.LastObserved = r.Time()
		case "yourCount":
			o.YourCount = r.Int64()
		case "yourLastObserved":
			o.YourLastObserved = r.Time()
		default:
			keepExtra(&o.Extra, r)
		}
	}
	return o
}

func readFalsePositives(r *wire.Reader) FalsePositives {
	var f FalsePositives
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "count":
			f.Count = r.Int64()
		case "lastReported":
			f.LastReported = r.Time()
		default:
			keepExtra(&f.Extra, r)
		}
	}
	return f
}

func readObserved(r *wire.Reader) ObservedIndicator {
	var o ObservedIndicator
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "summary":
			o.Summary = r.Text()
		case "observationCount":
			o.Count = r.Int64()
		case "lastObserved":
			o.LastObserved = r.Time()
		case "userObservedList":
			o.ByUser = readList(r, readObservedBy)
		default:
			keepExtra(&o.Extra, r)
		}
	}
	return o
}

func readObservedBy(r *wire.Reader) ObservedBy {
	var b ObservedBy
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "userName":
			b.UserName = r.Text()
		case "count":
			b.Count = r.Int64()
		case "userLastObservedDate":
			b.LastObserved = r.Time()
		default:
			keepExtra(&b.Extra, r)
		}
	}
	return b
}
