package threatconnecttest

import (
	"net/netip"
	"slices"
)

func resolutionRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/indicators/hosts/{indicator}/dnsResolutions", handle: (*call).listHostResolutions},
		{method: "GET", pattern: "/v2/indicators/addresses/{indicator}/dnsResolutions", handle: (*call).listAddressResolutions},
	}
}

// indicatorOf is the indicator of a type that the path names without naming the type.
func (c *call) indicatorOf(typeName string) (*indicator, *answer) {
	o, bad := c.owner()
	if bad != nil {
		return nil, bad
	}
	t := c.typeByName(typeName)
	if value, ok := t.readSegment(c.params.get("indicator")); ok {
		if i := o.find(t, t.key(value)); i != nil {
			return i, nil
		}
	}
	return nil, missing()
}

// listHostResolutions lists dates with the addresses of a host, each of them short.
func (c *call) listHostResolutions() *answer {
	i, bad := c.indicatorOf("Host")
	if bad != nil {
		return bad
	}
	var all []Resolution
	if i.rare != nil {
		all = i.rare.resolutions
	}
	return pageOf(c, "dnsResolution", all, func(w *jsonWriter, r Resolution) {
		w.date("resolutionDate", r.Date.Unix())
		w.key("addresses")
		w.openArray()
		for _, ip := range r.Addresses {
			w.open()
			i.owner.writeTo(w, true)
			w.str("ip", ip)
			w.close()
		}
		w.closeArray()
	})
}

// listAddressResolutions lists the hosts that resolved to an address, as lists of all types show
// them.
func (c *call) listAddressResolutions() *answer {
	i, bad := c.indicatorOf("Address")
	if bad != nil {
		return bad
	}
	address, err := netip.ParseAddr(i.value)
	if err != nil {
		return missing()
	}
	hosts := c.typeByName("Host")
	return c.indicatorsIn(circle{i.owner, func(l linked) bool {
		h, ok := l.(*indicator)
		return ok && h.typ == hosts && h.rare != nil && slices.ContainsFunc(h.rare.resolutions, func(r Resolution) bool {
			return slices.ContainsFunc(r.Addresses, func(s string) bool {
				a, err := netip.ParseAddr(s)
				return err == nil && a == address
			})
		})
	}}, nil)
}
