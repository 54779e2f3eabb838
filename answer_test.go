package threatconnect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// sentinels lists all errors that a response can match.
var sentinels = []error{
	threatconnect.ErrBadRequest, threatconnect.ErrUnauthorized, threatconnect.ErrForbidden, threatconnect.ErrNotFound, threatconnect.ErrRateLimited, threatconnect.ErrServer,
	threatconnect.ErrUnavailable, threatconnect.ErrSignature, threatconnect.ErrClockSkew, threatconnect.ErrTokenRefused, threatconnect.ErrOwnerRefused, threatconnect.ErrExists,
	threatconnect.ErrRequestTooLarge, threatconnect.ErrNotLicensed, threatconnect.ErrBatchDisabled, threatconnect.ErrRedirect, threatconnect.ErrBadResponse, threatconnect.ErrResponseTooLarge, threatconnect.ErrValidation,
}

func TestErrorResponses(t *testing.T) {
	t.Parallel()
	const html = "text/html"
	for _, tc := range []struct {
		status int
		body   string
		header []string
		text   string // after the route
		is     []error
	}{
		{400, `{"status":"Failure","message":"Please enter a valid Host"}`, nil, `400 Bad Request: "Please enter a valid Host"`, []error{threatconnect.ErrBadRequest}},
		{400, `{"status":"Invalid","description":"File size greater than allowable limit of 2000000"}`, nil, `400 Bad Request: "File size greater than allowable limit of 2000000"`,
			[]error{threatconnect.ErrBadRequest, threatconnect.ErrRequestTooLarge}},
		{400, `{"status":"Failure","message":"The MD5 for this File is invalid, a File with this MD5 already exists"}`, nil, `400 Bad Request: "The MD5 for this File is invalid, a File with this MD5 already exists"`,
			[]error{threatconnect.ErrBadRequest, threatconnect.ErrExists}},
		{401, "Signature data did not match expected result", []string{"Content-Type", "text/plain"}, `401 Unauthorized: "Signature data did not match expected result"; check the secret key: a shell expands $ and ! in it unless it stands in single quotes`,
			[]error{threatconnect.ErrUnauthorized, threatconnect.ErrSignature}},
		{400, `{"status":"Failure","message":"Signature data did not match expected result"}`, nil, `400 Bad Request: "Signature data did not match expected result"; check the secret key: a shell expands $ and ! in it unless it stands in single quotes`,
			[]error{threatconnect.ErrBadRequest, threatconnect.ErrSignature}},
		{401, `{"status":"Failure","message":"The requested host was not updated - access was denied"}`, nil, `401 Unauthorized: "The requested host was not updated - access was denied"`, []error{threatconnect.ErrUnauthorized}},
		{401, `{"status":"Failure","message":"Access Denied"}`, nil, `401 Unauthorized: "Access Denied"; check the access id, and that the API user can see the owner`, []error{threatconnect.ErrUnauthorized, threatconnect.ErrForbidden}},
		{403, `{"status":"Failure","message":"The requested owner was not found"}`, nil, `403 Forbidden: "The requested owner was not found"; list the owners that the API user can see with client.Owners`, []error{threatconnect.ErrForbidden, threatconnect.ErrOwnerRefused}},
		{403, `{"status":"Failure","message":"The request must be made over HTTPS"}`, nil, `403 Forbidden: "The request must be made over HTTPS"; the platform takes https:// only: does a proxy on the way, or the base URL, speak http://?`,
			[]error{threatconnect.ErrForbidden}},
		{403, `{"status":"Failure","message":"Signature data did not match expected result"}`, nil, `403 Forbidden: "Signature data did not match expected result"; check the secret key: a shell expands $ and ! in it unless it stands in single quotes`,
			[]error{threatconnect.ErrForbidden, threatconnect.ErrSignature}},
		{400, `{"status":"Failure","message":"The owners of the requested objects were different"}`, nil, `400 Bad Request: "The owners of the requested objects were different"; things in different owners cannot be linked`, []error{threatconnect.ErrBadRequest, threatconnect.ErrOwnerRefused}},
		{404, `{"status":"Failure","message":"The requested resource was not found"}`, nil, `404 Not Found: "The requested resource was not found"`, []error{threatconnect.ErrNotFound}},
		{200, `{"status":"Failure","message":"The requested resource was not found"}`, nil, `200 OK: "The requested resource was not found"`, []error{threatconnect.ErrNotFound}},
		{200, `{"status":"Error","message":"An unknown error occurred"}`, nil, `200 OK: "An unknown error occurred"`, nil},
		{200, `{"status":"Invalid","description":"no"}`, nil, `200 OK: unrecognized message (2 bytes, see APIError.Foreign)`, nil},
		{404, "", nil, `404 Not Found; is /api missing from the base URL, or did something else answer in the platform's place?`, []error{threatconnect.ErrNotFound}},
		{404, "<html><h1>Not Found</h1>", []string{"Content-Type", html}, `404 Not Found; an HTML page came instead of the API's answer: is /api missing from the base URL, or is a proxy or login page in between?`,
			[]error{threatconnect.ErrNotFound, threatconnect.ErrBadResponse}},
		{401, `{"status":"Failure","message":"No"}`, []string{"Content-Type", html}, `401 Unauthorized: unrecognized message (2 bytes, see APIError.Foreign)`, []error{threatconnect.ErrUnauthorized}},
		{413, "", nil, `413 Request Entity Too Large`, []error{threatconnect.ErrRequestTooLarge}},
		{429, "slow down", nil, `429 Too Many Requests: unrecognized message (9 bytes, see APIError.Foreign)`, []error{threatconnect.ErrRateLimited}},
		{500, `{"status":"Failure","message":"An unknown error occurred"}`, nil, `500 Internal Server Error: "An unknown error occurred"`, []error{threatconnect.ErrServer}},
		{503, "API access has not been licensed for this system", nil, `503 Service Unavailable: "API access has not been licensed for this system"; ask the platform's administrator to license the API`,
			[]error{threatconnect.ErrServer, threatconnect.ErrUnavailable, threatconnect.ErrNotLicensed}},
		{404, `{"message":"The requested resource was not found"}`, nil, `404 Not Found: unrecognized message (36 bytes, see APIError.Foreign); is /api missing from the base URL, or did something else answer in the platform's place?`, []error{threatconnect.ErrNotFound}},
		{401, `{"message":"Unauthorized"}`, nil, `401 Unauthorized: unrecognized message (12 bytes, see APIError.Foreign)`, []error{threatconnect.ErrUnauthorized}},
		{401, "Unauthorized", nil, `401 Unauthorized: "Unauthorized"; the token has expired or was regenerated, or the call takes API tokens only`, []error{threatconnect.ErrUnauthorized, threatconnect.ErrTokenRefused}},
		{400, " the requested  Owner was not found. ", nil, `400 Bad Request: "The requested owner was not found"; list the owners that the API user can see with client.Owners`, []error{threatconnect.ErrBadRequest, threatconnect.ErrOwnerRefused}},
		{400, `{"status":"Failure","message":"The status for this Task is invalid , please enter one of the following values: Open, Closed"}`, nil,
			`400 Bad Request: "The status for this Task is invalid, please enter one of the following values:"`, []error{threatconnect.ErrBadRequest}},
		{400, `{"status":"Failure","message":"The name for this Tag is invalid, please enter a Name between 1-128 characters in length"}`, nil,
			`400 Bad Request: "The name for this Tag is invalid, please enter a Name between 1-128 characters in length"`, []error{threatconnect.ErrBadRequest}},
		{503, "Batch job api is not available. Ensure that batchJobEnabled is true", nil,
			`503 Service Unavailable: "Batch job api is not available. Ensure that batchJobEnabled is true"; ask the platform's administrator to switch on batchJobEnabled and document storage`,
			[]error{threatconnect.ErrServer, threatconnect.ErrUnavailable, threatconnect.ErrBatchDisabled}},
		{520, "", nil, "520", []error{threatconnect.ErrServer}},
		{302, "ignored", []string{"Location", "https://login.example/?next=secret"},
			`302 Found: unrecognized message (21 bytes, see APIError.Foreign); redirects are not followed, because a signature is good for one path only: put the address that the platform is really at into the base URL (APIError.Foreign names it)`, []error{threatconnect.ErrRedirect}},
		{400, `{"error":"bad_thing"}`, nil, `400 Bad Request: unrecognized message (9 bytes, see APIError.Foreign)`, []error{threatconnect.ErrBadRequest}},
		{400, `{"status":"Failure"}`, nil, `400 Bad Request: unrecognized message (20 bytes, see APIError.Foreign)`, []error{threatconnect.ErrBadRequest}},
		{400, `{"message":{"a":1}}`, nil, `400 Bad Request: unrecognized message (19 bytes, see APIError.Foreign)`, []error{threatconnect.ErrBadRequest}},
		{400, `["a"]`, nil, `400 Bad Request: unrecognized message (5 bytes, see APIError.Foreign)`, []error{threatconnect.ErrBadRequest}},
		{400, "{broken", nil, `400 Bad Request: unrecognized message (7 bytes, see APIError.Foreign)`, []error{threatconnect.ErrBadRequest}},
		{401, "\x1b[31mred\r\nFAKE LOG LINE\u202e", nil, `401 Unauthorized: unrecognized message (26 bytes, see APIError.Foreign)`, []error{threatconnect.ErrUnauthorized}},
		{400, "zipped", []string{"Content-Encoding", "br"}, "400 Bad Request", []error{threatconnect.ErrBadRequest}},
	} {
		once := threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(tc.status, tc.body, tc.header...)}}, once).Owners.Whoami(t.Context())
		require.EqualError(t, err, "threatconnect: GET /v2/whoami: "+tc.text)
		for _, s := range sentinels {
			want := false
			for _, is := range tc.is {
				want = want || is == s
			}
			assert.Equal(t, want, errors.Is(err, s), "%v: %v", err, s)
		}
	}
}

