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

// Credentials authenticate the requests of a client as an API user. Create them with [HMAC], [HMACFunc],
// [SignerFunc], [Token] or [TokenFunc]. They are safe for concurrent use and print as "[REDACTED]".
type Credentials interface {
	// check returns an error for credentials that cannot work. The error does not contain them.
	check() error
	// authorize sets the headers of one attempt. now is the corrected time.
	authorize(ctx context.Context, req *http.Request, now time.Time) error
	// renew is called after the credentials in req were refused. It reports whether the next attempt can
	// have different ones.
	renew(ctx context.Context, req *http.Request) bool
}

const redacted = "[REDACTED]"

// hidden prints credentials as redacted. The secrets themselves are in closures, which fmt and reflection
// cannot read.
type hidden struct{}

// String returns "[REDACTED]".
func (hidden) String() string { return redacted }

// GoString returns "[REDACTED]".
func (hidden) GoString() string { return redacted }

// Format implements [fmt.Formatter]. It writes "[REDACTED]" for every verb.
func (hidden) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText returns "[REDACTED]".
func (hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[REDACTED]" as a JSON string.
func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// HMAC returns credentials that sign each attempt of a call with the access ID and secret key of an API
// user.
//
// [NewClient] returns a [*ValidationError] if one of them is empty, contains control characters, or is
// surrounded by white space or quotes. These are typical mistakes of a shell or of copying and pasting, for
// which the platform returns misleading errors.
func HMAC(accessID, secretKey string) Credentials {
	type signer struct {
		mac hash.Hash
		buf []byte
	}
	pool := &sync.Pool{New: func() any { return &signer{mac: hmac.New(sha256.New, []byte(secretKey))} }}
	return &hmacCredentials{
		checked: func() error { return checkHMAC(accessID, secretKey) },
		header: func(_ context.Context, method, requestURI, timestamp string) (string, error) {
			s := pool.Get().(*signer)
			defer pool.Put(s)
			s.mac.Reset()
			s.buf = appendSigned(s.buf[:0], method, requestURI, timestamp)
			s.mac.Write(s.buf)
			s.buf = s.mac.Sum(s.buf[:0])
			n := len(s.buf)
			s.buf = append(s.buf, hmacScheme...)
			s.buf = append(s.buf, accessID...)
			s.buf = append(s.buf, ':')
			s.buf = base64.StdEncoding.AppendEncode(s.buf, s.buf[:n])
			return string(s.buf[n:]), nil
		},
	}
}

// HMACFunc returns credentials that sign each attempt of a call with the access ID and secret key from
// source. Use it to rotate keys without a new client.
//
// The client calls source for every attempt, with the context of the attempt. source must be safe for
// concurrent use and should cache the key. If source returns an error or an invalid key (see [HMAC]), the
// call fails before the attempt is sent and is not retried. A refused signature is not retried either, so
// source should return a new key before the old one is revoked. [NewClient] does not call source.
func HMACFunc(source func(ctx context.Context) (accessID, secretKey string, err error)) Credentials {
	return &hmacCredentials{
		checked: func() error {
			if source == nil {
				return &ValidationError{Field: "key source", Rule: "is nil"}
			}
			return nil
		},
		header: func(ctx context.Context, method, requestURI, timestamp string) (string, error) {
			accessID, secretKey, err := source(ctx)
			if err != nil {
				return "", fmt.Errorf("key source: %w", err)
			}
			if err := checkHMAC(accessID, secretKey); err != nil {
				return "", err
			}
			return hmacScheme + accessID + ":" + sign(secretKey, appendSigned(nil, method, requestURI, timestamp)), nil
		},
	}
}

// SignerFunc returns credentials that sign each attempt of a call with signer. Use it if the secret key must
// stay in a key management service or a hardware security module.
//
// signer returns the access ID and the signature of signed: its HMAC-SHA256, keyed with the secret key, in
// standard base64 with padding. signed is the text that [Sign] describes. It contains the path and query of
// the request, which can include indicators.
//
// The client calls signer for every attempt, with the context of the attempt. signer must be safe for
// concurrent use. If signer returns an error or an invalid signature, the call fails before the attempt is
// sent and is not retried. [NewClient] does not call signer.
func SignerFunc(signer func(ctx context.Context, signed string) (accessID, signature string, err error)) Credentials {
	return &hmacCredentials{
		checked: func() error {
			if signer == nil {
				return &ValidationError{Field: "signer", Rule: "is nil"}
			}
			return nil
		},
		header: func(ctx context.Context, method, requestURI, timestamp string) (string, error) {
			accessID, signature, err := signer(ctx, string(appendSigned(nil, method, requestURI, timestamp)))
			if err != nil {
				return "", fmt.Errorf("signer: %w", err)
			}
			if err := checkAccessID(accessID); err != nil {
				return "", err
			}
			// Decode skips line breaks, which a header cannot contain.
			mac, err := base64.StdEncoding.Strict().DecodeString(signature)
			if err != nil || len(mac) != sha256.Size || len(signature) != base64.StdEncoding.EncodedLen(sha256.Size) {
				return "", &ValidationError{Field: "signature from the signer", Rule: "is not 32 bytes in standard base64 with padding", Fix: "return the base64 of the raw HMAC-SHA256"}
			}
			return hmacScheme + accessID + ":" + signature, nil
		},
	}
}

const hmacScheme = "TC "

type hmacCredentials struct {
	hidden
	checked func() error
	header  func(ctx context.Context, method, requestURI, timestamp string) (string, error)
}

func (h *hmacCredentials) check() error { return h.checked() }

func (h *hmacCredentials) authorize(ctx context.Context, req *http.Request, now time.Time) error {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	authorization, err := h.header(ctx, req.Method, req.URL.RequestURI(), timestamp)
	if err != nil {
		return err
	}
	values := []string{timestamp, authorization}
	req.Header["Timestamp"], req.Header["Authorization"] = values[:1:1], values[1:]
	return nil
}

func (h *hmacCredentials) renew(context.Context, *http.Request) bool { return false }

// Sign returns the signature of a request. It is the HMAC-SHA256, keyed with secretKey and encoded in base64,
// of requestURI, method and the Unix time of at in seconds, joined with colons.
//
// requestURI is the URI in the request line: the escaped path, including the /api of the instance, and the
// query if there is one. A client signs its requests itself; use Sign to check signatures of other tools.
func Sign(secretKey, method, requestURI string, at time.Time) string {
	return sign(secretKey, appendSigned(nil, method, requestURI, strconv.FormatInt(at.Unix(), 10)))
}

func sign(secretKey string, signed []byte) string {
	mac := hmac.New(sha256.New, []byte(secretKey))
	mac.Write(signed)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// appendSigned appends the text to sign; see [Sign].
func appendSigned(b []byte, method, requestURI, timestamp string) []byte {
	b = append(b, requestURI...)
	b = append(b, ':')
	b = append(b, method...)
	b = append(b, ':')
	return append(b, timestamp...)
}

// Token returns credentials for a fixed API token. [NewClient] returns a [*ValidationError] for an invalid
// token, as for [HMAC]. If the platform refuses the token, calls return an error that matches
// [ErrTokenRefused]. Use [TokenFunc] to renew tokens.
func Token(token string) Credentials {
	return &tokenCredentials{
		checked: func() error { return checkSecret("token", token) },
		current: func(context.Context, time.Time) (string, error) { return token, nil },
		stale:   func(context.Context, string) bool { return false },
	}
}

// TokenFunc returns credentials that send the API token from source. A token is cached until 15 seconds
// before expires, by the platform's clock, or indefinitely if expires is zero.
//
// If the platform refuses a token, the client calls source again and retries the request with the new
// token, once per call. Calls of source never overlap; a call that waits for another one stops waiting when
// its context ends. source gets the context of the attempt. It may take as long as the context allows: the
// stall timeout does not apply. If source returns an error, the call fails before the attempt is sent and
// is not retried. [NewClient] does not call source.
func TokenFunc(source func(ctx context.Context) (token string, expires time.Time, err error)) Credentials {
	const early = 15 * time.Second
	turn := make(chan struct{}, 1) // a lock for token and expires, which a caller can stop waiting for
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
		current: func(ctx context.Context, now time.Time) (string, error) {
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				return "", contextErr(ctx)
			}
			defer func() { <-turn }()
			if token != "" && (expires.IsZero() || expires.Sub(now) > early) {
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
	current func(ctx context.Context, now time.Time) (string, error)
	stale   func(ctx context.Context, refused string) bool
}

const tokenScheme = "TC-Token "

func (t *tokenCredentials) check() error { return t.checked() }

func (t *tokenCredentials) authorize(ctx context.Context, req *http.Request, now time.Time) error {
	token, err := t.current(ctx, now)
	if err != nil {
		return err
	}
	req.Header["Authorization"] = []string{tokenScheme + token}
	return nil
}

func (t *tokenCredentials) renew(ctx context.Context, req *http.Request) bool {
	return t.renews && t.stale(ctx, strings.TrimPrefix(req.Header.Get("Authorization"), tokenScheme))
}

func checkHMAC(accessID, secretKey string) error {
	if err := checkAccessID(accessID); err != nil {
		return err
	}
	return checkSecret("secret key", secretKey)
}

func checkAccessID(s string) error {
	if err := checkSecret("access id", s); err != nil {
		return err
	}
	if strings.ContainsRune(s, ':') {
		return &ValidationError{Field: "access id", Rule: "holds a colon", Fix: "is it the secret key?"}
	}
	return nil
}

// checkSecret returns an error for a credential that was damaged by a shell or by copying and pasting.
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
