package ioc

import (
	"bytes"
	"net/netip"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// isDotted reports whether a word consists of digits and dots.
func isDotted(word []byte) bool {
	for _, c := range word {
		if !isDigit(c) && c != '.' {
			return false
		}
	}
	return true
}

// ipv4 finds the address or block in the digits and dots from a to b. It returns the position at
// which to continue.
func (s *scanner) ipv4(a, b, end int) int {
	addr, err := netip.ParseAddr(string(s.t[a:b]))
	if err != nil {
		return b
	}
	defanged := s.x.plain.isDefanged(a, b)
	if !defanged && !s.isAddressPlace(a, b, addr) {
		return b
	}
	if next := s.block(a, b, end); next > 0 {
		return next
	}
	if !defanged && s.isVersion(a, b, addr) || defanged && s.isDefangedVersion(a) {
		return b
	}
	return s.addNamed(TypeAddress, addr.String(), a, b, end)
}

// block finds the block of addresses with the address from a to b. It returns the position at which
// to continue, or 0 if there is no block.
func (s *scanner) block(a, b, end int) int {
	if s.after(b) != '/' {
		return 0
	}
	to := b + 1
	for to < end && isDigit(s.t[to]) {
		to++
	}
	if to == b+1 || to < end && (isAlnum(s.t[to]) || s.t[to] == '/' || s.t[to] == '.' && to+1 < end && isDigit(s.t[to+1])) {
		return 0
	}
	text := string(s.t[a:to])
	if block, err := canon.CIDR(text); err == nil {
		s.add(TypeCIDR, block, a, to)
		return to
	}
	block, address, ok := canon.MaskBlock(text)
	switch {
	case !ok:
		return 0
	case s.x.parser.MaskBlock:
		s.add(TypeCIDR, block, a, to).Address = address
	default:
		s.add(TypeAddress, address, a, b)
	}
	return to
}

// isAddress reports whether an IPv4 address starts at i, for example in 192.0.2.1/192.0.2.2.
func (s *scanner) isAddress(i, end int) bool {
	to := i
	for to < end && (isDigit(s.t[to]) || s.t[to] == '.') {
		to++
	}
	_, err := netip.ParseAddr(string(bytes.TrimRight(s.t[i:to], ".")))
	return err == nil
}

// isAddressPlace reports whether the characters around the word from a to b can surround an
// address.
func (s *scanner) isAddressPlace(a, b int, addr netip.Addr) bool {
	switch before := s.before(a); before {
	case '/', ':':
		if i := a - 2; i >= 0 && isLetter(s.t[i]) && a-1 != s.hostEnd {
			return s.isLabel(a-1, addr)
		}
	case '\\':
		if s.before(a-1) != '\\' { // \\192.0.2.1\share
			return false
		}
	case '^', '.':
		return false
	case '~', '_': // emphasis
		return s.after(b) == before
	case '-':
		if before := s.before(a - 1); !isDigit(before) && before != '-' {
			return false
		}
	case '=':
		if i := a - 2; i >= 0 && bytes.IndexByte([]byte("=<>~!^"), s.t[i]) >= 0 {
			return false // the version of a dependency
		}
	default:
		if isAlnum(before) {
			return false
		}
	}
	switch after := s.after(b); after {
	case '-':
		return isDigit(s.after(b+1)) || s.after(b+1) == '-'
	case '_', '+':
		return false
	case '.':
		return !isWordByte(s.after(b+1)) || isCapital(s.after(b+1))
	default:
		return !isAlnum(after)
	}
}

// isLabel reports whether the word before a slash or a colon names the address after it, for
// example in client/192.0.2.1. A program name precedes its version instead.
func (s *scanner) isLabel(end int, addr netip.Addr) bool {
	start := s.termStart(end, max(0, end-32))
	octets := addr.As4()
	name := s.t[start:end]
	m := meaningOf(name)
	switch {
	case s.t[end] == ':':
		m = meaningOfTerm(name)
	case isCapital(name[0]) && bytes.ContainsFunc(name, func(r rune) bool { return 'a' <= r && r <= 'z' }):
		return false // the name of a program
	}
	switch m {
	case ofAddress, ofHost:
		return true
	case noMeaning:
		return surprise(octets) < 8 && octets[3] != 0
	}
	return false
}

// ipv6 finds the IPv6 address or block that starts at a. It returns the position at which to
// continue, or a if there is none.
func (s *scanner) ipv6(a, end int) int {
	if !s.isAddressStart(a) {
		return a
	}
	b, colons := a, 0
	for b < end && (unhex(s.t[b]) >= 0 || s.t[b] == ':' || s.t[b] == '.') {
		if s.t[b] == ':' {
			colons++
		}
		b++
	}
	switch {
	case colons < 2:
		return a
	case isAlnum(s.after(b)):
		return b
	}
	to := b
	for to > a && (s.t[to-1] == '.' || s.t[to-1] == ':' && (to < a+2 || s.t[to-2] != ':')) {
		to--
	}
	addr, err := netip.ParseAddr(string(s.t[a:to]))
	if err != nil || !addr.Is6() || !isAddressText(s.t[a:to]) {
		return b
	}
	if s.after(to) == '%' { // a zone
		return b
	}
	if next := s.block(a, to, end); next > 0 {
		return next
	}
	if value, err := canon.Address(string(s.t[a:to])); err == nil {
		m := s.add(TypeAddress, value, a, to)
		if s.before(a) == '[' && s.after(to) == ']' {
			var next int
			if m.Port, next = s.port(to+1, end); m.Port > 0 {
				return next
			}
		}
	}
	return to
}

// isAddressStart reports whether an IPv6 address can start at a.
func (s *scanner) isAddressStart(a int) bool {
	switch before := s.before(a); before {
	case ':': // IPv6:2001:db8::1
		return a >= 2 && unhex(s.t[a-2]) < 0 && s.t[a-2] != ':' || a >= 3 && isLetter(s.t[a-3]) && unhex(s.t[a-3]) < 0
	case '.', '_':
		return false
	default:
		return !isAlnum(before)
	}
}

// isAddressText reports whether the valid IPv6 address s is probably an address. Eight groups of
// two digits are the bytes of a hardware address or a serial number; a few letters around "::" are
// names in source code.
func isAddressText(s []byte) bool {
	pairs, digits, hex, groups := true, 0, 0, 0
	for group := range bytes.SplitSeq(s, []byte(":")) {
		if len(group) > 0 {
			groups++
		}
		pairs = pairs && len(group) == 2
		hex += len(group)
		for _, c := range group {
			if isDigit(c) {
				digits++
			}
		}
	}
	return !pairs && digits > 0 && (groups > 2 || hex > 3 || bytes.Equal(s, []byte("::1")))
}

// isHexGroup reports whether a word can be a group of an IPv6 address.
func isHexGroup(word []byte) bool {
	for _, c := range word {
		if unhex(c) < 0 {
			return false
		}
	}
	return len(word) <= 4
}
