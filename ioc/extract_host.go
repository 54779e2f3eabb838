package ioc

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

const maxHostLength = 253

// publicName returns the canonical form of a host name with a public suffix, and the suffix. It
// returns "" for both if word is not such a name or is itself a public suffix. A defanged name can
// also have a suffix that is resolved outside the DNS.
func (s *scanner) publicName(word []byte, defanged bool) (name, suffix string) {
	const longest = 4 * maxHostLength // in another script
	if len(word) > longest {
		return "", ""
	}
	name, err := canon.Host(string(word))
	if err != nil {
		return "", ""
	}
	suffix, icann := publicsuffix.PublicSuffix(name)
	switch {
	case icann && suffix != name:
		return name, suffix
	case !icann && strings.Contains(suffix, "."): // a private suffix, below one of ICANN
		return name, suffix
	case defanged && isAlternativeRoot(suffix):
		return name, suffix
	}
	return "", ""
}

// hasPublicLabel reports whether the last label of a word can be a top-level domain of ICANN. It
// rejects most words without computing a canonical form.
func (s *scanner) hasPublicLabel(word []byte) bool {
	const most, below = 5000, "a.b." // for top-level domains with rules only for names below them
	label := word[bytes.LastIndexByte(word, '.')+1:]
	if len(label) < 2 || isDigit(label[0]) {
		return false
	}
	var buf [longestWord]byte
	for _, c := range label {
		if c >= utf8.RuneSelf || c == '-' {
			return true // decided by the canonical form
		}
	}
	name := lower(label, &buf)
	public, known := s.x.labels[string(name)]
	if !known {
		_, public = publicsuffix.PublicSuffix(below + string(name))
		if s.x.labels == nil {
			s.x.labels = map[string]bool{}
		}
		if len(s.x.labels) < most {
			s.x.labels[string(name)] = public
		}
	}
	return public
}

// dottedName is a word with a public suffix, which can be a host.
type dottedName struct {
	a, b         int
	name, suffix string // canonical
	own          string // label before the suffix
	first, last  []byte // labels as written
	dots         int
	kind         suffixKind
}

// host finds the host in the word from a to b. It returns the position at which to continue, or 0.
func (s *scanner) host(a, b, end int) int {
	if !s.isHost(a, b) {
		for _, to := range [...]int{s.gluedSentence(a, b), s.gluedWord(a, b)} {
			if to > 0 {
				return s.host(a, to, end)
			}
		}
		return 0
	}
	s.hostEnd = b
	if s.x.plain.isDefanged(a, b) {
		s.x.noteDomain(s.hostName)
	}
	return s.addNamed(TypeHost, s.hostName, a, b, end)
}

// isHost reports whether the word from a to b is a host with a public suffix, rather than the name
// of a file, a detection or an item in source code. It sets hostName.
func (s *scanner) isHost(a, b int) bool {
	word := s.t[a:b]
	n := dottedName{a: a, b: b, first: word[:max(bytes.IndexByte(word, '.'), 0)], last: word[bytes.LastIndexByte(word, '.')+1:]}
	defanged := s.x.plain.isDefanged(a, b)
	switch {
	case !defanged && !s.hasPublicLabel(word):
		return false
	case !defanged && !s.isHostPlace(a, b):
		if s.endsPath(a) {
			s.x.noteFile(s.t[a:b])
		}
		return false
	case !defanged && !isHostSpelling(word, n.first, n.last):
		return false
	}
	n.name, n.suffix = s.publicName(word, defanged)
	if s.hostName = n.name; n.name == "" || defanged {
		return n.name != ""
	}
	n.own, n.dots, n.kind = ownLabel(n.name, n.suffix), strings.Count(n.name, "."), kindOf(n.last)
	switch {
	case s.isHostList(a, b):
		return true
	case n.kind >= wordSuffix && s.isBehindHash(a):
		s.x.noteFile(s.t[a:b])
		return false
	case s.x.files[n.name] || isReversed(n.first, n.last, word) || isDetection(n.first):
		return false
	case strings.HasPrefix(n.name, "www.") || s.before(a) == '/' || isService(n.name):
		return true
	}
	cue, distance := s.hostCue(a)
	switch cmp.Or(s.argument(a), s.place(a, b), s.nextCell(b)) {
	case ofFile:
		return false
	case ofHost:
		return cue != ofFile || distance > 0
	}
	switch {
	case n.dots > 1 && canon.IsFileExtension(n.own): // for example invoice.pdf.com
		return false
	case n.dots == 1 && isIdentifier(n.first) && (cue != ofHost || distance > 0):
		return false
	case s.isCode() && !s.isQuoted(a, b) && !strings.Contains(n.own, "-"):
		return false
	case strings.Contains(n.suffix, "."):
		return true
	case n.kind != plainSuffix && s.after(b) == '"' && s.after(b+1) == ':' && !n.isMarked(): // a field name in JSON
		return false
	}
	if s.isEnumerated(a) && cue != ofFile {
		cue = max(cue, ofPlace)
		if s.hostNamed {
			cue = ofHost
		}
	}
	s.hostNamed = cue == ofHost
	return s.x.domains[n.own+"."+n.suffix] || s.suits(&n, cue)
}

