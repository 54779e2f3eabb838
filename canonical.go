package threatconnect

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// The Canonical functions bring a value into the one spelling that the platform accepts, or refuse
// it. What they change is spelling only: a value that would become another value is refused. All
// of them are idempotent, do no I/O, are safe for concurrent use, and refuse with a
// *ValidationError that names the rule and never holds the value.

// Limits that the platform puts on names, in characters.
const (
	maxTagLength       = 128
	maxGroupNameLength = 100
)

// CanonicalMutex checks the name of a mutex and returns it unchanged.
//
// Mutex names are case-sensitive and any space in them counts, so nothing is trimmed. Blank names,
// invalid UTF-8 and control characters are refused with a [*ValidationError].
func CanonicalMutex(name string) (string, error) { return verbatim("mutex", name) }

// CanonicalUserAgent checks a user agent string and returns it unchanged.
//
// A space at either end can be what tells a forged user agent from a real one, so nothing is
// trimmed. Blank strings, invalid UTF-8 and control characters are refused with a
// [*ValidationError].
func CanonicalUserAgent(userAgent string) (string, error) { return verbatim("user agent", userAgent) }

// CanonicalEmailSubject checks the subject of an email and returns it unchanged.
//
// Blank subjects, invalid UTF-8 and control characters are refused with a [*ValidationError]; a
// subject that is folded over several lines has to be unfolded first.
func CanonicalEmailSubject(subject string) (string, error) {
	return verbatim("email subject", subject)
}

// CanonicalHashtag checks a hashtag and returns it unchanged, with or without its number sign.
//
// Blank hashtags, invalid UTF-8 and control characters are refused with a [*ValidationError].
func CanonicalHashtag(hashtag string) (string, error) { return verbatim("hashtag", hashtag) }

// CanonicalTag returns the name of a tag without white space around it.
//
// A name has 1 to 128 characters, whatever they are except control characters. Anything else is
// refused with a [*ValidationError].
func CanonicalTag(name string) (string, error) { return trimmedName("tag", name, maxTagLength) }

// CanonicalSecurityLabel returns the name of a security label without white space around it.
//
// Blank names, invalid UTF-8 and control characters are refused with a [*ValidationError]. Letter
// case is kept.
func CanonicalSecurityLabel(name string) (string, error) {
	return trimmedName("security label", name, 0)
}

// CanonicalGroupName returns the name of a group without white space around it.
//
// A name has 1 to 100 characters, whatever they are except control characters. Anything else is
// refused with a [*ValidationError]; nothing is cut.
func CanonicalGroupName(name string) (string, error) {
	return trimmedName("group name", name, maxGroupNameLength)
}

// verbatim accepts text whose every byte counts.
func verbatim(field, s string) (string, error) {
	if isBlankText(s) {
		return "", refuse(field, "is blank", "give it a value")
	}
	if err := checkText(field, s); err != nil {
		return "", err
	}
	return s, nil
}

// isBlankText reports whether s holds nothing but white space.
func isBlankText(s string) bool {
	if s != "" && ' ' < s[0] && s[0] < utf8.RuneSelf {
		return false
	}
	return strings.TrimSpace(s) == ""
}

// trimmedName accepts a name that people read. No length is checked when most is 0.
func trimmedName(field, s string, most int) (string, error) {
	s, err := verbatim(field, strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	if most > 0 && len(s) > most && utf8.RuneCountInString(s) > most {
		return "", refuse(field, "is longer than "+strconv.Itoa(most)+" characters", "shorten it")
	}
	return s, nil
}

// checkText refuses invalid UTF-8 and control characters.
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
		case r == utf8.RuneError && size == 1:
			return refuse(field, "is not valid UTF-8", "convert it to UTF-8")
		case unicode.IsControl(r):
			return refuse(field, "holds a control character", "remove it")
		}
		i += size
	}
	return nil
}

// refuse makes the error of a value that breaks a rule. None of the texts may hold the value.
func refuse(field, rule, fix string) error {
	return &ValidationError{Field: field, Rule: rule, Fix: fix}
}
