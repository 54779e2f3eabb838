package threatconnect_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// sentinels are all errors that an answer can match.
var sentinels = []error{
	threatconnect.ErrBadRequest, threatconnect.ErrUnauthorized, threatconnect.ErrForbidden, threatconnect.ErrNotFound, threatconnect.ErrRateLimited, threatconnect.ErrServer,
	threatconnect.ErrUnavailable, threatconnect.ErrSignature, threatconnect.ErrClockSkew, threatconnect.ErrTokenRefused, threatconnect.ErrOwnerRefused, threatconnect.ErrExists,
	threatconnect.ErrRequestTooLarge, threatconnect.ErrNotLicensed, threatconnect.ErrBatchDisabled, threatconnect.ErrRedirect, threatconnect.ErrBadResponse, threatconnect.ErrResponseTooLarge, threatconnect.ErrValidation,
}

func TestAnswersThatSayNo(t *testing.T) {
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
		{400, `{"message":"Signature data did not match expected result"}`, nil, `400 Bad Request: "Signature data did not match expected result"; check the secret key: a shell expands $ and ! in it unless it stands in single quotes`,
			[]error{threatconnect.ErrBadRequest, threatconnect.ErrSignature}},
		{401, `{"message":"The requested host was not updated - access was denied"}`, nil, `401 Unauthorized: "The requested host was not updated - access was denied"`, []error{threatconnect.ErrUnauthorized}},
		{401, `{"message":"Access Denied"}`, nil, `401 Unauthorized: "Access Denied"; check the access id, and that the API user can see the owner`, []error{threatconnect.ErrUnauthorized, threatconnect.ErrForbidden}},
		{403, `{"message":"The requested owner was not found"}`, nil, `403 Forbidden: "The requested owner was not found"; list the owners that the API user can see with client.Owners`, []error{threatconnect.ErrForbidden, threatconnect.ErrOwnerRefused}},
		{403, `{"message":"The request must be made over HTTPS"}`, nil, `403 Forbidden: "The request must be made over HTTPS"; the platform takes https:// only: does a proxy on the way, or the base URL, speak http://?`,
			[]error{threatconnect.ErrForbidden}},
		{403, `{"message":"Signature data did not match expected result"}`, nil, `403 Forbidden: "Signature data did not match expected result"; check the secret key: a shell expands $ and ! in it unless it stands in single quotes`,
			[]error{threatconnect.ErrForbidden, threatconnect.ErrSignature}},
		{400, `{"message":"The owners of the requested objects were different"}`, nil, `400 Bad Request: "The owners of the requested objects were different"; things in different owners cannot be linked`, []error{threatconnect.ErrBadRequest, threatconnect.ErrOwnerRefused}},
		{404, `{"status":"Failure","message":"The requested resource was not found"}`, nil, `404 Not Found: "The requested resource was not found"`, []error{threatconnect.ErrNotFound}},
		{200, `{"status":"Failure","message":"The requested resource was not found"}`, nil, `200 OK: "The requested resource was not found"`, []error{threatconnect.ErrNotFound}},
		{200, `{"status":"Error","message":"An unknown error occurred"}`, nil, `200 OK: "An unknown error occurred"`, nil},
		{200, `{"status":"Invalid","description":"no"}`, nil, `200 OK: "no"`, nil},
		{404, "", nil, `404 Not Found; is /api missing from the base URL, or did something else answer in the platform's place?`, []error{threatconnect.ErrNotFound}},
		{404, "<html><h1>Not Found</h1>", []string{"Content-Type", html}, `404 Not Found; an HTML page came instead of the API's answer: is /api missing from the base URL, or is a proxy or login page in between?`,
			[]error{threatconnect.ErrNotFound, threatconnect.ErrBadResponse}},
		{401, `{"message":"No"}`, []string{"Content-Type", html}, `401 Unauthorized: "No"`, []error{threatconnect.ErrUnauthorized}},
		{413, "", nil, `413 Request Entity Too Large`, []error{threatconnect.ErrRequestTooLarge}},
		{429, "slow down", nil, `429 Too Many Requests: "slow down"`, []error{threatconnect.ErrRateLimited}},
		{500, `{"message":"An unknown error occurred"}`, nil, `500 Internal Server Error: "An unknown error occurred"`, []error{threatconnect.ErrServer}},
		{503, "API access has not been licensed for this system", nil, `503 Service Unavailable: "API access has not been licensed for this system"; ask the platform's administrator to license the API`,
			[]error{threatconnect.ErrServer, threatconnect.ErrUnavailable, threatconnect.ErrNotLicensed}},
		{503, "Batch job api is not available. Ensure that batchJobEnabled is true", nil,
			`503 Service Unavailable: "Batch job api is not available. Ensure that batchJobEnabled is true"; ask the platform's administrator to switch on batchJobEnabled and document storage`,
			[]error{threatconnect.ErrServer, threatconnect.ErrUnavailable, threatconnect.ErrBatchDisabled}},
		{520, "", nil, "520", []error{threatconnect.ErrServer}},
		{302, "ignored", []string{"Location", "https://login.example/?next=secret"},
			`302 Found; redirects are not followed, because a signature is good for one path only: put the address that the platform is really at into the base URL, perhaps "https://login.example"`, []error{threatconnect.ErrRedirect}},
		{400, `{"error":"bad_thing"}`, nil, `400 Bad Request: "bad_thing"`, []error{threatconnect.ErrBadRequest}},
		{400, `{"status":"Failure"}`, nil, `400 Bad Request: "Failure"`, []error{threatconnect.ErrBadRequest}},
		{400, `{"message":{"a":1}}`, nil, `400 Bad Request: "{\"message\":{\"a\":1}}"`, []error{threatconnect.ErrBadRequest}},
		{400, `["a"]`, nil, `400 Bad Request: "[\"a\"]"`, []error{threatconnect.ErrBadRequest}},
		{400, "{broken", nil, `400 Bad Request: "{broken"`, []error{threatconnect.ErrBadRequest}},
		{401, "\x1b[31mred\r\nFAKE LOG LINE\u202e", nil, `401 Unauthorized: "[31mred  FAKE LOG LINE"`, []error{threatconnect.ErrUnauthorized}},
		{400, "zipped", []string{"Content-Encoding", "br"}, "400 Bad Request", []error{threatconnect.ErrBadRequest}},
	} {
		once := threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})
		_, err := clientOf(t, &script{steps: steps{answer(tc.status, tc.body, tc.header...)}}, once).Owners.Whoami(t.Context())
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

