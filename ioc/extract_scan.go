package ioc

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// scanner finds the indicators of a text in its plain form, from left to right. Tokens are
// separated by white space, quotes and angle brackets. A token consists of URLs and words. A word
// consists of letters, digits, dots, hyphens and underscores.
type scanner struct {
	t []byte
	x *extractor
	*layout
	lineStart  int
	listStart  int    // start of the lines last passed to isHostList
	listEnd    int    // end of these lines
	hostList   bool   // result of isHostList
	codeStart  int    // start of the line last passed to isCode, plus one
	code       bool   // result of isCode
	hostName   string // canonical form of the last word that isHost accepted
	hostNamed  bool   // whether a word identified the last host
	hostEnd    int    // end of the last host
	versionEnd int    // end of the last version
	version    byte   // first number of the last version
	hashEnd    int    // end of the last hash
	digest     bool   // whether the last hash is a file hash
}

// The properties of a byte in a token.
const (
	tokenEnd  = 1 << iota // ends a token
	hasDot                // hosts, addresses
	hasColon              // URLs, IPv6 addresses
	hasAt                 // email addresses
	hasDigit              // hashes, ASNs, CVE IDs
	isUnicode             // part of a non-ASCII character
)

var byteKinds = func() (kinds [256]byte) {
	for c := range kinds {
		switch {
		case c <= ' ', c == '"', c == '<', c == '>', c == '`', c == 0x7f:
			kinds[c] = tokenEnd
		case isDigit(byte(c)):
			kinds[c] = hasDigit
		case c >= utf8.RuneSelf:
			kinds[c] = isUnicode
		}
	}
	kinds['.'], kinds[':'], kinds['@'] = hasDot, hasColon, hasAt
	return kinds
}()

// scan finds the indicators of the text.
func (s *scanner) scan() {
	const shortest = len("AS1")
	s.table.cellsEnd = 0
	s.inCode = s.inCode && s.fenced // an unclosed <script ends with the window
	if !s.x.inLine {
		s.line(0)
	}
	for i := 0; i < len(s.t); {
		start, kinds := i, byte(0)
		for i < len(s.t) {
			kind := byteKinds[s.t[i]]
			if kind == tokenEnd {
				break
			}
			kinds |= kind
			i++
		}
		if i-start >= shortest && (kinds&(hasDot|hasColon|hasAt|hasDigit) != 0 || kinds&isUnicode != 0 && bytes.ContainsFunc(s.t[start:i], isWideDot)) {
			s.token(start, i, kinds)
		}
		for i < len(s.t) && byteKinds[s.t[i]] == tokenEnd {
			i++
			if s.t[i-1] == '\n' && i < len(s.t) {
				s.line(i)
			}
		}
	}
}

// token finds the indicators of a token.
func (s *scanner) token(start, end int, kinds byte) {
	if kinds&hasColon != 0 {
		for at := start; ; {
			i := bytes.Index(s.t[at:end], []byte("://"))
			if i < 0 {
				break
			}
			separator := at + i
			at = separator + len("://")
			scheme := s.schemeStart(start, separator)
			if scheme == separator {
				continue
			}
			s.words(start, scheme)
			start = s.url(scheme, at, end)
			at = start
		}
	}
	if kinds&hasDot != 0 && kinds&^(hasDot|isUnicode) == 0 && !s.hasInnerDot(start, end) {
		return
	}
	s.words(start, end)
}

// hasInnerDot reports whether a dot of the token is between two other characters.
func (s *scanner) hasInnerDot(start, end int) bool {
	for i := start + 1; i < end-1; i++ {
		if s.t[i] == '.' && isWordByte(s.t[i-1]) && isWordByte(s.t[i+1]) {
			return true
		}
	}
	return false
}

// words finds the indicators in a part of a token without URLs.
func (s *scanner) words(start, end int) {
	for i := start; i < end; {
		if to := s.wordEnd(i, end); to > i {
			i = s.word(start, i, to, end)
			continue
		}
		if s.t[i] == ':' && s.after(i+1) == ':' { // for example ::1
			if next := s.ipv6(i, end); next > i {
				i = next
				continue
			}
		}
		_, size := utf8.DecodeRune(s.t[i:end])
		i += size
	}
}

// wordEnd returns the end of the word that starts at i: letters, digits, single dots, hyphens and
// underscores. A word ends between ASCII and a script that is written without spaces.
func (s *scanner) wordEnd(i, end int) int {
	var last rune
	for i < end {
		r, size := rune(s.t[i]), 1
		switch {
		case isAlnum(s.t[i]):
			if isSpaceless(last) {
				return i
			}
		case r == '-', r == '_':
		case r == '.':
			if last == '.' || s.after(i+1) == '.' {
				return i
			}
		case r < utf8.RuneSelf:
			return i
		default:
			r, size = utf8.DecodeRune(s.t[i:end])
			switch {
			case isWideDot(r):
				if last >= utf8.RuneSelf || !isAlnum(byte(last)) || !isAlnum(s.after(i+size)) {
					return i
				}
			case !unicode.In(r, unicode.L, unicode.M, unicode.Nd):
				return i
			case isSpaceless(r) && last < utf8.RuneSelf && isAlnum(byte(last)):
				return i
			}
		}
		last = r
		i += size
	}
	return i
}

