package ioc

import (
	"net/netip"
	"strconv"
	"strings"
)

// reservedBlock is a block of addresses without meaning on the public Internet.
type reservedBlock struct {
	block         netip.Prefix
	rule          string
	documentation bool
}

var reservedBlocks = [...]reservedBlock{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network, RFC 1122", false},
	{netip.MustParsePrefix("10.0.0.0/8"), "private, RFC 1918", false},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a provider's customers, RFC 6598", false},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback, RFC 1122", false},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local, RFC 3927", false},
	{netip.MustParsePrefix("172.16.0.0/12"), "private, RFC 1918", false},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved for protocols, RFC 6890", false},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation, RFC 5737", true},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved, RFC 7526", false},
	{netip.MustParsePrefix("192.168.0.0/16"), "private, RFC 1918", false},
	{netip.MustParsePrefix("198.18.0.0/15"), "reserved for benchmarks, RFC 2544", false},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation, RFC 5737", true},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation, RFC 5737", true},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast, RFC 5771", false},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved, RFC 1112", false},
	{netip.MustParsePrefix("::/128"), "unspecified, RFC 4291", false},
	{netip.MustParsePrefix("::1/128"), "loopback, RFC 4291", false},
	{netip.MustParsePrefix("::/96"), "IPv4-compatible, RFC 4291", false},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local translation, RFC 8215", false},
	{netip.MustParsePrefix("100::/64"), "discarded, RFC 6666", false},
	{netip.MustParsePrefix("2001::/23"), "reserved for protocols, RFC 2928", false},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation, RFC 3849", true},
	{netip.MustParsePrefix("3fff::/20"), "documentation, RFC 9637", true},
	{netip.MustParsePrefix("fc00::/7"), "private, RFC 4193", false},
	{netip.MustParsePrefix("fe80::/10"), "link-local, RFC 4291", false},
	{netip.MustParsePrefix("fec0::/10"), "site-local, RFC 3879", false},
	{netip.MustParsePrefix("ff00::/8"), "multicast, RFC 4291", false},
	{netip.MustParsePrefix("100::/8"), "not allocated, RFC 4291", false},
	{netip.MustParsePrefix("200::/7"), "not allocated, RFC 4291", false},
	{netip.MustParsePrefix("400::/6"), "not allocated, RFC 4291", false},
	{netip.MustParsePrefix("800::/5"), "not allocated, RFC 4291", false},
	{netip.MustParsePrefix("1000::/4"), "not allocated, RFC 4291", false},
	{netip.MustParsePrefix("4000::/2"), "not allocated, RFC 4291", false},
	{netip.MustParsePrefix("8000::/1"), "not allocated, RFC 4291", false},
}

// embedding is a block of IPv6 addresses that embed IPv4 addresses.
type embedding struct {
	block netip.Prefix
	bit   int // position of the IPv4 address
}

var embeddings = [...]embedding{
	{netip.MustParsePrefix("::ffff:0:0/96"), 96}, // IPv4-mapped, RFC 4291
	{netip.MustParsePrefix("64:ff9b::/96"), 96},  // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 16},     // 6to4, RFC 3056
}

// in returns the block of IPv4 addresses that p embeds. It reports false if p embeds none.
func (e embedding) in(p netip.Prefix) (netip.Prefix, bool) {
	if !e.block.Overlaps(p) {
		return netip.Prefix{}, false
	}
	ipv6 := p.Addr().As16()
	ipv4 := netip.AddrFrom4([4]byte(ipv6[e.bit/8:]))
	return netip.PrefixFrom(ipv4, min(max(p.Bits()-e.bit, 0), ipv4.BitLen())).Masked(), true
}

// reservedName returns why a host name is not public, or "", and whether it is reserved for
// documentation.
func reservedName(host string) (rule string, documentation bool) {
	switch last := host[strings.LastIndexByte(host, '.')+1:]; last {
	case "localhost", "invalid", "test":
		return "." + last + ", RFC 6761", false
	case "local":
		return ".local, RFC 6762", false
	case "internal":
		return ".internal, reserved for private use by ICANN", false
	case "corp", "home", "mail":
		return "." + last + ", never delegated, ICANN", false
	case "intranet", "lan", "localdomain", "private":
		return "." + last + ", used in private networks", false
	case "arpa":
		if isBelow(host, "home.arpa") {
			return ".home.arpa, RFC 8375", false
		}
	case "example":
		return ".example, documentation, RFC 2606", true
	case "com", "net", "org":
		if isBelow(host, "example."+last) {
			return "example." + last + ", documentation, RFC 2606", true
		}
	}
	return "", false
}

// isBelow reports whether host is name or a subdomain of it.
func isBelow(host, name string) bool {
	rest, ok := strings.CutSuffix(host, name)
	return ok && (rest == "" || rest[len(rest)-1] == '.')
}

// reservedASN returns why a canonical AS number is not public, or "", and whether it is reserved
// for documentation.
func reservedASN(asn string) (rule string, documentation bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(asn, "ASN"), 10, 32)
	switch {
	case err != nil:
		return "out of range", false
	case n == 0:
		return "reserved, RFC 7607", false
	case n == 23456:
		return "reserved, RFC 6793", false
	case n >= 64496 && n <= 64511, n >= 65536 && n <= 65551:
		return "documentation, RFC 5398", true
	case n >= 64512 && n <= 65534, n >= 4200000000 && n <= 4294967294:
		return "private, RFC 6996", false
	case n == 65535, n == 4294967295:
		return "reserved, RFC 7300", false
	}
	return "", false
}

// knownContent describes the benign file with a canonical hash, or returns "".
func knownContent(hash string) string {
	switch hash {
	case "D41D8CD98F00B204E9800998ECF8427E",
		"DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
		"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855":
		return "an empty file"
	case "68B329DA9893E34099C7D8AD5CB9C940", // LF
		"ADC83B19E793491B1C6EA0FD8B46CD9F32E592FC",
		"01BA4719C80B6FE911B091A7C05124B64EEECE964E09C058EF8F9805DACA546B",
		"81051BCC2CF1BEDF378224B0A93E2877", // CR LF
		"BA8AB5A0280B953AA97435FF8946CBCBB2755A27",
		"7EB70257593DA06F682A3DDDA54A9D260D4FC514F645237F5CA74B08F8DA61A6":
		return "a line break"
	case "7215EE9C7D9DC229D2921A40E899EC5F",
		"B858CB282617FB0956D960215C8E84D1CCF909C6",
		"36A9E7F1C95B82FFB99743E0C5C4CE95D83C9A430AAC59F84EF3CBFAB6145068":
		return "a space"
	case "93B885ADFE0DA089CDF634904FD59F71",
		"5BA93C9DB0CFF93F52B521D7420E43F6EDA2784F",
		"6E340B9CFFB37A989CA544E6BB780A2C78901D3FB33738768511A30617AFA01D":
		return "a zero byte"
	case "44D88612FEA8A8F36DE82E1278ABB02F",
		"3395856CE81F2B7382DEE72602F798B642F14140",
		"275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F":
		return "the EICAR test file"
	}
	return ""
}
