package canon

import (
	"net/netip"
	"strings"
)

// The indicator types, by the platform's names.
const (
	TypeAddress      = "Address"
	TypeEmailAddress = "EmailAddress"
	TypeFile         = "File"
	TypeHost         = "Host"
	TypeURL          = "URL"
	TypeASN          = "ASN"
	TypeCIDR         = "CIDR"
	TypeMutex        = "Mutex"
	TypeRegistryKey  = "Registry Key"
	TypeUserAgent    = "User Agent"
	TypeEmailSubject = "Email Subject"
	TypeHashtag      = "Hashtag"
)

// Parse returns the type of a single indicator value and its identifying values in canonical form.
//
// The value can be defanged; see [Refang]. A file has three values, its MD5, SHA-1 and SHA-256, and
// unknown hashes are "". A registry key has three values, and every other type has one. Only the
// form of a value determines its type, in the following order. If a value has the form of a type
// but breaks its rules, Parse refuses it and does not try another type:
//
//	scheme://          URL
//	hive\              Registry Key, as key name : value name : value type
//	hexadecimal        File, one hash, or several separated by colons
//	address/length     CIDR
//	IP address         Address; IPv4 in notations other than a.b.c.d is refused
//	@                  EmailAddress, unless a /, ? or # precedes it, as in a URL without its scheme
//	AS or ASN, digits  ASN
//	name.name          Host
//
// Hosts and email addresses that end in a file name extension are refused.
//
// Mutexes, user agents, email subjects and hashtags have no form of their own, so Parse refuses
// them like any other unrecognized value.
func Parse(s string) (t string, values [3]string, err error) {
	s = Refang(s)
	if s == "" {
		return "", values, refuseBlank("indicator")
	}
	switch t = formOf(s); t {
	case "":
		if err = CheckText("indicator", s); err == nil {
			err = refuseUnrecognized()
		}
	case TypeHost:
		values[0], err = parseHost(s)
	case TypeEmailAddress:
		values[0], err = notFileName(EmailAddress(s))
	default:
		values, err = Values(t, s)
	}
	if err != nil {
		return "", [3]string{}, err
	}
	return t, values, nil
}

// Values returns the identifying values of an indicator of type t in canonical form, as [Parse]
// does.
func Values(t, s string) (v [3]string, err error) {
	switch t {
	case TypeFile:
		v[0], v[1], v[2], err = SplitFileSummary(s)
	case TypeRegistryKey:
		v[0], v[1], v[2], err = SplitRegistrySummary(s)
	case TypeAddress:
		v[0], err = Address(s)
	case TypeASN:
		v[0], err = ASN(s)
	case TypeCIDR:
		v[0], err = CIDR(s)
	case TypeEmailAddress:
		v[0], err = EmailAddress(s)
	case TypeEmailSubject:
		v[0], err = EmailSubject(s)
	case TypeHashtag:
		v[0], err = Hashtag(s)
	case TypeHost:
		v[0], err = Host(s)
	case TypeMutex:
		v[0], err = Mutex(s)
	case TypeURL:
		v[0], err = URL(s)
	case TypeUserAgent:
		v[0], err = UserAgent(s)
	default:
		err = refuse("type", "is not a type of this package", "use one of its constants")
	}
	return v, err
}

// Summary returns the summary of an indicator with the given canonical values.
func Summary(t string, v [3]string) (string, error) {
	switch t {
	case TypeFile:
		return JoinFileSummary(v[0], v[1], v[2]), nil
	case TypeRegistryKey:
		return JoinRegistrySummary(v[0], v[1], v[2])
	}
	return v[0], nil
}

// formOf returns the type whose form s has, or "".
func formOf(s string) string {
	if isPlainHost(s) {
		return TypeHost // the most common type; no other has this form
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
	case asnDigits(s) != "": // plain digits are handled above
		return TypeASN
	case strings.ContainsAny(s, labelDots) && !strings.ContainsAny(s, " \t\\"):
		return TypeHost
	}
	return ""
}

// isEmailAddressLike reports whether s contains an @ outside the path, query or fragment of a URL
// without its scheme. An email address with a slash must be quoted.
func isEmailAddressLike(s string) bool {
	at := strings.IndexByte(s, '@')
	return at >= 0 && (s[0] == '"' || authorityEnd(s) > at)
}

// isHashLike reports whether s consists of hexadecimal parts separated by colons, one of which has
// at least the length of an MD5 without its last digit.
func isHashLike(s string) bool {
	found := false
	for rest, more := s, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ":")
		part = strings.TrimSpace(part)
		if part != "" && !IsHex(part) {
			return false
		}
		found = found || len(part) >= MD5Length-1
	}
	return found
}

// isAddressLike reports whether s is an IP address, an IPv4 address in another notation, or an
// address in brackets or with a port.
func isAddressLike(s string) bool {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil || isLooseIPv4(s) {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}

// parseHost returns a canonical host. It refuses file names and URLs without a scheme, which look
// like hosts.
func parseHost(s string) (string, error) {
	if authorityEnd(s) < len(s) {
		return "", refuse("indicator", "is not recognized: it may be a URL without its scheme, or a path",
			"write http:// or https:// before it if it is a URL, or set AssumeScheme of an ioc.Parser")
	}
	return notFileName(Host(s))
}

// notFileName refuses a host or an email address that ends in a file name extension.
func notFileName(value string, err error) (string, error) {
	if IsFileExtension(value[strings.LastIndexByte(value, '.')+1:]) {
		return "", refuse("indicator", "is not recognized: it ends as the name of a file does",
			"give the file's hash, or use a Host or an EmailAddress if it is one")
	}
	return value, err
}

// IsFileExtension reports whether a last label is a common file name extension. It excludes
// extensions that are also top-level domains (.zip, .com, .sh, .app).
func IsFileExtension(label string) bool {
	switch label {
	case "apk", "asp", "aspx", "bat", "bin", "cfg", "cgi", "class", "cmd", "conf", "css", "csv", "dat", "dll", "dmg",
		"doc", "docm", "docx", "elf", "eml", "exe", "gif", "gz", "hta", "htm", "html", "ico", "img", "ini", "iso", "jar",
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
