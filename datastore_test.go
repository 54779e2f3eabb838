package threatconnect

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type watched struct {
	Name string `json:"name"`
	Hits int    `json:"hits,omitempty"`
}

func mockedStore(t *testing.T) (*DataStore[watched], *httpmock.MockTransport) {
	t.Helper()
	c, mock := contentClientAs(t, Token("an example token"))
	d, err := DataStoreOf[watched](c, DataStoreLocal, "watch list")
	require.NoError(t, err)
	return d, mock
}

func TestDataStoreSearchPaging(t *testing.T) {
	t.Parallel()
	one, none := `"hits":[{"_id":"1","_source":{}}]`, `"hits":[]`
	for name, tc := range map[string]struct {
		query  any
		answer string
		total  int64
		more   bool
	}{
		"the first of many":        {map[string]any{"size": 1}, `"total":150,` + one, 150, true},
		"the last of many":         {map[string]any{"from": 149, "size": 100}, `"total":150,` + one, 150, false},
		"one before the last":      {map[string]any{"size": 1, "from": 148}, `"total":150,` + one, 150, true},
		"behind the last":          {map[string]any{"from": 150}, `"total":150,` + none, 150, false},
		"far behind the last":      {map[string]any{"from": 1000}, `"total":150,` + none, 150, false},
		"an empty page in between": {map[string]any{"from": 10}, `"total":150,` + none, 150, false},
		"from in a raw query":      {json.RawMessage(`{"query":{"from":1},"from":149}`), `"total":150,` + one, 150, false},
		"no total":                 {map[string]any{"from": 3}, one, -1, true},
		"no total, nothing more":   {map[string]any{"from": 4}, none, -1, false},
		"counted up to 10,000":     {map[string]any{"from": 9_999}, `"total":{"value":10000,"relation":"gte"},` + one, -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			mock.RegisterResponder("POST", contentBase+"/v2/exchange/db/local/watch%20list/_search", jsonReply(200, `{"hits":{`+tc.answer+`}}`))
			p, err := d.Search(t.Context(), tc.query)
			require.NoError(t, err)
			assert.Equal(t, tc.total, p.Total)
			assert.Equal(t, tc.more, p.More)
		})
	}
}

