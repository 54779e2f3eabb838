package canon

import "strings"

// Refang returns a defanged indicator in its plain form and keeps everything else byte for byte.
//
// It undoes, in any letter case:
//
//   - white space, angle brackets and double, single and back quotes around the whole value
//   - the schemes hxxp, hxxps, hxtp, hxtps, htxp, htxps (http and https), fxp and sfxp (ftp and
//     sftp), before the separator of scheme and host
//   - that separator written [://], (://), {://}, [:]//, (:)//, {:}//, :[//] or [:][//]
//   - a dot written [.], (.), {.}, [dot], (dot) or {dot}
//   - an at sign written [@], (@), {@}, [at], (at) or {at}
//   - a colon written [:], (:) or {:}
//   - white space around any of these three
//   - a dot written \. as in regular expressions, unless a backslash precedes any other character.
//     In a URL, every dot of the host must be written so and no @ may precede it, because a
//     backslash can also begin the path
//
// In a value with a scheme, Refang changes the scheme, the separator and the host only. Path, query,
// fragment and registry keys can contain the same characters with another meaning, so it keeps them.
// The brackets of an IPv6 address stay.
//
// Refang expects a single value, not running text, in which "(at)" can be a word. It does not check
// the result: pass it to a Canonical function. It is idempotent, safe for concurrent use, and does not
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

// refangOnce undoes one layer: its result can be another defanged value.
func refangOnce(s string) string {
	s = unwrap(s)
	if scheme, separator := schemeOf(s); separator != "" {
		rest := s[len(scheme)+len(separator):]
		end := authorityEnd(rest)
		authority := rest[:end]
		if !hasAmbiguousBackslash(authority) {
			authority = refangMarks(authority)
		}
		plain := plainScheme(scheme)
		if plain == scheme && separator == "://" && len(authority) == end {
			return s
		}
		return plain + "://" + authority + rest[end:]
	}
	if hive, _ := splitHive(s); hive != "" {
		return s
	}
	return refangMarks(s)
}

// isDefanged reports whether Refang changes s.
func isDefanged(s string) bool { return Refang(s) != s }

// unwrap removes white space and pairs of quotes and angle brackets around s.
func unwrap(s string) string {
	for {
		s = strings.TrimSpace(s)
		if len(s) < 2 {
			return s
		}
		switch pair := s[:1] + s[len(s)-1:]; pair {
		case "<>", `""`, "''", "``":
			s = s[1 : len(s)-1]
		default:
			return s
		}
	}
}

// schemeOf returns the scheme at the start of s and the separator between scheme and host, or "" for
// both if s has no scheme.
func schemeOf(s string) (scheme, separator string) {
	end := strings.IndexAny(s, ":[({")
	if end < 0 || !isScheme(s[:end]) {
		return "", ""
	}
	for _, separator := range [...]string{
		"://", "[://]", "(://)", "{://}", "[:]//", "(:)//", "{:}//", ":[//]", "[:][//]",
	} {
		if strings.HasPrefix(s[end:], separator) {
			return s[:end], separator
		}
	}
	return "", ""
}

// plainScheme returns the plain form of a defanged scheme, and any other scheme unchanged.
func plainScheme(scheme string) string {
	switch strings.ToLower(scheme) {
	case "hxxp", "hxtp", "htxp":
		return "http"
	case "hxxps", "hxtps", "htxps":
		return "https"
	case "fxp":
		return "ftp"
	case "sfxp":
		return "sftp"
	}
	return scheme
}

// refangMarks replaces the marks for dots, at signs and colons. It builds the result as a stack, so
// nested brackets need no second pass.
func refangMarks(s string) string {
	if !strings.ContainsAny(s, `])}\`) {
		return s
	}
	escaped := escapesDotsOnly(s)
	out := make([]byte, 0, len(s))
	skip := false // whether to skip white space, after a mark
	for i := 0; i < len(s); i++ {
		c := s[i]
		if skip && isSpaceOrTab(c) {
			continue
		}
		skip = false
		out = append(out, c)
		if mark, length := markAtEnd(out); length > 0 {
			out = out[:len(out)-length]
			for len(out) > 0 && isSpaceOrTab(out[len(out)-1]) {
				out = out[:len(out)-1]
			}
			out = append(out, mark)
			c, skip = mark, true
		}
		for escaped && c == '.' && len(out) >= 2 && out[len(out)-2] == '\\' {
			out = append(out[:len(out)-2], '.')
		}
	}
	if len(out) == len(s) {
		return s
	}
	return string(out)
}

// markAtEnd returns the character that the mark at the end of out stands for, and the length of the
// mark, or 0 if there is none.
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
	inner := out[:len(out)-1]
	for n := 1; n <= len("dot") && n < len(inner); n++ {
		if inner[len(inner)-n-1] != open {
			continue
		}
		switch body := string(inner[len(inner)-n:]); {
		case body == "." || strings.EqualFold(body, "dot"):
			return '.', n + 2
		case body == "@" || strings.EqualFold(body, "at"):
			return '@', n + 2
		case body == ":":
			return ':', n + 2
		}
	}
	return 0, 0
}

// escapesDotsOnly reports whether s has backslashes, all of them before a dot or the bracket of a mark.
func escapesDotsOnly(s string) bool {
	found := false
	for i := 0; i < len(s); i++ {
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
