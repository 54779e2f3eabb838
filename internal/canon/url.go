package canon

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// URL returns a URL in the form that the platform accepts: scheme and host in lower case, the host
// in its IDNA form, and no user information.
//
// The scheme is http, https, ftp or sftp. The host follows the rules of [Host], or is an IPv4
// address or an IPv6 address in brackets, which is returned in the short form of RFC 5952. The port
// is from 1 to 65535 and is kept, even if it is the default of the scheme. Path, query and fragment
// are kept byte for byte: nothing is encoded, decoded or resolved. Surrounding white space is
// removed.
//
// White space, double and back quotes, angle brackets and invisible characters inside a URL, and
// non-ASCII punctuation at its end, usually belong to the surrounding text: "http://example.com/x
// (a comment)". They return an [*Error] unless they are percent-encoded. So do backslashes, which
// browsers read as slashes. Control characters, invalid UTF-8 and defanged URLs also return an
// error.
//
// User information is removed, because the platform does not accept it and it can be a credential.
//
// URL does not allocate for a canonical URL whose host is an IPv4 address or a name without
// internationalized labels.
func URL(rawURL string) (string, error) {
	const field = "URL"
	s := strings.TrimSpace(rawURL)
	if s == "" {
		return "", refuseBlank(field)
	}
	if err := CheckText(field, s); err != nil {
		return "", err
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) {
		if isDefanged(s) {
			return "", refuseDefanged(field)
		}
		return "", refuse(field, "has no scheme", "write http://, https://, ftp:// or sftp:// before it")
	}
	newScheme := urlScheme(scheme)
	if newScheme == "" {
		if plainScheme(scheme) != scheme {
			return "", refuseDefanged(field)
		}
		return "", refuse(field, "has a scheme other than http, https, ftp and sftp", "use one of these")
	}
	end := authorityEnd(rest)
	authority, tail := rest[:end], rest[end:]
	if hasAmbiguousBackslash(authority) {
		return "", refuse("URL host", "holds a path behind a backslash", "write / for the backslash if it begins the path")
	}
	hostPort := authority[strings.LastIndexByte(authority, '@')+1:]
	newHostPort, err := canonicalHostPort(hostPort)
	if err != nil {
		return "", err
	}
	if err := checkURLTail(field, tail); err != nil {
		return "", err
	}
	if newScheme == scheme && newHostPort == authority {
		return s, nil
	}
	return newScheme + "://" + newHostPort + tail, nil
}

// checkURLTail checks path, query and fragment. It refuses characters outside RFC 3986 that usually
// belong to the surrounding text, and those that programs interpret differently.
func checkURLTail(field, tail string) error {
	const fix = "percent-encode it if it is part of the URL, or remove it"
	last := rune(-1)
	for _, last = range tail {
		switch {
		case last == '"', last == '`', last == '<', last == '>':
			return refuse(field, "holds a quote or an angle bracket", fix+" and what follows")
		case last == '\\':
			return refuse(field, "holds a backslash, which browsers read as a slash", "write / or %5C")
		case ' ' < last && last < utf8.RuneSelf: // other visible ASCII
		case unicode.IsSpace(last):
			return refuse(field, "holds white space", "write a space as %20 if it is part of the URL, or remove it and what follows")
		case isInvisible(last):
			return refuse(field, "holds an invisible character", fix)
		}
	}
	if isForeignPunctuation(last) {
		return refuse(field, "ends with punctuation beyond ASCII", fix)
	}
	return nil
}

// canonicalHostPort returns the canonical form of a host with or without a port.
func canonicalHostPort(s string) (string, error) {
	if isPlainHost(s) {
		return s, nil
	}
	if refangMarks(s) != s {
		return "", refuseDefanged("URL")
	}
	host, port, err := splitHostPort(s)
	if err != nil {
		return "", err
	}
	newHost, err := canonicalURLHost(host)
	if err != nil {
		return "", err
	}
	newPort, err := canonicalURLPort(port)
	if err != nil {
		return "", err
	}
	if newHost == host && newPort == port {
		return s, nil
	}
	return newHost + newPort, nil
}

// isScheme reports whether s has the syntax of a URL scheme.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// urlScheme returns a scheme of URL indicators in lower case, or "" for any other.
func urlScheme(s string) string {
	for _, scheme := range [...]string{"http", "https", "ftp", "sftp"} {
		if strings.EqualFold(s, scheme) {
			return scheme
		}
	}
	return ""
}

// authorityEnd returns the index of the path, query or fragment in s, the part of a URL after "://".
func authorityEnd(s string) int {
	for i := range len(s) {
		if c := s[i]; c == '/' || c == '?' || c == '#' {
			return i
		}
	}
	return len(s)
}

// hasAmbiguousBackslash reports whether the host of an authority depends on the interpretation of a
// backslash. To browsers it starts the path, so the host ends there; other programs read on to the
// last @. If every dot is escaped and there is no @, the name is a regular expression and not
// ambiguous.
func hasAmbiguousBackslash(authority string) bool {
	return strings.IndexByte(authority, '\\') >= 0 &&
		(strings.Count(authority, ".") != strings.Count(authority, `\.`) || strings.IndexByte(refangMarks(authority), '@') >= 0)
}

// splitHostPort splits a host from its port, which keeps its colon. IPv6 hosts keep their brackets.
func splitHostPort(s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']') + 1
		if port := s[end:]; end > 0 && (port == "" || port[0] == ':') {
			return s[:end], port, nil
		}
		return s, "", nil // the host is refused
	}
	i := strings.IndexByte(s, ':')
	if i < 0 {
		return s, "", nil
	}
	if strings.IndexByte(s[i+1:], ':') >= 0 {
		return "", "", refuse("URL", "has an IPv6 host without brackets", "write [ and ] around the host")
	}
	return s[:i], s[i:], nil
}

// canonicalURLHost returns the canonical form of a host name, an IPv4 address, or an IPv6 address in
// brackets.
func canonicalURLHost(host string) (string, error) {
	const field = "URL host"
	if isPlainHost(host) {
		return host, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		return host, nil
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, _ := netip.ParseAddr(inner)
		if !ok || !addr.Is6() {
			return "", refuse(field, "is not an IPv6 address in brackets", "correct what the brackets hold")
		}
		if addr.Zone() != "" {
			return "", refuseZone(field)
		}
		return "[" + shortIPv6(addr) + "]", nil
	}
	return canonicalHost(field, host)
}

// shortIPv6 returns an IPv6 address in the short form of RFC 5952, without dotted decimal numbers.
func shortIPv6(addr netip.Addr) string {
	if !addr.Is4In6() {
		return addr.String()
	}
	b := addr.As16()
	group := func(i int) string { return strconv.FormatUint(uint64(b[i])<<8|uint64(b[i+1]), 16) }
	return "::ffff:" + group(12) + ":" + group(14)
}

// canonicalURLPort checks a port that starts with its colon. It removes leading zeros, and a colon
// without a port.
func canonicalURLPort(port string) (string, error) {
	if port == "" || port == ":" {
		return "", nil
	}
	n, err := parsePort("URL", port[1:])
	if err != nil {
		return "", err
	}
	if port[1] == '0' {
		return ":" + strconv.Itoa(int(n)), nil
	}
	return port, nil
}

func parsePort(field, digits string) (uint16, error) {
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return 0, refuse(field, "has a port outside 1 to 65535", "correct the port")
	}
	return uint16(n), nil
}
