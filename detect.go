package threatconnect

import (
	"net/netip"
	"strings"
)

// detect tells the type of a bare indicator value and returns its values in canonical form.
//
// The value may be defanged; see [Refang]. The values of a file are its MD5, SHA-1 and SHA-256, ""
// for each that is not known; a registry key has its three; every other type has one.
// What a value reads as is decided by its form alone, in this order, and a value that has the form
// of a type and breaks one of its rules is refused, never tried as another type:
//
//	scheme://          URL
//	hive\              Registry Key, as key name : value name : value type
//	hexadecimal        File, one hash, or several with colons between
//	address/length     CIDR
//	IP address         Address; IPv4 in any other notation than a.b.c.d is refused
//	@                  EmailAddress, unless a /, ? or # stands before it, as in a URL without its scheme
//	AS or ASN, digits  ASN
//	name.name          Host
//
// Hosts and email addresses that end as file names do are refused.
//
// Mutexes, user agents, email subjects and hashtags have no form of their own, so they are refused
// here, as is anything else that is not recognized.
func detect(s string) (t IndicatorType, values [3]string, err error) {
	s = Refang(s)
	if s == "" {
		return "", values, refuse("indicator", "is blank", "give it a value")
	}
	t = formOf(s)
	var v [3]string
	switch t {
	case TypeURL:
		v[0], err = CanonicalURL(s)
	case TypeRegistryKey:
		v[0], v[1], v[2], err = SplitRegistrySummary(s)
	case TypeFile:
		v[0], v[1], v[2], err = SplitFileSummary(s)
	case TypeCIDR:
		v[0], err = CanonicalCIDR(s)
	case TypeAddress:
		v[0], err = CanonicalAddress(s)
	case TypeEmailAddress:
		v[0], err = notFileName(CanonicalEmailAddress(s))
	case TypeASN:
		v[0], err = CanonicalASN(s)
	case TypeHost:
		v[0], err = detectHost(s)
	default:
		if err = checkText("indicator", s); err == nil {
			err = refuseUnrecognized()
		}
	}
	if err != nil {
		return "", values, err
	}
	return t, v, nil
}

// formOf returns the type whose form s has, or "".
func formOf(s string) IndicatorType {
	if isPlainHost(s) {
		return TypeHost // the commonest, and of no other form
	}
	if _, separator := schemeOf(s); separator != "" {
		return TypeURL
	}
	if hive, _ := splitHive(s); hive != "" {
		return TypeRegistryKey
	}
	if isHashLike(s) {
		return TypeFile
	}
	if ip, _, ok := strings.Cut(s, "/"); ok {
		if _, err := netip.ParseAddr(ip); err == nil || isLooseIPv4(ip) {
			return TypeCIDR
		}
	}
	if isAddressLike(s) {
		return TypeAddress
	}
	switch {
	case isEmailAddressLike(s):
		return TypeEmailAddress
	case asnDigits(s) != "": // digits alone have been taken for an address
		return TypeASN
	case strings.ContainsAny(s, labelDots) && !strings.ContainsAny(s, " \t\\"):
		return TypeHost
	}
	return ""
}

// isEmailAddressLike reports whether s has an @, and no path in front of it as a URL without its scheme
// has. A slash in an email address has to be quoted.
func isEmailAddressLike(s string) bool {
	at := strings.IndexByte(s, '@')
	return at >= 0 && (s[0] == '"' || authorityEnd(s) > at)
}

// isHashLike reports whether s is hexadecimal with one part as long as a hash, or one digit short of it.
func isHashLike(s string) bool {
	found := false
	for rest, more := s, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ":")
		part = strings.TrimSpace(part)
		if part != "" && !isHex(part) {
			return false
		}
		found = found || len(part) >= md5Length-1
	}
	return found
}

// isAddressLike reports whether s is an IP address, an IPv4 address in another notation, or one of
// them with a port.
func isAddressLike(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil || isLooseIPv4(s) {
		return true
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}

// detectHost refuses names of files, which have the form of host names, and URLs without a scheme.
func detectHost(s string) (string, error) {
	if authorityEnd(s) < len(s) {
		return "", refuse("indicator", "is not recognized: it may be a URL without its scheme, or a path",
			"write http:// or https:// before it if it is a URL")
	}
	return notFileName(CanonicalHost(s))
}

// notFileName refuses a host, or the host at the end of an email address, that ends as file names do.
func notFileName(value string, err error) (string, error) {
	if err == nil && isFileExtension(value[strings.LastIndexByte(value, '.')+1:]) {
		return "", refuse("indicator", "is not recognized: it ends as the name of a file does",
			"give the file's hash, or use a Host or an EmailAddress if it is one")
	}
	return value, err
}

// isFileExtension reports whether a last label is a common extension of file names and no
// top-level domain. Extensions that are both (.zip, .com, .sh, .app) are left to the domain.
func isFileExtension(label string) bool {
	switch label {
	case "apk", "asp", "aspx", "bat", "bin", "cfg", "cgi", "class", "cmd", "conf", "csv", "dat", "dll", "dmg",
		"doc", "docm", "docx", "elf", "eml", "exe", "gif", "gz", "hta", "htm", "html", "img", "ini", "iso", "jar",
		"jpeg", "jpg", "js", "json", "jse", "jsp", "lnk", "log", "msi", "ocx", "odt", "pdf", "php", "png", "ppt",
		"pptx", "rar", "rtf", "scr", "svg", "swf", "sys", "tar", "tmp", "txt", "vbe", "vbs", "wsf", "xls",
		"xlsb", "xlsm", "xlsx", "xml":
		return true
	}
	return false
}

func refuseUnrecognized() error {
	return refuse("indicator", "is not recognized as an address, block, host, URL, email address, hash, ASN or registry key",
		"use a Mutex, UserAgent or another type by name if it is one")
}
