package ioc

import "github.com/threatconnect-go/threatconnect/internal/canon"

// Indicator is a recognized indicator. Fields other than Type and Value are zero unless a [Parser] or the
// input sets them.
type Indicator struct {
	Type  Type
	Value string // in canonical form

	Port          uint16 // port that followed an address or a host; see [Parser.SplitPort]
	AssumedScheme bool   // whether the scheme of a URL is that of [Parser.AssumeScheme]
	Address       string // address that a block was written with, in canonical form; see [Parser.MaskBlock]
	Defanged      bool   // whether the input was defanged, rather than only in quotes or angle brackets
}

// Parse recognizes a single value, defanged or not: an address, a CIDR block, a host, a URL, an email
// address, a file (a hash or a summary with several), an ASN or a registry key (its summary).
//
// Values of other types are free text, so their type cannot be recognized. Unrecognized values, and
// values that have the form of a type but break its rules, return an [*Error]. So do values with a port,
// URLs without a scheme and blocks with host bits; a [Parser] can accept them. Parse is safe for
// concurrent use.
func Parse(s string) (Indicator, error) { return (*Parser)(nil).Parse(s) }

// Refang returns a defanged indicator in its plain form and keeps everything else byte for byte.
//
// It undoes the usual ways to defang, in any letter case: schemes such as hxxp, htxxp and fxp; dots, at
// signs, colons and slashes in brackets, as in [.], (dot), [at], [:] and [/], with or without spaces;
// half brackets, as in example[.com; escaped dots, as in example\.com; and brackets around a whole
// address. It also removes white space, quotes and angle brackets around the value.
//
// It keeps path, query and fragment of a URL whose scheme and host are plain. Otherwise it undoes [.],
// [dot], [@], [at], [:] and [/] in them, too.
//
// Refang expects a single value, not running text; see [Extract]. It does not check the result. It is
// idempotent, takes time in proportion to the length of s, does not allocate for a value that is not
// defanged, and is safe for concurrent use.
func Refang(s string) string { return canon.Refang(s) }

// Defang returns an indicator in a form that programs do not turn into a link, as in
// hxxp://www[.]example[.]com/login.
//
// It writes the schemes http, https, ftp and sftp as hxxp, hxxps, fxp and sfxp; each dot of a host or an
// IPv4 address as [.]; the @ of an email address as [@]; and each colon of an IPv6 address as [:], but
// not in a URL. Path, query and fragment stay, except that a mark in them that [Refang] would undo, such
// as [.], gets another pair of brackets. Hashes, ASNs, registry keys and text stay. A file name has the
// form of a host, so Defang defangs it, too.
//
// Refang(Defang(v)) returns v for every canonical value v. A defanged value is refanged first, so Defang
// is idempotent. It takes time in proportion to the length of s and is safe for concurrent use.
func Defang(s string) string { return canon.Defang(s) }
