package threatconnect

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// leftOut stands for a foreign text of which nothing can be shown.
const leftOut = "(left out, because it repeats a credential)"

// redact makes text that somebody else wrote safe to show. A text with a piece of a credential is left
// out as a whole. Of any other text, the call's own values are replaced by {}: those in the path, in
// the filters and in the body, as they are and percent-encoded, in upper and lower case; and so is
// what looks like a signature.
func (c *call) redact(text string) string {
	if revealsAny(text, c.secrets) {
		return leftOut
	}
	text = withoutSignatures(text)
	values := slices.Concat(c.route.values, c.private)
	for f := range strings.SplitSeq(c.query.Get(filtersKey), ",") {
		if i := strings.IndexAny(f, "=<>^!"); i >= 0 {
			values = append(values, f[i+1:])
		}
	}
	for _, v := range values {
		if len(v) <= 2 || len(text) == 0 {
			continue
		}
		for _, form := range []string{v, PathSegment(v), url.QueryEscape(v)} {
			text = replaceFold(text, form, "{}")
		}
	}
	return text
}

// secretsOf returns what of an Authorization header must not be shown: the token, or the access id
// and the signature.
func secretsOf(header string) []string {
	scheme, rest, _ := strings.Cut(header, " ")
	if id, signature, ok := strings.Cut(rest, ":"); ok && scheme == "TC" {
		return []string{id, signature}
	}
	return []string{rest}
}

// credentialHeader is a credential in the form of a header. What a page shows of it can be shorter
// than a piece.
var credentialHeader = regexp.MustCompile(`tc-token|authorization["']*[:=]`)

// pieceSize is how many bytes of a credential in a row are a piece of it.
const pieceSize = 8

// revealsAny reports whether a text holds a piece of one of the secrets: in any case, folded, escaped
// for HTML, JSON or a URL, in base64 or in hexadecimal.
func revealsAny(text string, secrets []string) bool {
	pieces := make(map[string]bool)
	for _, s := range secrets {
		s = squeeze(s)
		for i := 0; i+pieceSize <= len(s); i++ {
			pieces[s[i:i+pieceSize]] = true
		}
	}
	return reveals(text, pieces, true)
}

// reveals looks for pieces in a text and in what it is an escaped form of. decode says whether to look
// into base64 and hexadecimal as well.
func reveals(text string, pieces map[string]bool, decode bool) bool {
	for range 4 { // an escaped text can be escaped again
		s := squeeze(text)
		if credentialHeader.MatchString(s) {
			return true
		}
		for i := 0; i+pieceSize <= len(s); i++ {
			if pieces[s[i:i+pieceSize]] {
				return true
			}
		}
		if decode && slices.ContainsFunc(decodings(text), func(d string) bool { return reveals(d, pieces, false) }) {
			return true
		}
		plain := unescapeText(text)
		if plain == text {
			break
		}
		text = plain
	}
	return false
}

// squeeze drops white space and what cannot be printed, at which a text can be folded, and makes
// letters lower case.
func squeeze(s string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}

var (
	percentEscape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	jsonEscape    = regexp.MustCompile(`\\(?:u[0-9A-Fa-f]{4}|[/"\\])`)
	encodedRun    = regexp.MustCompile(`[0-9A-Za-z+/_-]{11,}`)
	hexRun        = regexp.MustCompile(`[0-9A-Fa-f]{16,}`)
)

// unescapeText undoes one level of escaping for HTML, JSON and URLs.
func unescapeText(s string) string {
	s = html.UnescapeString(s)
	s = jsonEscape.ReplaceAllStringFunc(s, func(e string) string {
		if n, err := strconv.ParseUint(e[2:], 16, 16); e[1] == 'u' && err == nil {
			return string(rune(n))
		}
		return e[1:]
	})
	return percentEscape.ReplaceAllStringFunc(s, func(e string) string {
		b, err := hex.DecodeString(e[1:])
		if err != nil {
			return e
		}
		return string(b)
	})
}

// decodings returns what stands in a text in base64 and hexadecimal. Where a run begins is not known,
// because a text can be folded and stand next to other letters.
func decodings(text string) []string {
	text = strings.Join(strings.Fields(text), "")
	var all []string
	for _, run := range encodedRun.FindAllString(text, -1) {
		run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
		for i := range 4 {
			n := len(run) - i
			if n%4 == 1 {
				n-- // a single letter more is less than a byte
			}
			if b, err := base64.RawStdEncoding.DecodeString(run[i : i+n]); err == nil {
				all = append(all, string(b))
			}
		}
	}
	for _, run := range hexRun.FindAllString(text, -1) {
		for i := range 2 {
			if b, err := hex.DecodeString(run[i : i+(len(run)-i)/2*2]); err == nil {
				all = append(all, string(b))
			}
		}
	}
	return all
}

// withoutSignatures takes out of a text whatever is a SHA-256 in base64: 43 characters and an equals
// sign.
func withoutSignatures(text string) string {
	const n = 43
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '=')
		if i < 0 {
			return text
		}
		from += i
		if from >= n && !strings.ContainsFunc(text[from-n:from], func(r rune) bool { return !isBase64(r) }) {
			text = text[:from-n] + "{}" + text[from+1:]
			from += 2 - n
		} else {
			from++
		}
	}
}

func isBase64(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '/'
}

// replaceFold replaces old in s, in whatever case its ASCII letters are.
func replaceFold(s, old, with string) string {
	re, err := regexp.Compile("(?i)" + regexp.QuoteMeta(old))
	if err != nil { // not UTF-8, or too long for an expression
		return strings.ReplaceAll(s, old, with)
	}
	return re.ReplaceAllLiteralString(s, with)
}

// sanitize makes the text of a transport error fit to be shown: it can hold what the other side
// wrote, and a caller's own transport may put a path into it. The error itself stays below it.
func (c *call) sanitize(err error) error {
	text := err.Error()
	clean := printable(c.redact(userInfo.ReplaceAllLiteralString(text, "://{}@")))
	if len(clean) > 300 {
		clean = strings.ToValidUTF8(clean[:300], "") + " (cut)"
	}
	if clean == text {
		return err
	}
	return &cleanError{text: clean, err: err}
}

// userInfo is what stands before the host in a URL: a transport of the caller's own can name its
// proxy in an error.
var userInfo = regexp.MustCompile(`://[^\s"]*@`)

// cleanError is an error with another text.
type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.err }

// printable replaces white space by spaces and drops what cannot be printed.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// quoteForeign makes text that somebody else wrote safe to show: one line, no control characters,
// at most 300 bytes, quoted.
func quoteForeign(s string) string {
	const most = 300
	cut := false
	if len(s) > most {
		s, cut = s[:most], true
		for !utf8.ValidString(s) && len(s) > most-utf8.UTFMax {
			s = s[:len(s)-1]
		}
	}
	s = fmt.Sprintf("%q", strings.TrimSpace(printable(s)))
	if cut {
		s += " (cut)"
	}
	return s
}