func TestWrongSecretIsNotRetried(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	for name, call := range calls {
		before := len(srv.Requests())
		err := call(t.Context(), srv.ClientAs(threatconnect.HMAC(srv.AccessID(), "wr0ng-secret"), threatconnect.WithOwner("Example Source")))
		require.ErrorIs(t, err, threatconnect.ErrSignature, name)
		require.ErrorIs(t, err, threatconnect.ErrUnauthorized, name)
		assert.Len(t, srv.Requests(), before+1, "%s is not retried", name)
		assert.NotContains(t, err.Error(), "wr0ng")
		assert.NotContains(t, err.Error(), srv.SecretKey())
	}
}

func TestHugeErrorMessageIsTruncated(t *testing.T) {
	t.Parallel()
	for _, body := range []string{strings.Repeat("é", 1<<20), `{"message":"` + strings.Repeat("é", 20_000) + `"}`, "\xff" + strings.Repeat("\xfe", 5000), "x" + strings.Repeat("\U0001f980", 5000)} {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(400, body)}}).Owners.Whoami(t.Context())
		var api *threatconnect.APIError
		require.ErrorAs(t, err, &api)
		assert.LessOrEqual(t, len(api.Foreign), 4<<10)
		if utf8.ValidString(body) {
			assert.Greater(t, len(api.Foreign), 4<<10-utf8.UTFMax)
		}
		assert.True(t, utf8.ValidString(string(api.Foreign)), "no rune is cut")
		assert.Less(t, len(err.Error()), 200)
	}
}

