package canon

import (
	"net/netip"
	"strings"
)

// SplitPort splits a refanged address or host from its port. An IPv6 address before a port is in
// brackets. If there is no port, SplitPort returns s and 0. A port outside 1 to 65535 returns an
// [*Error].
func SplitPort(s string) (host string, port uint16, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || !allDigits(s[i+1:]) || strings.Contains(s[:i], ":") && !strings.HasSuffix(s[:i], "]") {
		return s, 0, nil
	}
	if t := formOf(s); t != TypeAddress && t != TypeHost {
		return s, 0, nil
	}
	port, err = parsePort("indicator", s[i+1:])
	if err != nil {
		return "", 0, err
	}
	host = s[:i]
	if strings.Contains(host, ":") {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return host, port, nil
}

// IsSchemeless reports whether a refanged value has the form of a URL without its scheme: a host or
// an address, with or without a port, followed by a path, query or fragment. It reports false for a
// block of addresses.
func IsSchemeless(s string) bool {
	authority, tail := splitTail(s)
	if tail == "" || !isHostLike(authority) {
		return false
	}
	switch formOf(s) {
	case TypeCIDR:
		return !allDigits(tail[1:])
	case TypeHost, "":
		return true
	}
	return false
}

// AssumeScheme returns the canonical form of a URL without its scheme. It refuses file names, such
// as index.php?x, and ports with a protocol, such as 192.0.2.1:53/udp.
func AssumeScheme(scheme, s string) (string, error) {
	if err := CheckAssumedScheme(scheme); err != nil {
		return "", err
	}
	authority, tail := splitTail(s)
	host, port, err := splitHostPort(authority)
	if err != nil {
		return "", err
	}
	if _, err := notFileName(strings.ToLower(host), nil); err != nil {
		return "", err
	}
	if len(port) > 1 && (strings.EqualFold(tail, "/tcp") || strings.EqualFold(tail, "/udp")) {
		return "", refuse("indicator", "is not recognized: it may be a port with its protocol", "write the scheme before it if it is a URL")
	}
	return URL(scheme + "://" + s)
}

// MaskBlock splits a refanged block with host bits, such as 192.0.2.1/24, into the canonical forms
// of the block and the address. It reports false if s is not such a block.
func MaskBlock(s string) (block, address string, ok bool) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix.Addr().Is4In6() || prefix.Masked() == prefix {
		return "", "", false
	}
	block, _ = CIDR(prefix.Masked().String())
	address, _ = Address(prefix.Addr().String())
	return block, address, true
}
