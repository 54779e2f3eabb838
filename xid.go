package threatconnect

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

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
