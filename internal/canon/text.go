package canon

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The platform's limits for names, in characters.
const (
	MaxTagLength       = 128
	maxGroupNameLength = 100
)

// Mutex validates the name of a mutex and returns it unchanged.
//
// Mutex names are case-sensitive and spaces are significant, so Mutex does not trim them. Blank
// names, invalid UTF-8, control characters and invisible characters return an [*Error].
func Mutex(name string) (string, error) { return Verbatim("mutex", name) }

// UserAgent validates a user agent string and returns it unchanged.
//
// A space at either end can distinguish a forged user agent from a real one, so UserAgent does not
// trim it. Blank strings, invalid UTF-8, control characters and invisible characters return an
// [*Error].
func UserAgent(userAgent string) (string, error) { return Verbatim("user agent", userAgent) }

// EmailSubject validates the subject of an email and returns it unchanged.
//
// Blank subjects, invalid UTF-8, control characters and invisible characters return an [*Error].
// Unfold a subject that spans several header lines first.
func EmailSubject(subject string) (string, error) {
	return Verbatim("email subject", subject)
}

// Hashtag validates a hashtag and returns it unchanged, with or without its number sign.
//
// Blank hashtags, invalid UTF-8, control characters and invisible characters return an [*Error].
func Hashtag(hashtag string) (string, error) { return Verbatim("hashtag", hashtag) }

// Tag returns the name of a tag without surrounding white space.
//
// A name has 1 to 128 characters. Blank and longer names, invalid UTF-8, control characters and
// invisible characters return an [*Error].
func Tag(name string) (string, error) { return Name("tag", name, MaxTagLength) }

// SecurityLabel returns the name of a security label without surrounding white space.
//
// Letter case is significant and preserved. Blank names, invalid UTF-8, control characters and
// invisible characters return an [*Error].
func SecurityLabel(name string) (string, error) {
	return Name("security label", name, 0)
}

// GroupName returns the name of a group without surrounding white space.
//
// A name has 1 to 100 characters. Blank and longer names, invalid UTF-8, control characters and
// invisible characters return an [*Error]. Names are never truncated.
func GroupName(name string) (string, error) {
	return Name("group name", name, maxGroupNameLength)
}

// Verbatim validates text in which every byte is significant.
func Verbatim(field, s string) (string, error) {
	if IsBlank(s) {
		return "", refuseBlank(field)
	}
	if err := CheckText(field, s); err != nil {
		return "", err
	}
	return s, nil
}

// IsBlank reports whether s contains only white space.
func IsBlank(s string) bool {
	return strings.TrimSpace(s) == ""
}

// Name returns s without surrounding white space and checks that it has at most maxLength
// characters. 0 means no limit.
func Name(field, s string, maxLength int) (string, error) {
	s, err := Verbatim(field, strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	if maxLength > 0 && utf8.RuneCountInString(s) > maxLength {
		return "", refuse(field, "is longer than "+strconv.Itoa(maxLength)+" characters", "shorten it")
	}
	return s, nil
}

// CheckText refuses invalid UTF-8, control characters and invisible characters. It accepts
// invisible characters that shape the characters around them.
func CheckText(field, s string) error {
	if isPrintableASCII(s) {
		return nil
	}
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return refuse(field, "holds a control character", "remove it")
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case size == 1:
			return refuse(field, "is not valid UTF-8", "convert it to UTF-8")
		case unicode.IsControl(r):
			return refuse(field, "holds a control character", "remove it")
		case isInvisible(r) && !isShaping(s[:i], r, s[i+size:]):
			return refuse(field, "holds an invisible character", "remove it")
		}
		i += size
	}
	return nil
}

// isPrintableASCII reports whether s is ASCII without control characters.
func isPrintableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// isInvisible reports whether r has no glyph of its own: soft hyphens, zero-width spaces and
// joiners, byte order marks, direction marks, variation selectors, line separators. Other white
// space is visible.
func isInvisible(r rune) bool {
	return r >= utf8.RuneSelf &&
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// isShaping reports whether an invisible character shapes the text between before and after: a
// joiner in a word or an emoji, or a variation selector after a character with variants. Latin,
// Greek and Cyrillic letters have neither.
func isShaping(before string, r rune, after string) bool {
	last, lastSize := utf8.DecodeLastRuneInString(before)
	next, nextSize := utf8.DecodeRuneInString(after)
	shaped := lastSize > 1 && !unicode.In(last, unicode.Latin, unicode.Greek, unicode.Cyrillic)
	switch {
	case unicode.Is(unicode.Join_Control, r):
		return shaped && nextSize > 1 && !isInvisible(next)
	case unicode.Is(unicode.Variation_Selector, r):
		const keycap = '\u20e3' // for example 1️⃣
		return shaped && !isInvisible(last) || next == keycap
	}
	return false
}
