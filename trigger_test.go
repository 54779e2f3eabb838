package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const triggerAt = "https://tc.example.com/api/playbook/s3cret-path?key=s3cret-key"

func mockedTrigger(t *testing.T, opts PlaybookTriggerOptions) (*PlaybookTrigger, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	opts.HTTPClient = &http.Client{Transport: mock}
	opts.Retry.BaseDelay, opts.Retry.MaxDelay = 1, 1
	trigger, err := NewPlaybookTrigger(triggerAt, &opts)
	require.NoError(t, err)
	return trigger, mock
}

func TestTriggerPostsJSONWithoutAnySignature(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		opts    PlaybookTriggerOptions
		payload any
		body    string
		auth    string
	}{
		"a value":                  {PlaybookTriggerOptions{}, map[string]any{"host": "www.example.com"}, `{"host":"www.example.com"}`, ""},
		"raw bytes":                {PlaybookTriggerOptions{}, []byte("as it is"), "as it is", ""},
		"raw JSON":                 {PlaybookTriggerOptions{}, json.RawMessage(`{ }`), "{ }", ""},
		"nothing":                  {PlaybookTriggerOptions{}, nil, "{}", ""},
		"with basic authorization": {PlaybookTriggerOptions{Username: "user", Password: "p:ss"}, nil, "{}", "Basic dXNlcjpwOnNz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trigger, mock := mockedTrigger(t, tc.opts)
			var got []sentContent
			mock.RegisterResponder("POST", triggerAt, recording(&got, httpmock.NewStringResponder(200, "done")))
			resp, err := trigger.Fire(t.Context(), tc.payload)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, "done", string(resp.Body))
			assert.Equal(t, tc.body, got[0].body)
			assert.Equal(t, jsonType, got[0].contentType)
			assert.Equal(t, tc.auth, got[0].header.Get("Authorization"))
			assert.Empty(t, got[0].header.Get("Timestamp"))
		})
	}
	trigger, mock := mockedTrigger(t, PlaybookTriggerOptions{Header: http.Header{"X-Alert": {"1"}, "Content-Type": {"text/plain"}}})
	var got []sentContent
	mock.RegisterNoResponder(recording(&got, httpmock.NewStringResponder(204, "")))
	_, err := trigger.Fire(t.Context(), []byte("x"))
	require.NoError(t, err)
	assert.Equal(t, "1", got[0].header.Get("X-Alert"))
	assert.Equal(t, "text/plain", got[0].contentType)
	_, err = trigger.Fire(t.Context(), make(chan int))
	require.Error(t, err)
}

func TestTriggerAnswersOfOtherKinds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer httpmock.Responder
		err    error
		status int
	}{
		"a redirect":          {httpmock.NewStringResponder(302, "").HeaderSet(http.Header{"Location": {"https://other.example/login"}}), ErrRedirect, 302},
		"busy":                {httpmock.NewStringResponder(503, "busy").HeaderSet(http.Header{"Retry-After": {"1"}}), ErrUnavailable, 503},
		"too many":            {httpmock.NewStringResponder(429, ""), ErrRateLimited, 429},
		"wrong password":      {httpmock.NewStringResponder(401, "Unauthorized"), ErrUnauthorized, 401},
		"switched off":        {httpmock.NewStringResponder(404, ""), ErrNotFound, 404},
		"a failed playbook":   {httpmock.NewStringResponder(500, `{"message":"step 3 failed"}`), ErrServer, 500},
		"a large answer":      {httpmock.NewStringResponder(200, strings.Repeat("x", 101)), ErrResponseTooLarge, 0},
		"just the limit":      {httpmock.NewStringResponder(200, strings.Repeat("x", 100)), nil, 200},
		"a broken connection": {httpmock.NewErrorResponder(&net.OpError{Op: "read", Err: io.ErrUnexpectedEOF}), io.ErrUnexpectedEOF, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trigger, mock := mockedTrigger(t, PlaybookTriggerOptions{MaxBody: 100})
			mock.RegisterNoResponder(tc.answer)
			resp, err := trigger.Fire(t.Context(), nil)
			require.ErrorIs(t, err, tc.err)
			assert.Equal(t, 1, mock.GetTotalCallCount(), "a playbook may have acted on it")
			if tc.status == 0 {
				assert.Nil(t, resp)
			} else {
				assert.Equal(t, tc.status, resp.StatusCode)
			}
			if err != nil {
				assert.NotContains(t, err.Error(), "s3cret")
			}
		})
	}
}