// TestForeignTextIsNotShown has responses that repeat a value of the request in spellings that a search for the
// value would not find.
func TestForeignTextIsNotShown(t *testing.T) {
	t.Parallel()
	for echo, get := range map[string]func(c *threatconnect.Client) error{
		"http://evil.example/?a=1&amp;b=2": func(c *threatconnect.Client) error {
			_, err := c.Indicators.URLs.Get(t.Context(), "http://evil.example/?a=1&b=2", nil)
			return err
		},
		`http:\/\/evil.example\/a`: func(c *threatconnect.Client) error {
			_, err := c.Indicators.URLs.Create(t.Context(), threatconnect.NewURL("http://evil.example/a"))
			return err
		},
		"http%3A//evil.example/a%20b": func(c *threatconnect.Client) error {
			_, err := c.Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.StartsWith("http://evil.example/a b")}})
			return err
		},
		"2001:db8::1": func(c *threatconnect.Client) error {
			_, err := c.Indicators.Addresses.Get(t.Context(), "2001:db8::1", nil)
			return err
		},
		"2001:db8::/32": func(c *threatconnect.Client) error {
			_, err := c.Indicators.CIDRs.Get(t.Context(), "2001:db8::/32", nil)
			return err
		},
		"b\u00fccher.example": func(c *threatconnect.Client) error {
			_, err := c.Indicators.Hosts.Get(t.Context(), "b\u00fccher.example", nil)
			return err
		},
		"an evil description": func(c *threatconnect.Client) error {
			_, err := c.Attributes.Add(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 7}, threatconnect.Attribute{Type: "Description", Value: "An EVIL description"})
			return err
		},
		"ev": func(c *threatconnect.Client) error {
			_, err := c.Do(t.Context(), threatconnect.Request{Method: "POST", Path: "/v2/tags/ev", Body: []byte(`{"name":"ev"}`)})
			return err
		},
	} {
		for name, step := range map[string]func(*http.Request) (*http.Response, error){
			"a text":          wiretest.Answer(400, "The value "+echo+" is bad", "Content-Type", "text/plain"),
			"the value only":  wiretest.Answer(400, echo),
			"in a sentence":   wiretest.Answer(400, "Please enter a valid "+echo),
			"after a message": wiretest.Answer(503, "API access has not been licensed for this system, "+echo),
			"a page":          wiretest.Answer(404, "<html>"+echo, "Content-Type", "text/html"),
			"a redirect":      wiretest.Answer(302, "", "Location", "https://"+strings.Map(letters, echo)+".example/"),
			"a content type":  wiretest.Answer(200, "{", "Content-Type", "text/"+strings.Map(letters, echo)),
			"an encoding":     wiretest.Answer(200, "x", "Content-Encoding", strings.Map(letters, echo)),
			"a transport":     wiretest.Fail(errors.New("cannot reach " + echo)),
			"a dialer":        wiretest.Fail(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("cannot reach " + echo)}),
			"a retrier":       wiretest.Fail(fmt.Errorf("GET %s giving up: %w", echo, io.ErrUnexpectedEOF)),
			"a broken answer": wiretest.Fail(fmt.Errorf("malformed HTTP response %q", echo)),
		} {
			var log bytes.Buffer
			err := get(clientOf(t, &wiretest.Steps{Do: steps{step}}, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}),
				threatconnect.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))))
			if err == nil {
				require.Equal(t, "ev", echo, name) // Client.Do leaves the body to the caller
				continue
			}
			out := shown(err) + log.String()
			api, ok := errors.AsType[*threatconnect.APIError](err)
			if ok {
				require.NotEmpty(t, api.Foreign, name)
				out += shown(api.Foreign) + shown(*api) + shown(map[string]any{"foreign": api.Foreign, "err": api}) + shown([]any{api})
			}
			for _, form := range []string{echo, strings.Map(letters, echo), fmt.Sprintf("%x", echo), "evil"} {
				if len(form) > 4 { // shorter forms also occur in other words and numbers
					assert.NotContains(t, strings.ToLower(out), strings.ToLower(form), "%s: %q is shown", name, form)
				}
			}
			if ok && name == "a text" {
				assert.Equal(t, "The value "+echo+" is bad", string(api.Foreign))
				assert.ErrorContains(t, err, fmt.Sprintf("unrecognized message (%d bytes, see APIError.Foreign)", len(api.Foreign)))
			}
		}
	}
}

