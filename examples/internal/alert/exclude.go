package alert

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/value"
)

// reserved is a block of addresses that mean nothing outside a network, or nothing at all.
type reserved struct {
	block netip.Prefix
	rule  string
}

// reservedBlocks does not have the blocks of the documentation (RFC 5737, RFC 3849): no real alert
// has them, and tests do.
func reservedBlocks() []reserved {
	var all []reserved
	for _, r := range [...][2]string{
		{"0.0.0.0/8", "this network, RFC 1122"},
		{"10.0.0.0/8", "private, RFC 1918"},
		{"100.64.0.0/10", "shared by a provider's customers, RFC 6598"},
		{"127.0.0.0/8", "loopback, RFC 1122"},
		{"169.254.0.0/16", "link-local, RFC 3927"},
		{"172.16.0.0/12", "private, RFC 1918"},
		{"192.0.0.0/24", "reserved for protocols, RFC 6890"},
		{"192.168.0.0/16", "private, RFC 1918"},
		{"198.18.0.0/15", "reserved for benchmarks, RFC 2544"},
		{"224.0.0.0/4", "multicast, RFC 5771"},
		{"240.0.0.0/4", "reserved, RFC 1112"},
		{"::/128", "unspecified, RFC 4291"},
		{"::1/128", "loopback, RFC 4291"},
		{"fc00::/7", "private, RFC 4193"},
		{"fe80::/10", "link-local, RFC 4291"},
		{"ff00::/8", "multicast, RFC 4291"},
	} {
		all = append(all, reserved{netip.MustParsePrefix(r[0]), r[1]})
	}
	return all
}

// localNames are the ends of names that are not public.
func localNames() map[string]string {
	return map[string]string{
		"localhost": "RFC 6761", "invalid": "RFC 6761", "test": "RFC 6761", "local": "RFC 6762",
		"home.arpa": "RFC 8375", "internal": "reserved for private use by ICANN", "lan": "used in private networks",
	}
}

// exclusions knows what must not become an indicator.
type exclusions struct {
	blocks   []reserved
	names    map[string]string
	listed   map[string]bool // summaries
	hosts    map[string]bool // and all below them
	prefixes []netip.Prefix
}

func newExclusions() *exclusions {
	return &exclusions{blocks: reservedBlocks(), names: localNames(), listed: map[string]bool{}, hosts: map[string]bool{}}
}

// read adds a list of values, one a line.
func (x *exclusions) read(r io.Reader, file string) error {
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(s.Text(), "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		ind, err := value.Recognize(line)
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", file, n, err)
		}
		switch ind := ind.(type) {
		case *threatconnect.Host:
			x.hosts[ind.HostName] = true
		case *threatconnect.CIDR:
			p, err := netip.ParsePrefix(ind.Block)
			if err != nil {
				return fmt.Errorf("%s, line %d: %w", file, n, err)
			}
			x.prefixes = append(x.prefixes, p.Masked())
		case *threatconnect.Address:
			ip, err := netip.ParseAddr(ind.IP)
			if err != nil {
				return fmt.Errorf("%s, line %d: %w", file, n, err)
			}
			x.prefixes = append(x.prefixes, netip.PrefixFrom(ip, ip.BitLen()))
		case *threatconnect.File:
			for _, hash := range hashesOf(ind) {
				x.listed[hash] = true
			}
		default:
			x.listed[ind.Summary()] = true
		}
	}
	return s.Err()
}

const onList = "on the exclusion list"

func hashesOf(f *threatconnect.File) []string {
	return slices.DeleteFunc([]string{f.MD5, f.SHA1, f.SHA256}, func(hash string) bool { return hash == "" })
}

// rule returns the rule by which an indicator is refused; empty when it is not.
func (x *exclusions) rule(ind threatconnect.Indicator) string {
	if x.listed[ind.Summary()] {
		return onList
	}
	switch ind := ind.(type) {
	case *threatconnect.Address:
		return x.ruleOfHost(ind.IP)
	case *threatconnect.CIDR:
		if p, err := netip.ParsePrefix(ind.Block); err == nil {
			return x.ruleOfBlock(p)
		}
	case *threatconnect.Host:
		return x.ruleOfHost(ind.HostName)
	case *threatconnect.URL:
		if u, err := url.Parse(ind.Text); err == nil {
			return x.ruleOfHost(u.Hostname())
		}
	case *threatconnect.EmailAddress:
		return x.ruleOfHost(strings.Trim(ind.Address[strings.LastIndexByte(ind.Address, '@')+1:], "[]"))
	case *threatconnect.File:
		if slices.ContainsFunc(hashesOf(ind), func(hash string) bool { return x.listed[hash] }) {
			return onList
		}
	}
	return ""
}

// ruleOfHost is about an address or a name.
func (x *exclusions) ruleOfHost(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap().WithZone("")
		return x.ruleOfBlock(netip.PrefixFrom(ip, ip.BitLen()))
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for end := host; end != ""; {
		if x.hosts[end] {
			return onList
		}
		if why := x.names[end]; why != "" {
			return "not a public name (." + end + ", " + why + ")"
		}
		_, end, _ = strings.Cut(end, ".")
	}
	return ""
}

// ruleOfBlock is about a block, or an address as a block of one.
func (x *exclusions) ruleOfBlock(p netip.Prefix) string {
	for _, b := range x.blocks {
		if b.block.Overlaps(p) {
			return "not a public address (" + b.rule + ")"
		}
	}
	for _, b := range x.prefixes {
		if b.Overlaps(p) {
			return onList
		}
	}
	return ""
}
