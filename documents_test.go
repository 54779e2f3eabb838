package threatconnect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const contentBase = "https://tc.example.com/api"

// contentClient returns a client on a mock transport. It retries without waiting.
func contentClient(t *testing.T, options ...Option) (*Client, *httpmock.MockTransport) {
	t.Helper()
	return contentClientAs(t, HMAC("00000000000000000001", "not a real key"), options...)
}

func contentClientAs(t *testing.T, credentials Credentials, options ...Option) (*Client, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	options = append([]Option{WithTransport(mock), WithRetry(RetryPolicy{MaxAttempts: 3, BaseDelay: 1, MaxDelay: 1})}, options...)
	c, err := NewClient(contentBase, credentials, options...)
	require.NoError(t, err)
	return c, mock
}

// sentContent is a request that a mock received.
type sentContent struct {
	method, body, contentType string
	size                      int64
	header                    http.Header
}

// recording appends each request to got and returns the answers in turn; the last one repeats.
func recording(got *[]sentContent, answers ...httpmock.Responder) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		s := sentContent{method: req.Method, size: req.ContentLength, contentType: req.Header.Get("Content-Type"), header: req.Header}
		if req.Body != nil {
			b, err := io.ReadAll(req.Body)
			if err != nil {
				return nil, err
			}
			s.body = string(b)
		}
		*got = append(*got, s)
		return answers[min(len(*got), len(answers))-1](req)
	}
}

func jsonReply(status int, body string) httpmock.Responder {
	return httpmock.NewStringResponder(status, body).HeaderSet(http.Header{"Content-Type": {"application/json;charset=utf-8"}})
}

func TestUploadSendsRawBytes(t *testing.T) {
	t.Parallel()
	text := "\x00\xff\r\nexample" + strings.Repeat("x", 100_000)
	for name, tc := range map[string]struct {
		upload  func(*Client, Content) error
		content Content
		path    string
		query   string
		size    int64
	}{
		"a document by its id": {func(c *Client, content Content) error {
			return c.InOwner("Example Source").Groups.Documents.Upload(t.Context(), 12, content, nil)
		}, BytesContent([]byte(text)),
			"/v2/groups/documents/12/upload", "owner=Example%20Source&updateIfExists=true", int64(len(text))},
		"a report of unknown size": {func(c *Client, content Content) error { return c.Groups.Reports.Upload(t.Context(), 13, content, nil) }, ReaderContent(strings.NewReader(text), -1),
			"/v2/groups/reports/13/upload", "updateIfExists=true", -1},
		"a document by an awkward xid": {func(c *Client, content Content) error {
			return c.Groups.Documents.UploadByXID(t.Context(), "feed/4 2?:é", content, nil)
		}, BytesContent([]byte(text)),
			"/v2/groups/documents/feed%2F4%202%3F%3A%C3%A9/upload", "updateIfExists=true", int64(len(text))},
		"a report by its xid": {func(c *Client, content Content) error {
			return c.InOwner("Example Source").Groups.Reports.UploadByXID(t.Context(), "4-2", content, nil)
		}, BytesContent([]byte(text)), "/v2/groups/reports/4-2/upload", "owner=Example%20Source&updateIfExists=true", int64(len(text))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			var got []sentContent
			mock.RegisterResponder("POST", contentBase+tc.path+"?"+tc.query, recording(&got, jsonReply(200, `{"status":"Success"}`)))
			require.NoError(t, tc.upload(c, tc.content))
			require.Len(t, got, 1)
			assert.Equal(t, "application/octet-stream", got[0].contentType)
			assert.Equal(t, tc.size, got[0].size)
			assert.Equal(t, text, got[0].body)
		})
	}
}