// hostCue returns the meaning of the nearest words before a name and the number of words between
// them.
func (s *scanner) hostCue(a int) (cue meaning, distance int) {
	w := s.wordsBefore(a)
	cue, distance = w.meaning(2)
	near := w.isNear(a)
	switch {
	case distance == 0 && !near:
		return noMeaning, distance
	case cue == ofAddress && distance == 0: // for example: the server evil.example
		return ofHost, distance
	}
	return cue, distance
}

// isEnumerated reports whether a name follows a host in a list.
func (s *scanner) isEnumerated(a int) bool {
	const farthest = 8
	if s.hostEnd == 0 || a-s.hostEnd > farthest {
		return false
	}
	switch string(bytes.Trim(s.t[s.hostEnd:a], " `\"'*\n")) {
	case ",", "and", "or", ", and", ";", "und", "et", "и", "、", "，":
		return true
	}
	return false
}

// isMarked reports whether a name contains a hyphen or a digit, which words of source code rarely
// do.
func (n *dottedName) isMarked() bool { return strings.ContainsAny(n.own, "-0123456789") }

// suits reports whether a name is a host, given the other meanings of its last label.
func (s *scanner) suits(n *dottedName, cue meaning) bool {
	below := n.dots > 1 && (isSubdomain(n.first) && !isIdentifier([]byte(n.own)) || strings.Contains(n.own, "-")) // for example cdn.evil-site.sh
	switch n.kind {
	case fileSuffix:
		if !strings.ContainsFunc(n.own, unicode.IsLetter) {
			return false
		}
		return cue == ofHost || below
	case brandSuffix, wordSuffix:
		const long = 8
		port, _ := s.port(n.b, len(s.t))
		quoted := s.isQuoted(n.a, n.b) && s.after(n.b+1) != ':'
		path := s.after(n.b) == '/' && isAlnum(s.after(n.b+1)) && (n.kind == brandSuffix || s.startsLine(n.a))
		switch {
		case n.kind == brandSuffix && len(n.own) >= long && !isIdentifier([]byte(n.own)):
			return true
		case strings.Contains(n.own, "_"), len(n.own) == 1 && n.dots == 1:
			return false
		case cue == ofHost, cue == ofPlace, below, port > 0 && (quoted || n.dots > 1), path && string(n.last) != "app", n.dots > 1 && bytes.IndexByte(n.first, '-') > 0:
			return true
		}
		return n.isMarked() || s.isAlone(n.a, n.b) && string(n.last) != "app" && string(n.last) != "cc"
	case countrySuffix:
		return n.dots > 1 || len(n.own) > 2 || cue == ofHost || s.isAlone(n.a, n.b)
	}
	return n.dots > 1 || string(n.last) != "com" || cue != ofFile && !s.isHashed(n.b)
}

// gluedSentence returns the end of a name that is followed by a sentence without a space, for
// example in example.com.The, or 0.
func (s *scanner) gluedSentence(a, b int) int {
	i := bytes.LastIndexByte(s.t[a:b], '.')
	if i < 0 || bytes.IndexByte(s.t[a:a+i], '.') < 0 {
		return 0
	}
	if c := s.t[a+i+1 : b]; len(c) < 2 || !isCapital(c[0]) || bytes.ContainsFunc(c[1:], unicode.IsUpper) {
		return 0
	}
	return a + i
}

// gluedWord returns the end of an ASCII name that is followed by a hyphen and a word in another
// script, or 0.
func (s *scanner) gluedWord(a, b int) int {
	dot := a + bytes.LastIndexByte(s.t[a:b], '.') + 1
	if i := bytes.IndexByte(s.t[dot:b], '-'); i > 0 && s.t[b-1] >= utf8.RuneSelf && s.after(dot+i+1) >= utf8.RuneSelf {
		return dot + i
	}
	return 0
}