// isSpaceless reports whether r belongs to a script that is written without spaces.
func isSpaceless(r rune) bool {
	return r >= 0xe00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// isWideDot reports whether r is a full stop of another script that host names use as a dot.
func isWideDot(r rune) bool { return r == '。' || r == '．' || r == '｡' }

// word finds the indicator that starts with the word from a to b. start is the first character of
// the token that is not part of an indicator. word returns the position at which to continue.
func (s *scanner) word(start, a, b, end int) int {
	if b < end && s.t[b] == ':' && isHexGroup(s.t[a:b]) {
		if next := s.ipv6(a, end); next > b {
			return next
		}
	}
	if b < end && s.t[b] == '@' {
		if next := s.email(start, a, b, end); next > 0 {
			return next
		}
	}
	whole := b
	a, b = s.trim(a, b)
	word := s.t[a:b]
	hyphen, dot := bytes.IndexByte(word, '-'), bytes.LastIndexByte(word, '.')
	switch {
	case bytes.IndexByte(word, '.') < 0 && !bytes.ContainsFunc(word, isWideDot):
		s.plainWord(a, b)
		return whole
	case isDotted(word):
		return max(whole, s.ipv4(a, b, end))
	case hyphen > len("1.1.1") && bytes.Count(word[:hyphen], []byte(".")) == 3 && isDotted(word[:hyphen]): // a range
		return max(a+hyphen+1, s.ipv4(a, a+hyphen, end))
	case dot > len("1.1.1") && dot+1 < len(word) && isCapital(word[dot+1]) && isDotted(word[:dot]): // followed by a sentence
		return max(a+dot+1, s.ipv4(a, a+dot, end))
	}
	next := s.host(a, b, end)
	if next == 0 {
		s.nameOfFile(a, b)
	}
	return max(whole, next)
}

// trim drops dots, hyphens and underscores around a word, which belong to sentences, lists and
// emphasis.
func (s *scanner) trim(a, b int) (int, int) {
	for b > a && (s.t[b-1] == '.' || s.t[b-1] == '-' || s.t[b-1] == '_') {
		if s.t[b-1] == '_' && s.t[a] == '_' {
			a++
			if a == b {
				break
			}
		}
		b--
	}
	for a < b && (s.t[a] == '.' || s.t[a] == '-') {
		a++
	}
	return a, b
}

// before returns the character before a position, or ' ' at the start of the text.
func (s *scanner) before(i int) byte {
	if i <= 0 {
		return ' '
	}
	return s.t[i-1]
}

// after returns the character at a position, or ' ' at the end of the text.
func (s *scanner) after(i int) byte {
	if i >= len(s.t) {
		return ' '
	}
	return s.t[i]
}

// port returns the port that starts with the colon at i and the end of the port, or 0 for both if
// there is none.
func (s *scanner) port(i, end int) (port uint16, next int) {
	if i >= end || s.t[i] != ':' {
		return 0, i
	}
	n := 0
	j := i + 1
	for ; j < end && isDigit(s.t[j]) && n <= 65535; j++ {
		n = n*10 + int(s.t[j]-'0')
	}
	if j == i+1 || n == 0 || n > 65535 || j < end && isWordByte(s.t[j]) {
		return 0, i
	}
	return uint16(n), j
}

// path returns the end of the path that starts at i, for a URL without a scheme, or i if there is
// none.
func (s *scanner) path(i, end int) int {
	if i >= end || s.t[i] != '/' || i+1 < end && isDigit(s.t[i+1]) && s.isAddress(i+1, end) {
		return i
	}
	return max(i, s.urlEnd(i, i, end))
}

// add adds an indicator from a to b of the text.
func (s *scanner) add(t Type, value string, a, b int) *Match {
	if s.x.parser.check(t, value) != nil {
		return new(Match) // filtered out
	}
	p := &s.x.plain
	offset := p.source(a)
	s.x.found = append(s.x.found, Match{
		Indicator: Indicator{Type: t, Value: value, Defanged: p.isDefanged(a, b)},
		Offset:    int64(offset),
		Length:    p.sourceEnd(b) - offset,
	})
	return &s.x.found[len(s.x.found)-1]
}

// addNamed adds the host or the address from a to b with its port or, for a URL without a scheme,
// its path. It returns the position at which to continue.
func (s *scanner) addNamed(t Type, value string, a, b, end int) int {
	port, to := s.port(b, end)
	next := s.path(to, end)
	if scheme := s.x.parser.AssumeScheme; scheme != "" && next > to {
		defanged := s.x.plain.isDefanged(a, b)
		if url, err := canon.AssumeScheme(scheme, s.urlText(a, to, next, defanged)); err == nil {
			m := s.add(TypeURL, url, a, next)
			m.AssumedScheme, m.Defanged = true, defanged
			return next
		}
	}
	s.add(t, value, a, b).Port = port
	return next
}
