package canon

import "strings"

// CheckStrict checks a canonical value against the platform's rules that the canonical form of its
// type does not imply. It does not change the value, so every strict value is also accepted
// leniently.
//
// A top-level domain has 2 to 13 letters, or 2 to 22 characters after xn--, and is not a file name
// extension. A host has no underscore. The host of a URL can have underscores from the third label
// on, counted from the right, and is not an IPv6 address. Path, query and fragment follow RFC 3986.
// The part of an email address before the @ is ASCII and not quoted. Other types have no further
// rules.
func CheckStrict(t, value string) error {
	switch t {
	case TypeHost:
		return checkStrictHost("host name", value, value)
	case TypeEmailAddress:
		at := strings.LastIndexByte(value, '@')
		if err := checkStrictLocalPart(value[:at]); err != nil {
			return err
		}
		return checkStrictHost("email domain", value[at+1:], value[at+1:])
	case TypeURL:
		_, rest, _ := strings.Cut(value, "://")
		end := authorityEnd(rest)
		if err := checkStrictURLHost(rest[:end]); err != nil {
			return err
		}
		return checkStrictTail(rest[end:])
	}
	return nil
}

// strictFix is the fix for values that only the strict rules refuse.
const strictFix = "correct it, or clear Strict of the ioc.Parser"

// checkStrictHost checks a canonical host name. Its given last labels must not contain underscores.
func checkStrictHost(field, name, lastLabels string) error {
	topLevel, longest := name[strings.LastIndexByte(name, '.')+1:], 13
	if encoded, ok := strings.CutPrefix(topLevel, "xn--"); ok {
		topLevel, longest = encoded, 22
	}
	switch {
	case len(topLevel) > longest:
		return refuse(field, "has a top-level domain that is not 2 to 13 letters, or 2 to 22 characters after xn--", strictFix)
	case IsFileExtension(topLevel):
		return refuse(field, "ends as the name of a file does", "give the file's hash, or clear Strict of the ioc.Parser")
	case strings.Contains(lastLabels, "_"):
		return refuse(field, "holds an underscore where the platform allows none", strictFix)
	}
	return nil
}

// checkStrictURLHost checks the canonical host of a URL, with or without a port.
func checkStrictURLHost(hostPort string) error {
	const field = "URL host"
	if strings.HasPrefix(hostPort, "[") {
		return refuse(field, "is an IPv6 address", "use an Address, or clear Strict of the ioc.Parser")
	}
	host, _, _ := strings.Cut(hostPort, ":")
	lastDot := strings.LastIndexByte(host, '.')
	if isDigit(host[lastDot+1]) {
		return nil // an IPv4 address
	}
	return checkStrictHost(field, host, host[strings.LastIndexByte(host[:lastDot], '.')+1:])
}

// checkStrictLocalPart checks the part of an email address before the @: a dot-atom of RFC 5322.
func checkStrictLocalPart(local string) error {
	switch {
	case local[0] == '"' || !isPrintableASCII(local):
		return refuse("email address", "is quoted or holds a character beyond ASCII before the @", strictFix)
	case local[0] == '.' || strings.HasSuffix(local, ".") || strings.Contains(local, ".."):
		return refuse("email address", "has a dot at an end of the part before the @, or two in a row", strictFix)
	}
	return nil
}

// checkStrictTail checks path, query and fragment of a canonical URL against RFC 3986.
func checkStrictTail(tail string) error {
	const field, fix = "URL", "percent-encode it if it is part of the URL, or clear Strict of the ioc.Parser"
	fragment := false
	for i := range len(tail) {
		switch c := tail[i]; {
		case c == '%':
			if i+2 >= len(tail) || !IsHex(tail[i+1:i+3]) {
				return refuse(field, "has a percent sign without two hexadecimal digits", "write it as %25, or clear Strict of the ioc.Parser")
			}
		case c == '#':
			if fragment {
				return refuse(field, "has two number signs", fix)
			}
			fragment = true
		case !isDigit(c) && !isLetter(c) && strings.IndexByte("-._~!$&'()*+,;=:@/?", c) < 0:
			return refuse(field, "holds a character after its host that RFC 3986 does not allow", fix)
		}
	}
	return nil
}
