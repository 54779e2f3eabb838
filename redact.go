package threatconnect

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// leftOut stands for a foreign text of which nothing can be shown.
const leftOut = "(left out, because it repeats a credential)"

// foreign returns text of a response for [APIError.Foreign]: in valid UTF-8, cut to 4 KiB, and without
// what looks like a signature. Text that holds a piece of a credential is left out as a whole.
func (c *call) foreign(text string) ForeignText {
	const most = 4 << 10
	text = cutText(strings.ToValidUTF8(text[:min(len(text), 2*most)], "\uFFFD"), most)
	return ForeignText(c.redact(text))
}

// redact makes text that somebody else wrote free of credentials: it leaves out a text with a piece of
// one as a whole, and replaces by {} what looks like a signature.
func (c *call) redact(text string) string {
	if revealsAny(text, c.secrets) {
		return leftOut
	}
	return withoutSignatures(text)
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
	for _, secret := range secrets {
		for _, s := range foldings(secret) {
			for i := 0; i+pieceSize <= len(s); i++ {
				pieces[s[i:i+pieceSize]] = true
			}
		}
	}
	return reveals(text, pieces, true)
}

// reveals looks for pieces in a text and in what it is an escaped form of. decode says whether to look
// into base64 and hexadecimal as well.
func reveals(text string, pieces map[string]bool, decode bool) bool {
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

// foldings returns a text without white space and one with it, both in lower case: a piece of a credential
// that has blanks is shorter without them.
func foldings(s string) [2]string { return [2]string{squeeze(s), strings.ToLower(s)} }

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
	var b strings.Builder
	shown := 0 // how much of the text is in b
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

// sanitize clears the text of an error of the caller's own code, such as a token source, of
// credentials. The error itself stays below it.
func (c *call) sanitize(err error) error {
	text := err.Error()
	clean := shorten(printable(c.redact(beginning(userInfo.ReplaceAllLiteralString(text, "://{}@")))))
	if clean == text {
		return err
	}
	return &cleanError{text: clean, err: err}
}

// transportError gives an error of a transport or of a body a text that can be shown. A transport of the
// caller's own can put the URL into its errors, and errors about a broken response quote the response:
// only texts of known types and known texts are shown. The error itself stays below the new one.
func (c *call) transportError(ctx context.Context, err error) error {
	if err == context.Cause(ctx) {
		return err // the caller's own
	}
	text := knownErrorText(err)
	if text == "" {
		text = unrecognizedError(err)
	}
	text = shorten(printable(c.redact(beginning(text))))
	if text == err.Error() {
		return err
	}
	return &cleanError{text: text, err: err}
}

func unrecognizedError(err error) string {
	return fmt.Sprintf("an unrecognized error of type %T (unwrap RequestError.Err to read it)", err)
}

// knownErrorText returns what can be shown of a transport error: its text if its type is known not to
// hold foreign text, the known part of its text, or that of the errors in it. Empty means nothing.
func knownErrorText(err error) string {
	switch e := err.(type) {
	case *contentError, *proxyError, ownError, *APIError, *RequestError, *ValidationError:
		return err.Error()
	case *net.OpError:
		known := *e
		if e.Err != nil {
			text := knownErrorText(e.Err)
			if text == "" {
				text = unrecognizedError(e.Err)
			}
			known.Err = ownError(text)
		}
		return known.Error()
	}
	var below []string
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			below = append(below, knownErrorText(inner))
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			below = append(below, knownErrorText(inner))
		}
	}
	if !slices.Contains(below, "") && isPlainType(err) {
		return err.Error()
	}
	text := err.Error()
	if len(below) == 0 && slices.Contains(transportTexts, text) {
		return text
	}
	for _, begin := range transportPrefixes {
		if strings.HasPrefix(text, begin) {
			below = slices.Insert(below, 0, begin)
			break
		}
	}
	return strings.Join(slices.DeleteFunc(below, func(s string) bool { return s == "" }), ": ")
}

// isPlainType reports whether the errors of a type hold no text but that of the standard library, of
// the system and of the certificate: addresses, names of hosts, reasons.
func isPlainType(err error) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.PkgPath() {
	case "net", "syscall", "context", "internal/poll", "crypto/tls", "crypto/x509", "compress/flate":
		return true
	case "os":
		return t.Name() == "SyscallError"
	}
	return false
}

// transportTexts are texts of errors of the standard library that have no type of their own.
var transportTexts = []string{
	"EOF", "unexpected EOF", "context canceled", "context deadline exceeded", "io: read/write on closed pipe",
	"net/http: TLS handshake timeout", "net/http: timeout awaiting response headers", "net/http: request canceled", "net/http: request canceled while waiting for connection",
	"http: server gave HTTP response to HTTPS client", "http: server closed idle connection", "http: read on closed response body", "http: invalid byte in chunk length",
	"http: chunk length too large", "http: suspiciously long trailer after chunked body", "malformed chunked encoding", "header line too long",
	"http2: timeout awaiting response headers", "http2: client connection lost", "http2: client connection force closed via ClientConn.Close", "http2: client conn is closed", "http2: client conn not usable",
	"http2: response body closed", "http2: server replied with more than declared Content-Length; truncated", "http2: invalid response", "http2: response header list larger than advertised limit",
	"gzip: invalid header", "gzip: invalid checksum", "Proxy Authentication Required", "username/password authentication failed", "no acceptable authentication methods",
	"tls: first record does not look like a TLS handshake", "tls: client certificate private key does not implement crypto.Signer",
}

// transportPrefixes are how errors of the standard library begin that go on with foreign text, or with
// the text of another error.
var transportPrefixes = []string{
	"malformed HTTP response", "malformed HTTP status code", "malformed HTTP version", "malformed MIME header", "bad Content-Length", "unsupported transfer encoding", "too many transfer encodings",
	"net/http: HTTP/1.x transport connection broken", "net/http: server response headers exceeded", "net/http: request canceled", "http: ContentLength=", "http: server gave",
	"http2: server sent GOAWAY and closed the connection", "http2: Transport: cannot retry", "http2: response header list larger", "stream error", "connection error",
	"tls: server selected unsupported protocol version", "tls: failed to verify certificate", "tls: unsupported", "tls: invalid", "tls: no supported", "context deadline exceeded",
	"timeout: no recent network activity", "failed to parse Location header",
}

// ownError is an error whose text is this package's own.
type ownError string

func (e ownError) Error() string { return string(e) }

// contentError is an error of reading content that the caller gave.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

// beginning returns the part of a text in which credentials are looked for before it is cut to what is shown.
func beginning(s string) string { return cutText(s, 4<<10) }

// shorten cuts the text of an error to 300 bytes.
func shorten(s string) string {
	const most = 300
	if len(s) > most {
		return cutText(s, most) + " (cut)"
	}
	return s
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

// Format writes the text alone: %#v and %d would print the error below if it is not a pointer.
func (e *cleanError) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), e.text)
}

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
