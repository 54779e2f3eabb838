// Package ioc recognizes, extracts, validates and defangs indicators of compromise: IP addresses,
// hosts, URLs, email addresses, file hashes and more. It has no network code and does no I/O of its
// own.
//
//	for match, err := range ioc.Extract(report) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(match.Type, match.Value, match.Offset)
//	}
//
// [Extract] finds indicators in text. [Parse] recognizes a single value, defanged or not. A
// [Parser] also accepts ports, URLs without a scheme, and blocks with host bits. [Canonical]
// returns the spelling of a value that the platform accepts. [Exclusions] identifies indicators
// that must not be shared. [Defang] and [Refang] convert between the plain form of a value and a
// form that programs do not turn into a link.
//
// The functions change the spelling of a value, but never its meaning. Ambiguous values return an
// [*Error] that names the rule.
package ioc

import "github.com/threatconnect-go/threatconnect/internal/canon"

// Type is an indicator type, spelled as on the platform.
type Type string

// The indicator types. On the platform, Vulnerability is a group type; only [Extract] returns it.
const (
	TypeAddress       Type = "Address"       // an IPv4 or IPv6 address
	TypeEmailAddress  Type = "EmailAddress"  // user@example.com
	TypeFile          Type = "File"          // an MD5, SHA-1 or SHA-256 hash, or several separated by " : "
	TypeHost          Type = "Host"          // a host name
	TypeURL           Type = "URL"           // an http, https, ftp or sftp URL
	TypeASN           Type = "ASN"           // ASN64496
	TypeCIDR          Type = "CIDR"          // a block of addresses, for example 192.0.2.0/24
	TypeMutex         Type = "Mutex"         // the name of a mutex
	TypeRegistryKey   Type = "Registry Key"  // key name, value name and value type separated by " : "
	TypeUserAgent     Type = "User Agent"    // a User-Agent header
	TypeEmailSubject  Type = "Email Subject" // the subject of an email
	TypeHashtag       Type = "Hashtag"       // a hashtag of a social network
	TypeVulnerability Type = "Vulnerability" // CVE-2021-44228
)

// Error is the reason why a value is invalid. Its text never contains the value and is safe to log.
type Error struct {
	Field string // kind of value, for example "host name"
	Rule  string // rule that the value breaks, for example "has one label only"
	Fix   string // how to fix the value
}

// Error returns the field, the rule and the fix as a sentence.
func (e *Error) Error() string { return "ioc: " + e.Field + " " + e.Rule + "; " + e.Fix }

// public converts an error of package canon to an [*Error].
func public(err error) error {
	if refusal, ok := err.(*canon.Error); ok {
		return (*Error)(refusal)
	}
	return err
}

func refused(s string, err error) (string, error) { return s, public(err) }
