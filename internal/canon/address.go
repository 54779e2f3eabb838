package canon

import (
	"net/netip"
	"strconv"
	"strings"
)

// Address returns an IP address in the form that the platform accepts: IPv4 as four decimal
// numbers, IPv6 as eight groups in lower case, without leading zeros and without "::".
//
// The platform requires eight groups for IPv6 blocks and finds addresses only in that form. The
// input can have any form, including the short form of RFC 5952. An IPv4-mapped IPv6 address
// (::ffff:192.0.2.1) becomes the IPv4 address. Surrounding white space is removed.
//
// Ports, zones, brackets and defanged addresses return an [*Error]. So do IPv4 addresses that are
// not four decimal numbers without leading zeros, because programs disagree on the meaning of
// 010.0.0.1 and 10.1.
//
// Address does not allocate for IPv4 addresses and canonical IPv6 addresses.
func Address(address string) (string, error) {
	const field = "address"
	s := strings.TrimSpace(address)
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return "", addressError(field, s)
	}
	if addr.Zone() != "" {
		return "", refuseZone(field)
	}
	if addr.Is4() {
		return s, nil // netip accepts only the canonical spelling of IPv4
	}
	if addr.Is4In6() {
		return addr.Unmap().String(), nil
	}
	return longIPv6(addr, "", s), nil
}

// CIDR returns a block of IP addresses in the form that the platform accepts: IPv4 as 192.0.2.0/24;
// IPv6 as 2001:db8:0:0:0:0:0:0/32, in eight groups, lower case, without leading zeros and without
// "::".
//
// Surrounding white space is removed. A block with host bits, such as 192.0.2.1/24, returns an
// [*Error], because it can mean the block or the address. So do lengths over 32 or 128, leading
// zeros, zones, and IPv4 blocks written as IPv6.
//
// CIDR does not allocate for IPv4 blocks and canonical IPv6 blocks.
func CIDR(block string) (string, error) {
	const field = "CIDR block"
	s := strings.TrimSpace(block)
	ip, bits, ok := strings.Cut(s, "/")
	if !ok {
		return "", refuse(field, "has no length", "write it as in 192.0.2.0/24, or use an Address")
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "", addressError(field, ip)
	}
	switch {
	case addr.Zone() != "":
		return "", refuseZone(field)
	case addr.Is4In6():
		return "", refuse(field, "is an IPv4 block written as IPv6", "write it as IPv4")
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return "", refuse(field, "has a length that is not a number from 0 to "+strconv.Itoa(addr.BitLen()),
			"correct the number after the slash, or set AssumeScheme of an ioc.Parser if it is a URL")
	}
	if prefix.Masked() != prefix {
		return "", refuse(field, "has an address that is not the first of the block",
			"clear the bits after the length, use an Address, or set MaskBlock of an ioc.Parser")
	}
	if addr.Is4() {
		return s, nil
	}
	return longIPv6(addr, "/"+bits, s), nil
}

// longIPv6 returns addr as eight groups, followed by suffix. If the result equals given, it returns
// given and does not allocate.
func longIPv6(addr netip.Addr, suffix, given string) string {
	var buf [len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")]byte
	out := buf[:0]
	b := addr.As16()
	for i := 0; i < len(b); i += 2 {
		if i > 0 {
			out = append(out, ':')
		}
		out = strconv.AppendUint(out, uint64(b[i])<<8|uint64(b[i+1]), 16)
	}
	out = append(out, suffix...)
	if string(out) == given {
		return given
	}
	return string(out)
}

// addressError returns the error that explains why s is not an IP address.
func addressError(field, s string) error {
	if s == "" {
		return refuseBlank(field)
	}
	if err := CheckText(field, s); err != nil {
		return err
	}
	switch {
	case bracketedAddress(s) == "" && isDefanged(s):
		return refuseDefanged(field)
	case isLooseIPv4(s):
		return refuse(field, "is not four decimal numbers from 0 to 255 without leading zeros",
			"write it so; other notations mean different addresses to different programs")
	case strings.HasPrefix(s, "["):
		return refuse(field, "has brackets", "write it without brackets and port, or set SplitPort of an ioc.Parser")
	case strings.Contains(s, "/"):
		return refuse(field, "holds a slash", "use a CIDR or a URL")
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return refuse(field, "has a port", "drop the port, or set SplitPort of an ioc.Parser")
	}
	return refuse(field, "is neither an IPv4 nor an IPv6 address", "correct it, or use a Host for a name")
}

// isLooseIPv4 reports whether s is any number of numbers separated by dots, in any notation: 10.1,
// 0x7f000001, 010.0.0.1, 3232235777, 1.2.3.4.5.
func isLooseIPv4(s string) bool {
	s = strings.TrimSuffix(s, ".")
	for more := true; more; {
		var label string
		label, s, more = strings.Cut(s, ".")
		if !isNumber(label) {
			return false
		}
	}
	return true
}
