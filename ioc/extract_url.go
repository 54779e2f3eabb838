package ioc

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// schemeStart returns the start of the scheme that ends at a separator, or the separator if there
// is no scheme.
func (s *scanner) schemeStart(start, separator int) int {
	const longest = 12
	i := separator
	for i > start && separator-i < longest && (isAlnum(s.t[i-1]) || s.t[i-1] == '*') {
		i--
	}
	for i < separator && !isLetter(s.t[i]) {
		i++
	}
	return i
}

// webScheme returns the plain form of a scheme of URL indicators and whether the scheme is
// defanged. It returns "" for any other scheme.
func webScheme(scheme []byte) (plain string, defanged bool) {
	const longest = len("htxxps")
	if len(scheme) > longest {
		return "", false
	}
	if bytes.IndexByte(scheme, '*') >= 0 { // h**p
		scheme = bytes.ReplaceAll(scheme, []byte("*"), []byte("x"))
	}
	return canon.WebScheme(string(scheme))
}

// url finds the URL with the scheme at a and the host at b. It returns the position at which to
// continue.
func (s *scanner) url(a, b, end int) int {
	scheme, defanged := webScheme(s.t[a : b-len("://")])
	if scheme == "" {
		scheme, a = s.gluedScheme(a, b)
	}
	if scheme == "" {
		return b // the rest of tcp://192.0.2.1:443 is a host or an address
	}
	to := s.urlEnd(a, b, end)
	for to > b {
		if s.isCut(to) {
			if next := s.addHostOfURL(b, to); next > 0 {
				return max(next, to)
			}
			return to
		}
		host := to
		if i := bytes.IndexAny(s.t[b:to], "/?#"); i >= 0 {
			host = b + i
		}
		defanged := defanged || s.x.plain.isDefanged(a, host)
		if value, err := canon.URL(scheme + "://" + s.urlText(b, host, to, defanged)); err == nil {
			s.add(TypeURL, value, a, to).Defanged = defanged
			s.x.noteDomain(hostOfURL(value))
			return to
		}
		shorter := b
		for shorter < to && s.t[shorter] < utf8.RuneSelf {
			shorter++
		}
		if shorter == to {
			return to
		}
		to = s.trimURL(a, b, shorter) // text in another script follows the URL
	}
	return b
}

// gluedScheme returns the scheme of a URL that directly follows other letters, and the start of the
// scheme.
func (s *scanner) gluedScheme(a, b int) (string, int) {
	word := s.t[a : b-len("://")]
	for _, scheme := range [...]string{"https", "http", "hxxps", "hxxp"} {
		if len(word) > len(scheme) && bytes.EqualFold(word[len(word)-len(scheme):], []byte(scheme)) {
			plain, _ := webScheme([]byte(scheme))
			return plain, b - len("://") - len(scheme)
		}
	}
	return "", a
}

// urlText returns the text from b to to of a URL whose path, query and fragment start at path. It
// replaces defanging marks in them only if the URL is also defanged before them.
func (s *scanner) urlText(b, path, to int, defanged bool) string {
	p := &s.x.plain
	if !defanged && p.isDefanged(path, to) {
		return string(s.t[b:path]) + string(s.x.windows.window[p.source(path):p.sourceEnd(to)])
	}
	return string(s.t[b:to])
}

// addHostOfURL adds the host of an incomplete URL. As in a complete URL, its suffix need not be
// public.
func (s *scanner) addHostOfURL(b, to int) int {
	host := s.t[b:to]
	if i := bytes.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if i := bytes.LastIndexByte(host, '@'); i >= 0 {
		b, host = b+i+1, host[i+1:]
	}
	if i := bytes.IndexByte(host, ']'); i > 0 && host[0] == '[' {
		return s.ipv6(b+1, b+i)
	}
	i := bytes.IndexByte(host, ':')
	if i < 0 {
		i = len(host)
	}
	to = b + i
	if isDotted(host[:i]) {
		return s.ipv4(b, to, to)
	}
	if value, err := canon.Host(string(bytes.TrimRight(host[:i], "."))); err == nil {
		s.add(TypeHost, value, b, to)
	}
	return to
}

// isCut reports whether an ellipsis or a placeholder in angle brackets replaces the rest of a URL
// that ends at i.
func (s *scanner) isCut(i int) bool {
	rest := s.t[i:]
	return bytes.HasPrefix(rest, []byte("..")) || bytes.HasPrefix(rest, []byte("…")) || bytes.HasPrefix(rest, []byte("[..")) || bytes.HasPrefix(rest, []byte("[…")) || isPlaceholder(rest)
}

