package ioc

import (
	"strings"
	"testing"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// Extract takes time linear in the length of a text. It scans at most one window at a time, so the test
// compares texts of an eighth of a window with texts of a window, or of half a window with -short.
func TestThreatTextTimeGrowsLinearly(t *testing.T) {
	factor := scaletest.Short(4, 8)
	for _, pattern := range []string{
		"a@", "a.", "a-", "1.", "1.2.3.4 ", "1.2.3.4,", "1:", "::", ":1", "a:1:", "[.]", "[", "](", "a[.]b ", "(at)", " [.] ",
		"http://", "http://a.b/,", "http://a.example/(", "http://a.example/) ", "hxxp://a.b/;", "://", "\\", "\\n", "\\.", "a\\.b", "&amp;", "&#", "&",
		"0123456789abcdef", "d41d8cd98f00b204e9800998ecf8427e\n", "d41d8cd98f00b204e9800998ecf8427e ", "| 1.2.3.4 ", "|---", "\n|-|\n|a", "AS1", "CVE-", "CVE-2021-44228",
		"-----BEGIN x-----\n", "example.com ", "example.com.The ", "com.example ", "例。", "a。b", "é.", "xn--", "☕", "“", " ", "\t", "_", "*", "~", "....", "www.a.example/..", "version 1.2.3.4, 1.2.3.5 ",
		"a.b.c.d.e.f.g.", "x = y.name ", "%s%d", "/a/b", "a_b-c.", "\"", "'", "{}", "$", "#", "=", "...http://a.b",
	} {
		t.Run(pattern, func(t *testing.T) {
			head := "| version |\n|---|\n| see example.com "
			scaletest.RequireLinear(t, windowSize/8, factor, func(n int) func() {
				return extracting(head + strings.Repeat(pattern, (n-64)/len(pattern)) + " .")
			})
		})
	}
	for _, pattern := range []string{"example.com ", "example.sh ", "1.2.3.4 ", "d41d8cd98f00b204e9800998ecf8427e ", "'a.com',"} {
		for name, head := range map[string]string{
			"spaces": " ", "spaces after a hash": "d41d8cd98f00b204e9800998ecf8427e ", "marks of a list": "-", "a table with commas": "md5,host,name\n", "a code block": "```\n ",
		} {
			t.Run(pattern+" after "+name, func(t *testing.T) {
				scaletest.RequireLinear(t, windowSize/8, factor, func(n int) func() {
					before := head + strings.Repeat(head[len(head)-1:], n/2)
					return extracting(before + strings.Repeat(pattern, (n-len(before))/len(pattern)))
				})
			})
		}
	}
}

// extracting returns a function that extracts all indicators from a text.
func extracting(text string) func() {
	return func() {
		for range Extract(strings.NewReader(text)) {
		}
	}
}
