package threatconnect

import (
	"context"
	"iter"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// IndicatorsService reads and writes indicators: addresses, hosts, URLs, files and the other types.
//
// If the type is known, use the field for the type. Its methods take a value and return the struct of the type:
//
//	host, err := client.Indicators.Hosts.Get(ctx, "evil.example", nil)
//
// [IndicatorsService.Custom] returns the service for a custom type of the instance. The methods of IndicatorsService
// itself work on indicators of any type. Get, Update and Delete take a [Resource] and use the owner that it names;
// [IndicatorsService.Lookup] takes any number of values. Tags, attributes, security labels and associations have
// services of their own. The service is safe for concurrent use.
type IndicatorsService struct {
	service

	Addresses      TypedIndicators[*Address]      // IPv4 and IPv6 addresses
	EmailAddresses TypedIndicators[*EmailAddress] // email addresses
	Files          TypedIndicators[*File]         // files, by their hashes
	Hosts          TypedIndicators[*Host]         // host names
	URLs           TypedIndicators[*URL]          // URLs
	ASNs           TypedIndicators[*ASN]          // autonomous system numbers
	CIDRs          TypedIndicators[*CIDR]         // blocks of addresses
	Mutexes        TypedIndicators[*Mutex]        // names of mutexes
	RegistryKeys   TypedIndicators[*RegistryKey]  // values in the Windows registry
	UserAgents     TypedIndicators[*UserAgent]    // User-Agent headers
	EmailSubjects  TypedIndicators[*EmailSubject] // subjects of emails, if the instance has the type
	Hashtags       TypedIndicators[*Hashtag]      // hashtags, if the instance has the type
}

func newIndicatorsService(s service) IndicatorsService {
	return IndicatorsService{
		service:        s,
		Addresses:      TypedIndicators[*Address]{s, TypeAddress},
		EmailAddresses: TypedIndicators[*EmailAddress]{s, TypeEmailAddress},
		Files:          TypedIndicators[*File]{s, TypeFile},
		Hosts:          TypedIndicators[*Host]{s, TypeHost},
		URLs:           TypedIndicators[*URL]{s, TypeURL},
		ASNs:           TypedIndicators[*ASN]{s, TypeASN},
		CIDRs:          TypedIndicators[*CIDR]{s, TypeCIDR},
		Mutexes:        TypedIndicators[*Mutex]{s, TypeMutex},
		RegistryKeys:   TypedIndicators[*RegistryKey]{s, TypeRegistryKey},
		UserAgents:     TypedIndicators[*UserAgent]{s, TypeUserAgent},
		EmailSubjects:  TypedIndicators[*EmailSubject]{s, TypeEmailSubject},
		Hashtags:       TypedIndicators[*Hashtag]{s, TypeHashtag},
	}
}

// IndicatorGetOptions selects the parts of an indicator to read. Nil and the zero value read the additional fields.
type IndicatorGetOptions struct {
	CallOptions
	Include Include `url:"include"`
}

// IndicatorListOptions selects the indicators of a list. Nil and the zero value select the active ones and read
// the additional fields.
type IndicatorListOptions struct {
	ListOptions
	Filters       Filters   `url:"filters,omitempty"`  // conditions; see the By constants
	Any           bool      `url:"orParams,omitempty"` // select indicators that match any filter instead of all
	ModifiedSince time.Time `url:"-"`                  // last modified at this time or later; only for lists of all types
	Include       Include   `url:"include"`
}

// IndicatorUpdate has the fields of an indicator that Update changes. Nil fields do not change. A pointer to
// the zero value clears the field: a rating or confidence of 0 means unknown.
//
// The value of an indicator cannot change. Tags, attributes, security labels and associations have
// services of their own. Update returns a [*ValidationError] if no field is set, or if the type of the
// indicator does not have a field.
type IndicatorUpdate struct {
	Rating     *float64 // threat rating of the owner, 0 (unknown) to 5 (critical)
	Confidence *int     // confidence of the owner, 0 (unknown) to 100 (confirmed)

	// The platform documents the following three for new indicators only; its own library updates the first
	// two. Check the returned indicator, or read it again, if the change matters.

	Active       *bool // whether the indicator is active
	ActiveLocked *bool // whether CAL must not change Active
	Private      *bool // Address, EmailAddress, File, Host and URL only; the instance must allow it

	DNSActive   *bool  // Host only: whether the platform resolves it
	WhoisActive *bool  // Host only: whether the platform looks up its registration
	Size        *int64 // File only: bytes
}

// TypedIndicators reads and writes the indicators of one type in the client's owner. It is safe for concurrent use.
//
// Values can have any form that ioc.Canonical accepts and are sent in canonical form. Invalid values return a
// [*ValidationError] before anything is sent.
type TypedIndicators[T Indicator] struct {
	service
	typ IndicatorType
}

// Custom returns the service for a custom indicator type of the instance, by its name. It sends nothing; the
// first call of the service reads the types of the instance with one request. If the instance does not have
// the type, or if the type has a field of [IndicatorsService], every call returns a [*ValidationError].
func (s IndicatorsService) Custom(name IndicatorType) TypedIndicators[*CustomIndicator] {
	return TypedIndicators[*CustomIndicator]{service: s.service, typ: name}
}

// definition returns the definition of the service's type. For a custom type, it can send a request.
func (s TypedIndicators[T]) definition(ctx context.Context) (*indicatorDef, error) {
	if err := s.c.usable(); err != nil {
		return nil, err
	}
	def, err := s.c.definition(ctx, s.typ)
	if err != nil {
		return nil, err
	}
	if _, ok := def.new().(T); !ok {
		return nil, &ValidationError{Field: "indicator type", Rule: "is " + string(s.typ) + ", which has a service of its own", Fix: "use the service of the type, a field of client.Indicators"}
	}
	return def, nil
}

// at returns the definition of the service's type, and the route of the indicator with a value.
func (s TypedIndicators[T]) at(ctx context.Context, indicator string) (*indicatorDef, route, error) {
	def, err := s.definition(ctx)
	if err != nil {
		return nil, route{}, err
	}
	path, err := def.pathValue(indicator)
	if err != nil {
		return nil, route{}, err
	}
	return def, def.at(path), nil
}

// Get returns one indicator of the client's owner by its value. For a file, the value is one of its hashes or
// its summary. If the owner does not have the indicator, the error matches [ErrNotFound]. Get costs one
// request.
//
//	API: GET /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypedIndicators[T]) Get(ctx context.Context, indicator string, opts *IndicatorGetOptions) (T, error) {
	def, r, err := s.at(ctx, indicator)
	if err != nil {
		var zero T
		return zero, err
	}
	return getIndicator[T](ctx, s.c, def, r, s.c.Owner(), opts)
}

