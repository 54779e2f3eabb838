package feeds

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

const listFeed = "203.0.113.1\n203.0.113.2\n"

func clientOf(t testing.TB, options ...threatconnect.Option) *threatconnect.Client {
	t.Helper()
	client, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("access-id", "platform-secret"),
		append([]threatconnect.Option{threatconnect.WithUserAgent("acme-feed/1.4.2")}, options...)...)
	require.NoError(t, err)
	return client
}

// serve runs a server and returns its URL.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// fetchAll downloads a feed and returns its text.
func fetchAll(t *testing.T, f *Fetcher, feedURL string, cursor threatconnect.Cursor) (string, *Download, error) {
	t.Helper()
	d, err := f.Fetch(t.Context(), feedURL, cursor)
	if err != nil {
		return "", nil, err
	}
	defer func() { require.NoError(t, d.Body.Close()) }()
	text, err := io.ReadAll(d.Body)
	return string(text), d, err
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// answer returns a response. header contains keys and values in turn.
func answer(status int, body io.Reader, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body), ContentLength: -1}
}

func TestFetchIsConditional(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ header, value, condition string }{
		"a strong ETag": {"ETag", `"v1"`, "If-None-Match"},
		"a weak ETag":   {"ETag", `W/"v1"`, "If-None-Match"},
		"a bare ETag":   {"ETag", `v1`, "If-None-Match"},
		"a date":        {"Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT", "If-Modified-Since"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, clientOf(t).UserAgent(), r.UserAgent())
				for _, other := range []string{"If-None-Match", "If-Modified-Since"} {
					assert.True(t, other == tc.condition || r.Header.Get(other) == "", "a request has only one condition")
				}
				w.Header().Set(tc.header, tc.value)
				if r.Header.Get(tc.condition) == tc.value {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				_, _ = io.WriteString(w, listFeed)
			})
			f := &Fetcher{Client: clientOf(t)}
			before := time.Now()
			text, d, err := fetchAll(t, f, base+"/list.txt?key=query-secret", threatconnect.Cursor{})
			require.NoError(t, err)
			assert.Equal(t, listFeed, text)
			assert.EqualValues(t, len(listFeed), d.Size)
			assert.WithinRange(t, d.Cursor.Time, before, time.Now())
			assert.Equal(t, time.UTC, d.Cursor.Time.Location())
			saved, err := d.Cursor.MarshalJSON()
			require.NoError(t, err)
			assert.NotContains(t, string(saved), "secret")
			assert.Contains(t, d.Cursor.Source, base)

			_, _, err = fetchAll(t, f, base+"/list.txt?key=query-secret", d.Cursor)
			require.ErrorIs(t, err, ErrNotModified)
			for _, other := range []string{"/list.txt?key=another", "/other.txt?key=query-secret"} {
				text, _, err = fetchAll(t, f, base+other, d.Cursor)
				require.NoError(t, err, "the cursor of another feed is ignored")
				assert.Equal(t, listFeed, text)
			}
		})
	}
}

func TestFetchIgnoresTooLongETag(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	f := &Fetcher{Client: clientOf(t), Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
		assert.Empty(t, r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since"))
		return answer(status, strings.NewReader(listFeed), "ETag", strings.Repeat("x", 5000)), nil
	})}
	_, d, err := fetchAll(t, f, "https://feed.example/list.txt", threatconnect.Cursor{})
	require.NoError(t, err)
	assert.Empty(t, d.Cursor.Position, "the ETag is too long for a cursor")
	status = http.StatusNotModified
	_, _, err = fetchAll(t, f, "https://feed.example/list.txt", d.Cursor)
	require.ErrorContains(t, err, "304", "the request was not conditional")
	require.NotErrorIs(t, err, ErrNotModified)
}