func TestUploadOfExistingContent(t *testing.T) {
	t.Parallel()
	ok := jsonReply(200, `{"status":"Success"}`)
	exists := jsonReply(401, `{"status":"Failure","message":"The document already exists"}`)
	stream := func() Content { return ReaderContent(io.MultiReader(strings.NewReader("example")), 7) }
	for name, tc := range map[string]struct {
		content Content
		opts    *UploadOptions
		answers []httpmock.Responder
		methods string
		err     error
	}{
		"is put when the platform says that it exists":    {BytesContent([]byte("example")), nil, []httpmock.Responder{exists, ok}, "POST PUT", nil},
		"is put after a 401 in unknown words":             {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(401, `{"status":"Failure","message":"There is a file"}`), ok}, "POST PUT", nil},
		"is not what a quoted value means":                {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(403, `{"status":"Failure","message":"No access to the document x already exists"}`)}, "POST", ErrForbidden},
		"is put at once when asked to":                    {BytesContent([]byte("example")), &UploadOptions{Replace: true}, []httpmock.Responder{ok}, "PUT", nil},
		"is put at once from a stream":                    {stream(), &UploadOptions{Replace: true}, []httpmock.Responder{ok}, "PUT", nil},
		"is an error for a stream that is used up":        {stream(), nil, []httpmock.Responder{exists}, "POST", ErrExists},
		"is not what a refused signature means":           {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(401, `{"status":"Failure","message":"Signature data did not match expected result"}`)}, "POST", ErrSignature},
		"is not what a missing permission means":          {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(401, `{"status":"Failure","message":"Access Denied"}`)}, "POST", ErrUnauthorized},
		"is not what a missing document means":            {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(404, `{"status":"Failure","message":"The document does not exist"}`)}, "POST", ErrNotFound},
		"fails when it cannot be put either":              {BytesContent([]byte("example")), nil, []httpmock.Responder{exists, jsonReply(403, `{"status":"Failure"}`)}, "POST PUT", ErrForbidden},
		"is sent again when the platform is busy":         {BytesContent([]byte("example")), nil, []httpmock.Responder{httpmock.NewStringResponder(503, "busy"), ok}, "POST POST", nil},
		"is sent again after an answer that was cut":      {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(200, `{"status":"Succ`), ok}, "POST POST", nil},
		"is sent once only from a stream":                 {stream(), nil, []httpmock.Responder{httpmock.NewStringResponder(503, "busy"), ok}, "POST", ErrUnavailable},
		"may have the answer of the documentation":        {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(200, "{ \"status\": \"Success\",\n}")}, "POST", nil},
		"may have an empty answer":                        {BytesContent([]byte("example")), nil, []httpmock.Responder{httpmock.NewStringResponder(200, "")}, "POST", nil},
		"may be malware that the platform finds unzipped": {BytesContent([]byte("example")), nil, []httpmock.Responder{jsonReply(400, `{"status":"Failure","message":"no"}`)}, "POST", ErrBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			var got []sentContent
			mock.RegisterNoResponder(recording(&got, tc.answers...))
			err := c.Groups.Documents.Upload(t.Context(), 12, tc.content, tc.opts)
			require.ErrorIs(t, err, tc.err)
			var methods []string
			for _, s := range got {
				methods = append(methods, s.method)
				assert.Equal(t, "example", s.body, "every request carries the whole content")
			}
			assert.Equal(t, tc.methods, strings.Join(methods, " "))
		})
	}
}

func TestUploadRejectsInvalidArguments(t *testing.T) {
	t.Parallel()
	c, mock := contentClient(t)
	some := BytesContent([]byte("example"))
	for name, err := range map[string]error{
		"a document without id":     c.Groups.Documents.Upload(t.Context(), 0, some, nil),
		"a report with a wrong id":  c.Groups.Reports.Upload(t.Context(), -1, some, nil),
		"a document without an xid": c.Groups.Documents.UploadByXID(t.Context(), " ", some, nil),
		"an xid that is like an id": c.Groups.Documents.UploadByXID(t.Context(), "42", some, nil),
		"no bytes":                  c.Groups.Reports.Upload(t.Context(), 1, BytesContent(nil), nil),
		"bare malware":              c.Groups.Documents.Upload(t.Context(), 1, some, &UploadOptions{Malware: true}),
		"bare malware by its xid":   c.Groups.Documents.UploadByXID(t.Context(), "x", some, &UploadOptions{Malware: true}),
	} {
		assert.ErrorIs(t, err, ErrValidation, name)
	}
	assert.Zero(t, mock.GetTotalCallCount())
}

