package canon

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxHostLength  = 253 // octets of a name without its final dot
	maxLabelLength = 63  // octets of one label
	labelDots      = ".。．｡"
)

// hostProfile maps host names as browsers do: UTS #46, non-transitional. It accepts underscores,
// and hyphens in the third and fourth position, because real names contain them. It also accepts
// any other ASCII, so checkHost must follow.
var hostProfile = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
	idna.VerifyDNSLength(true),
)

// Host returns a host name in the form that the platform accepts: lower-case ASCII, with
// internationalized labels in their IDNA form, and without a final dot.
//
// A name has at most 253 octets and at least two labels. Each label has 1 to 63 letters, digits,
// hyphens and underscores, without a hyphen at either end. The last label is two or more letters,
// or an internationalized label without underscores. Surrounding white space is removed.
//
// IP addresses, ports, user information, paths, wildcards, percent signs and defanged names return
// an [*Error] that explains the alternative. So do numbers that some programs read as an IPv4
// address, such as 0x7f000001, and punctuation and symbols of the surrounding text: typographic
// quotes, dashes, bullets, footnote numbers, and ™, which IDNA maps to tm. Emoji are accepted, and
// so are names that look like another name.
//
// Host does not allocate for a plain lower-case name.
func Host(name string) (string, error) {
	if isPlainHost(name) {
		return name, nil
	}
	const field = "host name"
	name = strings.TrimSpace(name)
	if unwrap(name) != name {
		return "", refuseDefanged(field)
	}
	return canonicalHost(field, name)
}

// canonicalHost is Host with the name of the field for errors. It refuses surrounding white space,
// because the name can be a part of another value.
func canonicalHost(field, name string) (string, error) {
	if isPlainHost(name) {
		return name, nil
	}
	if err := checkHostInput(field, name); err != nil {
		return "", err
	}
	given := name
	ascii, encoded := classifyHost(name)
	if ascii {
		name = strings.ToLower(name)
	}
	if !ascii || encoded {
		if hasOverlongLabel(name) {
			return "", refuseLongLabel(field)
		}
		mapped, err := hostProfile.ToASCII(name)
		if err != nil || !isStableHost(mapped) {
			return "", refuse(field, "is not a valid internationalized name (IDNA)", "correct the name")
		}
		name = mapped
	}
	name = strings.TrimSuffix(name, ".")
	if err := checkHost(field, name); err != nil {
		return "", err
	}
	if !ascii && hasForeignSymbol(given) {
		return "", refuse(field, "holds punctuation or a symbol that no name has", "remove it: it may be a typographic quote, a dash or a trademark sign")
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if !isTopLevelName(last) && (!isEncodedLabel(last) || strings.Contains(last, "_")) {
		return "", refuse(field, "has a last label that is not two or more letters, as every top-level domain is",
			"correct the name: it may be a file name, a version or an abbreviation")
	}
	return name, nil
}

// hasForeignSymbol reports whether a valid non-ASCII host name contains a character of the
// surrounding text: punctuation, a symbol or number that IDNA maps to another one (such as ™,
// mapped to tm), or a symbol in the top-level domain. Other symbols can be emoji.
func hasForeignSymbol(name string) bool {
	lastDot := strings.LastIndexAny(strings.TrimRight(name, labelDots), labelDots)
	return hasForeignPunctuation(name) ||
		strings.ContainsFunc(name, isMappedSymbol) ||
		strings.ContainsFunc(name[max(lastDot, 0):], unicode.IsSymbol)
}

// isMappedSymbol reports whether r is a non-ASCII symbol or number that IDNA maps to another one.
func isMappedSymbol(r rune) bool {
	if r < utf8.RuneSelf || !unicode.In(r, unicode.S, unicode.No) {
		return false
	}
	kept, _ := hostProfile.ToUnicode(string(r))
	return kept != string(r)
}

// hasForeignPunctuation reports whether s contains non-ASCII punctuation, or symbols used like it,
// that is not part of a word.
func hasForeignPunctuation(s string) bool {
	before := rune(-1)
	for i, r := range s {
		if r >= utf8.RuneSelf {
			after, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			if isForeignPunctuation(r) && !isWordPunctuation(before, r, after) {
				return true
			}
		}
		before = r
	}
	return false
}

// isForeignPunctuation reports whether r is non-ASCII punctuation, or a mathematical sign, an
// accent or an ornament that looks like punctuation and is not an emoji.
func isForeignPunctuation(r rune) bool {
	switch {
	case r < utf8.RuneSelf, strings.ContainsRune("↔◻◼◽◾⤴⤵🏻🏼🏽🏾🏿", r): // emoji and skin tones
		return false
	case '❛' <= r && r <= '❠', '🙶' <= r && r <= '🙸': // ornamental quotes
		return true
	}
	return unicode.In(r, unicode.P, unicode.Sm, unicode.Sk)
}

// isWordPunctuation reports whether non-ASCII punctuation is part of a word. The rules are those of
// IDNA 2008; in addition, the wide forms of dot, hyphen and underscore map to ASCII.
func isWordPunctuation(before, r, after rune) bool {
	switch r {
	case '。', '．', '｡', '－', '＿':
		return true
	case '·':
		return before|0x20 == 'l' && after|0x20 == 'l'
	case '・', '･':
		return unicode.IsLetter(before) && unicode.IsLetter(after) && (isJapanese(before) || isJapanese(after))
	case '׳', '״':
		return unicode.Is(unicode.Hebrew, before)
	case '་':
		return unicode.Is(unicode.Tibetan, before)
	}
	return false
}

func isJapanese(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }

// isPlainHost reports whether s is a canonical host name without internationalized labels.
func isPlainHost(s string) bool {
	if len(s) > maxHostLength {
		return false
	}
	start := 0 // start of the current label
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
		case c == '-':
			if i == start || i+1 == len(s) || s[i+1] == '.' {
				return false
			}
		case c == '.':
			if i == start || i-start > maxLabelLength || isEncodedLabel(s[start:i]) {
				return false
			}
			start = i + 1
		default:
			return false
		}
	}
	last := s[start:]
	return start > 0 && len(last) <= maxLabelLength && isTopLevelName(last)
}

