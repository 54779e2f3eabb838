package setdiff

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// Types with rules of their own.
const (
	typeCIDR    = "CIDR"
	typeEmail   = "EmailAddress"
	typeFile    = "File"
	typeHashtag = "Hashtag"
	typeURL     = "URL"
)

// fold returns a canonical value without the differences that a platform may introduce: letter case and white
// space, and in a URL also percent escapes, a default port and slashes at the end of the path.
func fold(ind *Indicator, value string) string {
	switch ind.Type {
	case typeFile:
		if hash, err := canon.Hash(value); err == nil {
			return hash
		}
		return value
	case typeURL:
		value = unescape(value)
	case typeCIDR:
		if block, err := netip.ParsePrefix(value); err == nil {
			value = block.Masked().String()
		}
	}
	value = strings.Join(strings.Fields(strings.ToLower(strings.ToUpper(value))), "")
	switch {
	case ind.Type == typeURL:
		return foldURL(value)
	case ind.Type == typeHashtag:
		return strings.TrimLeft(value, "#")
	case ind.Custom:
		return strings.TrimRight(value, ":") // empty values at the end
	}
	return value
}

// unescape decodes percent escapes until none is left.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, s[i])
		for n := len(out) - 3; n >= 0 && out[n] == '%'; n = len(out) - 3 {
			b, err := hex.DecodeString(string(out[n+1:]))
			if err != nil {
				break
			}
			out = append(out[:n], b[0])
		}
	}
	return string(out)
}

// foldURL removes the default port of a URL and the slashes at the end of its path.
func foldURL(s string) string {
	cut := func(s, chars string) (before, after string) {
		if i := strings.IndexAny(s, chars); i >= 0 {
			return s[:i], s[i:]
		}
		return s, ""
	}
	scheme, rest, _ := strings.Cut(s, "://")
	host, rest := cut(rest, "/?#")
	path, rest := cut(rest, "?#")
	port := map[string]string{"http": ":80", "https": ":443", "ftp": ":21", "sftp": ":22"}[scheme]
	return scheme + "://" + strings.TrimSuffix(host, port) + strings.TrimRight(path, "/") + rest
}
