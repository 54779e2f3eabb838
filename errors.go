package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/redact"
)

// Errors that an API call can match with [errors.Is]. An [*APIError] matches every one that
// its status or its message stands for: a refused timestamp with status 401 matches both
// [ErrUnauthorized] and [ErrClockSkew].
var (
	ErrBadRequest       = errors.New("threatconnect: bad request")              // 400
	ErrUnauthorized     = errors.New("threatconnect: unauthorized")             // 401: bad credentials, or no permission for this
	ErrForbidden        = errors.New("threatconnect: forbidden")                // 403
	ErrNotFound         = errors.New("threatconnect: not found")                // 404
	ErrRateLimited      = errors.New("threatconnect: rate limited")             // 429
	ErrServer           = errors.New("threatconnect: server error")             // any 5xx
	ErrUnavailable      = errors.New("threatconnect: service unavailable")      // 503
	ErrSignature        = errors.New("threatconnect: signature refused")        // the secret key is wrong, or something changed the request on its way
	ErrClockSkew        = errors.New("threatconnect: clock skew")               // the timestamp was more than five minutes off
	ErrTokenRefused     = errors.New("threatconnect: token refused")            // the API token has expired or was regenerated, or the call takes API tokens only
	ErrOwnerRefused     = errors.New("threatconnect: owner refused")            // the owner does not exist, or the API user cannot see it
	ErrExists           = errors.New("threatconnect: already exists")           // the thing to create is there
	ErrRequestTooLarge  = errors.New("threatconnect: too large")                // the platform refuses a body of this size
	ErrNotLicensed      = errors.New("threatconnect: API not licensed")         // the instance has no license for the API; waiting does not help
	ErrBatchDisabled    = errors.New("threatconnect: batch not enabled")        // the instance has no batch API or no document storage; waiting does not help
	ErrRedirect         = errors.New("threatconnect: redirect refused")         // a redirect was answered; following would break the signature
	ErrBadResponse      = errors.New("threatconnect: unusable answer")          // an answer that is not what the API promises: HTML, broken JSON, a cut body
	ErrResponseTooLarge = errors.New("threatconnect: answer over the size cap") // an answer larger than the client reads
	ErrValidation       = errors.New("threatconnect: invalid input")            // refused before anything was sent; see [ValidationError]
	ErrOutcomeUnknown   = errors.New("threatconnect: outcome unknown")          // a write got no usable response, and may have taken effect; check before you repeat it
)

// ValidationError describes invalid input. Nothing was sent.
//
// It matches [ErrValidation]. Its text never holds the value, and so it can be logged. The fields are
// text for people, which can change: Field and Rule read as one sentence, as in "rating must be from 0
// to 5".
type ValidationError struct {
	Field string // the invalid input, as in "host name", "rating" or "tag"
	Rule  string // the rule that it breaks; begins with a verb
	Fix   string // how to fix it; may be empty
}

// Error returns the field, the rule and the fix as a sentence.
func (e *ValidationError) Error() string {
	s := "threatconnect: " + e.Field + " " + e.Rule
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Is reports whether target is [ErrValidation].
func (e *ValidationError) Is(target error) bool { return target == ErrValidation }

// checkContext returns an error for a nil context, with which package context would panic.
func checkContext(ctx context.Context) error {
	if ctx == nil {
		return &ValidationError{Field: "context", Rule: "is nil", Fix: "use context.Background() if there is no other"}
	}
	return nil
}

// APIError is an error response from the platform, or from something else that answered in its place.
//
// Match it with [errors.Is] and the Err values of this package. The exported fields alone decide what
// it matches, so that an APIError from a test or from JSON matches the same values.
//
// Its text holds the method, the route with {} in place of every value, the status, and Message. It
// never holds Foreign, a value of the call or a credential, and so it can be logged.
type APIError struct {
	Method     string        // the HTTP method
	Route      string        // the path with {} in place of every value
	StatusCode int           // the HTTP status; below 300 when only the body says that the call failed
	Message    string        // the sentence of the response, if the platform is known to write it; empty otherwise
	Foreign    ForeignText   // the text of the response if Message does not hold all of it; it can repeat values
	HTML       bool          // whether an HTML page came in place of the API's response
	Attempts   int           // how many times the request was sent
	RetryAfter time.Duration // how long the platform asked to wait, 90 days at most if it gave seconds; 0 when it did not say
	Hint       string        // how to fix it, when that is known; may be empty
}

// Error names the call, the status, the platform's sentence if it is a known one, and the fix if it is
// known.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "threatconnect: %s %s: %d", e.Method, e.Route, e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	switch {
	case e.Message != "":
		b.WriteString(": " + quoteForeign(e.Message))
	case e.Foreign == redact.LeftOut:
		b.WriteString(": message " + redact.LeftOut)
	case e.Foreign != "" && !e.HTML:
		fmt.Fprintf(&b, ": unrecognized message (%d bytes, see APIError.Foreign)", len(e.Foreign))
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (after %d attempts)", e.Attempts)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	if e.Is(ErrOutcomeUnknown) {
		b.WriteString("; " + mayHaveHappened)
	}
	return b.String()
}

const mayHaveHappened = "it may have taken effect: check before you repeat it"

// Is reports whether target is an Err value of this package that the status or the message stands for.
func (e *APIError) Is(target error) bool {
	var byStatus bool
	switch target {
	case ErrBadRequest:
		byStatus = e.StatusCode == http.StatusBadRequest
	case ErrUnauthorized:
		byStatus = e.StatusCode == http.StatusUnauthorized
	case ErrForbidden:
		byStatus = e.StatusCode == http.StatusForbidden
	case ErrNotFound:
		byStatus = e.StatusCode == http.StatusNotFound
	case ErrRequestTooLarge:
		byStatus = e.StatusCode == http.StatusRequestEntityTooLarge
	case ErrRateLimited:
		byStatus = e.StatusCode == http.StatusTooManyRequests
	case ErrUnavailable:
		byStatus = e.StatusCode == http.StatusServiceUnavailable
	case ErrServer:
		byStatus = e.StatusCode >= 500
	case ErrRedirect:
		byStatus = e.StatusCode >= 300 && e.StatusCode < 400
	case ErrBadResponse:
		byStatus = e.HTML
	case ErrOutcomeUnknown:
		byStatus = isWrite(e.Method) && lostByGateway(e.StatusCode)
	}
	if byStatus || e.Message == "" {
		return byStatus
	}
	s, _, _ := sentenceOf(e.Message, e.StatusCode)
	return s != nil && slices.Contains(s.kinds, target)
}

func isWrite(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodDelete
}

// lostByGateway reports whether a status says that a gateway got no response from the platform.
func lostByGateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// ForeignText is text from a response that this package does not know. It can repeat values of the
// call, such as an indicator; it holds no credential and at most 4 KiB.
//
// Package fmt, encoding/json and log/slog print only its length. Convert it to a string to read it, as
// in string(err.Foreign).
type ForeignText string

// String returns the length of the text in words, or "" when there is none.
func (t ForeignText) String() string {
	if t == "" || t == redact.LeftOut {
		return string(t)
	}
	return fmt.Sprintf("(%d bytes of foreign text)", len(t))
}

// Format writes what String returns, for every verb.
func (t ForeignText) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText returns what String returns.
func (t ForeignText) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue returns what String returns.
func (t ForeignText) LogValue() slog.Value { return slog.StringValue(t.String()) }
