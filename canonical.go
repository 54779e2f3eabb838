package threatconnect

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// CanonicalHost returns the canonical form of a host name, which the platform accepts: lower-case ASCII, with
// internationalized labels in IDNA, without a trailing dot. Surrounding white space is dropped.
//
// A name has at most 253 octets and at least two labels. Each label has 1 to 63 letters, digits, hyphens and
// underscores, without a hyphen at either end. The last label has two or more letters, or is an
// internationalized label without underscores.
//
// Other input returns a [*ValidationError] that suggests a fix:
//
//   - IP addresses, ports, user information, paths, wildcards, percent signs and defanged names
//   - numbers that some programs read as an IPv4 address, for example 0x7f000001
//   - punctuation and symbols of surrounding text, for example typographic quotes, dashes, bullets, footnote
//     numbers, and ™, which IDNA maps to tm
//
// Emoji and confusable names are accepted.
//
// CanonicalHost does not allocate for a lower-case ASCII name.
func CanonicalHost(name string) (string, error) { return validated(canon.Host(name)) }

// CanonicalURL returns the canonical form of a URL, which the platform accepts: scheme and host in lower case,
// the host in IDNA, without user information. Surrounding white space is dropped. User information is dropped
// because the platform does not accept it and it can be a credential.
//
// The scheme is http, https, ftp or sftp. The host is a name that [CanonicalHost] accepts, an IPv4 address, or
// an IPv6 address in brackets, which is returned in the short form of RFC 5952. The port is from 1 to 65535 and
// is kept, even if it is the default of the scheme. Path, query and fragment are kept byte for byte: nothing
// is encoded, decoded or resolved.
//
// Unless they are percent-encoded, white space, double quotes, back quotes, angle brackets and invisible
// characters inside a URL, and non-ASCII punctuation at its end, return a [*ValidationError]. They usually
// belong to surrounding text, for example in "http://example.com/x (a comment)". Backslashes, which browsers
// read as slashes, control characters, invalid UTF-8 and defanged URLs return a [*ValidationError] as well.
//
// CanonicalURL does not allocate for a canonical URL whose host is an IPv4 address or a name without
// internationalized labels.
func CanonicalURL(rawURL string) (string, error) { return validated(canon.URL(rawURL)) }

// ParseIndicator recognizes the type of a single value, defanged or not, and returns the indicator in canonical
// form: an address, a CIDR block, a host, a URL, an email address, a file (a hash or a summary of several), an
// ASN or a registry key (its summary).
//
// Other types are free text and cannot be recognized. Unrecognized values, and values that have the form of a
// type but break its rules, return a [*ValidationError]. ParseIndicator does no I/O and is safe for concurrent
// use.
func ParseIndicator(s string) (Indicator, error) {
	t, values, err := canon.Parse(s)
	if err != nil {
		return nil, validation(err)
	}
	ind := indicatorDefOf(IndicatorType(t)).new()
	ind.setValues(values)
	return ind, nil
}

func canonicalTag(name string) (string, error) { return validated(canon.Tag(name)) }

func canonicalSecurityLabel(name string) (string, error) { return validated(canon.SecurityLabel(name)) }

func canonicalGroupName(name string) (string, error) { return validated(canon.GroupName(name)) }

func trimmedName(field, name string, maxLength int) (string, error) {
	return validated(canon.Name(field, name, maxLength))
}

func verbatim(field, s string) (string, error) { return validated(canon.Verbatim(field, s)) }

// checkVerbatim checks text that is sent byte for byte, for example in a header or query.
func checkVerbatim(field, s string) error {
	_, err := verbatim(field, s)
	return err
}

func checkText(field, s string) error { return validation(canon.CheckText(field, s)) }

func validated(s string, err error) (string, error) { return s, validation(err) }

// validation returns an error of package canon as a [*ValidationError].
func validation(err error) error {
	if refusal, ok := err.(*canon.Error); ok {
		return (*ValidationError)(refusal)
	}
	return err
}

// XID returns the xid for a group, which identifies the group in every later import:
//
//	threat.XID = threatconnect.XID("acme-feed", "Threat", threatID)
//
// It joins the parts with hyphens and hashes the result twice with SHA-256, which gives 64 hexadecimal digits.
// TcEx does the same with a list, so a feed can migrate from TcEx without duplicates. For a single text, TcEx
// hashes once; see [XIDFromText].
//
// The same parts always give the same xid. Their order matters. ("a-b") and ("a", "b") give the same xid, so
// start with parts that distinguish your feeds and types.
func XID(parts ...string) string { return XIDFromText(XIDFromText(strings.Join(parts, "-"))) }

// XIDFromText returns the xid that TcEx derives from a single text: its SHA-256 in hexadecimal digits. Unlike
// [XID], it hashes once.
func XIDFromText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