// letters is a mapping for [strings.Map] that drops everything except a to z.
func letters(r rune) rune {
	if r < 'a' || r > 'z' {
		return -1
	}
	return r
}

// TestEchoedValueDoesNotAffectErrorKind has a platform that repeats values that equal its own messages.
func TestEchoedValueDoesNotAffectErrorKind(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"x already exists", "a File with this MD5 already exists", "API access has not been licensed for this system", "Timestamp out of acceptable time range", "Signature data did not match expected result",
		"The requested resource was not found", "The requested owner was not found", "Ensure that batchJobEnabled is true", "File size greater than allowable limit of 1", "Unauthorized", "Access Denied"} {
		for _, say := range []string{"The value %s is not a valid Mutex", "The value of this Mutex is invalid: %s", "No %s", "%s is refused", "The MD5 for this %s"} {
			message := fmt.Sprintf(say, v)
			for status, want := range map[int]error{200: nil, 400: threatconnect.ErrBadRequest, 401: threatconnect.ErrUnauthorized, 409: nil} {
				c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(status, `{"status":"Failure","message":"`+message+`"}`)}})
				_, err := c.Indicators.Mutexes.Create(t.Context(), threatconnect.NewMutex(v))
				require.Error(t, err)
				for _, s := range sentinels {
					assert.Equal(t, s == want, errors.Is(err, s), "%q with %d is %v", message, status, s)
				}
			}
			s := &wiretest.Steps{Do: steps{wiretest.Answer(503, "busy: "+message), wiretest.Answer(200, `{"status":"Success","data":{"mutex":{"id":1}}}`)}}
			_, err := clientOf(t, s, quick).Indicators.Mutexes.Get(t.Context(), v, nil)
			require.NoError(t, err, "a value does not prevent a retry: %q", message)
		}
	}
	// A known message with an unexpected status is not from the platform either.
	_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(503, "The tag already exists"), wiretest.Answer(200, whoami)}}, quick).Owners.Whoami(t.Context())
	require.NoError(t, err)
	assert.NotErrorIs(t, &threatconnect.APIError{StatusCode: 503, Message: "The tag already exists"}, threatconnect.ErrExists)
}

