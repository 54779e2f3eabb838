package threatconnect

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

// hostProfile maps host names as browsers do: UTS #46, non-transitional. It is lenient where real
// names are (underscores, hyphens in the third and fourth place) and lets any ASCII through, which
// is why checkHost runs after it.
var hostProfile = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
	idna.VerifyDNSLength(true),
)

// CanonicalHost returns a host name in the form that the platform accepts: lower-case ASCII, with
// internationalized labels in their IDNA form, and without a final dot.
//
// White space around the name is dropped. A name has at least two labels of 1 to 63 letters,
// digits, hyphens and underscores, none with a hyphen at either end. The last one is two or more
// letters, or an internationalized label. A name has at most 253 octets. IP addresses, ports, user information, paths, wildcards, percent
// signs and defanged names are refused with a [*ValidationError] that says what to use instead. So
// are numbers that some programs read as an IPv4 address, as in 0x7f000001, and the punctuation and
// symbols of the text around a name: typographic quotes, dashes, bullets, the number of a footnote,
// and ™, which IDNA would turn into tm. Emoji are accepted, and so are names that merely look like
// another one.
//
// A plain lower-case name costs no allocation.
func CanonicalHost(name string) (string, error) {
	if isPlainHost(name) {
		return name, nil
	}
	return canonicalHost("host name", strings.TrimSpace(name))
}

