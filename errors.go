package threatconnect

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Errors that an API call can match with [errors.Is]. An [*APIError] matches every one that
// describes it: a refused timestamp matches both [ErrUnauthorized], when the status was 401, and
// [ErrClockSkew]. Where the status does not tell, the platform's message decides.
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
	ErrTokenRefused     = errors.New("threatconnect: token refused")            // the API token has expired or was regenerated
	ErrOwnerRefused     = errors.New("threatconnect: owner refused")            // the owner does not exist, or the API user cannot see it
	ErrExists           = errors.New("threatconnect: already exists")           // the thing to create is there
	ErrRequestTooLarge  = errors.New("threatconnect: too large")                // the platform refuses a body of this size
	ErrNotLicensed      = errors.New("threatconnect: API not licensed")         // the instance has no license for the API; waiting does not help
	ErrBatchDisabled    = errors.New("threatconnect: batch not enabled")        // the instance has no batch API or no document storage; waiting does not help
	ErrRedirect         = errors.New("threatconnect: redirect refused")         // a redirect was answered; following would break the signature
	ErrBadResponse      = errors.New("threatconnect: unusable answer")          // an answer that is not what the API promises: HTML, broken JSON, a cut body
	ErrResponseTooLarge = errors.New("threatconnect: answer over the size cap") // an answer larger than the client reads
	ErrValidation       = errors.New("threatconnect: invalid input")            // refused before anything was sent; see [ValidationError]
)

// ValidationError is input that was refused before anything was sent.
//
// It matches [ErrValidation]. Its text names the field and the rule and never holds the value, so
// that it can be logged.
type ValidationError struct {
	Field string // what was wrong: "host name", "rating", "tag"
	Rule  string // what is wanted, or what is wrong with it
	Fix   string // how to put it right; may be empty
}

// Error says which field was refused, by which rule, and how to put it right.
func (e *ValidationError) Error() string {
	s := "threatconnect: " + e.Field + ": " + e.Rule
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Is reports whether target is [ErrValidation].
func (e *ValidationError) Is(target error) bool { return target == ErrValidation }

// APIError is an answer of the platform that says that a call did not succeed.
//
// Its text holds the method, the route with {} in place of every value, the status and the
// platform's own words, quoted, cut to 300 bytes and stripped of control characters. It never
// holds a credential. Match it with [errors.Is] and the Err values of this package.
type APIError struct {
	Method     string        // the HTTP method
	Route      string        // the path with {} in place of every value
	StatusCode int           // the HTTP status; 200 when the body says failure
	Message    string        // the platform's words, cut to 4 KiB and with {} in place of the call's own values
	Attempts   int           // how many times the request was sent
	RetryAfter time.Duration // how long the platform asked to wait; 0 when it did not say
	Hint       string        // how to put it right, when that is known; may be empty

	kinds   []error
	missing bool // the platform itself says that what was asked for is not there
}

// Error names the call, the status, the platform's words and, when known, the way out.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "threatconnect: %s %s: %d", e.Method, e.Route, e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if e.Message != "" {
		b.WriteString(": " + quoteForeign(e.Message))
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (after %d attempts)", e.Attempts)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Is reports whether target is one of this package's Err values that describes the answer.
func (e *APIError) Is(target error) bool {
	for _, k := range e.kinds {
		if k == target {
			return true
		}
	}
	return false
}