// List returns one page of the type's indicators in the client's owner. It costs one request.
//
//	API: GET /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypedIndicators[T]) List(ctx context.Context, opts *IndicatorListOptions) (*Page[T], error) {
	return s.lister(ctx, copyOf(opts)).list(ctx)
}

// All returns an iterator over all indicators of the type in the client's owner and requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypedIndicators[T]) All(ctx context.Context, opts *IndicatorListOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	return deferred(func() iter.Seq2[T, error] { return s.lister(ctx, o).all(ctx) })
}

// lister returns the list of the type's indicators. For a custom type, it can send a request.
func (s TypedIndicators[T]) lister(ctx context.Context, o IndicatorListOptions) lister[T] {
	if !o.ModifiedSince.IsZero() {
		return lister[T]{err: &ValidationError{Field: "modified since", Rule: "is known to lists of all types only", Fix: "use client.Indicators.All and look at the type"}}
	}
	q, err := s.c.indicatorQuery(o, s.typ)
	if err != nil {
		return lister[T]{err: err}
	}
	def, err := s.definition(ctx)
	if err != nil {
		return lister[T]{err: err}
	}
	return lister[T]{
		client: s.c, options: o.ListOptions, route: def.collection(), query: q, keys: []string{def.entity, "indicator"},
		reader: func() func(*wire.Reader) T {
			var seen interner
			return func(r *wire.Reader) T { return seen.indicator(r, def).(T) }
		},
	}
}

// Create creates an indicator in the client's owner and returns it as the platform stored it. If the owner
// already has the indicator, Create updates it. It costs one request and is not retried after an unknown
// outcome.
//
// Create does not send tags, attributes, security labels or associations. If the indicator has any, or if it
// was read from another owner, Create returns a [*ValidationError].
//
//	API: POST /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypedIndicators[T]) Create(ctx context.Context, indicator T) (T, error) {
	def, err := s.definition(ctx)
	if err != nil {
		var zero T
		return zero, err
	}
	return createIndicator(ctx, s.c, def, indicator)
}