// isPlaceholder reports whether a text starts with a name in angle brackets that is not an HTML
// element.
func isPlaceholder(text []byte) bool {
	const longest = 40
	if len(text) < 3 || text[0] != '<' || !isLetter(text[1]) {
		return false
	}
	name, _, found := bytes.Cut(text[1:min(len(text), longest)], []byte(">"))
	if !found || bytes.ContainsFunc(name, func(r rune) bool { return r != '_' && r != '-' && r != ' ' && isBetweenWords(r) }) {
		return false
	}
	switch string(bytes.ToLower(name)) {
	case "a", "abbr", "article", "b", "big", "blockquote", "body", "br", "button", "center", "cite", "code", "dd", "del", "details",
		"div", "dl", "dt", "em", "font", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "i",
		"iframe", "img", "input", "ins", "kbd", "label", "li", "link", "main", "mark", "meta", "nav", "ol", "option", "p", "pre",
		"q", "s", "samp", "script", "section", "select", "small", "span", "strike", "strong", "style", "sub", "summary", "sup",
		"svg", "table", "tbody", "td", "textarea", "tfoot", "th", "thead", "time", "title", "tr", "tt", "u", "ul", "var", "wbr":
		return false
	}
	return true
}

// urlEnd returns the end of the URL with the scheme at a and the host at b. The text after it is
// not part of the URL.
func (s *scanner) urlEnd(a, b, end int) int {
	opened := s.before(a)
	var round, square, curly int // open brackets
	path := false                // whether the host has ended
	for i := b; i < end; i++ {
		c := s.t[i]
		switch c {
		case '/', '?', '#':
			path = true
		case '\\', '|', '^':
			return s.trimURL(a, b, i)
		case '\'':
			if opened == '\'' || !isAlnum(s.after(i+1)) || s.after(i+1)|0x20 == 's' && !isAlnum(s.after(i+2)) {
				return s.trimURL(a, b, i)
			}
		case ',':
			if s.isCell(a, c) || s.startsURL(i+1, end) {
				return s.trimURL(a, b, i)
			}
		case ';':
			if s.isCell(a, c) || opened == '+' || s.startsURL(i+1, end) {
				return s.trimURL(a, b, i)
			}
		case '&':
			if s.after(i+1) == '&' { // shell syntax
				return s.trimURL(a, b, i)
			}
		case '*':
			if opened == '*' || s.after(i+1) == '*' {
				return s.trimURL(a, b, i)
			}
		case '(':
			round++
		case ')':
			if round--; round < 0 {
				return s.trimURL(a, b, i)
			}
		case '[':
			if i > b && !isIndex(s.t[i:end]) {
				return s.trimURL(a, b, i)
			}
			square++
		case ']':
			if square--; square < 0 || s.after(i+1) == '(' {
				return s.trimURL(a, b, i)
			}
		case '{':
			curly++
		case '}':
			if curly--; curly < 0 {
				return s.trimURL(a, b, i)
			}
		default:
			if c >= utf8.RuneSelf {
				r, size := utf8.DecodeRune(s.t[i:end])
				if !s.isURLRune(r, i+size, path) {
					return s.trimURL(a, b, i)
				}
				i += size - 1
			}
		}
	}
	return s.trimURL(a, b, end)
}

// isIndex reports whether a text starts with the index of a parameter, for example in ?a[0]=1.
// Other brackets in a URL are markup.
func isIndex(text []byte) bool {
	const longest = 16
	i := 1
	for i < len(text) && i < longest && (isAlnum(text[i]) || text[i] == '_') {
		i++
	}
	return i+1 < len(text) && text[i] == ']' && bytes.IndexByte([]byte("=[&"), text[i+1]) >= 0
}

// isURLRune reports whether a URL contains r, a non-ASCII character that ends at i. In a path, a
// script that is written without spaces is the text after the URL.
func (s *scanner) isURLRune(r rune, i int, path bool) bool {
	switch {
	case isWideDot(r):
		return !path && isAlnum(s.after(i))
	case path && isSpaceless(r):
		return false
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd)
}

// startsURL reports whether a URL starts at i.
func (s *scanner) startsURL(i, end int) bool {
	const longest = len("hxxps://")
	scheme, _, found := bytes.Cut(s.t[min(i, end):min(i+longest, end)], []byte("://"))
	plain, _ := webScheme(scheme)
	return found && plain != ""
}

// trimURL drops punctuation of the surrounding text from the end of a URL.
func (s *scanner) trimURL(a, b, to int) int {
	for to > b {
		switch c := s.t[to-1]; c {
		case '.', ',', ';', ':', '!', '?', '\'', '*', '(', '[', '{', '$':
			to--
		case '_', '~':
			if s.before(a) != c {
				return to
			}
			to--
		default:
			return to
		}
	}
	return to
}