// An upload with a wrong size must never look complete to the platform.
func TestUploadOfWrongSizeNeverCompletes(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int64{"too small": 99_999, "too large": 100_001} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var whole atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					whole.Add(1)
				}
			}))
			defer srv.Close()
			c, err := NewClient(srv.URL, Token("t"), WithRetry(RetryPolicy{BaseDelay: 1}))
			require.NoError(t, err)
			opened := 0
			err = c.Groups.Documents.Upload(t.Context(), 1, Content{Size: size, Open: func() (io.ReadCloser, error) {
				opened++
				return io.NopCloser(strings.NewReader(strings.Repeat("x", 100_000))), nil
			}}, nil)
			require.ErrorIs(t, err, ErrValidation)
			assert.Equal(t, 1, opened, "a wrong size must not be retried")
			srv.Close()
			assert.Zero(t, whole.Load())
		})
	}
}

func TestUploadStreams(t *testing.T) { // not parallel: it measures allocations
	const size = 64 << 20
	var came atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		came.Store(n)
	}))
	defer srv.Close()
	c, err := NewClient(srv.URL, Token("t"))
	require.NoError(t, err)
	content := ReaderContent(io.LimitReader(zeros{}, size), -1)
	before := allocated()
	require.NoError(t, c.Groups.Documents.Upload(t.Context(), 1, content, nil))
	assert.Equal(t, int64(size), came.Load())
	assert.Less(t, allocated()-before, uint64(size/4), "the content was held in memory")
}

func TestDownloadDetectsErrorResponses(t *testing.T) {
	t.Parallel()
	octets := http.Header{"Content-Type": {"application/octet-stream"}}
	for name, tc := range map[string]struct {
		answer httpmock.Responder
		want   string
		err    error
	}{
		"bytes":                               {httpmock.NewStringResponder(200, "\x00\xffexample").HeaderSet(octets), "\x00\xffexample", nil},
		"a document that is HTML":             {httpmock.NewStringResponder(200, "<html><body>report</body></html>").HeaderSet(octets), "<html><body>report</body></html>", nil},
		"a document that is JSON":             {jsonReply(200, `{"status":"Success","rows":[1]}`), `{"status":"Success","rows":[1]}`, nil},
		"JSON that reads like a failure":      {httpmock.NewStringResponder(200, `{"status":"Failure","message":"x"}`).HeaderSet(octets), `{"status":"Failure","message":"x"}`, nil},
		"no content type":                     {httpmock.NewStringResponder(200, "example"), "example", nil},
		"a file that is HTML":                 {httpmock.NewStringResponder(200, "<html>kit</html>").HeaderSet(http.Header{"Content-Type": {"text/html"}, "Content-Disposition": {`attachment; filename="kit.html"`}}), "<html>kit</html>", nil},
		"JSON with a status of its own":       {jsonReply(200, `{"status":"offline","message":"x"}`), `{"status":"offline","message":"x"}`, nil},
		"a login page":                        {httpmock.NewStringResponder(200, "<html>Sign in</html>").HeaderSet(http.Header{"Content-Type": {"text/html;charset=utf-8"}}), "", ErrBadResponse},
		"a login page without a content type": {httpmock.NewStringResponder(200, "\n<!DOCTYPE html><html>Sign in</html>"), "", ErrBadResponse},
		"a failure with status 200":           {jsonReply(200, `{"status":"Failure","message":"The requested resource was not found"}`), "", ErrNotFound},
		"a failure":                           {jsonReply(404, `{"status":"Failure","message":"The requested resource was not found"}`), "", ErrNotFound},
		"nothing":                             {httpmock.NewStringResponder(200, "").HeaderSet(octets), "", ErrBadResponse},
		"a page for people with status 500":   {httpmock.NewStringResponder(500, "<html>oops</html>"), "", ErrServer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			mock.RegisterResponder("GET", contentBase+"/v2/groups/documents/12/download?owner=Example%20Source", tc.answer)
			var w bytes.Buffer
			n, err := c.InOwner("Example Source").Groups.Documents.Download(t.Context(), 12, &w)
			require.ErrorIs(t, err, tc.err)
			assert.Equal(t, tc.want, w.String())
			assert.Equal(t, int64(len(tc.want)), n)
		})
	}
}

