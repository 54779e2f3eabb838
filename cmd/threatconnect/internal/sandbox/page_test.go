package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page loads nothing, runs only its own script, and cannot be framed.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	w := httptest.NewRecorder()
	d.ServeHTTP(w, d.request("GET", "/", ""))
	assert.Equal(t, page, w.Body.String())
	h := w.Header()
	assert.Equal(t, "text/html; charset=utf-8", h.Get("Content-Type"))
	assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	assert.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
	assert.Equal(t, "no-store", h.Get("Cache-Control"))
	for element, directive := range map[string]string{"script": "script-src", "style": "style-src"} {
		found := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(page, -1)
		require.Len(t, found, 1, element)
		sum := sha256.Sum256([]byte(found[0][1]))
		assert.Contains(t, h.Get("Content-Security-Policy"), directive+" 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';")
	}
	for _, directive := range []string{"default-src 'none';", "connect-src 'self';", "base-uri 'none';", "form-action 'none';", "frame-ancestors 'none';"} {
		assert.Contains(t, h.Get("Content-Security-Policy"), directive)
	}
	assert.NotContains(t, h.Get("Content-Security-Policy"), "unsafe")

	w = httptest.NewRecorder()
	d.ServeHTTP(w, d.request("GET", controlPath+"owners", ""))
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
}

// The page contains nothing that its Content-Security-Policy would block, and nothing that turns data into markup.
func TestPageSource(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "createContextualFragment",
		" style=", " onclick=", "javascript:", "//cdn", "src=", "@import", "url(",
	} {
		assert.NotContains(t, page, bad)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bid="([\w-]+)"`).FindAllStringSubmatch(page, -1) {
		assert.False(t, ids[m[1]], "duplicate id %q", m[1])
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:\$|tbody|onClick|onSubmit|onChange|copy)\("([\w-]+)"[,)]`).FindAllStringSubmatch(page, -1) {
		assert.True(t, ids[m[1]], "the script uses id %q", m[1])
	}
	for _, m := range regexp.MustCompile(`(?:aria-labelledby|list|href)="#?([\w-]+)"`).FindAllStringSubmatch(page, -1) {
		assert.True(t, ids[m[1]], "an attribute refers to id %q", m[1])
	}
}

// The page calls only endpoints that exist.
func TestPageEndpoints(t *testing.T) {
	t.Parallel()
	d := newDesk(t, options{})
	known := map[string]bool{}
	for _, e := range d.endpoints() {
		path, _, _ := strings.Cut(e.Path, "{")
		known[e.Method+" "+path] = true
	}
	calls := regexp.MustCompile(`call\("([A-Z]+)", "([\w/-]+)\??"`).FindAllStringSubmatch(page, -1)
	require.Greater(t, len(calls), 15)
	for _, m := range calls {
		assert.True(t, known[m[1]+" "+m[2]], "%s %s", m[1], m[2])
	}
}
