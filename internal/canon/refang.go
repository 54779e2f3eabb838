package canon

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Refang converts a defanged indicator to its plain form and keeps everything else byte for byte.
//
// It replaces or removes, in any letter case:
//
//   - white space, angle brackets, and double, single, back and typographic quotes around the value
//   - square brackets around an IP address
//   - the schemes http, https, ftp and sftp with an x instead of a t, and with an extra x or t, such as hxxp, hxtps, htxxp and fxp
//   - the separator of scheme and host written [://], (://), {://}, [:]//, (:)//, {:}//, :[//], :[/][/], [:][//] or [:][/][/]
//   - a dot written [.], (.), {.}, [dot], (dot) or {dot}
//   - an at sign written [@], (@), {@}, [at], (at) or {at}
//   - a colon written [:], (:) or {:}
//   - white space inside and around any of these three
//   - a dot between two letters or digits written [. or .]
//   - a dot written \. as in regular expressions, unless a backslash precedes any other character. In a URL, every dot of the host must be written this way and no @ may precede it, because a backslash can also start the path.
//   - the slash of a path written [/]
//   - in the path, query and fragment of a URL whose scheme or host is defanged: [.], [dot], [@], [at], [:] and [/]. If a mark has several pairs of brackets, such as [[.]], only one pair is removed.
//
// If the scheme and host of a URL are plain, its path, query and fragment do not change, because
// they can contain the same characters with another meaning. The same applies to a host with a path
// but without a scheme. Registry keys and the brackets of an IPv6 address in a URL do not change.
//
// Refang expects a single value, not running text, in which "(at)" can be a word. It does not
// validate the result; [Parse] does. It is idempotent, safe for concurrent use, and does not
// allocate for a value that is not defanged.
func Refang(s string) string {
	for {
		refanged := refangOnce(s)
		if refanged == s {
			return s
		}
		s = refanged
	}
}

// refangOnce removes one layer of defanging. The result can be another defanged value.
func refangOnce(s string) string {
	s = unwrap(s)
	if scheme, separator := schemeOf(s); separator != "" {
		authority, tail := splitTail(s[len(scheme)+len(separator):])
		plain, host := plainScheme(scheme), refangHost(authority)
		if plain == scheme && separator == "://" && host == authority && !strings.HasPrefix(tail, "[") {
			return s
		}
		return plain + "://" + host + refangTail(tail)
	}
	if hive, _ := splitHive(s); hive != "" {
		return s
	}
	if address := bracketedAddress(s); address != "" {
		return address
	}
	authority, tail := splitTail(s)
	if tail == "" {
		return refangMarks(s)
	}
	switch host := refangHost(authority); {
	case !isHostLike(host):
		return refangMarks(s)
	case host == authority && !strings.HasPrefix(tail, "["):
		return s
	default:
		return host + refangTail(tail)
	}
}

// Undefang is [Refang] that also reports whether s was defanged. Quotes, angle brackets and white
// space alone do not count.
func Undefang(s string) (plain string, defanged bool) {
	plain = Refang(s)
	return plain, plain != unwrap(s)
}

// isDefanged reports whether Refang changes s.
func isDefanged(s string) bool { return Refang(s) != s }

// unwrap removes white space and pairs of quotes and angle brackets around s.
func unwrap(s string) string {
	for {
		s = strings.TrimSpace(s)
		inner, ok := unquote(s)
		if !ok {
			return s
		}
		s = inner
	}
}

// unquote removes one pair of quotes or angle brackets around s. It reports false if there is none.
func unquote(s string) (inner string, ok bool) {
	if s == "" || isWordByte(s[0]) && s[0] < utf8.RuneSelf {
		return s, false // the common case
	}
	for _, pair := range [...]struct{ left, right string }{
		{"<", ">"}, {`"`, `"`}, {"'", "'"}, {"`", "`"}, {"“", "”"}, {"‘", "’"}, {"«", "»"}, {"‹", "›"}, {"„", "“"}, {"„", "”"}, {"‚", "‘"}, {"‚", "’"},
	} {
		if inner, ok := strings.CutPrefix(s, pair.left); ok {
			if inner, ok := strings.CutSuffix(inner, pair.right); ok {
				return inner, true
			}
		}
	}
	return s, false
}

