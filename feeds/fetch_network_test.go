package feeds

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestThreatFetcherSendsNoCredentials(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to string
		secret   bool // the second request has the feed's credentials
		says     string
	}{
		"to another path":          {"https://feed.example/a", "/b", true, ""},
		"to the same host":         {"https://feed.example/a", "https://FEED.example:443/b", true, ""},
		"to https":                 {"http://feed.example/a", "https://feed.example/b", true, ""},
		"to another host":          {"https://feed.example/a", "https://cdn.example/b", false, ""},
		"to a subdomain":           {"https://feed.example/a", "https://cdn.feed.example/b", false, ""},
		"to another port":          {"https://feed.example/a", "https://feed.example:8443/b", false, ""},
		"with a password":          {"https://feed.example/a", "https://x:redirect-secret@cdn.example/b", false, ""},
		"without a scheme":         {"https://feed.example/a", "//cdn.example/b", false, ""},
		"to http":                  {"https://feed.example/a", "http://feed.example/b", false, "from https to http"},
		"to a file":                {"https://feed.example/a", "file:///etc/passwd", false, "other than an http or https URL"},
		"to an empty URL":          {"https://feed.example/a", "", false, "not a URL"},
		"to an invalid URL":        {"https://feed.example/a", "https://a b/", false, "not a URL"},
		"to a host without a name": {"https://feed.example/a", "https:///b", false, "other than an http or https URL"},
		"to itself in a loop":      {"https://feed.example/a", "/a", true, "more than 10 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []*http.Request
			f := &Fetcher{Client: clientOf(t), Header: http.Header{"X-Key": {"header-secret"}}, Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, r)
				if strings.HasSuffix(r.URL.Path, "/a") {
					return answer(http.StatusFound, strings.NewReader(""), "Location", tc.to), nil
				}
				return answer(http.StatusOK, strings.NewReader(listFeed), "ETag", `"v1"`), nil
			})}
			from := strings.Replace(tc.from, "://", "://user:password-secret@", 1) + "?key=query-secret"
			text, d, err := fetchAll(t, f, from, threatconnect.Cursor{})
			if tc.says != "" {
				require.ErrorContains(t, err, tc.says)
				assert.NotContains(t, err.Error(), "secret")
				assert.LessOrEqual(t, len(asked), maxRedirects+1)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, listFeed, text)
			require.Len(t, asked, 2)
			for i, r := range asked {
				name, password, _ := r.BasicAuth()
				has := i == 0 || tc.secret
				assert.Equal(t, has, r.Header.Get("X-Key") == "header-secret")
				assert.Equal(t, has, name == "user" && password == "password-secret")
				if !has {
					assert.NotContains(t, fmt.Sprint(r.Header), "secret")
				}
				assert.NotContains(t, fmt.Sprint(r.Header), "access-id", "platform credentials are never sent to a feed")
				assert.NotContains(t, fmt.Sprint(r.Header), "query-secret")
				assert.Nil(t, r.URL.User)
				assert.Equal(t, clientOf(t).UserAgent(), r.UserAgent())
			}
			assert.NotContains(t, d.Cursor.Source, "secret")
			assert.Contains(t, d.Cursor.Source, "feed.example/#", "the cursor names the feed, not the target of the redirect")
		})
	}
}

func TestFetchErrorsHideCredentials(t *testing.T) {
	t.Parallel()
	const feedURL = "https://user-secret:password-secret@feed.example/path-secret/list.txt?key=query-secret%2F1"
	synctest.Test(t, func(t *testing.T) {
		for _, leak := range []string{"user-secret", "password-secret", "query-secret/1", "key=query-secret%2F1", "header-secret", "https://feed.example/path-secret/list.txt"} {
			err := errors.New("no responder found for " + leak)
			f := &Fetcher{Client: clientOf(t), Header: http.Header{"X-Key": {"header-secret"}}, Transport: wiretest.Func(func(*http.Request) (*http.Response, error) {
				return nil, err
			})}
			_, ferr := f.Fetch(t.Context(), feedURL, threatconnect.Cursor{})
			require.ErrorContains(t, ferr, "an error of type *errors.errorString")
			for err := ferr; err != nil; err = errors.Unwrap(err) {
				assert.NotContains(t, err.Error(), "secret")
			}
		}
	})
}

// The target of a redirect is often a signed URL of a storage service.
func TestFetchErrorsHideRedirectURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, leak := range []string{"https://cdn.example/list-secret?sig=query-secret%2F1", "sig=query-secret%2F1", "query-secret/1", "/list-secret"} {
			f := &Fetcher{Client: clientOf(t), Transport: wiretest.Func(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "feed.example" {
					return answer(http.StatusFound, strings.NewReader(""), "Location", "https://cdn.example/list-secret?sig=query-secret%2F1"), nil
				}
				return nil, errors.New("get " + leak)
			})}
			_, err := f.Fetch(t.Context(), "https://feed.example/", threatconnect.Cursor{})
			require.ErrorContains(t, err, "an error of type *errors.errorString")
			assert.NotContains(t, err.Error(), "secret")
		}
	})
}

func TestFetchUsesProxyButNotCredentials(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []*http.Request
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r)
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		_, _ = io.WriteString(w, listFeed)
	})
	at, err := url.Parse(proxy)
	require.NoError(t, err)
	f := &Fetcher{Client: clientOf(t, threatconnect.WithProxy("http://user:proxy-secret@"+at.Host))}
	text, _, err := fetchAll(t, f, "http://feed.example/list.txt", threatconnect.Cursor{})
	require.NoError(t, err)
	assert.Equal(t, listFeed, text)
	require.Len(t, asked, 1)
	assert.Equal(t, "http://feed.example/list.txt", asked[0].RequestURI)
	assert.Empty(t, asked[0].Header.Get("Authorization")+asked[0].Header.Get("Timestamp"))

	_, _, err = fetchAll(t, f, "https://feed.example/list.txt", threatconnect.Cursor{})
	require.ErrorContains(t, err, "the proxy answered 407 Proxy Authentication Required")
	assert.NotContains(t, err.Error(), "secret")
	assert.Len(t, asked, 2, "the request is not retried")
}

func TestUntrustedCertificateIsNotRetried(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.StartTLS()
	defer srv.Close()
	_, _, err := fetchAll(t, &Fetcher{Client: clientOf(t)}, srv.URL, threatconnect.Cursor{})
	require.ErrorContains(t, err, "certificate")
	assert.EqualValues(t, 1, connections.Load())
}

func TestBodyCloseClosesConnection(t *testing.T) {
	t.Parallel()
	states := make(chan http.ConnState, 10)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, listFeed) }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) { states <- s }
	srv.Start()
	defer srv.Close()
	_, _, err := fetchAll(t, &Fetcher{Client: clientOf(t)}, srv.URL, threatconnect.Cursor{})
	require.NoError(t, err)
	for {
		select {
		case s := <-states:
			if s == http.StateClosed {
				return
			}
		case <-time.After(10 * time.Second):
			require.Fail(t, "the connection stays open")
		}
	}
}
