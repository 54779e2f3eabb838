package errorlist

import (
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Parse reads an object of a list. The lists differ in the meaning of errorReason: with an errorMessage,
// which is then the message, it is the exception.
func Parse(text []byte) attribute.Entry {
	var e attribute.Entry
	var reason, message string
	words := func(r *wire.Reader) string {
		all := r.Text()
		kept := cutText(all, MaxText)
		e.Cut = e.Cut || len(kept) < len(all)
		return kept
	}
	r := wire.NewReader(text)
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "code":
			e.Code = r.Text()
		case "severity":
			e.Severity = cutText(r.Text(), MaxText)
		case "errorReason":
			reason = words(r)
		case "errorMessage":
			message = words(r)
		case "errorSource":
			e.Source = readSource(r)
		default:
			r.Skip()
		}
	}
	e.Reason = message
	if message == "" {
		e.Reason = reason
	} else {
		e.Cause = reason
	}
	if e.Code == "" {
		e.Code, e.Reason = codeIn(e.Reason)
	}
	if e.Code == "" {
		e.Code, e.Cause = codeIn(e.Cause)
	}
	e.Code = normalizeCode(e.Code)
	return e
}

// readSource reads the source of an error, which is an item or a text.
func readSource(r *wire.Reader) attribute.Source {
	var s attribute.Source
	if r.Kind() != wire.Object {
		if t := r.Text(); t != "" {
			s.Refs = []string{t}
		}
		return s
	}
	for r.Object(); r.NextKey(); {
		switch key := string(r.Key()); key {
		case "type":
			s.Type = cutText(r.Text(), MaxText)
		case "xid":
			s.XID = r.Text()
		case "summary", "ip", "address", "hostName", "text", "md5", "sha1", "sha256", "name", "AS Number", "Block", "Mutex", "User Agent String", "Subject", "Hashtag", "ref_1":
			if t := r.Text(); t != "" {
				s.Refs = append(s.Refs, t)
			}
		default:
			r.Skip()
		}
	}
	return s
}

// codeIn splits a text such as "Error (0x1005): words" into the code and the words.
func codeIn(s string) (code, rest string) {
	before, rest, ok := strings.Cut(s, "(0x")
	if !ok || len(before) > 16 {
		return "", s
	}
	digits, rest, ok := strings.Cut(rest, ")")
	if !ok || len(digits) > 8 || !canon.IsHex(digits) {
		return "", s
	}
	return "0x" + digits, strings.TrimLeft(rest, ": ")
}

// normalizeCode returns a code in the form of the constants, or "" if it is malformed.
func normalizeCode(c string) string {
	if len(c) > 2 && len(c) <= 10 && (c[:2] == "0x" || c[:2] == "0X") && canon.IsHex(c[2:]) {
		return "0x" + strings.ToUpper(c[2:])
	}
	return ""
}

// MaxText is the largest size in bytes of a text in an Entry.
const MaxText = 1 << 10

// cutText returns up to n bytes of a text, without a partial rune at the end.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
