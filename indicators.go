package threatconnect

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// IndicatorsService reads and writes indicators. It is safe for concurrent use.
//
// The typed services are the fields; the methods of the service itself work on indicators of any
// type.
type IndicatorsService struct {
	service

	Addresses      *TypedIndicators[*Address]      // IPv4 and IPv6 addresses
	EmailAddresses *TypedIndicators[*EmailAddress] // e-mail addresses
	Files          *TypedIndicators[*File]         // files, by their hashes
	Hosts          *TypedIndicators[*Host]         // host names
	URLs           *TypedIndicators[*URL]          // URLs
	ASNs           *TypedIndicators[*ASN]          // autonomous system numbers
	CIDRs          *TypedIndicators[*CIDR]         // blocks of addresses
	Mutexes        *TypedIndicators[*Mutex]        // names of mutexes
	RegistryKeys   *TypedIndicators[*RegistryKey]  // values in the Windows registry
	UserAgents     *TypedIndicators[*UserAgent]    // User-Agent headers
}

func newIndicatorsService(s service) *IndicatorsService {
	return &IndicatorsService{
		service:        s,
		Addresses:      typedIndicators[*Address](s, TypeAddress),
		EmailAddresses: typedIndicators[*EmailAddress](s, TypeEmailAddress),
		Files:          typedIndicators[*File](s, TypeFile),
		Hosts:          typedIndicators[*Host](s, TypeHost),
		URLs:           typedIndicators[*URL](s, TypeURL),
		ASNs:           typedIndicators[*ASN](s, TypeASN),
		CIDRs:          typedIndicators[*CIDR](s, TypeCIDR),
		Mutexes:        typedIndicators[*Mutex](s, TypeMutex),
		RegistryKeys:   typedIndicators[*RegistryKey](s, TypeRegistryKey),
		UserAgents:     typedIndicators[*UserAgent](s, TypeUserAgent),
	}
}

// IndicatorGetOptions says how one indicator is read. Nil and the zero value read the additional
// fields from the client's default owner.
type IndicatorGetOptions struct {
	Owner   string  `url:"owner,omitempty"` // empty means the client's default owner
	Include Include `url:"include"`         // see Include
}

// IndicatorListOptions says which indicators are listed. Nil and the zero value list the active
// ones of the client's default owner.
type IndicatorListOptions struct {
	ListOptions
	Owner         string    `url:"owner,omitempty"`    // empty means the client's default owner
	Filters       Filters   `url:"filters,omitempty"`  // conditions; see the By constants
	Any           bool      `url:"orParams,omitempty"` // list what meets any filter instead of all of them
	ModifiedSince time.Time `url:"-"`                  // last modified at this time or later; for lists of all types only
	Include       Include   `url:"include"`            // see Include
}

// OwnerOptions names the owner of a call. Nil and the zero value mean the client's default owner.
type OwnerOptions struct {
	Owner string `url:"owner,omitempty"`
}

// TypedIndicators reads and writes the indicators of one type. It is safe for concurrent use.
//
// Values may be given in any form that the type's Canonical function takes and are sent in its
// canonical form; what it refuses is a [*ValidationError] and is not sent.
type TypedIndicators[T Indicator] struct {
	service
	def *indicatorDef
}

func typedIndicators[T Indicator](s service, t IndicatorType) *TypedIndicators[T] {
	return &TypedIndicators[T]{service: s, def: indicatorDefOf(t)}
}

// Custom returns the service for one of the instance's own indicator types, as client.Types lists
// them. It sends nothing.
func (s *IndicatorsService) Custom(info IndicatorTypeInfo) (*TypedIndicators[*CustomIndicator], error) {
	switch {
	case info.Name == "":
		return nil, &ValidationError{Field: "indicator type name", Rule: "is empty"}
	case info.Branch == "" || info.Entity == "":
		return nil, &ValidationError{Field: "indicator type", Rule: "has no branch or no entity", Fix: "read it with client.Types"}
	case len(info.Labels()) == 0:
		return nil, &ValidationError{Field: "indicator type", Rule: "has no value labels", Fix: "read it with client.Types, additional fields included"}
	}
	return &TypedIndicators[*CustomIndicator]{service: s.service, def: customDef(&info)}, nil
}

// Get reads one indicator, by its value; a file by any one of its hashes or by its summary. An
// indicator that the owner does not have is an error that matches [ErrNotFound]. It costs one
// request.
//
//	API: GET /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *TypedIndicators[T]) Get(ctx context.Context, indicator string, opts *IndicatorGetOptions) (T, error) {
	var zero T
	path, err := s.def.pathValue(indicator)
	if err != nil {
		return zero, err
	}
	return getIndicator[T](ctx, s.c, s.def, s.def.at(path), opts)
}

// List reads one page of the type's indicators, with one request.
//
//	API: GET /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *TypedIndicators[T]) List(ctx context.Context, opts *IndicatorListOptions) (*Page[T], error) {
	o := copyOf(opts)
	p, err := s.page(ctx, o, o.Start, o.Limit)
	if err != nil {
		return nil, err
	}
	return &p.Page, nil
}