// brokenAfter returns n bytes of text and then a read error.
func brokenAfter(text string, n int) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		resp := httpmock.NewStringResponse(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(text[:n]), errorReader{}))
		resp.ContentLength = int64(len(text))
		return resp, nil
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// failingWriter fails after n bytes.
type failingWriter struct{ n int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		return w.n, errDisk
	}
	w.n -= len(p)
	return len(p), nil
}

var errDisk = errors.New("disk full")

func TestDownloadRetriesOnlyBeforeFirstWrite(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 10_000)
	whole := httpmock.NewStringResponder(200, text)
	short := func(*http.Request) (*http.Response, error) {
		resp := httpmock.NewStringResponse(200, text[:50_000])
		resp.ContentLength = int64(len(text))
		return resp, nil
	}
	for name, tc := range map[string]struct {
		answers []httpmock.Responder
		to      io.Writer
		calls   int
		err     error
	}{
		"broken before the first byte": {[]httpmock.Responder{brokenAfter(text, 0), whole}, &bytes.Buffer{}, 2, nil},
		"broken in the first bytes":    {[]httpmock.Responder{brokenAfter(text, 100), whole}, &bytes.Buffer{}, 2, nil},
		"broken later":                 {[]httpmock.Responder{brokenAfter(text, 90_000), whole}, &bytes.Buffer{}, 1, ErrBadResponse},
		"shorter than it says":         {[]httpmock.Responder{short, whole}, &bytes.Buffer{}, 1, ErrBadResponse},
		"a page first":                 {[]httpmock.Responder{httpmock.NewStringResponder(200, "<html></html>"), whole}, &bytes.Buffer{}, 2, nil},
		"a writer that fails":          {[]httpmock.Responder{whole}, &failingWriter{n: 40_000}, 1, errDisk},
		"a writer that fails at once":  {[]httpmock.Responder{whole}, &failingWriter{}, 1, errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			var got []sentContent
			mock.RegisterNoResponder(recording(&got, tc.answers...))
			n, err := c.Groups.Documents.Download(t.Context(), 12, tc.to)
			require.ErrorIs(t, err, tc.err)
			assert.Len(t, got, tc.calls)
			if tc.err == nil {
				assert.Equal(t, int64(len(text)), n)
				assert.Equal(t, text, tc.to.(*bytes.Buffer).String())
			}
		})
	}
}

func TestSlowReadersDoNotStallAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 200_000)
		c, mock := contentClient(t, WithStallTimeout(30*time.Millisecond))
		mock.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
			resp := httpmock.NewStringResponse(200, "")
			resp.Body = io.NopCloser(&cancelled{req: req, from: strings.NewReader(text)})
			return resp, nil
		})
		slow := writerFunc(func(p []byte) (int, error) {
			time.Sleep(50 * time.Millisecond)
			return len(p), nil
		})
		n, err := c.Groups.Documents.Download(t.Context(), 12, slow)
		require.NoError(t, err)
		assert.Equal(t, int64(len(text)), n)
	})
}

