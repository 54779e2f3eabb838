// Package ioc recognizes, finds, checks and rewrites indicators of compromise: addresses, hosts, URLs,
// email addresses, file hashes and more. It has no network code and does no I/O of its own.
//
//	for match, err := range ioc.Extract(report) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(match.Type, match.Value, match.Offset)
//	}
//
// [Parse] recognizes a single value, defanged or not; a [Parser] also accepts ports, missing schemes and
// host bits. [Canonical] returns the one spelling of a value that the platform accepts. [Extract] finds
// indicators in text. [Exclusions] tells which of them must not be shared. [Defang] and [Refang] convert
// between the plain form and one that programs do not turn into a link.
//
// Values are never changed into other values. Ambiguous values return an [*Error] that names the rule.
package ioc

import "github.com/threatconnect-go/threatconnect/internal/canon"

// Type is the type of an indicator, as the platform names it.
type Type string

// The types of indicators. Vulnerability is the type of a group on the platform; only [Extract] returns it.
const (
	TypeAddress       Type = "Address"       // an IPv4 or IPv6 address
	TypeEmailAddress  Type = "EmailAddress"  // user@example.com
	TypeFile          Type = "File"          // an MD5, SHA-1 or SHA-256, or several with " : " between
	TypeHost          Type = "Host"          // a host name
	TypeURL           Type = "URL"           // an http, https, ftp or sftp URL
	TypeASN           Type = "ASN"           // ASN64496
	TypeCIDR          Type = "CIDR"          // a block of addresses, as in 192.0.2.0/24
	TypeMutex         Type = "Mutex"         // the name of a mutex
	TypeRegistryKey   Type = "Registry Key"  // key name, value name and value type with " : " between
	TypeUserAgent     Type = "User Agent"    // a User-Agent header
	TypeEmailSubject  Type = "Email Subject" // the subject of an email
	TypeHashtag       Type = "Hashtag"       // a hashtag of a social network
	TypeVulnerability Type = "Vulnerability" // CVE-2021-44228
)

// Error is the reason why a value is refused. Its text never contains the value, so it can be logged.
type Error struct {
	Field string // the kind of value, as in "host name"
	Rule  string // the rule that the value breaks, as in "has one label only"
	Fix   string // how to fix it
}

// Error returns the field, the rule and the fix as a sentence.
func (e *Error) Error() string { return "ioc: " + e.Field + " " + e.Rule + "; " + e.Fix }

// public returns a refusal of the package below as an [*Error].
func public(err error) error {
	if refusal, ok := err.(*canon.Error); ok {
		return (*Error)(refusal)
	}
	return err
}

func refused(s string, err error) (string, error) { return s, public(err) }
