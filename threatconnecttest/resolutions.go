package threatconnecttest

import (
	"net/netip"
	"slices"
)

func resolutionRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/indicators/hosts/{indicator}/dnsResolutions", handle: with(indicatorOfType("Host"), (*call).listHostResolutions)},
		{method: "GET", pattern: "/v2/indicators/addresses/{indicator}/dnsResolutions", handle: with(indicatorOfType("Address"), (*call).listAddressResolutions)},
	}
}

// listHostResolutions lists resolution dates with the addresses of a host in short form.
func (c *call) listHostResolutions(i *indicator) *answer {
	return pageOf(c, "dnsResolution", slices.Values(i.extra().resolutions), func(r Resolution, w *jsonWriter) {
		w.date("resolutionDate", r.Date.Unix())
		writeAll(w, "addresses", r.Addresses, func(ip string, w *jsonWriter) {
			i.owner.writeTo(w, true)
			w.str("ip", ip)
		})
	})
}

// listAddressResolutions lists the hosts that resolved to an address, in the form of lists of all
// types.
func (c *call) listAddressResolutions(i *indicator) *answer {
	address, err := netip.ParseAddr(i.value)
	if err != nil {
		return missing()
	}
	hosts := c.typeByName("Host")
	return c.indicatorsIn(&circle{owner: i.owner, has: func(l holder) bool {
		h, ok := l.(*indicator)
		return ok && h.typ == hosts && slices.ContainsFunc(h.extra().resolutions, func(r Resolution) bool {
			return slices.ContainsFunc(r.Addresses, func(s string) bool {
				a, err := netip.ParseAddr(s)
				return err == nil && a == address
			})
		})
	}}, nil)
}