func TestDataStoreRequestsArePosts(t *testing.T) {
	t.Parallel()
	const base = contentBase + "/v2/exchange/db/local/watch%20list"
	written := `{"_index":"$local.example","_type":"watch list","_id":"a/b","_version":4,"result":"updated","_shards":{"total":2},"_seq_no":45,"_primary_term":1}`
	for name, tc := range map[string]struct {
		path, operation, body, answer string
		call                          func(*DataStore[watched]) (any, error)
		want                          any
	}{
		"get": {"/a%2Fb", "GET", "", `{"_id":"a/b","_version":"3","found":true,"_source":{"name":"x","hits":2}}`,
			func(d *DataStore[watched]) (any, error) { return d.Get(t.Context(), "a/b") }, DataRecord[watched]{ID: "a/b", Version: 3, Value: watched{"x", 2}}},
		"put": {"/a%2Fb", "PUT", `{"name":"x"}`, written,
			func(d *DataStore[watched]) (any, error) { return nil, d.Put(t.Context(), "a/b", watched{Name: "x"}) }, nil},
		"create": {"/", "POST", `{"name":"x"}`, written,
			func(d *DataStore[watched]) (any, error) { return d.Create(t.Context(), watched{Name: "x"}) }, "a/b"},
		"delete": {"/a%2Fb", "DELETE", "", written,
			func(d *DataStore[watched]) (any, error) { return nil, d.Delete(t.Context(), "a/b") }, nil},
		"list": {"/", "GET", "", `{"took":1,"hits":{"total":2,"max_score":1,"hits":[{"_id":"1","_source":{"name":"x"}},{"_id":"2","_source":{"name":"y"}}]}}`,
			func(d *DataStore[watched]) (any, error) { return d.List(t.Context()) },
			&Page[DataRecord[watched]]{Items: []DataRecord[watched]{{ID: "1", Value: watched{Name: "x"}}, {ID: "2", Value: watched{Name: "y"}}}, Total: 2}},
		"search": {"/_search", "GET", `{"query":{"match_all":{}},"size":1}`, `{"hits":{"total":{"value":9,"relation":"eq"},"hits":[{"_id":"1","_source":{"name":"x"}}]}}`,
			func(d *DataStore[watched]) (any, error) {
				return d.Search(t.Context(), map[string]any{"query": map[string]any{"match_all": map[string]any{}}, "size": 1})
			},
			&Page[DataRecord[watched]]{Items: []DataRecord[watched]{{ID: "1", Value: watched{Name: "x"}}}, Total: 9, More: true}},
		"nothing found": {"/_search", "GET", `{}`, `{"hits":{"total":0,"hits":[]}}`,
			func(d *DataStore[watched]) (any, error) { return d.Search(t.Context(), struct{}{}) }, &Page[DataRecord[watched]]{Items: []DataRecord[watched]{}}},
		"mappings": {"/_mappings", "PUT", `{"dynamic":false}`, `{"acknowledged":true}`,
			func(d *DataStore[watched]) (any, error) {
				return nil, d.SetMappings(t.Context(), map[string]bool{"dynamic": false})
			}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			var got []sentContent
			mock.RegisterResponder("POST", base+tc.path, recording(&got, jsonReply(200, tc.answer)))
			out, err := tc.call(d)
			require.NoError(t, err)
			assert.Equal(t, tc.want, out)
			require.Len(t, got, 1)
			assert.Equal(t, tc.operation, got[0].header.Get("DB-Method"))
			assert.Equal(t, tc.body, got[0].body)
			assert.Equal(t, jsonType, got[0].contentType)
			assert.Equal(t, "TC-Token an example token", got[0].header.Get("Authorization"))
		})
	}
}

func TestDataStoreErrorResponses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer httpmock.Responder
		err    error
	}{
		"a record that is not there":         {jsonReply(200, `{"_id":"a","found":false}`), ErrNotFound},
		"the same with status 404":           {jsonReply(404, `{"_id":"a","found":false}`), ErrNotFound},
		"a data type that is not there":      {jsonReply(200, `{"error":{"type":"index_not_found_exception","reason":"no such index"},"status":404}`), ErrNotFound},
		"another error of Elasticsearch":     {jsonReply(200, `{"error":{"type":"parsing_exception"},"status":400}`), ErrBadResponse},
		"an error in words":                  {jsonReply(200, `{"error":"oops"}`), ErrBadResponse},
		"no JSON although it says so":        {jsonReply(200, `no such index`), ErrBadResponse},
		"a record without a value":           {jsonReply(200, `{"_id":"a","found":true}`), ErrBadResponse},
		"nothing":                            {jsonReply(200, ``), ErrBadResponse},
		"a login page":                       {httpmock.NewStringResponder(200, "<html>").HeaderSet(http.Header{"Content-Type": {"text/html"}}), ErrBadResponse},
		"a failure of the platform with 200": {jsonReply(200, `{"status":"Failure","message":"The requested resource was not found"}`), ErrNotFound},
		"an expired token":                   {jsonReply(401, `{"status":"Failure","message":"Unauthorized"}`), ErrTokenRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			mock.RegisterNoResponder(tc.answer)
			_, err := d.Get(t.Context(), "a")
			require.ErrorIs(t, err, tc.err)
			if api, ok := errors.AsType[*APIError](err); ok && api.StatusCode == 404 {
				assert.NotContains(t, err.Error(), "base URL")
			}
		})
	}
	d, mock := mockedStore(t)
	mock.RegisterNoResponder(jsonReply(200, `no such index`))
	raw, err := d.s.Do(t.Context(), DataStoreRequest{Method: "GET", Domain: DataStoreSystem, Type: "x", ID: "y"})
	require.NoError(t, err)
	assert.Equal(t, "no such index", string(raw), "Do returns the response unchanged")
	mock.RegisterNoResponder(jsonReply(200, `{"_id":"a","found":true,"_source":{"name":5}}`))
	_, err = d.Get(t.Context(), "a")
	require.ErrorContains(t, err, "does not fit")
	_, err = d.Create(t.Context(), watched{})
	require.NoError(t, err)
	mock.RegisterNoResponder(jsonReply(200, `{}`))
	_, err = d.Create(t.Context(), watched{})
	require.ErrorIs(t, err, ErrBadResponse, "a response without an ID")
}