func TestFetchDecompresses(t *testing.T) {
	t.Parallel()
	once := zipped(t, listFeed)
	for name, tc := range map[string]struct {
		encoding string
		body     []byte
		want     string
		size     int
		says     string
	}{
		"no encoding":                   {"", []byte(listFeed), listFeed, len(listFeed), ""},
		"gzip":                          {"gzip", once, listFeed, -1, ""},
		"x-gzip":                        {"X-GZIP", once, listFeed, -1, ""},
		"a gzip file":                   {"", once, listFeed, -1, ""},
		"a gzip file, encoded":          {"gzip", zipped(t, string(once)), listFeed, -1, ""},
		"two gzip files in one":         {"", append(append([]byte{}, once...), once...), listFeed + listFeed, -1, ""},
		"an empty body":                 {"", nil, "", 0, ""},
		"an empty body, encoded":        {"gzip", nil, "", -1, ""},
		"one byte":                      {"", []byte("\x1f"), "\x1f", 1, ""},
		"another encoding":              {"br", []byte("x"), "", 0, "other than gzip"},
		"text labeled as gzip":          {"gzip", []byte(listFeed), "", 0, "damaged"},
		"gzip with a wrong checksum":    {"gzip", append(append([]byte{}, once[:len(once)-8]...), make([]byte, 8)...), "", 0, "damaged"},
		"gzip that ends early":          {"gzip", once[:len(once)-9], "", 0, "unexpected EOF"},
		"a gzip file that ends early":   {"", once[:len(once)-9], "", 0, "unexpected EOF"},
		"a gzip file cut in its header": {"", once[:4], "", 0, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &Fetcher{Client: clientOf(t), Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
					assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
					resp := answer(http.StatusOK, bytes.NewReader(tc.body), "Content-Encoding", tc.encoding)
					resp.ContentLength = int64(len(tc.body))
					return resp, nil
				})}
				text, d, err := fetchAll(t, f, "https://feed.example/list.txt", threatconnect.Cursor{})
				if tc.says != "" {
					require.ErrorContains(t, err, tc.says)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tc.want, text)
				assert.EqualValues(t, tc.size, d.Size)
			})
		})
	}
}

func TestThreatDownloadsAreBounded(t *testing.T) {
	t.Parallel()
	bomb := zipped(t, strings.Repeat("0", 10<<20))
	nothing := bytes.Repeat(zipped(t, ""), 10_000) // gzip members that decompress to nothing
	for name, tc := range map[string]struct {
		encoding string
		body     []byte
		length   bool
		max      int64
		fails    bool
	}{
		"announced":             {"", make([]byte, 1001), true, 1000, true},
		"not announced":         {"", make([]byte, 1001), false, 1000, true},
		"at the limit":          {"", make([]byte, 1000), false, 1000, false},
		"a bomb":                {"gzip", bomb, false, 1 << 20, true},
		"a bomb in a file":      {"", bomb, true, 1 << 20, true},
		"a bomb in a bomb":      {"gzip", zipped(t, string(bomb)), true, 1 << 20, true},
		"a bomb without output": {"gzip", nothing, false, 1000, true},
		"the default":           {"", make([]byte, 1001), true, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &Fetcher{Client: clientOf(t), MaxBytes: tc.max, Transport: wiretest.Func(func(*http.Request) (*http.Response, error) {
				resp := answer(http.StatusOK, bytes.NewReader(tc.body), "Content-Encoding", tc.encoding)
				if tc.length {
					resp.ContentLength = int64(len(tc.body))
				}
				return resp, nil
			})}
			text, _, err := fetchAll(t, f, "https://feed.example/list.txt", threatconnect.Cursor{})
			if !tc.fails {
				require.NoError(t, err)
				assert.Len(t, text, len(tc.body))
				return
			}
			require.ErrorContains(t, err, "raise the size limit")
			assert.LessOrEqual(t, len(text), int(tc.max))
		})
	}
}

func TestTruncatedBodyIsAnError(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"a length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + listFeed,
		"chunks":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n18\r\n" + listFeed + "\r\n",
	} {
		base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			assert.NoError(t, err)
			_, _ = io.WriteString(conn, head)
			_ = conn.Close()
		})
		text, _, err := fetchAll(t, &Fetcher{Client: clientOf(t)}, base, threatconnect.Cursor{})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
		require.ErrorContains(t, err, "broke off after 24 bytes")
		assert.Equal(t, listFeed, text)
	}
}

// waiting is a body that returns its text, and then blocks until its request ends.
type waiting struct {
	text io.Reader
	ctx  context.Context
}

func (w waiting) Read(p []byte) (int, error) {
	if n, err := w.text.Read(p); err == nil {
		return n, nil
	}
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

func TestStalledBodyTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &Fetcher{Client: clientOf(t), Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
			return answer(http.StatusOK, waiting{strings.NewReader(listFeed), r.Context()}), nil
		})}
		d, err := f.Fetch(t.Context(), "https://feed.example/list.txt", threatconnect.Cursor{})
		require.NoError(t, err)
		time.Sleep(time.Hour) // pauses between reads do not count
		began := time.Now()
		text, err := io.ReadAll(d.Body)
		require.ErrorContains(t, err, "broke off after 24 bytes: no data came for 2 minutes")
		assert.Equal(t, listFeed, string(text))
		assert.Equal(t, stallTimeout, time.Since(began))
		_, again := d.Body.Read(make([]byte, 1))
		require.Equal(t, err, again)
		require.NoError(t, d.Body.Close())

		ctx, cancel := context.WithCancel(t.Context())
		d, err = f.Fetch(ctx, "https://feed.example/list.txt", threatconnect.Cursor{})
		require.NoError(t, err)
		cancel()
		_, err = io.ReadAll(d.Body)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, d.Body.Close())
		require.NoError(t, d.Body.Close())
		_, err = d.Body.Read(make([]byte, 1))
		require.Error(t, err)

		// The body is closed without being read.
		d, err = f.Fetch(t.Context(), "https://feed.example/list.txt", threatconnect.Cursor{})
		require.NoError(t, err)
		require.NoError(t, d.Body.Close())
		_, err = d.Body.Read(make([]byte, 1))
		require.ErrorContains(t, err, "closed")
	})
}

