package whatwg

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One example for every class. A class that no longer explains its example must be removed.
var (
	hostExamples = map[string]string{
		"one label":                          "localhost",
		"IPv4 in other spellings":            "0x7f.1",
		"percent-encoded host":               "ex%61mple.com",
		"defanged":                           "evil(dot)example.com",
		"white space and control characters": "exa\tmple.com",
		"characters that no host name has":   "exam!ple.com",
		"punctuation beyond ASCII":           "\u201cexample.com",
		"lengths of DNS":                     strings.Repeat("a", 64) + ".example",
		"no top-level domain":                "cytrox.stix2",
		"hyphens at the ends of labels":      "a-.example",
		"unstable or invalid IDNA":           "\u2135a.example",
		"invisible characters":               "exa\u00admple.example",
		"invalid UTF-8":                      "a.example/\xff",
		"STD3 rules":                         "\uff45_x.example",
		"addresses":                          "192.0.2.1",
		"more than a host":                   "example.com/path",
		"final dot":                          "example.com.",
	}
	urlExamples = map[string]string{
		"one label":                          "http://localhost/",
		"IPv4 in other spellings":            "http://0300.0.2.1/",
		"percent-encoded host":               "http://ex%61mple.com/",
		"defanged":                           "http://evil(dot)example.com/",
		"white space and control characters": "http://example.com/a\tb",
		"invisible characters":               "http://example.com/a\u200b",
		"invalid UTF-8":                      "http://example.com/\xff",
		"characters that no host name has":   "http://exam!ple.com/",
		"punctuation beyond ASCII":           "http://example.com/x\u201d",
		"lengths of DNS":                     "http://a..example/",
		"no top-level domain":                "http://b.v/",
		"hyphens at the ends of labels":      "http://-a.example/",
		"unstable or invalid IDNA":           "http://stra\u1e9ee.example/",
		"STD3 rules":                         "http://\uff45_x.example/",
		"slashes before the host":            "http:///a.example/",
		"other schemes":                      "mailto:a@b.example",
		"port 0 and its spellings":           "http://example.com:0/",
		"quotes and angle brackets":          "http://example.com/<a>",
		"backslashes":                        `http://example.com\a`,
		"final dot":                          "http://example.com./",
	}
)

func TestEveryClassHasAnExample(t *testing.T) {
	for _, c := range hostClasses {
		got, d := Host(hostExamples[c.name])
		assert.Nil(t, d)
		assert.Equal(t, c.name, got, "host %q", hostExamples[c.name])
	}
	for _, c := range urlClasses {
		got, d := URL(urlExamples[c.name])
		assert.Nil(t, d)
		assert.Equal(t, c.name, got, "URL %q", urlExamples[c.name])
	}
}

// The classes are the rows of a table in docs/canonical.md.
func TestDocumentationListsEveryClass(t *testing.T) {
	text, err := os.ReadFile("../../docs/canonical.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Differences from the URL standard\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var named []string
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || strings.Trim(cells[1], " -") == "" || strings.TrimSpace(cells[1]) == "class" {
			continue
		}
		named = append(named, strings.TrimSpace(cells[1]))
	}
	var known []string
	for _, c := range slices.Concat(hostClasses, urlClasses) {
		known = append(known, c.name)
	}
	slices.Sort(known)
	slices.Sort(named)
	assert.Equal(t, slices.Compact(known), named)
}