// isHostPlace reports whether the characters around the word from a to b can surround a host.
func (s *scanner) isHostPlace(a, b int) bool {
	switch before := s.before(a); before {
	case '/':
		if s.before(a-1) != '/' {
			return false
		}
	case '\\':
		if s.before(a-1) != '\\' || a > 2 && byteKinds[s.before(a-2)] != tokenEnd {
			return false
		}
	case '$', '#', '%', '^', '&', '-':
		return false
	case '@':
		return s.argument(a) == ofHost
	case ' ':
		if bytes.HasSuffix(s.t[:a], []byte("─ ")) || bytes.HasSuffix(s.t[:a], []byte("-- ")) { // a directory tree
			return false
		}
	case '[':
		if a-1 == s.lineStart && s.after(b) == ']' && s.after(b+1) <= ' ' { // a section in a configuration file
			return false
		}
	case '=':
		if c := s.before(a - 1); c == '=' || c == '!' {
			return false
		}
	case ':':
		if s.before(a-1) == ':' {
			return false
		}
	case '.':
		if c := s.before(a - 1); byteKinds[c] != tokenEnd && bytes.IndexByte([]byte("*'(,|="), c) < 0 { // except .example.com and *.example.com
			return false
		}
	}
	switch after := s.after(b); after {
	case '(', '$', '{':
		return false
	case '\\': // an account
		return !isAlnum(s.after(b + 1))
	case '=': // except example.com=192.0.2.1
		return s.isAddress(b+1, len(s.t))
	case '!':
		return !isWordByte(s.after(b+1)) && s.after(b+1) != '='
	case ':':
		return s.after(b+1) != ':' && !isLetter(s.after(b+1)) && (s.after(b+1) != ' ' || s.after(b+2) != '{')
	case '[': // for example mx.example.com[192.0.2.1]
		return s.after(b+1) == '.' || isDigit(s.after(b+1))
	case ' ':
		return s.after(b+1) != '=' || isDigit(s.after(b+3))
	case '|': // in MISP, a file name and its hash
		return s.after(s.lineStart) == '|' || !s.isHashed(b+1)
	case '/':
		return !bytes.HasSuffix(s.t[a:b], []byte(".k8s.io")) && !bytes.HasSuffix(s.t[a:b], []byte("kubernetes.io")) // API groups
	}
	return true
}

// isHostSpelling reports whether the letter case of a word is that of a host: either the last label
// is in lower case, or all letters are capitals.
func isHostSpelling(word, first, last []byte) bool {
	lower := bytes.ContainsFunc(word, func(r rune) bool { return 'a' <= r && r <= 'z' })
	if slices.ContainsFunc(last, isCapital) {
		return !lower && kindOf(last) == plainSuffix && (!bytes.Equal(last, []byte("NET")) || bytes.Count(word, []byte(".")) > 1)
	}
	if kind := kindOf(last); kind != plainSuffix {
		capitals := 0
		for _, c := range first {
			if isCapital(c) {
				capitals++
			}
		}
		if capitals > 0 && kind > countrySuffix { // MANIFEST.in
			return false
		}
	}
	for rest := word[len(first):]; ; { // capitals after the first label: classes and detections
		i := bytes.IndexByte(rest, '.')
		if i < 0 {
			return true
		}
		rest = rest[i+1:]
		if len(rest) > 0 && isCapital(rest[0]) {
			return false
		}
	}
}

// ownLabel returns the label before the public suffix of a name.
func ownLabel(name, suffix string) string {
	rest := strings.TrimSuffix(name, "."+suffix)
	return rest[strings.LastIndexByte(rest, '.')+1:]
}

// isHashed reports whether a file hash follows a name.
func (s *scanner) isHashed(b int) bool {
	const farthest = 4
	i := b
	for i < len(s.t) && i < b+farthest && bytes.IndexByte([]byte("`'\",: ()\t"), s.t[i]) >= 0 {
		i++
	}
	end := i
	for end < len(s.t) && (isAlnum(s.t[end]) || s.t[end] == '-') {
		end++
	}
	word := bytes.ReplaceAll(s.t[i:min(end, i+canon.SHA256Length+1)], []byte("-"), nil)
	return meaningOf(word) == ofHash || len(word) >= canon.MD5Length && canon.IsHex(string(word))
}

// endsPath reports whether the word at a is the last part of a path.
func (s *scanner) endsPath(a int) bool {
	before := s.before(a)
	return before == '\\' || before == '/'
}

// isBehindHash reports whether a file hash and white space precede a name, as in the output of
// md5sum.
func (s *scanner) isBehindHash(a int) bool {
	const farthest = 100
	return s.hashEnd > s.lineStart && s.hashEnd < a && a-s.hashEnd <= farthest && len(bytes.Trim(s.t[s.hashEnd:a], " \t*")) == 0
}