func TestFetchRetries(t *testing.T) {
	t.Parallel()
	reset := errors.New("connection reset by peer")
	for name, tc := range map[string]struct {
		status   int
		header   []string
		err      error
		attempts int
		least    time.Duration // bounds of the total wait
		most     time.Duration
		says     string
	}{
		"reset":                {0, nil, reset, 5, 7500 * time.Millisecond, 15 * time.Second, "reset by peer"},
		"503":                  {503, nil, nil, 5, 7500 * time.Millisecond, 15 * time.Second, "503 Service Unavailable: run again later"},
		"502":                  {502, nil, nil, 5, 7500 * time.Millisecond, 15 * time.Second, "502"},
		"504":                  {504, nil, nil, 5, 7500 * time.Millisecond, 15 * time.Second, "504"},
		"429 with a wait":      {429, []string{"Retry-After", "60"}, nil, 5, 4 * time.Minute, 4 * time.Minute, "429"},
		"503 with a date":      {503, []string{"Retry-After", "Fri, 02 Jan 2026 03:05:05 GMT", "Date", "Fri, 02 Jan 2026 03:04:05 GMT"}, nil, 5, 4 * time.Minute, 4 * time.Minute, "503"},
		"429 with a long wait": {429, []string{"Retry-After", "3600"}, nil, 1, 0, 0, "asks to wait for 1h0m0s: run again after that"},
		"an invalid wait":      {503, []string{"Retry-After", "-1"}, nil, 5, 7500 * time.Millisecond, 15 * time.Second, "503"},
		"401":                  {401, nil, nil, 1, 0, 0, "401 Unauthorized: check the key"},
		"403":                  {403, nil, nil, 1, 0, 0, "403 Forbidden: check the key"},
		"404":                  {404, nil, nil, 1, 0, 0, "404 Not Found: check the URL"},
		"407":                  {407, nil, nil, 1, 0, 0, "407 Proxy Authentication Required: check the proxy"},
		"500":                  {500, nil, nil, 1, 0, 0, "500 Internal Server Error"},
		"204":                  {204, nil, nil, 1, 0, 0, "204 No Content"},
		"299":                  {299, nil, nil, 1, 0, 0, "299"},
		"no such host":         {0, nil, &net.DNSError{Err: "no such host", IsNotFound: true}, 1, 0, 0, "no such host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts, works := 0, false
				f := &Fetcher{Client: clientOf(t), Transport: wiretest.Func(func(*http.Request) (*http.Response, error) {
					attempts++
					switch {
					case works && attempts == maxAttempts:
						return answer(http.StatusOK, strings.NewReader(listFeed)), nil
					case tc.err != nil:
						return nil, tc.err
					}
					return answer(tc.status, strings.NewReader("secret words"), tc.header...), nil
				})}
				began := time.Now()
				_, _, err := fetchAll(t, f, "https://feed.example/list.txt", threatconnect.Cursor{})
				waited := time.Since(began)
				require.ErrorContains(t, err, `feeds: fetch the feed from "feed.example": `)
				require.ErrorContains(t, err, tc.says)
				assert.NotContains(t, err.Error(), "words")
				assert.Equal(t, tc.attempts, attempts)
				assert.GreaterOrEqual(t, waited, tc.least)
				assert.LessOrEqual(t, waited, tc.most)
				if attempts == maxAttempts {
					attempts, works = 0, true
					text, _, err := fetchAll(t, f, "https://feed.example/list.txt", threatconnect.Cursor{})
					require.NoError(t, err)
					assert.Equal(t, listFeed, text)

					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
					attempts = 0
					_, err = f.Fetch(ctx, "https://feed.example/list.txt", threatconnect.Cursor{})
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.ErrorContains(t, err, tc.says, "the error includes the reason of the retry")
					assert.Equal(t, 1, attempts)
				}
			})
		})
	}
}

func TestFetchRetriesBeforeFirstByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		f := &Fetcher{Client: clientOf(t), Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
			attempts++
			switch attempts {
			case 1: // no response
				<-r.Context().Done()
				return nil, r.Context().Err()
			case 2: // no body
				return answer(http.StatusOK, waiting{strings.NewReader(""), r.Context()}), nil
			case 3:
				return answer(http.StatusOK, io.MultiReader(strings.NewReader(""), failing{})), nil
			}
			return answer(http.StatusOK, strings.NewReader(listFeed)), nil
		})}
		began := time.Now()
		text, _, err := fetchAll(t, f, "https://feed.example/list.txt", threatconnect.Cursor{})
		require.NoError(t, err)
		assert.Equal(t, listFeed, text)
		assert.Equal(t, 4, attempts)
		assert.Greater(t, time.Since(began), 2*stallTimeout)
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Header keys are case-insensitive, so no header is sent twice.
func TestFetchCanonicalizesHeaders(t *testing.T) {
	t.Parallel()
	var sent http.Header
	f := &Fetcher{
		Client: clientOf(t),
		Header: http.Header{"authorization": {"Bearer token"}, "user-agent": {"other"}, "accept-encoding": {"br"}, "x-key": {"1", "2"}},
		Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
			sent = r.Header
			return answer(http.StatusOK, strings.NewReader(listFeed)), nil
		}),
	}
	_, _, err := fetchAll(t, f, "https://user:password@feed.example/", threatconnect.Cursor{})
	require.NoError(t, err)
	assert.Equal(t, http.Header{
		"Authorization": {"Bearer token"}, "User-Agent": {clientOf(t).UserAgent()}, "Accept-Encoding": {"gzip"}, "X-Key": {"1", "2"},
	}, sent)
}

func TestBodyCloseDuringRead(t *testing.T) {
	t.Parallel()
	feedURL := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, listFeed)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	f := &Fetcher{Client: clientOf(t)}
	d, err := f.Fetch(t.Context(), feedURL, threatconnect.Cursor{})
	require.NoError(t, err)
	var closing sync.WaitGroup
	closing.Go(func() { assert.NoError(t, d.Body.Close()) })
	text, err := io.ReadAll(d.Body)
	require.ErrorIs(t, err, errClosed)
	assert.Contains(t, []string{"", listFeed}, string(text))
	closing.Wait()
}

func TestFetchValidatesBeforeSending(t *testing.T) {
	t.Parallel()
	anonymous, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("id", "key"))
	require.NoError(t, err)
	none := wiretest.Func(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("none")
	})
	good := Fetcher{Client: clientOf(t), Transport: none}
	for name, tc := range map[string]struct {
		change  func(*Fetcher)
		feedURL string
	}{
		"no URL":                 {nil, ""},
		"a path":                 {nil, "list-secret.txt"},
		"a file":                 {nil, "file:///secret"},
		"no host":                {nil, "https:///secret"},
		"a broken URL":           {nil, "https://user:secret%@feed.example/"},
		"no client":              {func(f *Fetcher) { f.Client = nil }, "https://feed.example/"},
		"a zero client":          {func(f *Fetcher) { f.Client = new(threatconnect.Client) }, "https://feed.example/"},
		"no user agent":          {func(f *Fetcher) { f.Client = anonymous }, "https://feed.example/"},
		"a negative limit":       {func(f *Fetcher) { f.MaxBytes = -1 }, "https://feed.example/"},
		"a line break":           {func(f *Fetcher) { f.Header = http.Header{"X-Key": {"secret\n"}} }, "https://feed.example/"},
		"a control character":    {func(f *Fetcher) { f.Header = http.Header{"X-Key": {"secret\x01"}} }, "https://feed.example/"},
		"a delete character":     {func(f *Fetcher) { f.Header = http.Header{"X-Key": {"secret\x7f"}} }, "https://feed.example/"},
		"an empty header name":   {func(f *Fetcher) { f.Header = http.Header{"": {"secret"}} }, "https://feed.example/"},
		"an invalid header name": {func(f *Fetcher) { f.Header = http.Header{"X Key:secret": {"x"}} }, "https://feed.example/"},
	} {
		f := good
		if tc.change != nil {
			tc.change(&f)
		}
		_, err := f.Fetch(t.Context(), tc.feedURL, threatconnect.Cursor{})
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.NotContains(t, err.Error(), "secret", name)
	}
	var noContext context.Context
	_, err = good.Fetch(noContext, "https://feed.example/", threatconnect.Cursor{})
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}
