package feed

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// provider serves a feed with an ETag.
type provider struct {
	mu       sync.Mutex
	feed     string
	requests []*http.Request
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r)
	tag := fmt.Sprintf("%q", fmt.Sprint(len(p.feed)))
	w.Header().Set("ETag", tag)
	switch {
	case r.Header.Get("Api-Key") != "for the provider only":
		http.Error(w, "who are you?", http.StatusForbidden)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		_, _ = w.Write([]byte(p.feed))
	}
}

func TestDownloadIsSkippedIfNotModified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	header := filepath.Join(dir, "header")
	require.NoError(t, os.WriteFile(header, []byte("API-Key: for the provider only\n"), 0o600))
	for _, spool := range []string{"", filepath.Join(dir, "spool")} {
		p := &provider{feed: "one.example\ntwo.example\n"}
		s := httptest.NewTLSServer(p)
		t.Cleanup(s.Close)
		srv := threatconnecttest.NewT(t)
		e := to(t, srv)
		e.transport = s.Client().Transport
		args := []string{"--input", s.URL + "/feed?key=in-the-url", "--json", "--state", filepath.Join(t.TempDir(), "state"), "--header-file", header,
			"--tc_log_path", dir, "--tc_log_level", "DEBUG"}
		if spool != "" {
			args = append(args, "--spool", spool)
		}
		run := func(extra ...string) report {
			r := e.run(t.Context(), append(args, extra...)...)
			assert.NotContains(t, r.stdout+r.stderr, "in-the-url")
			return reportOf(t, r)
		}
		got := run()
		assert.Equal(t, 0, got.Exit, got.Message)
		assert.EqualValues(t, 2, got.Imported)
		assert.Equal(t, "url", got.Input)
		for _, q := range p.requests {
			assert.Regexp(t, "^threatconnect-feed/", q.UserAgent())
		}

		jobs := len(srv.Jobs())
		got = run()
		assert.Equal(t, 0, got.Exit)
		assert.True(t, got.NotModified)
		assert.Zero(t, got.Read)
		assert.Contains(t, got.Message, "the feed has not changed since the last run")
		assert.Len(t, srv.Jobs(), jobs+1, "only the preflight's")

		got = run("--full")
		assert.False(t, got.NotModified)
		assert.EqualValues(t, 2, got.Imported)
		assert.True(t, run().NotModified)

		p.mu.Lock()
		p.feed += "three.example\n"
		p.mu.Unlock()
		got = run()
		assert.EqualValues(t, 2, got.Unchanged)
		assert.EqualValues(t, 1, got.Imported)

		list := filepath.Join(dir, "exclude.txt") // other flags or lists: the feed is read although it was not modified
		require.NoError(t, os.WriteFile(list, []byte("four.example\n"), 0o600))
		args = append(args, "--tag", "phishing", "--exclude", list)
		got = run()
		assert.False(t, got.NotModified)
		assert.EqualValues(t, 3, got.Imported)
		assert.True(t, run().NotModified)
		require.NoError(t, os.WriteFile(list, []byte("three.example\n"), 0o600))
		got = run()
		assert.EqualValues(t, 1, got.Skipped)
		assert.EqualValues(t, 2, got.Unchanged)
		assert.True(t, run().NotModified)
	}
	log, err := os.ReadFile(filepath.Join(dir, "app.log"))
	require.NoError(t, err)
	assert.NotContains(t, string(log), "in-the-url")
	assert.NotContains(t, string(log), "for the provider")
}

// After a failed run, the feed is read again even if it was not modified.
func TestUnmodifiedDownloadIsRereadAfterFailure(t *testing.T) {
	t.Parallel()
	p := &provider{feed: "one.example\n" + strings.Repeat("not an indicator\n", 2)}
	s := httptest.NewTLSServer(p)
	t.Cleanup(s.Close)
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	e.transport = s.Client().Transport
	dir := t.TempDir()
	header := filepath.Join(dir, "header")
	require.NoError(t, os.WriteFile(header, []byte("API-Key: for the provider only\n"), 0o600))
	require.Equal(t, 0, e.feed("two.example\nthree.example\n").run(t.Context(), "--input", "-").exit)
	args := []string{"--input", s.URL, "--json", "--header-file", header, "--state", filepath.Join(dir, "state"), "--remove-stale"}
	run := func(extra ...string) report { return reportOf(t, e.run(t.Context(), append(args, extra...)...)) }
	for range 2 {
		assert.Contains(t, run().Message, "nothing stale was removed")
		got := run("--max-invalid", "2")
		assert.Contains(t, got.Message, "--max-share")
		assert.False(t, got.NotModified)
		assert.Equal(t, 3, got.Exit)
	}
	got := run("--max-invalid", "2", "--max-share", "1")
	assert.EqualValues(t, 2, got.Removed)
	assert.Equal(t, 0, got.Exit, got.Message)
	assert.True(t, run().NotModified)
}

func TestDownloadInTheSpoolIsNotRepeated(t *testing.T) {
	t.Parallel()
	p := &provider{feed: hosts(0, 100, 1)}
	s := httptest.NewTLSServer(p)
	t.Cleanup(s.Close)
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	e.transport = s.Client().Transport
	header := filepath.Join(t.TempDir(), "header")
	require.NoError(t, os.WriteFile(header, []byte("API-Key: for the provider only\n"), 0o600))
	args := []string{"--input", s.URL, "--json", "--header-file", header, "--spool", t.TempDir(), "--max-bytes", "2048"}
	interrupted(t, e, srv, args...)
	got := reportOf(t, e.run(t.Context(), args...))
	assert.Equal(t, 0, got.Exit, got.Message)
	assert.EqualValues(t, 100, got.Imported)
	require.Len(t, p.requests, 2)
	assert.NotEmpty(t, p.requests[1].Header.Get("If-None-Match"))
}

func TestDownloadErrors(t *testing.T) {
	t.Parallel()
	p := &provider{feed: strings.Repeat("one.example\n", 1000)}
	s := httptest.NewTLSServer(p)
	t.Cleanup(s.Close)
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	e.transport = s.Client().Transport
	dir := t.TempDir()
	header := filepath.Join(dir, "header")
	require.NoError(t, os.WriteFile(header, []byte("API-Key: for the provider only\n"), 0o600))
	broken := filepath.Join(dir, "broken")
	require.NoError(t, os.WriteFile(broken, []byte("secret without a name\n"), 0o600))
	split := filepath.Join(dir, "split")
	require.NoError(t, os.WriteFile(split, []byte("API-Key: for the provider only\n\nOther: header\n"), 0o600))
	for want, args := range map[string][]string{
		"--header-file: write a header": {"--header-file", split},
		"403":                           nil,
		"write a header per line":       {"--header-file", broken},
		"--header-file: no such file":   {"--header-file", filepath.Join(dir, "none")},
		"--max-size":                    {"--header-file", header, "--max-size", "1kB"},
	} {
		r := e.run(t.Context(), append(args, "--input", s.URL, "--json")...)
		got := reportOf(t, r)
		assert.NotZero(t, got.Exit, want)
		assert.Contains(t, got.Message, want)
		assert.NotContains(t, r.stderr+r.stdout, "secret without")
	}
}