func TestDataStoreRetriesIdempotentOperations(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		call func(*DataStore[watched]) error
		sent int
	}{
		"put":    {func(d *DataStore[watched]) error { return d.Put(t.Context(), "a", watched{}) }, 3},
		"delete": {func(d *DataStore[watched]) error { return d.Delete(t.Context(), "a") }, 3},
		"get":    {func(d *DataStore[watched]) error { _, err := d.Get(t.Context(), "a"); return err }, 3},
		"create": {func(d *DataStore[watched]) error { _, err := d.Create(t.Context(), watched{}); return err }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, mock := mockedStore(t)
			mock.RegisterNoResponder(httpmock.NewStringResponder(502, ""))
			require.ErrorIs(t, tc.call(d), ErrServer)
			assert.Equal(t, tc.sent, mock.GetTotalCallCount())
		})
	}
}

func TestDataStoreRejectsInvalidArguments(t *testing.T) {
	t.Parallel()
	signing, mock := contentClient(t)
	_, err := DataStoreOf[watched](signing, DataStoreLocal, "x")
	require.ErrorIs(t, err, errDataStoreNeedsToken)
	_, err = signing.DataStore.Do(t.Context(), DataStoreRequest{Method: "GET", Domain: DataStoreLocal, Type: "x"})
	require.ErrorIs(t, err, errDataStoreNeedsToken)
	assert.Zero(t, mock.GetTotalCallCount())

	renewing, err := NewClient(contentBase, TokenFunc(func(context.Context) (string, time.Time, error) { return "t", time.Time{}, nil }))
	require.NoError(t, err)
	_, err = DataStoreOf[watched](renewing, DataStoreSystem, "x")
	require.NoError(t, err)

	d, mock := mockedStore(t)
	_, get := d.Get(t.Context(), "")
	_, search := d.Get(t.Context(), "_search")
	_, domain := DataStoreOf[watched](renewing, "global", "x")
	_, typ := DataStoreOf[watched](renewing, DataStoreLocal, "")
	_, all := DataStoreOf[watched](renewing, DataStoreLocal, "_all")
	_, none := DataStoreOf[watched](nil, DataStoreLocal, "x")
	_, method := d.s.Do(t.Context(), DataStoreRequest{Method: "PATCH", Domain: DataStoreLocal, Type: "x"})
	for _, err := range []error{get, search, domain, typ, all, none, method, d.Put(t.Context(), "", watched{}), d.Delete(t.Context(), "_mappings")} {
		require.ErrorIs(t, err, ErrValidation)
	}
	assert.Zero(t, mock.GetTotalCallCount())
}

func FuzzReadDataAnswer(f *testing.F) {
	for _, s := range []string{`{"_id":"a","found":true,"_source":{}}`, `{"hits":{"total":{"value":1},"hits":[{"_id":1,"_source":null}]}}`, `{"error":{"type":1},"status":404}`, `no`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readDataAnswer(b, 0)
		require.NotNil(t, a)
		if err == nil {
			_, _ = recordOf[any](a)
		}
	})
}

