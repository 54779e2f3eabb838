package ioc

import (
	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// email finds the email address whose local part contains the word from a to at. It returns its
// end, or 0.
func (s *scanner) email(start, a, at, end int) int {
	b := s.wordEnd(at+1, end)
	for a > start && isLocalByte(s.t[a-1]) {
		a--
	}
	for a < at && !isWordByte(s.t[a]) && (s.t[a] != '_' || s.t[b-1] == '_') {
		a++
	}
	from, to := s.trim(at+1, b)
	if a == at || from != at+1 || to == from {
		return 0
	}
	if s.after(to) == ':' && isWordByte(s.after(to+1)) && !isDigit(s.after(to+1)) {
		return end // a remote repository: git@github.com:owner/repository
	}
	domain, _ := s.publicName(s.t[from:to], s.x.plain.isDefanged(a, to))
	if domain == "" {
		return 0
	}
	address, err := canon.EmailAddress(string(s.t[a:from]) + domain)
	if err != nil {
		return 0
	}
	s.add(TypeEmailAddress, address, a, to)
	s.x.noteDomain(domain)
	return to
}

// isLocalByte reports whether c can precede the @ of an email address in text.
func isLocalByte(c byte) bool {
	switch c {
	case '.', '-', '_', '+', '%', '~', '!', '$':
		return true
	}
	return isAlnum(c)
}