// classifyHost reports whether s is ASCII and whether one of its labels has the IDNA prefix.
func classifyHost(s string) (ascii, encoded bool) {
	ascii = true
	start := 0
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
		}
		if i == start && isEncodedLabel(s[i:]) {
			encoded = true
		}
		if s[i] == '.' {
			start = i + 1
		}
	}
	return ascii, encoded
}

// isEncodedLabel reports whether a label has the IDNA prefix (xn--), in any letter case.
func isEncodedLabel(label string) bool {
	return len(label) >= 4 && label[2] == '-' && label[3] == '-' && label[0]|0x20 == 'x' && label[1]|0x20 == 'n'
}

// hasOverlongLabel reports whether a label cannot fit into 63 octets: mappings combine at most four
// characters, such as a letter and its marks. It precedes the encoding, which takes quadratic time.
func hasOverlongLabel(s string) bool {
	n := 0
	for _, r := range s {
		if n++; strings.ContainsRune(labelDots, r) {
			n = 0
		}
		if n > 4*maxLabelLength {
			return true
		}
	}
	return false
}

// isStableHost reports whether a second mapping leaves a mapped name unchanged. Letter-like symbols
// such as ℵ map to Hebrew letters, which break the bidi rule in the second pass.
func isStableHost(mapped string) bool {
	again, err := hostProfile.ToASCII(mapped)
	return err == nil && again == mapped
}

// isTopLevelName reports whether a label has the form of a top-level domain that is not encoded:
// two or more lower-case letters.
func isTopLevelName(label string) bool {
	for i := range len(label) {
		if label[i] < 'a' || label[i] > 'z' {
			return false
		}
	}
	return len(label) >= 2
}

// isNumber reports whether a label is a decimal, octal or hexadecimal number to programs with
// lenient IPv4 parsing.
func isNumber(label string) bool {
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		return label == "0x" || label == "0X" || IsHex(label[2:])
	}
	return allDigits(label)
}

// checkHostInput checks a name before any mapping, so the error can identify the kind of value.
func checkHostInput(field, s string) error {
	if s == "" {
		return refuseBlank(field)
	}
	if err := CheckText(field, s); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return refuseAddress(field)
	}
	if refangMarks(s) != s {
		return refuseDefanged(field)
	}
	if strings.Contains(s, "://") {
		return refuse(field, "is a URL", "use a URL, or only the host part of it")
	}
	for _, r := range s {
		if err := checkHostRune(field, r); err != nil {
			return err
		}
	}
	return nil
}

// checkHostRune refuses characters that no mapping can make part of a host name.
func checkHostRune(field string, r rune) error {
	switch {
	case r == '@':
		return refuse(field, "holds an @", "use an EmailAddress, or drop everything up to the @")
	case r == '/', r == '\\', r == '?', r == '#':
		return refuse(field, "holds a path", "use a URL or a CIDR, or only the part before the path")
	case r == ':':
		return refuse(field, "holds a port", "drop the port, use a URL, or set SplitPort of an ioc.Parser")
	case r == '*':
		return refuse(field, "holds a wildcard", "use the name below the wildcard")
	case r == '%':
		return refuse(field, "is percent-encoded", "decode it first")
	case r == 'ẞ': // UTS #46 mapped it to ss before revision 31
		return refuse(field, "holds a capital sharp s, which programs turn into ss or ß", "write the one that is meant")
	case unicode.IsSpace(r):
		return refuse(field, "holds white space", "remove it, or give one name")
	case r < utf8.RuneSelf && !isHostByte(byte(r)):
		return refuse(field, "holds a character that no host name has", "use letters, digits, hyphens, underscores and dots")
	}
	return nil
}

// checkHost checks a lower-case ASCII name after mapping.
func checkHost(field, s string) error {
	if len(s) > maxHostLength {
		return refuse(field, "is longer than 253 octets", "check that it is one name")
	}
	labels := 0
	var label string
	for rest, more := s, true; more; labels++ {
		label, rest, more = strings.Cut(rest, ".")
		if err := checkLabel(field, label); err != nil {
			return err
		}
	}
	switch {
	case isNumber(label):
		if _, err := netip.ParseAddr(s); err == nil {
			return refuseAddress(field)
		}
		return refuse(field, "ends in a number, so that it can be read as an IPv4 address",
			"use an Address, written as four decimal numbers without leading zeros")
	case labels < 2:
		return refuse(field, "has one label only", "use the full name with its domain")
	}
	return nil
}

func checkLabel(field, label string) error {
	switch {
	case label == "":
		return refuse(field, "has an empty label", "remove the dot that is too many")
	case len(label) > maxLabelLength:
		return refuseLongLabel(field)
	case label[0] == '-' || label[len(label)-1] == '-':
		return refuse(field, "has a label with a hyphen at its end", "remove the hyphen")
	}
	for i := range len(label) {
		if err := checkHostRune(field, rune(label[i])); err != nil {
			return err
		}
	}
	return nil
}

func refuseLongLabel(field string) error {
	return refuse(field, "has a label longer than 63 octets", "check that it is one name")
}

func refuseAddress(field string) error {
	return refuse(field, "is an IP address", "use an Address")
}

func isHostByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '-' || c == '_' || c == '.'
}
