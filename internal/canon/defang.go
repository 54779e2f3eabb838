package canon

import "strings"

// Defang converts an indicator to a form that programs do not turn into a link.
//
// It writes the schemes http, https, ftp and sftp as hxxp, hxxps, fxp and sfxp; each dot of a host
// or an IPv4 address as [.]; the @ of an email address as [@]; and each colon of an IPv6 address as
// [:], except in a URL. It does not change the path, query and fragment, except that it adds a pair
// of brackets to a mark such as [.] that [Refang] would otherwise replace. It does not change
// hashes, ASNs, registry keys and text.
//
// Defang refangs a defanged value first, so it is idempotent. Refang reverses it.
func Defang(s string) string {
	plain := Refang(s)
	switch t := formOf(plain); t {
	case TypeURL:
		scheme, rest, _ := strings.Cut(plain, "://")
		authority, tail := splitTail(rest)
		host := authority
		if !strings.ContainsAny(authority, " \t\\") {
			host = bracket(authority, ".@")
		}
		newScheme := scheme
		if known := urlScheme(scheme); known != "" {
			newScheme = strings.ReplaceAll(known, "t", "x")
		}
		if newScheme == scheme && host == authority {
			return plain
		}
		return newScheme + "://" + host + defangTail(tail)
	case TypeHost, TypeAddress, TypeCIDR:
		authority, tail := splitTail(plain)
		switch {
		case strings.ContainsAny(authority, " \t\\"): // in the zone of an IPv6 address
			return s
		case !isHostLike(authority) && t == TypeHost:
			if strings.Contains(plain, "@") {
				return defangEmailAddress(s, plain)
			}
			return s // a path
		}
		chars := "."
		if strings.Count(authority, ":") > 1 {
			chars = ".:"
		}
		host := bracket(authority, chars)
		if host != authority && isHostLike(authority) {
			tail = defangTail(tail)
		}
		return host + tail
	case TypeEmailAddress:
		return defangEmailAddress(s, plain)
	}
	return s
}

// defangEmailAddress returns plain with the last @ and the dots after it in brackets. It returns s
// if Refang could not reverse that.
func defangEmailAddress(s, plain string) string {
	at := strings.LastIndexByte(plain, '@')
	local, domain := plain[:at], plain[at:]
	if strings.ContainsAny(domain, " \t\\") || strings.TrimRight(local, " \t\\") != local {
		return s
	}
	return local + bracket(domain, ".@")
}

// bracket returns s with each of the given characters in square brackets.
func bracket(s, chars string) string {
	if !strings.ContainsAny(s, chars) {
		return s
	}
	out := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		if strings.IndexByte(chars, s[i]) >= 0 {
			out = append(out, '[', s[i], ']')
		} else {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// defangTail adds a pair of brackets to each mark in path, query and fragment, which [refangTail]
// removes.
func defangTail(tail string) string {
	return mapTailMarks(tail, func(out []byte, text string, _ int) []byte {
		return append(append(append(out, '['), text...), ']')
	})
}