// zipOf returns a zip file with entries of the given names. A name that ends in ! is marked as encrypted.
func zipOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		name, encrypted := strings.CutSuffix(name, "!")
		h := &zip.FileHeader{Name: name}
		if encrypted {
			h.Flags |= 1
		}
		body := []byte("not a sample")
		if strings.HasSuffix(name, "/") {
			body = nil
		}
		h.CompressedSize64, h.UncompressedSize64 = uint64(len(body)), uint64(len(body))
		f, err := w.CreateRaw(h)
		require.NoError(t, err)
		_, err = f.Write(body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestMalwareMustBeAZipWithAPassword(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content []byte
		ok      bool
	}{
		"an encrypted file":                 {zipOf(t, "sample.bin!"), true},
		"an encrypted file in a folder":     {zipOf(t, "malware/", "malware/deep/", "malware/deep/sample.bin!"), true},
		"a plain file":                      {zipOf(t, "sample.bin"), false},
		"a plain file before an encrypted":  {zipOf(t, "readme.txt", "sample.bin!"), false},
		"folders only":                      {zipOf(t, "malware/"), false},
		"an empty zip":                      {zipOf(t), false},
		"a zip that is cut in its header":   {zipOf(t, "sample.bin!")[:20], false},
		"something else":                    {[]byte("MZ\x90\x00 this is no zip at all, however long it may be"), false},
		"one byte":                          {[]byte("P"), false},
		"a name longer than can be true":    {[]byte("PK\x03\x04" + strings.Repeat("\x00", 22) + "\xff\xff\xff\xff"), false},
		"only the encryption of the second": {zipOf(t, "a/", "b.bin", "c.bin!"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newUploading(BytesContent(tc.content), true)
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, errNotEncrypted)
			_, err = newUploading(BytesContent(tc.content), false)
			require.NoError(t, err, "only malware must be an encrypted zip")
		})
	}
}

func TestContentIsSentWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		size int64
		err  error
	}{
		"size known":               {"0123456789", 10, nil},
		"size not known":           {"0123456789", -1, nil},
		"fewer bytes than promise": {"0123456789", 11, errContentShort},
		"more bytes than promised": {"0123456789", 9, errContentLong},
		"one byte":                 {"0", 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, slow := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
				c := Content{Open: func() (io.ReadCloser, error) { return io.NopCloser(slow(strings.NewReader(tc.text))), nil }, Size: tc.size}
				u, err := newUploading(c, false)
				require.NoError(t, err)
				rc, err := u.open()
				require.NoError(t, err)
				got, err := io.ReadAll(rc)
				if tc.err == nil {
					require.NoError(t, err)
					assert.Equal(t, tc.text, string(got))
					continue
				}
				require.ErrorIs(t, err, tc.err)
				assert.Less(t, int64(len(got)), tc.size, "the platform must not see a request that looks complete")
			}
		})
	}
}

func TestInvalidContentIsRejected(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	for name, tc := range map[string]struct {
		content Content
		err     error
	}{
		"nothing":                  {Content{}, errNoContent},
		"no bytes":                 {BytesContent(nil), errContentEmpty},
		"no bytes from a reader":   {ReaderContent(strings.NewReader(""), -1), errContentEmpty},
		"a size of 0":              {ReaderContent(strings.NewReader("x"), 0), errContentEmpty},
		"a negative size":          {ReaderContent(strings.NewReader("x"), -2), errContentSize},
		"an opener that fails":     {Content{Open: func() (io.ReadCloser, error) { return nil, broken }, Size: -1}, broken},
		"an opener without result": {Content{Open: func() (io.ReadCloser, error) { return nil, nil }, Size: -1}, errNoContent},
		"a reader that fails":      {ReaderContent(iotest.ErrReader(broken), -1), broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newUploading(tc.content, false)
			require.ErrorIs(t, err, tc.err)
		})
	}
}

func TestNilReaderIsRejected(t *testing.T) {
	t.Parallel()
	var file *os.File
	for _, r := range []io.Reader{nil, file} {
		_, err := newUploading(ReaderContent(r, 0), false)
		require.ErrorIs(t, err, errNoContent)
	}
}

