package threatconnect

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/redact"
)

// foreign returns text of a response for [APIError.Foreign]: valid UTF-8, at most 4 KiB, without credentials.
func (c *call) foreign(text string) ForeignText {
	const most = 4 << 10
	text = cutText(strings.ToValidUTF8(text[:min(len(text), 2*most)], "\uFFFD"), most)
	return ForeignText(redact.Text(text, c.secrets))
}

// sanitize removes credentials from the text of an error of the caller's code, for example of a token
// source. The result unwraps to err.
func (c *call) sanitize(err error) error {
	text := err.Error()
	clean := shorten(printable(redact.Text(beginning(userInfo.ReplaceAllLiteralString(text, "://{}@")), c.secrets)))
	if clean == text {
		return err
	}
	return &cleanError{text: clean, err: err}
}

// transportError replaces the text of an error of a transport or a body by one that is safe to log. The error
// of a custom transport can contain the URL, and the error of an invalid response can quote the response,
// so only known texts and texts of known types remain. The result unwraps to err.
func (c *call) transportError(ctx context.Context, err error) error {
	if err == context.Cause(ctx) {
		return err // the caller's own
	}
	text := knownErrorText(err)
	if text == "" {
		text = unrecognizedError(err)
	}
	text = shorten(printable(redact.Text(beginning(text), c.secrets)))
	if text == err.Error() {
		return err
	}
	return &cleanError{text: text, err: err}
}

func unrecognizedError(err error) string {
	return fmt.Sprintf("an unrecognized error of type %T (unwrap RequestError.Err to read it)", err)
}

// knownErrorText returns the part of the text of a transport error that is safe to log: the text of a type
// that contains no foreign text, a known beginning of the text, or the texts of the wrapped errors. It is
// empty if there is none.
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

// isPlainType reports whether errors of the type of err contain only text of the standard library, the
// operating system and certificates: addresses, host names, reasons.
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

// transportTexts are the texts of untyped errors of the standard library.
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

// transportPrefixes are the beginnings of errors of the standard library that continue with foreign text or
// another error.
var transportPrefixes = []string{
	"malformed HTTP response", "malformed HTTP status code", "malformed HTTP version", "malformed MIME header", "bad Content-Length", "unsupported transfer encoding", "too many transfer encodings",
	"net/http: HTTP/1.x transport connection broken", "net/http: server response headers exceeded", "net/http: request canceled", "http: ContentLength=", "http: server gave",
	"http2: server sent GOAWAY and closed the connection", "http2: Transport: cannot retry", "http2: response header list larger", "stream error", "connection error",
	"tls: server selected unsupported protocol version", "tls: failed to verify certificate", "tls: unsupported", "tls: invalid", "tls: no supported", "context deadline exceeded",
	"timeout: no recent network activity", "failed to parse Location header",
}

// ownError is an error with a text of this package.
type ownError string

func (e ownError) Error() string { return string(e) }

// contentError is an error of reading the caller's content.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

// beginning returns the part of a text that is searched for credentials before it is shortened.
func beginning(s string) string { return cutText(s, 4<<10) }

// shorten truncates a text to 300 bytes.
func shorten(s string) string {
	const most = 300
	if len(s) > most {
		return cutText(s, most) + " (cut)"
	}
	return s
}

// userInfo matches the user name and password of a URL, which a custom transport can put into an error.
var userInfo = regexp.MustCompile(`://[^\s"]*@`)

// cleanError replaces the text of an error.
type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.err }

// Format implements [fmt.Formatter]. Without it, %#v and %d would print err.
func (e *cleanError) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), e.text)
}

// printable replaces white space by spaces and removes unprintable characters.
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

// quoteForeign quotes foreign text for an error text: one line of at most 300 bytes, without control
// characters.
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

// cutText returns up to n bytes of a text, without a partial rune at the end.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
