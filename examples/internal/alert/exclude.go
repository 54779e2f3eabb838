package alert

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
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
		{"::/96", "IPv4-compatible, RFC 4291"},
		{"64:ff9b:1::/48", "local translation, RFC 8215"},
		{"100::/64", "discarded, RFC 6666"},
		{"2001::/23", "reserved for protocols, RFC 2928"},
		{"fc00::/7", "private, RFC 4193"},
		{"fe80::/10", "link-local, RFC 4291"},
		{"fec0::/10", "site-local, RFC 3879"},
		{"ff00::/8", "multicast, RFC 4291"},
	} {
		all = append(all, reserved{netip.MustParsePrefix(r[0]), r[1]})
	}
	return all
}

// embedding is a block of IPv6 addresses that stand for IPv4 addresses.
type embedding struct {
	block netip.Prefix
	bit   int // where the IPv4 address begins
}

func embeddings() []embedding {
	return []embedding{
		{netip.MustParsePrefix("::ffff:0:0/96"), 96}, // IPv4-mapped, RFC 4291
		{netip.MustParsePrefix("64:ff9b::/96"), 96},  // NAT64, RFC 6052
		{netip.MustParsePrefix("2002::/16"), 16},     // 6to4, RFC 3056
	}
}

// in returns the block of IPv4 addresses that p stands for. It reports false if p stands for none.
func (e embedding) in(p netip.Prefix) (netip.Prefix, bool) {
	if !e.block.Overlaps(p) {
		return netip.Prefix{}, false
	}
	ipv6 := p.Addr().As16()
	ipv4 := netip.AddrFrom4([4]byte(ipv6[e.bit/8:]))
	return netip.PrefixFrom(ipv4, min(max(p.Bits()-e.bit, 0), ipv4.BitLen())).Masked(), true
}

// localNames are the ends of names that are not public.
func localNames() map[string]string {
	return map[string]string{
		"localhost": "RFC 6761", "invalid": "RFC 6761", "test": "RFC 6761", "local": "RFC 6762",
		"home.arpa": "RFC 8375", "internal": "reserved for private use by ICANN",
		"corp": "never delegated, ICANN", "home": "never delegated, ICANN", "mail": "never delegated, ICANN",
		"intranet": "used in private networks", "lan": "used in private networks",
		"localdomain": "used in private networks", "private": "used in private networks",
	}
}

// exclusions knows what must not become an indicator.
type exclusions struct {
	blocks     []reserved
	embeddings []embedding
	names      map[string]string
	listed     map[string]bool // summaries
	hosts      map[string]bool // and all below them
	prefixes   []netip.Prefix
}

func newExclusions() *exclusions {
	return &exclusions{
		blocks: reservedBlocks(), embeddings: embeddings(), names: localNames(),
		listed: map[string]bool{}, hosts: map[string]bool{},
	}
}

// read adds a list of one value per line. A list that cannot be read to its end is an error: the values
// after it would not be excluded.
func (x *exclusions) read(r io.Reader, file string) error {
	s := bufio.NewScanner(r)
	n := 1
	for ; s.Scan(); n++ {
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
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s, line %d: is longer than %d bytes; write one value per line", file, n, bufio.MaxScanTokenSize)
	} else if err != nil {
		return fmt.Errorf("%s, line %d: %w", file, n, err)
	}
	return nil
}

const (
	onList    = "on the exclusion list"
	unchecked = "cannot be checked against the exclusions"
)

func hashesOf(f *threatconnect.File) []string {
	return slices.DeleteFunc([]string{f.MD5, f.SHA1, f.SHA256}, func(hash string) bool { return hash == "" })
}

// rule returns the rule that excludes an indicator, or "" if none does. An indicator whose host or
// address cannot be found out is excluded.
func (x *exclusions) rule(ind threatconnect.Indicator) string {
	if x.listed[ind.Summary()] {
		return onList
	}
	switch ind := ind.(type) {
	case *threatconnect.Address:
		return x.ruleOfHost(ind.IP)
	case *threatconnect.CIDR:
		p, err := netip.ParsePrefix(ind.Block)
		if err != nil {
			return unchecked
		}
		return x.ruleOfBlock(p)
	case *threatconnect.Host:
		return x.ruleOfHost(ind.HostName)
	case *threatconnect.URL:
		canonical, err := threatconnect.CanonicalURL(ind.Text)
		if err != nil {
			return unchecked
		}
		return x.ruleOfHost(hostOf(canonical))
	case *threatconnect.EmailAddress:
		return x.ruleOfHost(ind.Address[strings.LastIndexByte(ind.Address, '@')+1:])
	case *threatconnect.File:
		if slices.ContainsFunc(hashesOf(ind), func(hash string) bool { return x.listed[hash] }) {
			return onList
		}
	case *threatconnect.ASN, *threatconnect.Mutex, *threatconnect.RegistryKey, *threatconnect.UserAgent: // these hold no host
	default:
		return unchecked
	}
	return ""
}

// hostOf returns the host of a URL in canonical form, without port and brackets. [url.Parse] cannot
// do this: it refuses percent signs that canonical URLs may have.
func hostOf(canonicalURL string) string {
	_, host, _ := strings.Cut(canonicalURL, "://")
	if end := strings.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	if ipv6, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(ipv6, "]")
		return host
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

// ruleOfHost returns the rule that excludes an address or a host name.
func (x *exclusions) ruleOfHost(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return x.ruleOfBlock(netip.PrefixFrom(ip.WithZone(""), ip.BitLen()))
	}
	host, err := threatconnect.CanonicalHost(host)
	if err != nil {
		return unchecked
	}
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

// ruleOfBlock returns the rule that excludes a block of addresses, or the block of a single address.
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
	for _, e := range x.embeddings {
		if ipv4, ok := e.in(p); ok {
			return x.ruleOfBlock(ipv4)
		}
	}
	return ""
}
