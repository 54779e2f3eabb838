package lint

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Relative links and images in Markdown files must lead to existing files and headings. Links to other
// sites must be https URLs; the test does not request them.
func TestMarkdownLinksResolve(t *testing.T) {
	t.Parallel()
	checked := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || path == filepath.Join(root, "tools", "extraction", "testdata")):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		page := markdown(t, path)
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			checked++
			assert.Empty(t, brokenLink(t, path, m[1]), "%s: the link to %s", path, m[1])
		}
		return nil
	}))
	assert.Greater(t, checked, 50)
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code       = regexp.MustCompile("(?ms)^( *```).*?^ *```|`[^`\n]*`")
	heading    = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	inHeading  = regexp.MustCompile("\\[([^]]*)\\]\\([^)]*\\)|[*`]")
	notInSlugs = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// brokenLink returns the problem of a link on a page, or "".
func brokenLink(t *testing.T, page, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return "it is not a URL"
	case u.Scheme == "mailto":
		return ""
	case u.Scheme != "" || u.Host != "":
		if u.Scheme != "https" || !strings.Contains(u.Hostname(), ".") {
			return "it is not an https URL"
		}
		return ""
	case strings.HasPrefix(u.Path, "/"):
		return "it is absolute"
	}
	path := page
	if u.Path != "" {
		path = filepath.Join(filepath.Dir(page), filepath.FromSlash(u.Path))
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "the file does not exist"
	case u.Fragment == "":
		return ""
	case info.IsDir() || filepath.Ext(path) != ".md":
		return "only Markdown files have headings"
	case !anchors(t, path)[u.Fragment]:
		return "the page has no such heading"
	}
	return ""
}

// anchors returns the anchors that GitHub derives from the headings of a page.
func anchors(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^ *```.*?^ *```").ReplaceAllString(string(text), "")
	slugs := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(blocks, -1) {
		plain := strings.TrimSpace(inHeading.ReplaceAllString(m[1], "$1"))
		slug := strings.ReplaceAll(notInSlugs.ReplaceAllString(strings.ToLower(plain), ""), " ", "-")
		slugs[slug] = true
	}
	return slugs
}

// markdown returns the text of a page without its code.
func markdown(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return code.ReplaceAllString(string(text), "")
}

func TestBrokenLinksAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	require.NoError(t, os.WriteFile(page, []byte("# A `page` (of tests)\n\n```\n# not a heading\n```\n"), 0o600))
	for target, want := range map[string]string{
		"page.md":                 "",
		"#a-page-of-tests":        "",
		"page.md#a-page-of-tests": "",
		"https://example.com/a#b": "",
		"missing.md":              "the file does not exist",
		"#not-a-heading":          "the page has no such heading",
		"/page.md":                "it is absolute",
		"http://example.com":      "it is not an https URL",
		".#a":                     "only Markdown files have headings",
	} {
		assert.Equal(t, want, brokenLink(t, page, target), target)
	}
	assert.Equal(t, "a  b", strings.TrimSpace(code.ReplaceAllString("a `[x](missing.md)` b\n```\n[y](missing.md)\n```\n", "")))
}