func TestTriggerRepeatsOnlyWhatWasNeverConnected(t *testing.T) {
	t.Parallel()
	refused := httpmock.NewErrorResponder(&net.OpError{Op: "dial", Err: io.ErrClosedPipe})
	trigger, mock := mockedTrigger(t, PlaybookTriggerOptions{})
	var got []sentContent
	mock.RegisterNoResponder(recording(&got, refused, refused, httpmock.NewStringResponder(200, "")))
	_, err := trigger.Fire(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, got, 3)

	got = nil
	trigger, mock = mockedTrigger(t, PlaybookTriggerOptions{Retry: RetryPolicy{MaxAttempts: 2}})
	mock.RegisterNoResponder(recording(&got, refused))
	_, err = trigger.Fire(t.Context(), nil)
	require.ErrorIs(t, err, io.ErrClosedPipe)
	assert.Len(t, got, 2)
	assert.NotContains(t, err.Error(), "s3cret")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = trigger.Fire(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTriggerRefusesBadAddresses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "tc.example.com", "ftp://tc.example.com/s3cret", "http://tc.example.com/s3cret", "https://user:s3cret@tc.example.com/",
		"https://tc.example.com/s3cret#x", "https:///s3cret", "https:s3cret", "https://tc.example.com/%zzs3cret"} {
		_, err := NewPlaybookTrigger(bad, nil)
		require.ErrorIs(t, err, ErrValidation, bad)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	for _, o := range []PlaybookTriggerOptions{{MaxBody: -1}, {Username: "a:b"}, {Header: http.Header{"authorization": {"x"}}}, {Header: http.Header{"X": {"a\r\nb"}}}, {Header: http.Header{"Host": {"x"}}}, {Header: http.Header{"x-a": {"1"}, "X-A": {"2"}}}, {Retry: RetryPolicy{MaxAttempts: -1}}} {
		_, err := NewPlaybookTrigger(triggerAt, &o)
		require.ErrorIs(t, err, ErrValidation)
	}
	_, err := NewPlaybookTrigger("http://tc.example.com/x", &PlaybookTriggerOptions{PlainHTTP: true})
	require.NoError(t, err)
}

func TestTriggerShowsNothing(t *testing.T) {
	t.Parallel()
	trigger, err := NewPlaybookTrigger(triggerAt, &PlaybookTriggerOptions{Username: "s3cret-user", Password: "s3cret-password"})
	require.NoError(t, err)
	j, err := json.Marshal(trigger)
	require.NoError(t, err)
	for _, shown := range []string{fmt.Sprint(trigger), fmt.Sprintf("%+v %#v %s", trigger, trigger, trigger), string(j)} {
		assert.NotContains(t, shown, "s3cret")
	}
}

func TestTriggerErrorsHoldNothingOfItsAddress(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]httpmock.Responder{
		"a transport that names the URL": func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("cannot reach %s as s3cret-user with s3cret-password\x1b[31m", req.URL)
		},
		"a transport that names a part": httpmock.NewErrorResponder(errors.New("no such file: S3CRET-PATH (s3cret-key)")),
		"a broken Location":             httpmock.NewStringResponder(302, "").HeaderSet(http.Header{"Location": {"https://tc.example.com:s3cret-path/"}}),
		"a refusal that repeats it":     httpmock.NewStringResponder(404, `{"message":"nothing at /api/playbook/s3cret-path for s3cret-key"}`),
		"a body that breaks off": func(*http.Request) (*http.Response, error) {
			resp := httpmock.NewStringResponse(200, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("x"), failingReader{errors.New("reset while reading /api/playbook/s3cret-path")}))
			return resp, nil
		},
	} {
		trigger, mock := mockedTrigger(t, PlaybookTriggerOptions{Username: "user", Password: "s3cret-password", Retry: RetryPolicy{MaxAttempts: 1}})
		mock.RegisterNoResponder(answer)
		_, err := trigger.Fire(t.Context(), nil)
		require.Error(t, err, name)
		assert.Equal(t, name != "a refusal that repeats it" && name != "a broken Location", errors.Is(err, ErrOutcomeUnknown), name)
		text, jerr := json.Marshal(err)
		require.NoError(t, jerr)
		for _, shown := range []string{err.Error(), fmt.Sprintf("%+v %#v %q", err, err, err), string(text)} {
			for _, secret := range []string{"s3cret-path", "s3cret-key", "s3cret-password", "\x1b"} {
				assert.NotContains(t, strings.ToLower(shown), secret, name)
			}
		}
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestTriggerWaitsAsLongAsTheContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	trigger, err := NewPlaybookTrigger(srv.URL, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = trigger.Fire(ctx, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotContains(t, err.Error(), srv.URL)
}

func TestATriggerReadsAnAnswerOfAnySize(t *testing.T) {
	t.Parallel()
	trigger, mock := mockedTrigger(t, PlaybookTriggerOptions{MaxBody: math.MaxInt64})
	mock.RegisterNoResponder(httpmock.NewStringResponder(200, "hello"))
	resp, err := trigger.Fire(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(resp.Body))
}