func TestValueWithinErrorMessageKeepsSentinel(t *testing.T) {
	t.Parallel()
	c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Failure","message":"The requested resource was not found"}`)}})
	err := c.Tags.Remove(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 7}, "found")
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
}

func TestAPIErrorMatchesSentinelsByFields(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		e  threatconnect.APIError
		is []error
	}{
		{threatconnect.APIError{StatusCode: 404}, []error{threatconnect.ErrNotFound}},
		{threatconnect.APIError{StatusCode: 404, HTML: true}, []error{threatconnect.ErrNotFound, threatconnect.ErrBadResponse}},
		{threatconnect.APIError{Message: "The requested resource was not found"}, []error{threatconnect.ErrNotFound}},
		{threatconnect.APIError{StatusCode: 400, Message: "A Tag with this name already exists"}, []error{threatconnect.ErrBadRequest, threatconnect.ErrExists}},
		{threatconnect.APIError{StatusCode: 400, Foreign: "A Tag with this name already exists"}, []error{threatconnect.ErrBadRequest}},
		{threatconnect.APIError{StatusCode: 400, Message: "File size greater than allowable limit of 2000000"}, []error{threatconnect.ErrBadRequest, threatconnect.ErrRequestTooLarge}},
		{threatconnect.APIError{StatusCode: 502}, []error{threatconnect.ErrServer}},
		{threatconnect.APIError{StatusCode: 307}, []error{threatconnect.ErrRedirect}},
		{threatconnect.APIError{}, nil},
	} {
		sent, err := json.Marshal(&tc.e)
		require.NoError(t, err)
		var got threatconnect.APIError
		require.NoError(t, json.Unmarshal(sent, &got))
		for _, s := range sentinels {
			assert.Equal(t, slices.Contains(tc.is, s), errors.Is(&tc.e, s), "%v is %v", &tc.e, s)
			assert.Equal(t, slices.Contains(tc.is, s), errors.Is(&got, s), "%v is %v after JSON", &got, s)
		}
	}
}

// TestErrorAboutLongValueAllocatesLittle is not parallel because it measures the allocations of the process.
func TestErrorAboutLongValueAllocatesLittle(t *testing.T) {
	const size = 500_000
	text := strings.Repeat("evil ", size/5)
	c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(400, "refused: "+text)}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Attributes.Add(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 7}, threatconnect.Attribute{Type: "Description", Value: text})
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, threatconnect.ErrBadRequest)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10*size), "memory for the growing body, and little more")
}

func FuzzErrorTextIsSafeToPrint(f *testing.F) {
	for _, s := range []string{"", "no", `{"message":"\u001b[0m"}`, "<html>", "\xff\xfe", `{"status":"Success","data":{"host":{}}}`, `{"message":"www.evil.example"}`} {
		f.Add(400, s)
		f.Add(200, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || strings.Contains(strings.ToLower("threatconnect: GET /v2/indicators/hosts/{}"), strings.ToLower(body)) {
			status = 400
		}
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(status, body)}}, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})).
			Indicators.Hosts.Get(t.Context(), "www.evil.example", nil)
		if err == nil {
			return
		}
		require.Less(t, len(err.Error()), 1200)
		require.True(t, utf8.ValidString(err.Error()))
		require.NotContains(t, strings.ToLower(err.Error()), "www.evil.example")
		for _, r := range err.Error() {
			require.True(t, r >= ' ' && r != 0x7f, "a control character")
		}
	})
}