func TestAWrongSecretIsRefusedOnce(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	for name, call := range calls {
		before := len(srv.Requests())
		err := call(t.Context(), srv.ClientAs(threatconnect.HMAC(srv.AccessID(), "wr0ng-secret"), threatconnect.WithOwner("Example Source")))
		require.ErrorIs(t, err, threatconnect.ErrSignature, name)
		require.ErrorIs(t, err, threatconnect.ErrUnauthorized, name)
		assert.Len(t, srv.Requests(), before+1, "%s is not tried again", name)
		assert.NotContains(t, err.Error(), "wr0ng")
		assert.NotContains(t, err.Error(), srv.SecretKey())
	}
}

func TestAHugeMessageIsCut(t *testing.T) {
	t.Parallel()
	for _, body := range []string{strings.Repeat("é", 1<<20), `{"message":"` + strings.Repeat("é", 20_000) + `"}`, "\xff" + strings.Repeat("\xfe", 5000)} {
		_, err := clientOf(t, &script{steps: steps{answer(400, body)}}).Owners.Whoami(t.Context())
		var api *threatconnect.APIError
		require.ErrorAs(t, err, &api)
		assert.LessOrEqual(t, len(api.Message), 4<<10)
		assert.Less(t, len(err.Error()), 1100)
		assert.True(t, utf8.ValidString(err.Error()))
		assert.True(t, strings.HasSuffix(err.Error(), " (cut)"))
	}
}

func TestMessagesAreClearedOfTheCallsValues(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(c *threatconnect.Client) error{
		"in the path": func(c *threatconnect.Client) error {
			_, err := c.Indicators.URLs.Get(t.Context(), "http://evil.example/a%20b", nil)
			return err
		},
		"in the body of a create": func(c *threatconnect.Client) error {
			_, err := c.Indicators.URLs.Create(t.Context(), threatconnect.NewURL("http://evil.example/a%20b"))
			return err
		},
		"in a filter": func(c *threatconnect.Client) error {
			_, err := c.Indicators.List(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(1), threatconnect.BySummary.StartsWith("http://evil.example/a%20b")}})
			return err
		},
		"in an attribute": func(c *threatconnect.Client) error {
			_, err := c.Attributes.Add(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 7}, threatconnect.Attribute{Type: "Description", Value: "http://evil.example/a%20b"})
			return err
		},
		"in a path of one's own": func(c *threatconnect.Client) error {
			_, err := c.Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/indicators/urls/" + threatconnect.PathSegment("http://evil.example/a%20b")})
			return err
		},
	} {
		for _, echo := range []string{"http://evil.example/a%20b", "HTTP://EVIL.example/a%20B", threatconnect.PathSegment("http://evil.example/a%20b")} {
			err := call(clientOf(t, &script{steps: steps{answer(400, `{"message":"The value `+echo+` was not found, requested resource was not found"}`)}}))
			require.ErrorIs(t, err, threatconnect.ErrNotFound, name)
			assert.NotContains(t, strings.ToLower(err.Error()), "evil", name)
			assert.ErrorContains(t, err, `"The value {} was not found`, name)
			var api *threatconnect.APIError
			require.ErrorAs(t, err, &api)
			assert.NotContains(t, strings.ToLower(api.Message), "evil")
		}
	}
}

func TestAValueThatIsAWordOfTheMessageHidesNoSentinel(t *testing.T) {
	t.Parallel()
	c := clientOf(t, &script{steps: steps{answer(200, `{"status":"Failure","message":"The requested resource was not found"}`)}})
	err := c.Tags.Remove(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 7}, "found")
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
}

func FuzzErrorsAreFitToBeShown(f *testing.F) {
	for _, s := range []string{"", "no", `{"message":"\u001b[0m"}`, "<html>", "\xff\xfe", `{"status":"Success","data":{"host":{}}}`, `{"message":"www.evil.example"}`} {
		f.Add(400, s)
		f.Add(200, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || strings.Contains(strings.ToLower("threatconnect: GET /v2/indicators/hosts/{}"), strings.ToLower(body)) {
			status = 400
		}
		_, err := clientOf(t, &script{steps: steps{answer(status, body)}}, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})).
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