// bracketedAddress returns the IP address if s is one in square brackets, or "".
func bracketedAddress(s string) string {
	left, right := len(s)-len(strings.TrimLeft(s, "[")), len(s)-len(strings.TrimRight(s, "]"))
	n := min(left, right) // an address can start or end with a mark, but not both
	if n == 0 {
		return ""
	}
	inner := refangMarks(s[n : len(s)-n])
	if addr, err := netip.ParseAddr(inner); err != nil || addr.Zone() != "" {
		return ""
	}
	return inner
}

// splitTail splits a URL without its scheme before the path, query or fragment. A tail whose first
// slash is defanged starts with a bracket.
func splitTail(s string) (authority, tail string) {
	end := authorityEnd(s)
	if end == len(s) || s[end] != '/' {
		return s[:end], s[end:]
	}
	before, after := s[:end], s[end+1:]
	n := min(len(before)-len(strings.TrimRight(before, "[")), len(after)-len(strings.TrimLeft(after, "]")))
	return s[:end-n], s[end-n:]
}

// isHostLike reports whether the text before a path is the host of a URL, with or without a port,
// rather than a word of text or a part of an email address.
func isHostLike(s string) bool {
	return (strings.ContainsAny(s, labelDots) || strings.HasPrefix(s, "[")) && !strings.ContainsAny(s, "@\" \t")
}

// schemeOf returns the scheme at the start of s and the separator between scheme and host. It
// returns "" for both if s has no scheme.
func schemeOf(s string) (scheme, separator string) {
	end := strings.IndexAny(s, ":[({")
	if end < 0 || !isScheme(s[:end]) {
		return "", ""
	}
	for _, separator := range [...]string{
		"://", "[://]", "(://)", "{://}", "[:]//", "(:)//", "{:}//", ":[//]", "[:][//]", ":[/][/]", "[:][/][/]",
	} {
		if strings.HasPrefix(s[end:], separator) {
			return s[:end], separator
		}
	}
	return "", ""
}

// plainScheme returns the plain form of a defanged scheme, and any other scheme unchanged.
func plainScheme(scheme string) string {
	lower := strings.ToLower(scheme)
	for _, plain := range [...]struct{ before, letters, after string }{
		{"h", "tt", "p"}, {"h", "tt", "ps"}, {"f", "t", "p"}, {"sf", "t", "p"},
	} {
		letters, ok := strings.CutPrefix(lower, plain.before)
		if !ok {
			continue
		}
		letters, ok = strings.CutSuffix(letters, plain.after)
		if extra := len(letters) - len(plain.letters); !ok || extra < 0 || extra > 1 {
			continue
		}
		if strings.Trim(letters, "tx") == "" && strings.Contains(letters, "x") {
			return plain.before + plain.letters + plain.after
		}
	}
	return scheme
}

// WebScheme returns the plain form of a scheme of URL indicators and whether the scheme is
// defanged. It returns "" for any other scheme.
func WebScheme(scheme string) (plain string, defanged bool) {
	plain = plainScheme(scheme)
	return urlScheme(plain), plain != scheme
}

// CheckAssumedScheme returns an error unless scheme is http, https, ftp or sftp, in any letter case.
func CheckAssumedScheme(scheme string) error {
	if urlScheme(scheme) == "" {
		return refuse("scheme to assume", "is not http, https, ftp or sftp", "set AssumeScheme to one of these")
	}
	return nil
}

// refangHost replaces the marks in a host, with or without a port and user information, unless the
// marks determine the end of the host.
func refangHost(authority string) string {
	if hasAmbiguousBackslash(authority) {
		return authority
	}
	return refangMarks(authority)
}

