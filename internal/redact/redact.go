// Package redact removes credentials from text that someone else wrote.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// LeftOut replaces a text that repeats a credential.
const LeftOut = "(left out, because it repeats a credential)"

// Text returns LeftOut if text contains 8 consecutive bytes of one of the secrets, in any case, folded,
// in base64 or hexadecimal, or escaped for HTML, JSON or a URL. Otherwise it returns text with {} in
// place of each SHA-256 in base64, which can be a signature.
func Text(text string, secrets []string) string {
	if repeats(text, secrets) {
		return LeftOut
	}
	return withoutSignatures(text)
}

// Secrets returns the parts of an Authorization header that must not be shown: the token, or the access
// ID and the signature.
func Secrets(header string) []string {
	scheme, rest, _ := strings.Cut(header, " ")
	if id, signature, ok := strings.Cut(rest, ":"); ok && scheme == "TC" {
		return []string{id, signature}
	}
	return []string{rest}
}

// credentialHeader matches a credential in the form of a header. A page can show a part of it that is
// shorter than pieceSize.
var credentialHeader = regexp.MustCompile(`tc-token|authorization["']*[:=]`)

// pieceSize is the number of consecutive bytes by which a credential is recognized.
const pieceSize = 8

func repeats(text string, secrets []string) bool {
	pieces := make(map[string]bool)
	for _, secret := range secrets {
		for _, s := range foldings(secret) {
			for i := 0; i+pieceSize <= len(s); i++ {
				pieces[s[i:i+pieceSize]] = true
			}
		}
	}
	return containsAny(text, pieces, true)
}

// containsAny looks for pieces in text and in its unescaped forms, and if decode is true, also in its
// base64 and hexadecimal parts.
func containsAny(text string, pieces map[string]bool, decode bool) bool {
	for range 4 { // an escaped text can be escaped again
		forms := foldings(text)
		if credentialHeader.MatchString(forms[0]) {
			return true
		}
		for _, s := range forms {
			for i := 0; i+pieceSize <= len(s); i++ {
				if pieces[s[i:i+pieceSize]] {
					return true
				}
			}
		}
		if decode && slices.ContainsFunc(decodings(text), func(d string) bool { return containsAny(d, pieces, false) }) {
			return true
		}
		plain := unescape(text)
		if plain == text {
			break
		}
		text = plain
	}
	return false
}

// foldings returns s in lower case, without white space and with it. A piece of a credential that
// contains spaces is shorter without them.
func foldings(s string) [2]string { return [2]string{squeeze(s), strings.ToLower(s)} }

// squeeze returns s in lower case without white space and unprintable characters, at which a text can
// be folded.
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

// unescape undoes one level of escaping for HTML, JSON and URLs.
func unescape(s string) string {
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

// decodings returns the decoded base64 and hexadecimal parts of a text. Each part is decoded from
// several offsets: a text can be folded or have other letters in front, so the beginning is unknown.
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

// withoutSignatures replaces each SHA-256 in base64 (43 characters and an equals sign) by {}.
func withoutSignatures(text string) string {
	const n = 43
	var b strings.Builder
	shown := 0 // length of the part of text that is in b
	for i := range len(text) {
		if text[i] == '=' && i-shown >= n && !strings.ContainsFunc(text[i-n:i], func(r rune) bool { return !isBase64(r) }) {
			b.WriteString(text[shown:i-n] + "{}")
			shown = i + 1
		}
	}
	if shown == 0 {
		return text
	}
	return b.String() + text[shown:]
}

func isBase64(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '/'
}
