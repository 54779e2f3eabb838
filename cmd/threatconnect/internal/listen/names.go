// Package listen protects the HTTP listeners of the commands from web pages and from peers that open many
// connections.
package listen

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Names are the host names of a listener. A web page can point the name of its own site at the listener, and browsers
// then treat the two as one site (DNS rebinding). Such requests have the name of that site in their Host header.
type Names map[string]bool

// NewNames returns the names of a listener: localhost and the given names, with or without a port. Addresses need not
// be listed.
func NewNames(names ...string) Names {
	n := Names{"localhost": true}
	for _, name := range names {
		n[hostOf(name)] = true
	}
	delete(n, "")
	return n
}

// Has reports whether the Host header of a request is one of the names or an address, with any port. Addresses are
// safe, because a web page cannot point them elsewhere.
func (n Names) Has(r *http.Request) bool {
	host := hostOf(r.Host)
	_, err := netip.ParseAddr(host)
	return err == nil || n[host]
}

// hostOf returns the host of a Host header or of an address to listen on.
func hostOf(s string) string {
	host, _, err := net.SplitHostPort(s)
	if err != nil { // without a port
		host = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// IsSameOrigin reports whether a request was not made by a page of another origin. The Host header must have been
// checked.
func IsSameOrigin(r *http.Request) bool {
	own := "http://" + r.Host
	if r.TLS != nil {
		own = "https://" + r.Host
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, own) {
			return false
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}