// Update changes one indicator of the client's owner by its value and returns the indicator in the platform's
// response. It sends only the fields that update sets. For a file, the value is one of its hashes or its summary. If
// the owner does not have the indicator, the error matches [ErrNotFound]. Update costs one request.
//
//	API: PUT /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypedIndicators[T]) Update(ctx context.Context, indicator string, update IndicatorUpdate) (T, error) {
	def, r, err := s.at(ctx, indicator)
	if err != nil {
		var zero T
		return zero, err
	}
	return updateIndicator[T](ctx, s.c, def, r, s.c.Owner(), update)
}

// Delete deletes one indicator of the client's owner by its value; other owners keep theirs. If the owner does
// not have it, the error matches [ErrNotFound]. Delete costs one request.
//
//	API: DELETE /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s TypedIndicators[T]) Delete(ctx context.Context, indicator string) error {
	_, r, err := s.at(ctx, indicator)
	if err != nil {
		return err
	}
	return s.c.remove(ctx, r, s.c.Owner())
}

// List returns one page of the indicators of all types in the client's owner. It costs one request.
//
//	API: GET /v2/indicators
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) List(ctx context.Context, opts *IndicatorListOptions) (*Page[Indicator], error) {
	return s.lister(opts).list(ctx)
}

// All returns an iterator over the indicators of all types in the client's owner and requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/indicators
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) All(ctx context.Context, opts *IndicatorListOptions) iter.Seq2[Indicator, error] {
	return s.lister(opts).all(ctx)
}

func (s IndicatorsService) lister(opts *IndicatorListOptions) lister[Indicator] {
	o := copyOf(opts)
	q, err := s.c.indicatorQuery(o, "")
	return lister[Indicator]{
		client: s.c, options: o.ListOptions, route: at("v2", "indicators"), query: q, keys: []string{"indicator"}, err: err,
		reader: func() func(*wire.Reader) Indicator { return new(interner).anyIndicator },
	}
}

// Get returns an indicator of any type, given as an [Indicator] or an [IndicatorRef]. It reads from the owner
// that the argument names, or else from the client's owner. If the owner does not have the indicator, the
// error matches [ErrNotFound]. Get costs one request.
//
//	API: GET /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Get(ctx context.Context, indicator Resource, opts *IndicatorGetOptions) (Indicator, error) {
	t, def, err := s.c.indicatorAt(ctx, indicator)
	if err != nil {
		return nil, err
	}
	return getIndicator[Indicator](ctx, s.c, def, t.route, t.owner, opts)
}

// Create creates an indicator of any type in the client's owner; see [TypedIndicators.Create].
//
//	API: POST /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Create(ctx context.Context, indicator Indicator) (Indicator, error) {
	if isNil(indicator) {
		return nil, errNilIndicator
	}
	def, err := s.c.definition(ctx, indicator.Type())
	if err != nil {
		return nil, err
	}
	return createIndicator(ctx, s.c, def, indicator)
}

// Update changes an indicator of any type, given as an [Indicator] or an [IndicatorRef], in the owner that the
// argument names, or else in the client's owner. It sends only the fields that update sets, not the fields of the
// indicator, and returns the indicator in the platform's response. If the owner does not have the indicator, the
// error matches [ErrNotFound]. Update costs one request.
//
//	API: PUT /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Update(ctx context.Context, indicator Resource, update IndicatorUpdate) (Indicator, error) {
	t, def, err := s.c.indicatorAt(ctx, indicator)
	if err != nil {
		return nil, err
	}
	return updateIndicator[Indicator](ctx, s.c, def, t.route, t.owner, update)
}

// Delete deletes an indicator of any type, given as an [Indicator] or an [IndicatorRef], from the owner that the
// argument names, or else from the client's owner. If the owner does not have the indicator, the error matches
// [ErrNotFound]. Delete costs one request.
//
//	API: DELETE /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) Delete(ctx context.Context, indicator Resource) error {
	t, err := s.c.targetOfKind(ctx, indicator, kindIndicator)
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}
