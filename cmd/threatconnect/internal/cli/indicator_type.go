package cli

import (
	"strings"

	"github.com/threatconnect-go/threatconnect/ioc"
)

// IndicatorTypeNames lists names of the indicator types for help texts.
const IndicatorTypeNames = "address, asn, cidr, email, file, host, url, registry-key, mutex, user-agent"

// IndicatorType returns the type that a name on the command line means: the name of the platform, or a
// common one such as ip, domain or sha256. Letter case, spaces, hyphens and underscores do not matter.
func IndicatorType(name string) (ioc.Type, bool) {
	switch PlainName(name) {
	case "address", "ip", "ipv4", "ipv6":
		return ioc.TypeAddress, true
	case "asn":
		return ioc.TypeASN, true
	case "cidr":
		return ioc.TypeCIDR, true
	case "emailaddress", "email":
		return ioc.TypeEmailAddress, true
	case "emailsubject":
		return ioc.TypeEmailSubject, true
	case "file", "hash", "md5", "sha1", "sha256":
		return ioc.TypeFile, true
	case "hashtag":
		return ioc.TypeHashtag, true
	case "host", "hostname", "domain":
		return ioc.TypeHost, true
	case "mutex":
		return ioc.TypeMutex, true
	case "registrykey":
		return ioc.TypeRegistryKey, true
	case "url":
		return ioc.TypeURL, true
	case "useragent":
		return ioc.TypeUserAgent, true
	case "vulnerability", "cve":
		return ioc.TypeVulnerability, true
	}
	return "", false
}

// PlainName returns a name in lower case without spaces, hyphens and underscores.
func PlainName(name string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(name))
}
