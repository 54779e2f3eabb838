package threatconnecttest

import (
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The rules for indicator values are written from the platform's documentation and share no code
// with the client, so they detect a client that sends a wrong form.

func single(rule func(string) (string, bool)) func([]string) ([]string, bool) {
	return func(parts []string) ([]string, bool) {
		v, ok := rule(parts[0])
		return []string{v}, ok
	}
}

// canonicalAddress accepts IPv4 and IPv6 in any spelling, but neither zones nor IPv4 embedded in
// IPv6. IPv6 addresses become eight groups.
func canonicalAddress(s string) (string, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is6() && strings.Contains(s, ".") {
		return "", false
	}
	if a.Is4() {
		return s, true
	}
	b := a.As16()
	var groups []string
	for i := 0; i < len(b); i += 2 {
		groups = append(groups, strconv.FormatUint(uint64(b[i])<<8|uint64(b[i+1]), 16))
	}
	return strings.Join(groups, ":"), true
}

// canonicalEmail accepts local@host. It preserves the case, which does not distinguish addresses.
func canonicalEmail(s string) (string, bool) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || strings.Count(s, "@") != 1 || !printable(s) {
		return "", false
	}
	_, host, _ := strings.Cut(s, "@")
	if _, ok := canonicalHost(host); !ok {
		return "", false
	}
	return s, true
}

// canonicalHost accepts names of two or more labels in ASCII.
func canonicalHost(s string) (string, bool) {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return "", false
	}
	for _, l := range labels {
		if !label(l, false) {
			return "", false
		}
	}
	if !topLevel(labels[len(labels)-1]) {
		return "", false
	}
	return strings.ToLower(s), true
}

func label(l string, underscore bool) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for _, c := range []byte(l) {
		if !letter(c) && !digit(c) && c != '-' && !(underscore && c == '_') {
			return false
		}
	}
	return true
}

// notTopLevel are endings of file names rather than host names.
var notTopLevel = [...]string{"bat", "bin", "css", "dll", "doc", "docx", "exe", "gif", "htm", "html", "ico", "ini", "jar", "jpg",
	"js", "lnk", "pdf", "php", "png", "rar", "rtf", "scr", "txt", "vbs", "xls", "xlsx", "xml"}

// topLevel accepts 2 to 13 letters, or punycode.
func topLevel(l string) bool {
	l = strings.ToLower(l)
	if rest, ok := strings.CutPrefix(l, "xn--"); ok {
		return len(rest) >= 2 && len(rest) <= 22
	}
	if len(l) < 2 || len(l) > 13 || slices.Contains(notTopLevel[:], l) {
		return false
	}
	return strings.IndexFunc(l, func(r rune) bool { return r < 'a' || r > 'z' }) < 0
}

// canonicalURL accepts http, https, ftp and sftp URLs with a lower-case ASCII host. After the host,
// it checks only for control characters and spaces at the end.
func canonicalURL(s string) (string, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !slices.Contains([]string{"http", "https", "ftp", "sftp"}, scheme) || strings.TrimSpace(s) != s ||
		strings.ContainsFunc(s, unicode.IsControl) {
		return "", false
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	u, err := url.Parse(scheme + "://" + authority)
	if !printable(authority) || err != nil || u.User != nil || u.Host == "" || u.Host != strings.ToLower(u.Host) {
		return "", false
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return "", false
		}
	} else if strings.HasSuffix(authority, ":") {
		return "", false
	}
	return s, urlHost(u.Hostname())
}

// urlHost accepts addresses and names. A name can have underscores from the third label on.
func urlHost(h string) bool {
	if _, ok := canonicalAddress(h); ok {
		return true
	}
	labels := strings.Split(h, ".")
	if len(h) > 253 || len(labels) < 2 || !topLevel(labels[len(labels)-1]) {
		return false
	}
	for i, l := range labels {
		if !label(l, i < len(labels)-2) {
			return false
		}
	}
	return true
}

// canonicalASN accepts only the form ASN12345.
func canonicalASN(s string) (string, bool) {
	n, ok := strings.CutPrefix(s, "ASN")
	return s, ok && allDigits(n)
}

// canonicalCIDR accepts IPv4 blocks, and IPv6 blocks of eight groups without "::" and leading
// zeros.
func canonicalCIDR(s string) (string, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return "", false
	}
	if p.Addr().Is4() {
		return s, true
	}
	addr, _, _ := strings.Cut(s, "/")
	groups := strings.Split(addr, ":")
	if len(groups) != 8 {
		return "", false
	}
	for _, g := range groups {
		if g == "" || len(g) > 1 && g[0] == '0' || g != strings.ToLower(g) || strings.Contains(g, ".") {
			return "", false
		}
	}
	return s, true
}

var hives = [...]string{"HKEY_CLASSES_ROOT", "HKEY_CURRENT_CONFIG", "HKEY_CURRENT_USER", "HKEY_CURRENT_USER_LOCAL_SETTINGS",
	"HKEY_LOCAL_MACHINE", "HKEY_PERFORMANCE_DATA", "HKEY_PERFORMANCE_NLSTEXT", "HKEY_PERFORMANCE_TEXT", "HKEY_USERS"}

// canonicalRegistryKey accepts a key below a full hive name, a nonempty value name (a space for
// none) and one of the value types.
func canonicalRegistryKey(parts []string) ([]string, bool) {
	hive, _, _ := strings.Cut(parts[0], `\`)
	ok := slices.Contains(hives[:], hive) && parts[1] != "" && slices.Contains(strings.Split(registryTypes, ";"), parts[2])
	return parts, ok
}

// canonicalFile accepts hashes of the right lengths. At least one of the three is required.
func canonicalFile(parts []string) ([]string, bool) {
	out := make([]string, 3)
	some := false
	for i, h := range parts {
		if h == "" {
			continue
		}
		if i > 2 || len(h) != hashLengths[i] || !hexadecimal(h) {
			return nil, false
		}
		out[i], some = strings.ToUpper(h), true
	}
	return out, some
}

var hashLengths = [...]int{32, 40, 64}

// splitFile assigns the hashes of a file's summary by their lengths. A hash of unknown length
// becomes a fourth part, which is invalid.
func splitFile(summary string) []string {
	out := make([]string, 3)
	for h := range strings.SplitSeq(summary, ":") {
		h = strings.TrimSpace(h)
		i := slices.Index(hashLengths[:], len(h))
		switch {
		case h == "":
		case i < 0 || out[i] != "":
			return append(out, h)
		default:
			out[i] = h
		}
	}
	return out
}

// canonicalCustom accepts nonempty values and converts them to the type's preferred case.
func canonicalCustom(preference string) func([]string) ([]string, bool) {
	return func(parts []string) ([]string, bool) {
		out := make([]string, len(parts))
		for i, p := range parts {
			if p == "" {
				return nil, false
			}
			switch preference {
			case "upper":
				p = strings.ToUpper(p)
			case "lower":
				p = strings.ToLower(p)
			}
			out[i] = p
		}
		return out, true
	}
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if !digit(c) {
			return false
		}
	}
	return s != ""
}

func hexadecimal(s string) bool {
	for _, c := range []byte(s) {
		if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// printable reports whether s is ASCII without spaces and control characters.
func printable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
