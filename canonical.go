package threatconnect

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// CanonicalHost returns a host name in the form that the platform accepts: lower-case ASCII, with
// internationalized labels in their IDNA form, and without a final dot.
//
// A name has at most 253 octets and at least two labels. Each label has 1 to 63 letters, digits,
// hyphens and underscores, without a hyphen at either end. The last label is two or more letters, or
// an internationalized label without underscores. Surrounding white space is dropped.
//
// IP addresses, ports, user information, paths, wildcards, percent signs and defanged names return a
// [*ValidationError] that says what to use instead. So do numbers that some programs read as an IPv4
// address, such as 0x7f000001, and punctuation and symbols from the surrounding text: typographic
// quotes, dashes, bullets, footnote numbers, and ™, which IDNA maps to tm. Emoji are accepted, and so
// are names that look like another name.
//
// It does not allocate for a plain lower-case name.
func CanonicalHost(name string) (string, error) { return validated(canon.Host(name)) }

// CanonicalURL returns a URL in the form that the platform accepts: scheme and host in lower case,
// the host in its IDNA form, and no user information.
//
// The scheme is http, https, ftp or sftp. The host follows [CanonicalHost], or is an IPv4 address or
// an IPv6 address in brackets, which is returned in the short form of RFC 5952. The port is from 1
// to 65535 and is kept, even if it is the default of the scheme. Path, query and fragment are kept
// byte for byte: nothing is encoded, decoded or resolved. Surrounding white space is dropped.
//
// White space, double and back quotes, angle brackets and invisible characters inside a URL, and
// punctuation beyond ASCII at its end, usually belong to the text around it, as in
// "http://example.com/x (a comment)". They return a [*ValidationError] unless they are
// percent-encoded. So do backslashes, which browsers read as slashes. Control characters, invalid
// UTF-8 and defanged URLs return one too.
//
// User information is dropped, because the platform does not accept it and it can be a credential.
//
// It does not allocate for a canonical URL whose host is an IPv4 address or a name without
// internationalized labels.
func CanonicalURL(rawURL string) (string, error) { return validated(canon.URL(rawURL)) }

// ParseIndicator returns the indicator for a single value, defanged or not, in canonical form: an
// address, a CIDR block, a host, a URL, an email address, a file (a hash or a summary with several), an
// ASN or a registry key (its summary).
//
// Values of other types are free text, so their type cannot be recognized. Unrecognized values, and
// values that have the form of a type but break its rules, return a [*ValidationError]. ParseIndicator
// does no I/O and is safe for concurrent use.
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

// checkVerbatim checks text in which every byte is significant, such as a value of a header or query.
func checkVerbatim(field, s string) error {
	_, err := verbatim(field, s)
	return err
}

func checkText(field, s string) error { return validation(canon.CheckText(field, s)) }

func validated(s string, err error) (string, error) { return s, validation(err) }

// validation returns the refusal of a value as a [*ValidationError].
func validation(err error) error {
	if refusal, ok := err.(*canon.Error); ok {
		return (*ValidationError)(refusal)
	}
	return err
}

// XID returns the xid that TcEx makes of a list of parts, so that a feed can move over from TcEx
// without duplicates: the parts are joined with a hyphen and hashed twice with SHA-256, which gives
// 64 hexadecimal digits.
//
// The same parts give the same xid on every run, which is what finds a group again. Their order
// matters, and because a hyphen joins them, ("a-b") and ("a", "b") give the same: begin with parts
// that keep your feeds and types apart, as in XID("acme-feed", "Incident", incidentID). What TcEx
// makes of a single text that is not in a list is [XIDFromText].
func XID(parts ...string) string { return XIDFromText(XIDFromText(strings.Join(parts, "-"))) }

// XIDFromText returns the xid that TcEx makes of one text that is not in a list: its SHA-256 in
// hexadecimal digits. Compare [XID], which hashes twice.
func XIDFromText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