func TestInvalidIdentifiersAreRejected(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	c := clientOf(t, s)
	group := threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 1}
	for _, v := range []string{"", ".", "..", "\x00", "a\x00b", "a\r\nX-Evil: 1", "\r\n", "a\nb"} {
		for _, typ := range []threatconnect.IndicatorType{
			threatconnect.TypeAddress, threatconnect.TypeEmailAddress, threatconnect.TypeFile, threatconnect.TypeHost, threatconnect.TypeURL, threatconnect.TypeASN,
			threatconnect.TypeCIDR, threatconnect.TypeMutex, threatconnect.TypeRegistryKey, threatconnect.TypeUserAgent,
		} {
			require.ErrorIs(t, c.Indicators.Delete(t.Context(), threatconnect.IndicatorRef{Type: typ, Value: v}), threatconnect.ErrValidation, "%s %q", typ, v)
		}
		require.ErrorIs(t, c.Tags.Remove(t.Context(), group, v), threatconnect.ErrValidation, "tag %q", v)
		require.ErrorIs(t, c.Tags.Delete(t.Context(), v), threatconnect.ErrValidation, "tag %q", v)
		require.ErrorIs(t, c.SecurityLabels.Remove(t.Context(), group, v), threatconnect.ErrValidation, "label %q", v)
	}
	require.ErrorIs(t, c.Tasks.Assignees.Remove(t.Context(), threatconnect.TaskRef{ID: 1}, ".."), threatconnect.ErrValidation)
	assert.Zero(t, s.Count())
}

func TestURLOf8KBRoundTrips(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	c := srv.Client(threatconnect.WithOwner(batchOwner))
	for _, v := range []string{"http://example.com/" + strings.Repeat("a/%é?", 1366), "http://example.com/" + strings.Repeat("x", 8<<10)} {
		made, err := c.Indicators.URLs.Create(t.Context(), threatconnect.NewURL(v))
		require.NoError(t, err)
		got, err := c.Indicators.URLs.Get(t.Context(), made.Text, nil)
		require.NoError(t, err)
		assert.Equal(t, v, got.Text)
	}
	// The error shows that a proxy rejected the request line, not the platform.
	s := &wiretest.Steps{Do: steps{wiretest.Answer(414, "<html><h1>Request-URI Too Long", "Content-Type", "text/html")}}
	_, err := clientOf(t, s).Indicators.URLs.Get(t.Context(), "http://example.com/"+strings.Repeat("x", 8<<10), nil)
	require.ErrorContains(t, err, "414 Request URI Too Long; an HTML page came")
	assert.Equal(t, 1, s.Count())
}

// linking is a platform whose responses contain links to another server wherever they can contain one.
type linking struct {
	srv   *threatconnecttest.Server
	sent  []string
	links int
}

var aLink = regexp.MustCompile(`("(?:webLink|href|link|next)":")https?://[^"]*"`)

func (l *linking) RoundTrip(req *http.Request) (*http.Response, error) {
	const evil = "https://other.example/evil"
	l.sent = append(l.sent, req.URL.Scheme+"://"+req.URL.Host+strings.Join(strings.SplitAfterN(req.URL.EscapedPath(), "/", 3)[:2], ""))
	resp, err := l.srv.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		l.links += len(aLink.FindAll(body, -1))
		body = aLink.ReplaceAll(body, []byte(`${1}`+evil+`"`))
		body = bytes.Replace(body, []byte(`{"status":"Success"`), []byte(`{"next":"`+evil+`","status":"Success"`), 1)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	for name, value := range map[string]string{"Location": evil, "Content-Location": evil, "Link": "<" + evil + `>; rel="next"`, "Refresh": "0; url=" + evil, "Alt-Svc": `h2="other.example:443"`} {
		resp.Header.Set(name, value)
	}
	return resp, nil
}

func TestThreatLinksAreNeverFetched(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithoutUpdateIfExists())
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Wallet"}}))
	l := &linking{srv: srv}
	w := &tour{T: t, ctx: t.Context(), srv: srv, c: srv.Client(threatconnect.WithTransport(l)), tokens: srv.ClientAs(threatconnect.Token(srv.Token()), threatconnect.WithTransport(l))}
	w.all()
	assert.Equal(t, "https://other.example/evil", got[*threatconnect.Host](w)(w.c.Indicators.Hosts.Create(w.ctx, threatconnect.NewHost("a.example"))).WebLink)
	assert.Greater(t, l.links, 100)
	assert.Greater(t, len(l.sent), 300)
	slices.Sort(l.sent)
	assert.Equal(t, []string{srv.BaseURL() + "/"}, slices.Compact(l.sent))
}
