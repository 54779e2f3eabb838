package threatconnect

import (
	"bytes"
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

const (
	playbooksPath = contentBase + "/v2/playbooks"
	onePlaybook   = `{"id":"7","groupXid":"f0e1","name":"Triage","status":"Active","triggerType":"WebHook","labels":["a","b"],"type":{"x":1}}`
)

func TestPlaybooksAreReadFromAnyEnvelope(t *testing.T) {
	t.Parallel()
	want := Playbook{ID: 7, GroupXID: "f0e1", Name: "Triage", Status: PlaybookActive, TriggerType: "WebHook", Labels: []string{"a", "b"},
		Extra: map[string]json.RawMessage{"type": json.RawMessage(`{"x":1}`)}, Raw: json.RawMessage(onePlaybook)}
	for name, text := range map[string]string{
		"the usual envelope":   `{"status":"Success","data":{"resultCount":1,"playbook":[` + onePlaybook + `]}}`,
		"a single object":      `{"status":"Success","data":{"playbook":` + onePlaybook + `}}`,
		"data is the playbook": `{"status":"Success","data":` + onePlaybook + `}`,
		"data is the list":     `{"status":"Success","count":1,"data":[` + onePlaybook + `]}`,
		"a bare list":          `[` + onePlaybook + `]`,
		"the bare playbook":    onePlaybook,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			mock.RegisterResponder("GET", playbooksPath, jsonReply(200, text))
			mock.RegisterResponder("GET", playbooksPath+"/f0e1", jsonReply(200, text))
			list, err := c.Playbooks.List(t.Context(), nil)
			require.NoError(t, err)
			assert.Equal(t, []Playbook{want}, list.Items)
			got, err := c.Playbooks.Get(t.Context(), "f0e1")
			require.NoError(t, err)
			assert.Equal(t, want, got)
			assert.Equal(t, "f0e1", got.Ref())
		})
	}
}

func TestOddPlaybookResponses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer httpmock.Responder
		list   error
		get    error
	}{
		"none":                       {jsonReply(200, `{"status":"Success","data":{"resultCount":0,"playbook":[]}}`), nil, ErrBadResponse},
		"success and nothing else":   {jsonReply(200, `{"status":"Success"}`), nil, ErrBadResponse},
		"404 in the platform's form": {jsonReply(404, `{"status":"Failure","message":"The requested resource was not found"}`), nil, ErrNotFound},
		"404 of something else":      {httpmock.NewStringResponder(404, `<html>`), ErrBadResponse, ErrNotFound},
		"a failure with 200":         {jsonReply(200, `{"status":"Failure","message":"The requested resource was not found"}`), nil, ErrNotFound},
		"a login page":               {httpmock.NewStringResponder(200, `<html>`), ErrBadResponse, ErrBadResponse},
		"broken JSON":                {jsonReply(200, `{"status":"Success","data":[{"id":1}`), ErrBadResponse, ErrBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			mock.RegisterNoResponder(tc.answer)
			list, err := c.Playbooks.List(t.Context(), nil)
			require.ErrorIs(t, err, tc.list)
			if tc.list == nil {
				assert.NotNil(t, list.Items)
				assert.Empty(t, list.Items)
			}
			_, err = c.Playbooks.Get(t.Context(), "7")
			require.ErrorIs(t, err, tc.get)
		})
	}
	odd := `[{"id":"not-a-number","name":["x"],"status":{"y":1},"labels":"a, b,"},{"groupXid":5,"labels":[{"name":"a"}]}]`
	c, mock := contentClient(t)
	mock.RegisterNoResponder(jsonReply(200, odd))
	page, err := c.Playbooks.List(t.Context(), nil)
	require.NoError(t, err)
	list := page.Items
	require.Len(t, list, 2)
	assert.Equal(t, []string{"a", "b"}, list[0].Labels)
	assert.Len(t, list[0].Extra, 3)
	assert.Equal(t, "5", list[1].Ref())
	assert.Len(t, list[1].Extra, 1)
	assert.Equal(t, "9", Playbook{ID: 9}.Ref())
}

func TestPlaybookSearch(t *testing.T) {
	t.Parallel()
	c, mock := contentClient(t)
	yes := true
	mock.RegisterResponder("GET", playbooksPath+"/search?labels=a%2Cb%20c&name=Tri%20age&resultLimit=1&resultStart=2&sortAscending=true&sortOn=name&status=Active&triggerType=WebHook",
		jsonReply(200, `{"status":"Success","data":{"playbook":[`+onePlaybook+`]}}`))
	p, err := c.Playbooks.List(t.Context(), &PlaybookListOptions{ListOptions: ListOptions{Start: 2, Limit: 1}, Name: "Tri age", TriggerType: "WebHook",
		Status: PlaybookActive, SortOn: "name", SortAscending: &yes, Labels: []string{"a", "b c"}})
	require.NoError(t, err)
	assert.Len(t, p.Items, 1)
	assert.Equal(t, int64(-1), p.Total)
	assert.True(t, p.More)

	mock.RegisterResponder("GET", playbooksPath+"/search?resultLimit=2", jsonReply(200, `{"status":"Success","data":{"resultCount":3,"playbook":[{"id":1},{"id":2}]}}`))
	mock.RegisterResponder("GET", playbooksPath+"/search?resultLimit=2&resultStart=2", jsonReply(200, `{"status":"Success","data":{"playbook":[{"id":3}]}}`))
	seq := c.Playbooks.All(t.Context(), &PlaybookListOptions{ListOptions: ListOptions{Limit: 2}})
	for range 2 {
		all, err := Collect(seq)
		require.NoError(t, err)
		assert.Len(t, all, 3)
	}
	before := mock.GetTotalCallCount()
	for _, bad := range []PlaybookListOptions{{Status: "Asleep"}, {SortOn: "id"}, {Labels: []string{"a,b"}}, {ListOptions: ListOptions{Limit: -1}}} {
		_, err := c.Playbooks.List(t.Context(), &bad)
		require.ErrorIs(t, err, ErrValidation)
	}
	assert.Equal(t, before, mock.GetTotalCallCount())
}

