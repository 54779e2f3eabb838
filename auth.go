package threatconnect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Credentials prove to the platform which API user sends a request. They are made by [HMAC],
// [Token] and [TokenFunc], are safe for concurrent use, and print as [REDACTED].
type Credentials interface {
	// check refuses credentials that cannot work, without showing them.
	check() error
	// authorize sets the headers of one attempt. now is the platform's time as far as it is known.
	authorize(ctx context.Context, req *http.Request, now time.Time) error
	// renew reports whether the credentials can be different on the next attempt, after the ones
	// that req carries were refused.
	renew(ctx context.Context, req *http.Request) bool
}

const redacted = "[REDACTED]"

// hidden keeps credentials out of every kind of output. The secrets themselves live in closures,
// where neither fmt nor reflection finds them.
type hidden struct{}

func (hidden) String() string                            { return redacted }
func (hidden) GoString() string                          { return redacted }
func (hidden) Format(f fmt.State, _ rune)                { fmt.Fprint(f, redacted) }
func (hidden) MarshalText() ([]byte, error)              { return []byte(redacted), nil }
func (hidden) MarshalJSON() ([]byte, error)              { return []byte(`"` + redacted + `"`), nil }
func (hidden) renew(context.Context, *http.Request) bool { return false }

// HMAC signs every request with an API user's access id and secret key.
//
// Both are checked by [NewClient]: blank ones, white space or quotes around them and control
// characters inside them are refused, because they are what a shell or a copy and paste leaves
// behind, and the platform answers them with misleading errors.
func HMAC(accessID, secretKey string) Credentials {
	type signer struct {
		mac hash.Hash
		buf []byte
	}
	pool := &sync.Pool{New: func() any { return &signer{mac: hmac.New(sha256.New, []byte(secretKey))} }}
	return &hmacCredentials{
		checked: func() error {
			if err := checkSecret("access id", accessID); err != nil {
				return err
			}
			if strings.ContainsRune(accessID, ':') {
				return &ValidationError{Field: "access id", Rule: "holds a colon", Fix: "is it the secret key?"}
			}
			return checkSecret("secret key", secretKey)
		},
		header: func(method, requestURI, timestamp string) string {
			s := pool.Get().(*signer)
			defer pool.Put(s)
			s.mac.Reset()
			s.buf = appendSigned(s.buf[:0], method, requestURI, timestamp)
			s.mac.Write(s.buf)
			s.buf = s.mac.Sum(s.buf[:0])
			n := len(s.buf)
			s.buf = append(s.buf, "TC "...)
			s.buf = append(s.buf, accessID...)
			s.buf = append(s.buf, ':')
			s.buf = base64.StdEncoding.AppendEncode(s.buf, s.buf[:n])
			return string(s.buf[n:])
		},
	}
}

type hmacCredentials struct {
	hidden
	checked func() error
	header  func(method, requestURI, timestamp string) string
}

func (h *hmacCredentials) check() error { return h.checked() }

func (h *hmacCredentials) authorize(_ context.Context, req *http.Request, now time.Time) error {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	values := []string{timestamp, h.header(req.Method, req.URL.RequestURI(), timestamp)}
	req.Header["Timestamp"], req.Header["Authorization"] = values[:1:1], values[1:]
	return nil
}

// Sign returns the signature of a request: base64 of the HMAC-SHA256, keyed with secretKey, of
// requestURI, method and the Unix seconds of at, joined with colons.
//
// requestURI is what stands in the request line: the escaped path, the instance's /api included,
// and the query if there is one. A client does this by itself; Sign is for checking another tool's
// signature against this one.
func Sign(secretKey, method, requestURI string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secretKey))
	mac.Write(appendSigned(nil, method, requestURI, strconv.FormatInt(at.Unix(), 10)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// appendSigned appends the text that is signed.
func appendSigned(b []byte, method, requestURI, timestamp string) []byte {
	b = append(b, requestURI...)
	b = append(b, ':')
	b = append(b, method...)
	b = append(b, ':')
	return append(b, timestamp...)
}

// Token sends an API token that does not change. When the platform refuses it, calls fail with
// [ErrTokenRefused]; see [TokenFunc] for one that can renew.
func Token(token string) Credentials {
	return &tokenCredentials{
		checked: func() error { return checkSecret("token", token) },
		current: func(context.Context) (string, error) { return token, nil },
		stale:   func(context.Context, string) bool { return false },
	}
}

// TokenFunc sends the token that source returns, and keeps it until 15 seconds before expires, or
// for good when expires is zero.
//
// When the platform refuses a token, source is asked once more and the request is sent again with
// what it returns. Calls to source never overlap; a caller that waits for one stops waiting when
// its context ends. Source is given the context of the call that asked, and its error fails that
// call. NewClient does not call source.
func TokenFunc(source func(ctx context.Context) (token string, expires time.Time, err error)) Credentials {
	const early = 15 * time.Second
	turn := make(chan struct{}, 1) // held by the one who reads or writes what follows
	var token string
	var expires time.Time
	return &tokenCredentials{
		renews: true,
		checked: func() error {
			if source == nil {
				return &ValidationError{Field: "token source", Rule: "is nil"}
			}
			return nil
		},
		current: func(ctx context.Context) (string, error) {
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				return "", contextErr(ctx)
			}
			defer func() { <-turn }()
			if token != "" && (expires.IsZero() || time.Until(expires) > early) {
				return token, nil
			}
			t, e, err := source(ctx)
			if err != nil {
				return "", fmt.Errorf("token source: %w", err)
			}
			if err := checkSecret("token from the token source", t); err != nil {
				return "", err
			}
			token, expires = t, e
			return token, nil
		},
		stale: func(ctx context.Context, refused string) bool {
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				return false
			}
			defer func() { <-turn }()
			if token == refused {
				token = ""
			}
			return true
		},
	}
}

type tokenCredentials struct {
	hidden
	renews  bool
	checked func() error
	current func(context.Context) (string, error)
	stale   func(ctx context.Context, refused string) bool
}

const tokenScheme = "TC-Token "

func (t *tokenCredentials) check() error { return t.checked() }

func (t *tokenCredentials) authorize(ctx context.Context, req *http.Request, _ time.Time) error {
	token, err := t.current(ctx)
	if err != nil {
		return err
	}
	req.Header["Authorization"] = []string{tokenScheme + token}
	return nil
}

func (t *tokenCredentials) renew(ctx context.Context, req *http.Request) bool {
	return t.renews && t.stale(ctx, strings.TrimPrefix(req.Header.Get("Authorization"), tokenScheme))
}

// checkSecret refuses a credential that was damaged on its way here.
func checkSecret(field, s string) error {
	bad := func(rule, fix string) error { return &ValidationError{Field: field, Rule: rule, Fix: fix} }
	switch {
	case strings.TrimSpace(s) == "":
		return bad("is empty", "")
	case !utf8.ValidString(s):
		return bad("is not valid UTF-8", "")
	case strings.TrimSpace(s) != s:
		return bad("has white space around it", "look for a space or line break that came in by copy and paste")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return bad("holds a control character", "look for a line break that came in by copy and paste")
	case len(s) > 1 && s[0] == s[len(s)-1] && strings.ContainsRune("'\"`", rune(s[0])):
		return bad("has quotes around it", "take them off: the shell or the editor kept them")
	}
	return nil
}
