// Package sentence recognizes the sentences that the platform is known to write in error responses.
package sentence

import (
	"slices"
	"strings"
)

// Sentence is a known sentence of the platform's error responses.
//
// In its text, @ matches a noun of the platform, for example "Host" or "MD5", and # matches a number. Case,
// white space and a final period are ignored.
type Sentence struct {
	Kind Kind   // the meaning of the sentence in addition to the status
	Hint string // how to fix the error; may be empty

	text     string
	more     string // bytes that can begin further text
	statuses []int  // statuses of 300 and above that the sentence can have; those below are always possible
}

// Kind is the meaning of a sentence. The zero Kind adds nothing to the status.
type Kind int

// The kinds.
const (
	Signature Kind = iota + 1
	ClockSkew
	TokenRefused
	Forbidden
	OwnerRefused
	Missing
	Exists
	RequestTooLarge
	NotLicensed
	BatchDisabled
)

// The texts of sentences that decide more than an error.
const (
	NotFound = "The requested resource was not found"
	NoPath   = "Could not find resource for relative"
)

// Find returns the sentence that matches text, or its beginning if further text is allowed. own is the
// sentence in the spelling of this package, with the nouns and numbers of text. whole reports whether it is
// all of text. A status of 300 or above must be one of the statuses of the sentence. Find returns nil if
// there is no such sentence.
func Find(text string, status int) (s *Sentence, own string, whole bool) {
	const longest = 4 << 10
	text = strings.ReplaceAll(strings.Join(strings.Fields(text[:min(len(text), longest)]), " "), " ,", ",")
	for i := range sentences {
		s := &sentences[i]
		if status >= 300 && !slices.Contains(s.statuses, status) {
			continue
		}
		own, rest, ok := s.match(text)
		whole := rest == "" || rest == "."
		if ok && (whole || strings.IndexByte(s.more, rest[0]) >= 0) {
			return s, own, whole
		}
	}
	return nil, "", false
}

// match removes the sentence from the beginning of text.
func (s *Sentence) match(text string) (own, rest string, ok bool) {
	var b strings.Builder
	for pattern := s.text; ; {
		i := strings.IndexAny(pattern, "@#")
		if i < 0 {
			i = len(pattern)
		}
		if len(text) < i || !strings.EqualFold(text[:i], pattern[:i]) {
			return "", "", false
		}
		b.WriteString(pattern[:i])
		text = text[i:]
		if i == len(pattern) {
			return b.String(), text, true
		}
		word := ""
		if pattern[i] == '#' {
			word = leadingNumber(text)
		} else {
			word = leadingNoun(text)
		}
		if word == "" {
			return "", "", false
		}
		b.WriteString(word)
		pattern, text = pattern[i+1:], text[len(word):]
	}
}

// leadingNumber returns the digits at the beginning of text if they fit into an int64.
func leadingNumber(text string) string {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	if n > len("1000000000000000000") {
		return ""
	}
	return text[:n]
}

// leadingNoun returns the noun at the beginning of text.
func leadingNoun(text string) string {
	for _, noun := range nouns {
		if n := len(noun); len(text) >= n && strings.EqualFold(text[:n], noun) && (len(text) == n || !isWordByte(text[n])) {
			return text[:n]
		}
	}
	return ""
}

func isWordByte(b byte) bool {
	return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z' || b == '-' || b == '_'
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
