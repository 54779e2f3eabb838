package threatconnect

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// The Canonical functions return the one spelling of a value that the platform accepts, or a
// *ValidationError that names the rule and never contains the value. They change spelling only: if
// a change would make another value, they refuse. All of them are idempotent, do no I/O and are safe
// for concurrent use.
//
// All of them refuse invisible characters, such as soft hyphens, zero-width spaces, byte order marks
// and direction marks, because the value would not be the one that people see. Text may contain the
// joiners and variation selectors that words of some scripts and emoji need; URLs and email addresses
// may not.

// Limits that the platform puts on names, in characters.
const (
	maxTagLength       = 128
	maxGroupNameLength = 100
)

// CanonicalMutex checks the name of a mutex and returns it unchanged.
//
// Mutex names are case-sensitive and spaces are significant, so it trims nothing. Blank names,
// invalid UTF-8, control characters and invisible characters return a [*ValidationError].
func CanonicalMutex(name string) (string, error) { return verbatim("mutex", name) }

// CanonicalUserAgent checks a user agent string and returns it unchanged.
//
// A space at either end can distinguish a forged user agent from a real one, so it trims nothing.
// Blank strings, invalid UTF-8, control characters and invisible characters return a
// [*ValidationError].
func CanonicalUserAgent(userAgent string) (string, error) { return verbatim("user agent", userAgent) }

// CanonicalEmailSubject checks the subject of an email and returns it unchanged.
//
// Blank subjects, invalid UTF-8, control characters and invisible characters return a
// [*ValidationError]. Unfold a subject that spans several header lines first.
func CanonicalEmailSubject(subject string) (string, error) {
	return verbatim("email subject", subject)
}

// CanonicalHashtag checks a hashtag and returns it unchanged, with or without its number sign.
//
// Blank hashtags, invalid UTF-8, control characters and invisible characters return a
// [*ValidationError].
func CanonicalHashtag(hashtag string) (string, error) { return verbatim("hashtag", hashtag) }

// CanonicalTag returns the name of a tag without white space around it.
//
// A name has 1 to 128 characters. Blank and longer names, invalid UTF-8, control characters and
// invisible characters return a [*ValidationError].
func CanonicalTag(name string) (string, error) { return trimmedName("tag", name, maxTagLength) }

// CanonicalSecurityLabel returns the name of a security label without white space around it.
//
// Letter case is significant and kept. Blank names, invalid UTF-8, control characters and invisible
// characters return a [*ValidationError].
func CanonicalSecurityLabel(name string) (string, error) {
	return trimmedName("security label", name, 0)
}

// CanonicalGroupName returns the name of a group without white space around it.
//
// A name has 1 to 100 characters. Blank and longer names, invalid UTF-8, control characters and
// invisible characters return a [*ValidationError]; it cuts nothing.
func CanonicalGroupName(name string) (string, error) {
	return trimmedName("group name", name, maxGroupNameLength)
}

// verbatim checks text in which every byte is significant.
func verbatim(field, s string) (string, error) {
	if isBlankText(s) {
		return "", refuse(field, "is blank", "give it a value")
	}
	if err := checkText(field, s); err != nil {
		return "", err
	}
	return s, nil
}

// isBlankText reports whether s is nothing but white space.
func isBlankText(s string) bool {
	return strings.TrimSpace(s) == ""
}

// trimmedName checks a name that people read, without white space around it. 0 for maxLength means no
// limit.
func trimmedName(field, s string, maxLength int) (string, error) {
	s, err := verbatim(field, strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	if maxLength > 0 && utf8.RuneCountInString(s) > maxLength {
		return "", refuse(field, "is longer than "+strconv.Itoa(maxLength)+" characters", "shorten it")
	}
	return s, nil
}

// checkText refuses invalid UTF-8, control characters and invisible characters. It accepts invisible
// characters that change how the characters around them look.
func checkText(field, s string) error {
	if wire.Plain(s) {
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

// isInvisible reports whether r has no glyph of its own: soft hyphens, zero-width spaces and joiners,
// byte order marks, direction marks, variation selectors, line separators. Other white space is visible.
func isInvisible(r rune) bool {
	return r >= utf8.RuneSelf &&
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// isShaping reports whether an invisible character shapes the text between before and after: a joiner in
// a word or in an emoji, or a variation selector behind what has variants. Latin, Greek and Cyrillic
// letters have neither.
func isShaping(before string, r rune, after string) bool {
	last, lastSize := utf8.DecodeLastRuneInString(before)
	next, nextSize := utf8.DecodeRuneInString(after)
	shaped := lastSize > 1 && !unicode.In(last, unicode.Latin, unicode.Greek, unicode.Cyrillic)
	switch {
	case unicode.Is(unicode.Join_Control, r):
		return shaped && nextSize > 1 && !isInvisible(next)
	case unicode.Is(unicode.Variation_Selector, r):
		const keycap = '\u20e3' // as in 1️⃣
		return shaped && !isInvisible(last) || next == keycap
	}
	return false
}

// refuse returns the error for a value that breaks a rule. No argument may contain the value.
func refuse(field, rule, fix string) error {
	return &ValidationError{Field: field, Rule: rule, Fix: fix}
}