// All reads all of the type's indicators, one request a page, each when it is needed. An error ends
// the sequence.
//
//	API: GET /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *TypedIndicators[T]) All(ctx context.Context, opts *IndicatorListOptions) iter.Seq2[T, error] {
	o := copyOf(opts)
	return pages(ctx, o.ListOptions, func(ctx context.Context, start, limit int) (*page[T], error) { return s.page(ctx, o, start, limit) })
}

func (s *TypedIndicators[T]) page(ctx context.Context, o IndicatorListOptions, start, limit int) (*page[T], error) {
	if !o.ModifiedSince.IsZero() {
		return nil, &ValidationError{Field: "modified since", Rule: "is known to lists of all types only", Fix: "use client.Indicators.All and look at the type"}
	}
	o.Start, o.Limit = start, limit
	q, err := s.c.indicatorQuery(o, s.def.typ)
	if err != nil {
		return nil, err
	}
	var seen interner
	return list(ctx, s.c, &call{method: http.MethodGet, route: s.def.collection(), query: q}, limit, []string{s.def.entity, "indicator"},
		func(r *wire.Reader) T { return seen.indicator(r, s.def).(T) })
}

// Create creates an indicator in the owner that it names, or in the client's default owner, and
// returns it as the platform stored it. It costs one request and is not tried again after an
// unknown outcome; creating what exists already updates it.
//
// Tags, attributes and the other things that hang on an indicator are not part of this operation;
// an indicator that carries some is refused.
//
//	API: POST /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *TypedIndicators[T]) Create(ctx context.Context, indicator T) (T, error) {
	return createIndicator(ctx, s.c, s.def, indicator)
}

// Update changes the fields of an indicator that are set; its value says which one it is and cannot
// change. It returns the indicator as it is then, and costs one request. What was read with it and
// is not part of this operation (tags, attributes, counts) is left alone.
//
//	API: PUT /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *TypedIndicators[T]) Update(ctx context.Context, indicator T) (T, error) {
	return updateIndicator(ctx, s.c, s.def, indicator)
}

// Delete deletes one indicator from one owner, by its value. It costs one request.
//
//	API: DELETE /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *TypedIndicators[T]) Delete(ctx context.Context, indicator string, opts *OwnerOptions) error {
	path, err := s.def.pathValue(indicator)
	if err != nil {
		return err
	}
	o := copyOf(opts)
	return s.c.write(ctx, http.MethodDelete, s.def.at(path), s.c.ownerOr(o.Owner))
}

// List reads one page of the indicators of all types, with one request.
//
//	API: GET /v2/indicators
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *IndicatorsService) List(ctx context.Context, opts *IndicatorListOptions) (*Page[Indicator], error) {
	o := copyOf(opts)
	p, err := s.page(ctx, o, o.Start, o.Limit)
	if err != nil {
		return nil, err
	}
	return &p.Page, nil
}

// All reads the indicators of all types, one request a page, each when it is needed. An error ends
// the sequence.
//
//	API: GET /v2/indicators
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *IndicatorsService) All(ctx context.Context, opts *IndicatorListOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return pages(ctx, o.ListOptions, func(ctx context.Context, start, limit int) (*page[Indicator], error) {
		return s.page(ctx, o, start, limit)
	})
}

func (s *IndicatorsService) page(ctx context.Context, o IndicatorListOptions, start, limit int) (*page[Indicator], error) {
	o.Start, o.Limit = start, limit
	q, err := s.c.indicatorQuery(o, "")
	if err != nil {
		return nil, err
	}
	return list(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "indicators"), query: q}, limit, []string{"indicator"}, new(interner).anyIndicator)
}

// Get reads the indicator that ref names, with one request.
//
//	API: GET /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *IndicatorsService) Get(ctx context.Context, ref IndicatorRef, opts *IndicatorGetOptions) (Indicator, error) {
	t, err := ref.target()
	if err != nil {
		return nil, err
	}
	def := indicatorDefOf(ref.Type)
	if def == nil {
		def = &indicatorDef{typ: ref.Type, branch: ref.Branch, new: func() Indicator { return &CustomIndicator{TypeName: ref.Type} }}
	}
	o := copyOf(opts)
	if o.Owner == "" {
		o.Owner = ref.Owner
	}
	return getIndicator[Indicator](ctx, s.c, def, t.route, &o)
}

// Create creates an indicator of any type; see [TypedIndicators.Create].
//
//	API: POST /v2/indicators/{type}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *IndicatorsService) Create(ctx context.Context, indicator Indicator) (Indicator, error) {
	return withDef(indicator, func(def *indicatorDef) (Indicator, error) {
		return createIndicator(ctx, s.c, def, indicator)
	})
}

// Update changes an indicator of any type; see [TypedIndicators.Update].
//
//	API: PUT /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *IndicatorsService) Update(ctx context.Context, indicator Indicator) (Indicator, error) {
	return withDef(indicator, func(def *indicatorDef) (Indicator, error) {
		return updateIndicator(ctx, s.c, def, indicator)
	})
}

// Delete deletes an indicator, or the one that an [IndicatorRef] names, from the owner that it
// names or from the client's default owner. It costs one request.
//
//	API: DELETE /v2/indicators/{type}/{indicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s *IndicatorsService) Delete(ctx context.Context, indicator Resource) error {
	t, err := s.c.indicatorTarget(indicator)
	if err != nil {
		return err
	}
	return s.c.write(ctx, http.MethodDelete, t.route, t.owner)
}
