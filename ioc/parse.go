package ioc

import "github.com/threatconnect-go/threatconnect/internal/canon"

// Indicator is a recognized indicator. Fields other than Type and Value are zero unless a [Parser]
// option or the input sets them.
type Indicator struct {
	Type  Type
	Value string // in canonical form

	Port          uint16 // port after an address or a host; see Parser.SplitPort
	AssumedScheme bool   // whether Parser.AssumeScheme supplied the scheme of a URL
	Address       string // canonical address in a block with host bits; see Parser.MaskBlock
	Defanged      bool   // whether the input was defanged; quotes and angle brackets do not count
}

// Parse recognizes a single value, defanged or not: an IP address, a CIDR block, a host, a URL, an
// email address, a file (a hash or a summary of several), an ASN, or a registry key (its summary).
//
// Values of other types are free text and cannot be recognized. Unrecognized values, and values
// that look like a type but break its rules, return an [*Error]. So do values with a port, URLs
// without a scheme, and blocks with host bits, which a [Parser] can accept. Parse is safe for
// concurrent use.
func Parse(s string) (Indicator, error) { return (*Parser)(nil).Parse(s) }

// Refang converts a defanged indicator to its plain form and keeps everything else byte for byte.
//
// Refang reverses these notations, in any letter case:
//
//   - schemes such as hxxp, htxxp and fxp
//   - dots, at signs, colons and slashes in brackets, such as [.], (dot), [at], [:] and [/], with or without spaces
//   - half brackets, such as example[.com
//   - escaped dots, such as example\.com
//   - brackets around a whole address
//
// It also removes white space, quotes and angle brackets around the value.
//
// If the scheme and the host of a URL are plain, Refang does not change its path, query and
// fragment. Otherwise it also replaces [.], [dot], [@], [at], [:] and [/] there.
//
// Refang expects a single value and does not validate the result. For running text, use [Extract].
// Refang is idempotent and safe for concurrent use. It takes time linear in the length of s, and
// does not allocate if s is not defanged.
func Refang(s string) string { return canon.Refang(s) }

// Defang converts an indicator to a form that programs do not turn into a link, for example
// hxxp://www[.]example[.]com/login.
//
// It writes the schemes http, https, ftp and sftp as hxxp, hxxps, fxp and sfxp; each dot of a host
// or an IPv4 address as [.]; the @ of an email address as [@]; and each colon of an IPv6 address as
// [:], except in a URL. It does not change the path, query and fragment, except that it adds a pair
// of brackets to a mark such as [.] that [Refang] would otherwise replace. It does not change
// hashes, ASNs, registry keys and text. It defangs file names, because they look like hosts.
//
// Refang(Defang(v)) returns v for every canonical value v. Defang refangs a defanged value first,
// so it is idempotent. It takes time linear in the length of s and is safe for concurrent use.
func Defang(s string) string { return canon.Defang(s) }
