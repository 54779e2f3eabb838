package threatconnect

import "strings"

// Refang undoes the spellings that reports use to keep people from clicking on an indicator, and
// returns everything else byte for byte.
//
// Undone, in any letter case:
//
//   - white space, angle brackets and double, single and back quotes around the whole value
//   - the schemes hxxp, hxxps, hxtp, hxtps, htxp, htxps (http and https), fxp and sfxp (ftp and
//     sftp), when what separates a scheme from a host follows
//   - that separator written [://], (://), {://}, [:]//, (:)//, {:}//, :[//] or [:][//]
//   - a dot written [.], (.), {.}, [dot], (dot) or {dot}
//   - an at sign written [@], (@), {@}, [at], (at) or {at}
//   - a colon written [:], (:) or {:}
//   - white space around any of these three
//   - a dot written \. as regular expressions have it, unless a backslash stands before something
//     other than a dot. The host of a URL must have every dot written so, and no @ before it:
//     otherwise the backslash can begin the path
//
// In a value with a scheme, only the scheme, its separator and what follows up to the path are
// touched: path, query and fragment may hold the same characters for reasons of their own, and
// so may registry keys, which are not touched at all. The brackets of an IPv6 address stay.
//
// Refang is for one value, not for running text, where "(at)" may be a word. It does not check
// what comes out: pass that to a Canonical function. It is idempotent and safe for concurrent use,
// and a value that needs nothing costs no allocation.
func Refang(s string) string {
	for {
		refanged := refangOnce(s)
		if refanged == s {
			return s
		}
		s = refanged
	}
}

// refangOnce can leave something to do when undoing one spelling completes another.
func refangOnce(s string) string {
	s = unwrap(s)
	if scheme, separator := schemeOf(s); separator != "" {
		rest := s[len(scheme)+len(separator):]
		end := authorityEnd(rest)
		authority := rest[:end]
		if !isCutByBackslash(authority) {
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

// isDefanged reports whether Refang has something to undo in s.
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

// schemeOf returns the scheme that s begins with and what separates it from the host. The separator
// is "" when s has no scheme.
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

// plainScheme undoes the spelling of a defanged scheme. Other schemes are returned as they are.
func plainScheme(scheme string) string {
	if len(scheme) < len("fxp") || len(scheme) > len("hxxps") {
		return scheme
	}
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

// refangMarks undoes the spellings of dots, at signs and colons. It builds the result like a stack,
// so that nested brackets need no second pass.
func refangMarks(s string) string {
	if !strings.ContainsAny(s, `])}\`) {
		return s
	}
	escaped := escapesDotsOnly(s)
	out := make([]byte, 0, len(s))
	skip := false // white space, after a mark
	for i := 0; i < len(s); i++ {
		c := s[i]
		if skip && isBlank(c) {
			continue
		}
		skip = false
		out = append(out, c)
		if mark, length := markAtEnd(out); length > 0 {
			out = out[:len(out)-length]
			for len(out) > 0 && isBlank(out[len(out)-1]) {
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

// markAtEnd returns the character that a mark at the end of out stands for, and the length of the
// mark, which is 0 when there is none.
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

// escapesDotsOnly reports whether s has backslashes, and only before a dot or the bracket of a mark.
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

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