// refangMarks replaces the marks for dots, at signs and colons. It builds the result as a stack, so
// nested brackets need no second pass.
func refangMarks(s string) string {
	if !strings.ContainsAny(s, `[])}\`) {
		return s
	}
	escaped := escapesDotsOnly(s)
	out := make([]byte, 0, len(s))
	skip := false // whether to skip white space, after a mark
	for i := range len(s) {
		c := s[i]
		if skip && isSpaceOrTab(c) {
			continue
		}
		skip = false
		beforeWord := i+1 < len(s) && isWordByte(s[i+1])
		if c == ']' && beforeWord && endsInWordAnd(out, ".") {
			continue
		}
		out = append(out, c)
		if mark, length := markAtEnd(out); length > 0 {
			out = append(trimSpaceRight(out[:len(out)-length]), mark)
			c, skip = mark, true
		}
		for escaped && c == '.' && len(out) >= 2 && out[len(out)-2] == '\\' {
			out = append(out[:len(out)-2], '.')
		}
		if c == '.' && beforeWord && endsInWordAnd(out, "[.") {
			out = append(out[:len(out)-2], '.')
		}
	}
	if len(out) == len(s) {
		return s
	}
	return string(out)
}

// markAtEnd returns the replacement of the mark at the end of out and the length of the mark, or 0
// if there is none.
func markAtEnd(out []byte) (mark byte, length int) {
	var open byte
	switch out[len(out)-1] {
	case ']':
		open = '['
	case ')':
		open = '('
	case '}':
		open = '{'
	default:
		return 0, 0
	}
	inner := trimSpaceRight(out[:len(out)-1])
	for n := 1; n <= len("dot") && n < len(inner); n++ {
		mark := markOf(inner[len(inner)-n:])
		if mark == 0 {
			continue
		}
		before := trimSpaceRight(inner[:len(inner)-n])
		if len(before) > 0 && before[len(before)-1] == open {
			return mark, len(out) - len(before) + 1
		}
	}
	return 0, 0
}

// markOf returns the replacement of a mark with the given text in its brackets, or 0.
func markOf(text []byte) byte {
	switch {
	case len(text) == 1 && (text[0] == '.' || text[0] == '@' || text[0] == ':'):
		return text[0]
	case strings.EqualFold(string(text), "dot"):
		return '.'
	case strings.EqualFold(string(text), "at"):
		return '@'
	}
	return 0
}

// endsInWordAnd reports whether b ends in a letter or digit followed by suffix.
func endsInWordAnd(b []byte, suffix string) bool {
	n := len(b) - len(suffix)
	return n > 0 && string(b[n:]) == suffix && isWordByte(b[n-1])
}

// isWordByte reports whether c is an ASCII letter or digit, or part of a non-ASCII character.
func isWordByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c >= utf8.RuneSelf
}

func trimSpaceRight(b []byte) []byte {
	for len(b) > 0 && isSpaceOrTab(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// refangTail replaces the marks in path, query and fragment. If a mark has several pairs of
// brackets, it removes only one: [Defang] writes a mark that is part of the value in this way.
func refangTail(tail string) string {
	slash := ""
	if n := len(tail) - len(strings.TrimLeft(tail, "[")); n > 0 {
		slash, tail = "/", tail[2*n+1:]
	}
	return slash + mapTailMarks(tail, func(out []byte, text string, depth int) []byte {
		if depth > 1 {
			return append(out, text[1:len(text)-1]...)
		}
		inner := []byte(text[1 : len(text)-1])
		if mark := markOf(inner); mark != 0 {
			inner = append(inner[:0], mark)
		}
		return append(out, inner...)
	})
}

// mapTailMarks returns tail with each mark in square brackets replaced by the text that replace
// appends. The text of a mark includes depth pairs of brackets.
func mapTailMarks(tail string, replace func(out []byte, text string, depth int) []byte) string {
	if !strings.Contains(tail, "]") {
		return tail
	}
	out := make([]byte, 0, len(tail)+2)
	for tail != "" {
		start := strings.IndexByte(tail, '[')
		if start < 0 {
			break
		}
		inner := strings.TrimLeft(tail[start:], "[")
		left := len(tail) - start - len(inner)
		end := 0
		for end <= len("dot") && end < len(inner) && inner[end] != ']' {
			end++
		}
		right := len(inner[end:]) - len(strings.TrimLeft(inner[end:], "]"))
		depth := min(left, right)
		if depth == 0 || inner[:end] != "/" && markOf([]byte(inner[:end])) == 0 {
			out = append(out, tail[:start+left]...)
			tail = inner
			continue
		}
		from, to := start+left-depth, start+left+end+depth
		out = append(out, tail[:from]...)
		out = replace(out, tail[from:to], depth)
		tail = tail[to:]
	}
	return string(append(out, tail...))
}

// escapesDotsOnly reports whether s contains backslashes, all of them before a dot or the bracket
// of a mark.
func escapesDotsOnly(s string) bool {
	found := false
	for i := range len(s) {
		if s[i] != '\\' {
			continue
		}
		if i+1 == len(s) || !strings.ContainsRune(`.[({\`, rune(s[i+1])) {
			return false
		}
		found = true
	}
	return found
}

func isSpaceOrTab(c byte) bool { return c == ' ' || c == '\t' }