func TestPlaybookChanges(t *testing.T) {
	t.Parallel()
	ok := jsonReply(200, `{"status":"Success"}`)
	busy := httpmock.NewStringResponder(502, "")
	pbx := []byte(`{"name":"Triage","jobList":[]}`)
	for name, tc := range map[string]struct {
		method, path string
		body         string
		call         func(PlaybooksService) error
		sent         int // number of requests if the first response is 502
	}{
		"activate":    {"POST", "/f%2F0/activate", "", func(s PlaybooksService) error { return s.Activate(t.Context(), "f/0") }, 2},
		"deactivate":  {"POST", "/7/deactivate", "", func(s PlaybooksService) error { return s.Deactivate(t.Context(), "7") }, 2},
		"delete":      {"DELETE", "/7", "", func(s PlaybooksService) error { return s.Delete(t.Context(), "7") }, 2},
		"import":      {"POST", "", string(pbx), func(s PlaybooksService) error { _, err := s.Import(t.Context(), pbx); return err }, 1},
		"new version": {"POST", "/7", string(pbx), func(s PlaybooksService) error { _, err := s.AddVersion(t.Context(), "7", pbx); return err }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			var got []sentContent
			mock.RegisterResponder(tc.method, playbooksPath+tc.path, recording(&got, busy, ok))
			err := tc.call(c.Playbooks)
			assert.Len(t, got, tc.sent)
			if tc.sent == 1 {
				require.ErrorIs(t, err, ErrServer)
				require.NoError(t, tc.call(c.Playbooks))
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, tc.body, got[0].body)
		})
	}
	t.Run("delete after a failure of the server", func(t *testing.T) {
		t.Parallel()
		c, mock := contentClient(t)
		mock.RegisterResponder("DELETE", playbooksPath+"/7", httpmock.NewStringResponder(500, ""))
		require.ErrorIs(t, c.Playbooks.Delete(t.Context(), "7"), ErrServer)
		assert.Equal(t, 1, mock.GetTotalCallCount())
	})
	c, mock := contentClient(t)
	for _, bad := range []string{"", "[]", `{"a":`, `{} {}`, "PK\x03\x04"} {
		_, err := c.Playbooks.Import(t.Context(), []byte(bad))
		require.ErrorIs(t, err, ErrValidation, bad)
	}
	_, err := c.Playbooks.Get(t.Context(), "search")
	require.ErrorIs(t, err, ErrValidation, "that would be a search")
	require.ErrorIs(t, c.Playbooks.Delete(t.Context(), ""), ErrValidation, "that would be all playbooks")
	assert.Zero(t, mock.GetTotalCallCount())
}

func TestPlaybookExport(t *testing.T) {
	t.Parallel()
	c, mock := contentClient(t)
	mock.RegisterResponder("GET", playbooksPath+"/7/export", jsonReply(200, `{"name":"Triage","status":"Active"}`))
	mock.RegisterResponder("GET", playbooksPath+"/7/export?format=tcxp", httpmock.NewStringResponder(200, "PK\x03\x04").HeaderSet(http.Header{"Content-Type": {"application/zip"}}))
	mock.RegisterResponder("GET", playbooksPath+"/8/export", jsonReply(200, `{"status":"Failure","message":"The requested resource was not found"}`))
	for format, want := range map[PlaybookFormat]string{"": `{"name":"Triage","status":"Active"}`, PlaybookPBX: `{"name":"Triage","status":"Active"}`, PlaybookContentPack: "PK\x03\x04"} {
		var w bytes.Buffer
		n, err := c.Playbooks.Export(t.Context(), "7", format, &w)
		require.NoError(t, err)
		assert.Equal(t, want, w.String())
		assert.Equal(t, int64(len(want)), n)
	}
	var w bytes.Buffer
	_, err := c.Playbooks.Export(t.Context(), "8", "", &w)
	require.ErrorIs(t, err, ErrNotFound)
	assert.Zero(t, w.Len())
	_, err = c.Playbooks.Export(t.Context(), "8", "zip", &w)
	require.ErrorIs(t, err, ErrValidation)
}

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

func TestTriggerPostsUnsignedJSON(t *testing.T) {
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

func TestTriggerErrorResponses(t *testing.T) {
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

func TestTriggerRetriesOnlyFailedDials(t *testing.T) {
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

func TestTriggerRejectsInvalidURLsAndOptions(t *testing.T) {
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

func TestTriggerPrintsNoSecret(t *testing.T) {
	t.Parallel()
	trigger, err := NewPlaybookTrigger(triggerAt, &PlaybookTriggerOptions{Username: "s3cret-user", Password: "s3cret-password"})
	require.NoError(t, err)
	j, err := json.Marshal(trigger)
	require.NoError(t, err)
	for _, shown := range []string{fmt.Sprint(trigger), fmt.Sprintf("%+v %#v %s", trigger, trigger, trigger), string(j)} {
		assert.NotContains(t, shown, "s3cret")
	}
}

func TestTriggerErrorsHideURLAndPassword(t *testing.T) {
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

func TestTriggerAcceptsMaxInt64MaxBody(t *testing.T) {
	t.Parallel()
	trigger, mock := mockedTrigger(t, PlaybookTriggerOptions{MaxBody: math.MaxInt64})
	mock.RegisterNoResponder(httpmock.NewStringResponder(200, "hello"))
	resp, err := trigger.Fire(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(resp.Body))
}