// canonicalHost is CanonicalHost for a host name that is called field. White space around it is
// refused: where a name is a part of something, it does not stand around it.
func canonicalHost(field, name string) (string, error) {
	if isPlainHost(name) {
		return name, nil
	}
	if strings.TrimSpace(name) != name {
		return "", refuse(field, "holds white space around it", "remove it")
	}
	if err := checkHostBytes(field, name); err != nil {
		return "", err
	}
	given := name
	ascii, encoded := classifyHost(name)
	if ascii {
		name = strings.ToLower(name)
	}
	if !ascii || encoded {
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
	if !ascii && holdsForeignSign(given) {
		return "", refuse(field, "holds punctuation or a symbol that no name has", "remove it: it may be a typographic quote, a dash or a trademark sign")
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; !isTopLevelName(last) && !isEncodedLabel(last) {
		return "", refuse(field, "has a last label that is not two or more letters, as every top-level domain is",
			"correct the name: it may be a file name, a version or an abbreviation")
	}
	return name, nil
}

// holdsForeignSign reports whether a valid host name that is not ASCII holds a sign that belongs to the
// text around it: punctuation, a symbol or number that IDNA turns into something else, as it turns ™
// into tm, or a symbol in the top-level domain. Emoji are symbols, so the others stay.
func holdsForeignSign(name string) bool {
	lastDot := strings.LastIndexAny(strings.TrimRight(name, labelDots), labelDots)
	return holdsForeignPunctuation(name) ||
		strings.ContainsFunc(name, becomesAnother) ||
		strings.ContainsFunc(name[max(lastDot, 0):], unicode.IsSymbol)
}

// becomesAnother reports whether r is a symbol or a number that IDNA does not keep.
func becomesAnother(r rune) bool {
	if r < utf8.RuneSelf || !unicode.In(r, unicode.S, unicode.No) {
		return false
	}
	kept, _ := hostProfile.ToUnicode(string(r))
	return kept != string(r)
}

// holdsForeignPunctuation reports whether s holds punctuation beyond ASCII, or one of the symbols that
// are used like it, other than where the letters around it show that it is part of a word.
func holdsForeignPunctuation(s string) bool {
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

// isForeignPunctuation reports whether r is punctuation beyond ASCII, or a mathematical sign, an accent
// or an ornament that looks like it and is no emoji.
func isForeignPunctuation(r rune) bool {
	switch {
	case isTypographicQuote(r):
		return true
	case strings.ContainsRune("↔◻◼◽◾⤴⤵🏻🏼🏽🏾🏿", r): // emoji, or parts of them
		return false
	}
	return r >= utf8.RuneSelf && unicode.In(r, unicode.P, unicode.Sm, unicode.Sk)
}

// isTypographicQuote reports whether r is a quotation mark beyond ASCII.
func isTypographicQuote(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Quotation_Mark, unicode.Pi, unicode.Pf) || '❛' <= r && r <= '❠' || '🙶' <= r && r <= '🙸'
}

// isWordPunctuation reports whether punctuation beyond ASCII is part of a name between two letters.
// IDNA 2008 allows the same, except for the wide forms of dot, hyphen and underscore.
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

// isPlainHost reports whether s is a canonical host name that IDNA need not look at.
func isPlainHost(s string) bool {
	if len(s) > maxHostLength {
		return false
	}
	start := 0 // of the current label
	for i := 0; i < len(s); i++ {
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

// classifyHost reports whether s is ASCII and whether one of its labels claims to be IDNA.
func classifyHost(s string) (ascii, encoded bool) {
	ascii = true
	start := 0
	for i := 0; i < len(s); i++ {
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

// isEncodedLabel reports whether a label begins as IDNA labels do, in any letter case.
func isEncodedLabel(label string) bool {
	return len(label) >= 4 && label[2] == '-' && label[3] == '-' && label[0]|0x20 == 'x' && label[1]|0x20 == 'n'
}

// isStableHost reports whether mapping an already mapped name changes nothing. The letter-like symbols
// of Hebrew letters, for one, are mapped to letters that break the bidi rule the next time.
func isStableHost(mapped string) bool {
	again, err := hostProfile.ToASCII(mapped)
	return err == nil && again == mapped
}

// isTopLevelName reports whether a label is two or more lower-case letters, as every top-level domain is
// that IDNA does not encode.
func isTopLevelName(label string) bool {
	for i := 0; i < len(label); i++ {
		if label[i] < 'a' || label[i] > 'z' {
			return false
		}
	}
	return len(label) >= 2
}

// isNumber reports whether a label is a decimal, octal or hexadecimal number to programs that read
// IPv4 addresses leniently.
func isNumber(label string) bool {
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		return label == "0x" || label == "0X" || isHex(label[2:])
	}
	return allDigits(label)
}

// checkHostBytes refuses what is no host name before any mapping, so that the rule can say what it
// is instead.
func checkHostBytes(field, s string) error {
	if s == "" {
		return refuse(field, "is blank", "give it a value")
	}
	if err := checkText(field, s); err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil && addr.IsValid() {
		return refuseAddress(field)
	}
	if isDefanged(s) {
		return refuse(field, "is defanged", "pass it through Refang first")
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

// checkHostRune refuses the characters that no mapping makes part of a host name.
func checkHostRune(field string, r rune) error {
	switch {
	case r == '@':
		return refuse(field, "holds an @", "use an EmailAddress, or drop everything up to the @")
	case r == '/', r == '\\', r == '?', r == '#':
		return refuse(field, "holds a path", "use a URL or a CIDR, or only the part before the path")
	case r == ':':
		return refuse(field, "holds a port", "drop the port, or use a URL")
	case r == '*':
		return refuse(field, "holds a wildcard", "use the name below the wildcard")
	case r == '%':
		return refuse(field, "is percent-encoded", "decode it first")
	case r == 'ẞ': // UTS #46 mapped it to ss before revision 31
		return refuse(field, "holds a capital sharp s, which programs turn into ss or ß", "write the one that is meant")
	case unicode.IsSpace(r):
		return refuse(field, "holds white space", "give one name")
	case r < utf8.RuneSelf && !isHostByte(byte(r)):
		return refuse(field, "holds a character that no host name has", "use letters, digits, hyphens, underscores and dots")
	}
	return nil
}

// checkHost checks a lower-case ASCII name after all mapping.
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
		return refuse(field, "has a label longer than 63 octets", "check that it is one name")
	case label[0] == '-' || label[len(label)-1] == '-':
		return refuse(field, "has a label with a hyphen at its end", "remove the hyphen")
	}
	for i := 0; i < len(label); i++ {
		if err := checkHostRune(field, rune(label[i])); err != nil {
			return err
		}
	}
	return nil
}

func refuseAddress(field string) error {
	return refuse(field, "is an IP address", "use an Address")
}

func isHostByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}
