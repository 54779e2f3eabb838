package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// run imports a feed into a server and returns the exit code and message.
func run(t *testing.T, srv *threatconnecttest.Server, status int, csv string) (code int, message string) {
	t.Helper()
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Contains(t, r.UserAgent(), "acme-feed/1.0")
		assert.Empty(t, r.Header.Get("Authorization"), "the feed gets no credentials of the platform")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, csv)
	}))
	defer feed.Close()
	j := &job{
		url: feed.URL, owner: "Example Source", out: t.TempDir(), rating: 3, confidence: 60,
		client: srv.Client(threatconnect.WithUserAgent("acme-feed/1.0")), log: slog.New(slog.DiscardHandler),
	}
	code = j.exit(j.run(t.Context()))
	text, err := os.ReadFile(j.out + "/message.tc")
	require.NoError(t, err)
	return code, string(text)
}

func TestFeed(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	code, message := run(t, srv, 200, "a.example\nb.example\nno host\n")
	assert.Zero(t, code)
	assert.Equal(t, "imported 3 of 3 items", message)
	host, ok := srv.Indicator("Example Source", "Host", "a.example")
	require.True(t, ok)
	assert.InDelta(t, 3, *host.Rating, 0)
	assert.Contains(t, host.Attributes[0].Value, "Listed on ")
	groups := srv.Groups("Example Source")
	require.Len(t, groups, 1)
	assert.Equal(t, "Incident", groups[0].Type)
	assert.Len(t, groups[0].Attributes, 1)
}

func TestPartialImportExitCode(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithIndicatorLimit(1))
	code, message := run(t, srv, 200, "a.example\nb.example\n")
	assert.Equal(t, 3, code)
	assert.Equal(t, "imported 2 of 3 items", message)
}

func TestFeedFetchError(t *testing.T) {
	t.Parallel()
	code, message := run(t, threatconnecttest.NewT(t), 403, "")
	assert.Equal(t, 1, code)
	assert.True(t, strings.HasPrefix(message, "nothing was imported: "), message)
	assert.Contains(t, message, "403")
}
