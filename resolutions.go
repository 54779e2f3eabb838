package threatconnect

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// DNSResolution is a DNS resolution of a host at one time.
type DNSResolution struct {
	Date      time.Time  `json:"resolutionDate,omitzero"`
	Addresses []*Address `json:"addresses"` // never nil

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// HostResolutions returns an iterator over the DNS resolutions of a host and requests a page only when the loop
// reaches it. If a request fails, the iterator yields the error and stops. The platform resolves a host while
// its DNSActive field is true.
//
//	API: GET /v2/indicators/hosts/{indicator}/dnsResolutions
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) HostResolutions(ctx context.Context, host Resource, opts *ListOptions) iter.Seq2[DNSResolution, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.targetOfType(ctx, host, TypeHost) },
		func(t target) iter.Seq2[DNSResolution, error] {
			return related(ctx, s.c, t, o, t.route.under("dnsResolutions"), []string{"dnsResolution"}, readResolution)
		})
}

// AddressResolutions returns an iterator over the hosts that have resolved to an address and requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/indicators/addresses/{indicator}/dnsResolutions
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s IndicatorsService) AddressResolutions(ctx context.Context, address Resource, opts *ListOptions) iter.Seq2[*Host, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.targetOfType(ctx, address, TypeAddress) },
		func(t target) iter.Seq2[*Host, error] {
			return related(ctx, s.c, t, o, t.route.under("dnsResolutions"), []string{"indicator", "host"},
				func(r *wire.Reader) *Host { return readIndicator(r, indicatorDefOf(TypeHost)).(*Host) })
		})
}

func readResolution(r *wire.Reader) DNSResolution {
	d := DNSResolution{Addresses: []*Address{}}
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "resolutionDate":
			d.Date = r.Time()
		case "addresses":
			d.Addresses = readList(r, func(r *wire.Reader) *Address { return readIndicator(r, indicatorDefOf(TypeAddress)).(*Address) })
		default:
			keepExtra(&d.Extra, r)
		}
	}
	return d
}