func TestReaderContentReopensAtItsOffset(t *testing.T) {
	t.Parallel()
	r := strings.NewReader("skip this, not that")
	_, err := io.CopyN(io.Discard, r, 11)
	require.NoError(t, err)
	c := ReaderContent(r, 8)
	assert.False(t, c.OneShot)
	for range 3 {
		rc, err := c.Open()
		require.NoError(t, err)
		got, err := io.ReadAll(rc)
		require.NoError(t, err)
		assert.Equal(t, "not that", string(got))
	}
	assert.True(t, ReaderContent(bufio.NewReader(r), -1).OneShot, "a stream can be read only once")
	in, out, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	defer out.Close()
	assert.True(t, ReaderContent(in, -1).OneShot, "a pipe is a file that can be read only once")
}

func TestFileContentIsReopened(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "report.txt")
	require.NoError(t, os.WriteFile(name, []byte("example"), 0o600))
	c, err := FileContent(name)
	require.NoError(t, err)
	assert.Equal(t, int64(7), c.Size)
	for range 2 {
		rc, err := c.Open()
		require.NoError(t, err)
		got, err := io.ReadAll(rc)
		require.NoError(t, err)
		require.NoError(t, rc.Close())
		assert.Equal(t, "example", string(got))
	}
	_, err = FileContent(filepath.Dir(name))
	require.ErrorIs(t, err, ErrValidation)
	_, err = FileContent(name + ".missing")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzEncryptedZip(f *testing.F) {
	f.Add(zipOf(f, "sample.bin!"))
	f.Add(zipOf(f, "malware/", "malware/sample.bin!"))
	f.Add(zipOf(f, "sample.bin"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkEncryptedZip(bufio.NewReaderSize(bytes.NewReader(b), zipWindow))
		slow := checkEncryptedZip(bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(b)), zipWindow))
		assert.Equal(t, err, slow, "the result depends on the size of the reads")
		if err == nil {
			assert.True(t, bytes.HasPrefix(b, []byte("PK\x03\x04")))
		}
	})
}

func TestHugeBuffersAreNotPooled(t *testing.T) {
	t.Parallel()
	c, err := NewClient("https://tc.example", Token("token"))
	require.NoError(t, err)
	huge := bytes.NewBuffer(make([]byte, 0, 17<<20))
	c.release(huge)
	assert.NotSame(t, huge, c.buffer())
}

func TestWriteDoesNotStartPausedStallTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(t.Context(), &call{}, time.Minute)
		defer w.stop()
		w.start()
		w.pause(true)
		w.moved() // the rest of an upload, after an early response
		time.Sleep(time.Hour)
		require.NoError(t, w.Err())
		w.pause(false)
		w.moved()
		time.Sleep(time.Hour)
		require.Error(t, w.Err())
	})
}

// A Content-Length must not allocate memory before the first bytes arrive, or more than the response cap.
func TestReadBodyAllocationIsCapped(t *testing.T) {
	t.Parallel()
	const first = 128 << 10
	for name, tc := range map[string]struct {
		promised      int64
		arrives, most int // bytes
	}{
		"nothing is promised":            {-1, 1 << 20, 4 << 20},
		"what is promised":               {1500 << 10, 1500 << 10, 1500<<10 + 64<<10},
		"a promise alone":                {50 << 20, 0, 256 << 10},
		"a promise after less than that": {50 << 20, first - 1, 256 << 10},
		"a promise beyond the cap":       {50 << 20, first + 1, 2<<20 + 64<<10},
		"more than promised":             {10, 1 << 20, 4 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := contentClient(t, WithMaxResponseBytes(2<<20))
			var buf bytes.Buffer
			body := io.NopCloser(io.LimitReader(zeros{}, int64(tc.arrives)))
			require.NoError(t, c.readBody(&http.Response{ContentLength: tc.promised, Body: body}, &buf))
			assert.Equal(t, tc.arrives, buf.Len())
			assert.LessOrEqual(t, buf.Cap(), tc.most)
		})
	}
}
