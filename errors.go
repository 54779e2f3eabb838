package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/redact"
	"github.com/threatconnect-go/threatconnect/internal/sentence"
)

// Errors that the error of a call can match with [errors.Is]. An [*APIError] matches the errors of its
// status and of its message. For example, a refused timestamp with status 401 matches [ErrUnauthorized]
// and [ErrClockSkew].
var (
	ErrBadRequest       = errors.New("threatconnect: bad request")         // 400
	ErrUnauthorized     = errors.New("threatconnect: unauthorized")        // 401: invalid credentials, or no permission for this call
	ErrForbidden        = errors.New("threatconnect: forbidden")           // 403
	ErrNotFound         = errors.New("threatconnect: not found")           // 404
	ErrRateLimited      = errors.New("threatconnect: rate limited")        // 429
	ErrServer           = errors.New("threatconnect: server error")        // any 5xx
	ErrUnavailable      = errors.New("threatconnect: service unavailable") // 503
	ErrSignature        = errors.New("threatconnect: signature refused")   // the secret key is wrong, or a proxy changed the request
	ErrClockSkew        = errors.New("threatconnect: clock skew")          // the timestamp was more than five minutes off
	ErrTokenRefused     = errors.New("threatconnect: token refused")       // the API token has expired or was regenerated, or the call requires an API token
	ErrOwnerRefused     = errors.New("threatconnect: owner refused")       // the owner does not exist or is not visible to the API user
	ErrExists           = errors.New("threatconnect: already exists")      // the item to create already exists
	ErrRequestTooLarge  = errors.New("threatconnect: too large")           // the request body is larger than the platform accepts
	ErrNotLicensed      = errors.New("threatconnect: API not licensed")    // the instance has no license for the API; retrying does not help
	ErrBatchDisabled    = errors.New("threatconnect: batch not enabled")   // the instance has no batch API or no document storage; retrying does not help
	ErrRedirect         = errors.New("threatconnect: redirect refused")    // the response is a redirect; following it would break the signature
	ErrBadResponse      = errors.New("threatconnect: unusable response")   // the response is not valid for the API: HTML, invalid JSON, a truncated body
	ErrResponseTooLarge = errors.New("threatconnect: response too large")  // the response exceeds the limit of the client; see WithMaxResponseBytes
	ErrValidation       = errors.New("threatconnect: invalid input")       // the input is invalid and nothing was sent; see ValidationError
	ErrOutcomeUnknown   = errors.New("threatconnect: outcome unknown")     // a write got no usable response and may have taken effect; check before you retry
)

// ValidationError describes invalid input. Nothing was sent.
//
// It matches [ErrValidation]. Its text does not contain the value and is safe to log. The fields are text
// for people and can change between versions. Field and Rule form one sentence, for example "rating must be
// from 0 to 5".
type ValidationError struct {
	Field string // the invalid input, for example "host name" or "rating"
	Rule  string // the broken rule; starts with a verb
	Fix   string // how to fix it; may be empty
}

// Error returns the field, the rule and the fix as one sentence.
func (e *ValidationError) Error() string {
	s := "threatconnect: " + e.Field + " " + e.Rule
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Is reports whether target is [ErrValidation].
func (e *ValidationError) Is(target error) bool { return target == ErrValidation }

// checkContext returns an error for a nil context, for which package context would panic.
func checkContext(ctx context.Context) error {
	if ctx == nil {
		return &ValidationError{Field: "context", Rule: "is nil", Fix: "use context.Background() if there is no other"}
	}
	return nil
}

// APIError is an error response from the platform, or from a proxy or another server in its place.
//
// Match it with [errors.Is] and the Err variables of this package. The match depends only on the exported
// fields, so an APIError from a test or from JSON matches the same variables.
//
// The error text contains the method, the route, the status, Message and Hint. It does not contain Foreign,
// values of the call or credentials, and is safe to log.
type APIError struct {
	Method     string        // the HTTP method
	Route      string        // the path with {} in place of every value
	StatusCode int           // the HTTP status; below 300 if only the body reports the failure
	Message    string        // the message of the response if the platform is known to write it; otherwise empty
	Foreign    ForeignText   // the text of the response if Message is not all of it; can repeat values of the call
	HTML       bool          // whether the response was an HTML page
	Attempts   int           // number of times the request was sent
	RetryAfter time.Duration // the requested wait, at most 90 days if given in seconds; 0 if there was none
	Hint       string        // how to fix the error; may be empty
}

// Error returns the method, the route and the status, and Message and Hint if they are not empty.
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

// Is reports whether target is an Err variable of this package that matches the status or the message.
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
	s, _, _ := sentence.Find(e.Message, e.StatusCode)
	return s != nil && s.Kind != 0 && kindErrors[s.Kind] == target
}

// kindErrors are the Err variables of known sentences.
var kindErrors = map[sentence.Kind]error{
	sentence.Signature:       ErrSignature,
	sentence.ClockSkew:       ErrClockSkew,
	sentence.TokenRefused:    ErrTokenRefused,
	sentence.Forbidden:       ErrForbidden,
	sentence.OwnerRefused:    ErrOwnerRefused,
	sentence.Missing:         ErrNotFound,
	sentence.Exists:          ErrExists,
	sentence.RequestTooLarge: ErrRequestTooLarge,
	sentence.NotLicensed:     ErrNotLicensed,
	sentence.BatchDisabled:   ErrBatchDisabled,
}

func isWrite(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodDelete
}

// lostByGateway reports whether a status means that a gateway got no response from the platform.
func lostByGateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// ForeignText is text of a response that the platform is not known to write. It can repeat values of the
// call, for example an indicator. It contains no credential and at most 4 KiB.
//
// Packages fmt, encoding/json and log/slog print only its length. To read it, convert it: string(err.Foreign).
type ForeignText string

// String returns a description of the length of the text, or "" if the text is empty.
func (t ForeignText) String() string {
	if t == "" || t == redact.LeftOut {
		return string(t)
	}
	return fmt.Sprintf("(%d bytes of foreign text)", len(t))
}

// Format implements [fmt.Formatter]. It writes the result of String for every verb.
func (t ForeignText) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText returns the result of String.
func (t ForeignText) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue returns the result of String.
func (t ForeignText) LogValue() slog.Value { return slog.StringValue(t.String()) }
