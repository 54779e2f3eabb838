package canon

import "strings"

// EmailAddress returns an email address with its domain in the form that the platform accepts:
// lower-case ASCII, IDNA.
//
// The part before the @ is kept byte for byte, including letter case, because only the receiving
// server can interpret it. It can be quoted, and it can contain non-ASCII characters, but no
// non-ASCII punctuation unless it is quoted. The domain follows the rules of [Host]. Surrounding
// white space is removed.
//
// Display names, comments, address lists, mailto: URLs and defanged addresses return an [*Error].
// So does an address that starts with a host and a slash, question mark or number sign, because it
// is more likely a URL without its scheme. If it is an address, quote the part before the @.
//
// EmailAddress does not allocate for an address with a plain lower-case domain.
func EmailAddress(address string) (string, error) {
	const field = "email address"
	s := strings.TrimSpace(address)
	if s == "" {
		return "", refuseBlank(field)
	}
	if err := CheckText(field, s); err != nil {
		return "", err
	}
	at := strings.LastIndexByte(s, '@')
	if refangMarks(s[at+1:]) != s[at+1:] {
		return "", refuseDefanged(field)
	}
	if at < 0 {
		return "", refuse(field, "has no @", "write it as in user@example.com")
	}
	local, domain := s[:at], s[at+1:]
	if err := checkLocalPart(field, local); err != nil {
		return "", err
	}
	canonicalDomain, err := canonicalHost("email domain", domain)
	if err != nil {
		return "", err
	}
	if canonicalDomain == domain {
		return s, nil
	}
	return local + "@" + canonicalDomain, nil
}

// checkLocalPart checks the part of an address before the @.
func checkLocalPart(field, local string) error {
	if local == "" {
		return refuse(field, "has nothing before the @", "write it as in user@example.com")
	}
	if strings.ContainsFunc(local, isInvisible) {
		return refuse(field, "holds an invisible character before the @", "remove it")
	}
	if isQuoted(local) {
		return nil
	}
	if end := authorityEnd(local); end < len(local) {
		if _, err := canonicalHostPort(local[:end]); err == nil {
			return refuse(field, "may be a URL without its scheme",
				"write http:// or https:// before it and use a URL, or quote the part before the @")
		}
	}
	for i := range len(local) {
		switch local[i] {
		case '@':
			return refuse(field, "has two @", "give one address")
		case ' ', '<', '>', '"', '(', ')', ',', ';':
			return refuse(field, "has more than one address in it, such as a display name", "give the bare address")
		case ':', '[', ']', '\\':
			return refuse(field, "has a character that cannot stand before the @", "give the bare address")
		}
	}
	if hasForeignPunctuation(local) {
		return refuse(field, "holds punctuation beyond ASCII before the @", "remove it: it may be a typographic quote")
	}
	return nil
}

// isQuoted reports whether s is a single quoted string of RFC 5322.
func isQuoted(s string) bool {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	inner := s[1 : len(s)-1]
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '"':
			return false
		case '\\':
			if i++; i == len(inner) {
				return false
			}
		}
	}
	return true
}