// cancelled reads until its request is canceled, like a connection.
type cancelled struct {
	req  *http.Request
	from io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.req.Context().Err(); err != nil {
		return 0, err
	}
	return c.from.Read(p)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestSignatureText(t *testing.T) {
	t.Parallel()
	c, mock := contentClient(t, WithMaxResponseBytes(64))
	text := httpmock.NewStringResponder(200, `{"status":"Failure","message":"a rule can look like this"}`).HeaderSet(http.Header{"Content-Type": {"text/plain"}})
	mock.RegisterResponder("GET", contentBase+"/v2/groups/signatures/5/download", text)
	got, err := c.Groups.Signatures.Text(t.Context(), 5)
	require.NoError(t, err)
	assert.Contains(t, got, "a rule can look like this")
	mock.RegisterResponder("GET", contentBase+"/v2/groups/signatures/6/download", httpmock.NewStringResponder(200, strings.Repeat("x", 65)))
	_, err = c.Groups.Signatures.Text(t.Context(), 6)
	require.ErrorIs(t, err, ErrResponseTooLarge)
	_, err = c.Groups.Signatures.Text(t.Context(), 0)
	require.ErrorIs(t, err, ErrValidation)
	var w bytes.Buffer
	_, err = c.Groups.Signatures.Download(t.Context(), 5, &w)
	require.NoError(t, err)
	assert.Equal(t, got, w.String())
	_, err = c.Groups.Documents.Download(t.Context(), 1, nil)
	require.ErrorIs(t, err, ErrValidation)
}

func TestPDFOfEveryTypeButDocumentsAndEmails(t *testing.T) {
	t.Parallel()
	for _, def := range groupDefs {
		t.Run(string(def.typ), func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			mock.RegisterResponder("GET", fmt.Sprintf("%s/v2/groups/%s/7/pdf", contentBase, def.branch), httpmock.NewStringResponder(200, "%PDF-1.7\n%%EOF\n"))
			var w bytes.Buffer
			n, err := c.Groups.PDF(t.Context(), GroupRef{Type: def.typ, ID: 7}, &w)
			if def.typ == GroupDocument || def.typ == GroupEmail {
				require.ErrorIs(t, err, ErrValidation)
				assert.Zero(t, mock.GetTotalCallCount())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, int64(15), n)
		})
	}
	c, mock := contentClient(t)
	mock.RegisterNoResponder(httpmock.NewStringResponder(200, "no report for you"))
	_, err := c.Groups.PDF(t.Context(), GroupRef{Type: GroupIncident, ID: 7}, io.Discard)
	require.ErrorIs(t, err, ErrBadResponse)
	_, err = c.Groups.PDF(t.Context(), IndicatorRef{Type: TypeHost, Value: "www.example.com"}, io.Discard)
	require.ErrorIs(t, err, ErrValidation)
}

func TestPublishSendsExclusions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		opts *PublishOptions
		body string
	}{
		"nothing": {nil, `{"securityLabelList":[],"excludeUnlabeled":false}`},
		"labels and unlabeled content": {&PublishOptions{ExcludeLabels: []string{"TLP:RED", "TLP:AMBER+STRICT"}, ExcludeUnlabeled: true},
			`{"securityLabelList":["TLP:RED","TLP:AMBER+STRICT"],"excludeUnlabeled":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			var got []sentContent
			mock.RegisterResponder("POST", contentBase+"/v2/groups/incidents/7/publish?owner=Example%20Community", recording(&got, jsonReply(200, `{"status":"Success"}`)))
			require.NoError(t, c.Groups.Publish(t.Context(), GroupRef{Type: GroupIncident, ID: 7, Owner: "Example Community"}, tc.opts))
			assert.Equal(t, tc.body, got[0].body)
			assert.Equal(t, jsonType, got[0].contentType)
		})
	}
	c, mock := contentClient(t)
	mock.RegisterNoResponder(httpmock.NewStringResponder(502, ""))
	require.ErrorIs(t, c.Groups.Publish(t.Context(), GroupRef{Type: GroupIncident, ID: 7}, nil), ErrServer)
	assert.Equal(t, 1, mock.GetTotalCallCount(), "whether it was published is unknown")
	require.ErrorIs(t, c.Groups.Publish(t.Context(), GroupRef{Type: GroupIncident, ID: 7}, &PublishOptions{ExcludeLabels: []string{""}}), ErrValidation)
}

// allocated returns the number of bytes allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// heapHeld returns the number of heap bytes in use after a garbage collection.
func heapHeld() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
